//! Trajectories as replays with a common scale.

use serde::Serialize;
use spo_envs::{Checked, Shape};

use crate::evaluate::play::{self, Actor, PlayError, Recording, Role, Scene};
use spo::rollout::EnvFactory;
use spo::rollout::replay_key::ReplayKey;

/// Width of a picture in pixels; the page scales it.
const WIDTH: u32 = 480;

/// Records a trajectory: every `thin`-th of the frames that play it in real time.
///
/// # Errors
/// [`PlayError`] if the task cannot be made or draws nothing.
pub fn record(key: &ReplayKey, make: &EnvFactory, thin: usize) -> Result<Recording, PlayError> {
    let mut env = Checked::new(make()?);
    let (dim, every) = (env.spec().action.dim(), thin * play::frame_interval(env.spec().dt));
    let actions = key.actions.chunks(dim).map(<[f32]>::to_vec);
    // A window may begin between two frames, so it needs every step; a trajectory from the start does not.
    let stride = if key.first == 0 { every } else { 1 };
    let mut recording = Recording::record(&mut env, &mut key.start.resets(), actions, stride)?;
    let last = recording.frames.last().map_or(0, |s| s.step);
    let first = key.first.min(last);
    let shown = |step: usize| step == last || (step >= first && (step - first).is_multiple_of(every));
    recording.frames.retain(|s| shown(s.step));
    recording.every = every;
    Ok(recording)
}

/// Trajectories for a page to draw, without any information about their policy or score.
#[derive(Clone, Debug, Serialize)]
pub struct Picture {
    /// Seconds per frame.
    period: f32,
    /// Seconds of the task between two frames; 0 if the task has no physical time.
    seconds: f32,
    /// Width and height in pixels.
    size: [f32; 2],
    /// The side of a grid square, as text.
    scale: String,
    /// Side of a grid square in pixels; the grid goes through the origin.
    square: f32,
    /// The replays, from left to right.
    sides: Vec<Side>,
}

#[derive(Clone, Debug, Serialize)]
struct Side {
    frames: usize,
    /// Offset of every position: one per frame, or a single one for all frames.
    camera: Vec<[f32; 2]>,
    actors: Vec<DrawnActor>,
}

/// A shape during the whole replay. Lines are x, y, x, y, width; circles are x, y, radius.
#[derive(Clone, Debug, Serialize)]
struct DrawnActor {
    role: &'static str,
    /// The shape in each frame, or a single one for all frames; `null` where it is absent.
    shapes: Vec<Option<Vec<f32>>>,
}

impl Picture {
    /// The picture of trajectories of one task, from left to right.
    ///
    /// # Errors
    /// [`PlayError`] if the task cannot be made or draws nothing, or there is no trajectory.
    pub fn new(sides: &[ReplayKey], make: &EnvFactory) -> Result<Self, PlayError> {
        Self::thinned(sides, make, usize::MAX)
    }

    /// Like [`new`](Self::new), but with at most about `most` frames per trajectory. It still plays in real time.
    ///
    /// # Errors
    /// The same as [`new`](Self::new).
    pub fn thinned(sides: &[ReplayKey], make: &EnvFactory, most: usize) -> Result<Self, PlayError> {
        let (dim, dt, id) = {
            let env = make()?;
            (env.spec().action.dim(), env.spec().dt, env.spec().id.clone())
        };
        let steps = |side: &ReplayKey| (side.actions.len() / dim).saturating_sub(side.first);
        let longest = sides.iter().map(steps).max().unwrap_or(0) / play::frame_interval(dt);
        let thin = longest.div_ceil(most).max(1);
        let recordings = sides.iter().map(|side| record(side, make, thin)).collect::<Result<Vec<_>, _>>()?;
        let scenes = Scene::side_by_side(&recordings, WIDTH);
        let (Some(recording), Some(scene)) = (recordings.first(), scenes.first()) else {
            return Err(PlayError::NoPicture(id));
        };
        let drawn = |scene: &Scene| Side {
            frames: scene.frames(),
            camera: scene.camera.iter().map(|[x, y]| [tenth(*x), tenth(y - scene.header)]).collect(),
            actors: scene.actors.iter().map(draw).collect(),
        };
        Ok(Self {
            period: recording.period(),
            seconds: recording.dt * recording.every as f32,
            size: [scene.size[0] as f32, scene.size[1] as f32 - scene.header.round()],
            scale: scene.scale.clone(),
            square: scene.square,
            sides: scenes.iter().map(drawn).collect(),
        })
    }
}

fn draw(actor: &Actor) -> DrawnActor {
    let numbers = |shape: Shape| match shape {
        Shape::Line { from, to, width } => vec![from[0], from[1], to[0], to[1], width],
        Shape::Circle { centre, radius } => vec![centre[0], centre[1], radius],
    };
    let role = match actor.role {
        Role::Scenery => "scenery",
        Role::Mark => "mark",
        Role::Figure => "figure",
    };
    let shapes = actor.shapes.iter().map(|s| s.map(|s| numbers(s).into_iter().map(tenth).collect()));
    DrawnActor { role, shapes: shapes.collect() }
}

/// Rounds to a tenth of a pixel: finer positions are not visible and make the answer longer.
fn tenth(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}
