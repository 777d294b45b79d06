//! Episodes as moving pictures: animated SVG or GIF, or a folder of PNGs, drawn from [`Frame`]s.
//!
//! A [`Recording`] is what was seen of an episode, a [`Scene`] how it is laid out on a picture; [`write()`] draws that.

mod camera;
mod gif;
mod raster;
mod scene;
mod svg;

use std::path::{Path, PathBuf};

use rand::Rng;
use spo_envs::{Checked, EnvError, Frame};

use spo::base::tensors::{FileError, write_atomically};

pub use scene::{Actor, Role, Scene};

/// What can go wrong with a film.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// What the task reports.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A task without a picture.
    #[error("`{0}` draws nothing: its states have no picture")]
    Nothing(String),
    /// An ending that is none of the three.
    #[error(
        "{0}: expected a name that ends in .svg or .gif, or one without an ending (or with a / behind it) for \
         a folder of PNGs"
    )]
    Ending(PathBuf),
    /// The picture cannot be written: a full disk, a folder without permission.
    #[error("cannot write {path}: {why}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// A moment of an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Still {
    /// The state's picture.
    pub frame: Frame,
    /// Steps made before it.
    pub step: usize,
    /// Task rewards so far, summed.
    pub task_return: f64,
    /// Safety costs so far, summed.
    pub cost: f64,
}

/// An episode as it was seen, every so many steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The task.
    pub env: String,
    /// Seconds between two steps; 0 where time has no meaning.
    pub dt: f32,
    /// Steps between two stills; the last may come sooner.
    pub every: usize,
    /// The initial state first, the last one last.
    pub stills: Vec<Still>,
}

/// Steps between two stills of a film that plays in real time at about 25 stills a second.
pub fn every_for(dt: f32) -> usize {
    if dt > 0.0 { ((0.04 / dt).round() as usize).max(1) } else { 1 }
}

impl Recording {
    /// Resets a task with `rng` and steps it through `actions` until they or the episode end.
    ///
    /// Recorded actions and the stream that their episode was reset with give that episode again.
    ///
    /// # Errors
    /// [`PlayError::Nothing`] where the task draws nothing, [`PlayError::Env`].
    pub fn shoot(
        env: &mut Checked,
        rng: &mut dyn Rng,
        actions: impl IntoIterator<Item = Vec<f32>>,
        every: usize,
    ) -> Result<Self, PlayError> {
        let (id, dt) = (env.spec().id.clone(), env.spec().dt);
        let mut obs = vec![0.0; env.spec().obs_dim];
        env.reset(rng, &mut obs)?;
        let mut still = Still { frame: env.frame(), step: 0, task_return: 0.0, cost: 0.0 };
        if still.frame.shapes.is_empty() {
            return Err(PlayError::Nothing(id));
        }
        let mut stills = vec![still.clone()];
        for action in actions {
            let step = env.step(&action, &mut obs)?;
            still.step += 1;
            still.task_return += f64::from(step.reward);
            still.cost += f64::from(step.cost);
            still.frame = env.frame();
            if still.step.is_multiple_of(every) {
                stills.push(still.clone());
            }
            if step.terminated || step.truncated {
                break;
            }
        }
        if !still.step.is_multiple_of(every) {
            stills.push(still);
        }
        Ok(Self { env: id, dt, every, stills })
    }

    /// How long a still is shown, in seconds: real time, or what is comfortable where time has no meaning.
    pub fn period(&self) -> f32 {
        if self.dt > 0.0 {
            self.dt * self.every as f32
        } else {
            (5.0 / self.stills.len() as f32).clamp(0.04, 0.5)
        }
    }
}

/// What a file's name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An animated picture of lines, sharp at any size.
    Svg,
    /// An animation in pixels, which every program shows.
    Gif,
    /// A folder of `frame-0000.png` and so on.
    Folder,
}

impl Format {
    /// By the ending: `.svg`, `.gif`, or none (or a `/` behind it) for a folder.
    ///
    /// # Errors
    /// [`PlayError::Ending`] for any other.
    pub fn of(path: &Path) -> Result<Self, PlayError> {
        if path.as_os_str().to_string_lossy().ends_with(std::path::is_separator) {
            return Ok(Self::Folder);
        }
        match path.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
            None => Ok(Self::Folder),
            Some("svg") => Ok(Self::Svg),
            Some("gif") => Ok(Self::Gif),
            Some(_) => Err(PlayError::Ending(path.into())),
        }
    }
}

/// Draws a scene into `path`, in the [`Format`] of its ending.
///
/// A file is replaced whole or not at all. In a folder, frames of an earlier film that are left over are removed,
/// and nothing else is touched.
///
/// # Errors
/// [`PlayError::Ending`], [`PlayError::Write`].
pub fn write(scene: &Scene, path: &Path) -> Result<(), PlayError> {
    match Format::of(path)? {
        Format::Svg => put(path, svg::draw(scene).as_bytes()),
        Format::Gif => {
            let bytes = gif::draw(scene).map_err(|why| PlayError::Write { path: path.into(), why })?;
            put(path, &bytes)
        }
        Format::Folder => folder(scene, path),
    }
}

fn folder(scene: &Scene, path: &Path) -> Result<(), PlayError> {
    let failed = |why: String| PlayError::Write { path: path.into(), why };
    std::fs::create_dir_all(path).map_err(|e| failed(e.to_string()))?;
    let name = |index: usize| path.join(format!("frame-{index:04}.png"));
    for index in 0..scene.frames() {
        put(&name(index), &raster::draw(scene, index).png().map_err(failed)?)?;
    }
    let stale = (scene.frames()..).map(name).take_while(|old| old.exists());
    for old in stale {
        std::fs::remove_file(&old).map_err(|e| failed(e.to_string()))?;
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), PlayError> {
    write_atomically(path, bytes).map_err(|error| match error {
        FileError::Write { path, source } => PlayError::Write { path, why: source.to_string() },
        other => PlayError::Write { path: path.into(), why: other.to_string() },
    })
}
