//! Episodes as animations: SVG, GIF, or a folder of PNGs, drawn from [`Frame`]s.
//!
//! A [`Recording`] holds the frames of an episode, a [`Scene`] their layout in a picture; [`write()`] draws it.

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

/// An error of a recording or its picture.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The task's error.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The task has no picture.
    #[error("`{0}` cannot be drawn: its states have no picture")]
    NoPicture(String),
    /// The file's extension is not supported.
    #[error(
        "cannot draw into {0}; expected a name that ends in .svg or .gif, or a name without an extension (or with a / \
         at its end) for a folder of PNGs"
    )]
    Extension(PathBuf),
    /// The picture cannot be written, for example on a full disk.
    #[error("cannot write {path}: {why}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// A frame of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedFrame {
    /// The state's picture.
    pub frame: Frame,
    /// Steps before it.
    pub step: usize,
    /// Sum of the task rewards so far.
    pub task_return: f64,
    /// Sum of the safety costs so far.
    pub cost: f64,
}

/// A recorded episode, with a frame every few steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The task.
    pub env: String,
    /// Seconds between two steps; 0 if the task has no physical time.
    pub dt: f32,
    /// Steps between two frames; the last interval may be shorter.
    pub every: usize,
    /// The frames, from the initial to the final state.
    pub frames: Vec<RecordedFrame>,
}

/// Steps between two frames of a recording that plays in real time with about 25 frames per second.
pub fn frame_interval(dt: f32) -> usize {
    if dt > 0.0 { ((0.04 / dt).round() as usize).max(1) } else { 1 }
}

impl Recording {
    /// Resets a task with `rng` and steps it through `actions` until they or the episode end.
    ///
    /// With an episode's actions and its reset stream, this records that episode.
    ///
    /// # Errors
    /// [`PlayError::NoPicture`] if the task draws nothing, [`PlayError::Env`] if it fails.
    pub fn record(
        env: &mut Checked,
        rng: &mut dyn Rng,
        actions: impl IntoIterator<Item = Vec<f32>>,
        every: usize,
    ) -> Result<Self, PlayError> {
        let (id, dt) = (env.spec().id.clone(), env.spec().dt);
        let mut obs = vec![0.0; env.spec().obs_dim];
        env.reset(rng, &mut obs)?;
        let mut current = RecordedFrame { frame: env.frame(), step: 0, task_return: 0.0, cost: 0.0 };
        if current.frame.shapes.is_empty() {
            return Err(PlayError::NoPicture(id));
        }
        let mut frames = vec![current.clone()];
        for action in actions {
            let step = env.step(&action, &mut obs)?;
            current.step += 1;
            current.task_return += f64::from(step.reward);
            current.cost += f64::from(step.cost);
            current.frame = env.frame();
            if current.step.is_multiple_of(every) {
                frames.push(current.clone());
            }
            if step.terminated || step.truncated {
                break;
            }
        }
        if !current.step.is_multiple_of(every) {
            frames.push(current);
        }
        Ok(Self { env: id, dt, every, frames })
    }

    /// How long to show a frame, in seconds: real time, or a comfortable speed if the task has no physical time.
    pub fn period(&self) -> f32 {
        if self.dt > 0.0 {
            self.dt * self.every as f32
        } else {
            (5.0 / self.frames.len() as f32).clamp(0.04, 0.5)
        }
    }
}

/// The format of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An animated picture of lines, sharp at any size.
    Svg,
    /// An animation in pixels, which every program can show.
    Gif,
    /// A folder of `frame-0000.png` and so on.
    Folder,
}

impl Format {
    /// The format for a file name: `.svg`, `.gif`, or a folder for a name without an extension or with a `/` at its end.
    ///
    /// # Errors
    /// [`PlayError::Extension`] for any other extension.
    pub fn from_path(path: &Path) -> Result<Self, PlayError> {
        if path.as_os_str().to_string_lossy().ends_with(std::path::is_separator) {
            return Ok(Self::Folder);
        }
        match path.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
            None => Ok(Self::Folder),
            Some("svg") => Ok(Self::Svg),
            Some("gif") => Ok(Self::Gif),
            Some(_) => Err(PlayError::Extension(path.into())),
        }
    }
}

/// Draws a scene into `path`, in the [`Format`] of its name.
///
/// A file is replaced atomically. In a folder, surplus frames of an earlier recording are removed; other files stay.
///
/// # Errors
/// [`PlayError::Extension`] for an unsupported name, [`PlayError::Write`] if the picture cannot be written.
pub fn write(scene: &Scene, path: &Path) -> Result<(), PlayError> {
    match Format::from_path(path)? {
        Format::Svg => write_file(path, svg::draw(scene).as_bytes()),
        Format::Gif => {
            let bytes = gif::draw(scene).map_err(|why| PlayError::Write { path: path.into(), why })?;
            write_file(path, &bytes)
        }
        Format::Folder => write_folder(scene, path),
    }
}

fn write_folder(scene: &Scene, path: &Path) -> Result<(), PlayError> {
    let failed = |why: String| PlayError::Write { path: path.into(), why };
    std::fs::create_dir_all(path).map_err(|e| failed(e.to_string()))?;
    let name = |index: usize| path.join(format!("frame-{index:04}.png"));
    for index in 0..scene.frames() {
        write_file(&name(index), &raster::draw(scene, index).png().map_err(failed)?)?;
    }
    let stale = (scene.frames()..).map(name).take_while(|old| old.exists());
    for old in stale {
        std::fs::remove_file(&old).map_err(|e| failed(e.to_string()))?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), PlayError> {
    write_atomically(path, bytes).map_err(|error| match error {
        FileError::Write { path, source } => PlayError::Write { path, why: source.to_string() },
        other => PlayError::Write { path: path.into(), why: other.to_string() },
    })
}
