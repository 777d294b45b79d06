//! Trajectories as replays of one scale.

use serde::Serialize;
use spo_envs::{Checked, Shape};

use crate::evaluate::play::{self, Actor, PlayError, Recording, Role, Scene};
use spo::rollout::EnvFactory;
use spo::rollout::replay_key::ReplayKey;

/// Pixels of a picture's width; the page scales them.
const WIDTH: u32 = 480;

/// The trajectory as it was seen: a `thin`-th of the frames that play it in real time.
///
/// # Errors
/// [`PlayError`] where the task cannot be made or draws nothing.
pub fn record(key: &ReplayKey, make: &EnvFactory, thin: usize) -> Result<Recording, PlayError> {
    let mut env = Checked::new(make()?);
    let (dim, every) = (env.spec().action.dim(), thin * play::every_for(env.spec().dt));
    let actions = key.actions.chunks(dim).map(<[f32]>::to_vec);
    // A trajectory that starts its episode needs no other frames on the way.
    let stride = if key.first == 0 { every } else { 1 };
    let mut recording = Recording::shoot(&mut env, &mut key.start.resets(), actions, stride)?;
    let last = recording.stills.last().map_or(0, |s| s.step);
    let first = key.first.min(last);
    let shown = |step: usize| step == last || (step >= first && (step - first).is_multiple_of(every));
    recording.stills.retain(|s| shown(s.step));
    recording.every = every;
    Ok(recording)
}

/// Trajectories for a page to draw, and no word of whose or how good they are.
#[derive(Clone, Debug, Serialize)]
pub struct Picture {
    /// Seconds that a still is shown.
    period: f32,
    /// Seconds of the task between two stills; 0 where time has no meaning.
    seconds: f32,
    /// Width and height.
    size: [f32; 2],
    /// The length of a square of the grid, in words.
    scale: String,
    /// Pixels of its side; the grid goes through the origin.
    square: f32,
    /// From left to right.
    sides: Vec<Side>,
}

#[derive(Clone, Debug, Serialize)]
struct Side {
    stills: usize,
    /// What to add to every place, one a still or one for all.
    camera: Vec<[f32; 2]>,
    actors: Vec<Drawn>,
}

/// A shape over the whole film. Lines are x, y, x, y, width; circles x, y, radius.
#[derive(Clone, Debug, Serialize)]
struct Drawn {
    role: &'static str,
    /// One a still, or one for all; `null` where it is not there.
    shapes: Vec<Option<Vec<f32>>>,
}

impl Picture {
    /// Of trajectories of one task, from left to right.
    ///
    /// # Errors
    /// [`PlayError`] where the task cannot be made or draws nothing.
    pub fn new(sides: &[ReplayKey], make: &EnvFactory) -> Result<Self, PlayError> {
        Self::thinned(sides, make, usize::MAX)
    }

    /// As [`new`](Self::new), but with about `most` stills of a trajectory; it plays in real time all the same.
    ///
    /// # Errors
    /// [`PlayError`] where the task cannot be made or draws nothing, or there is no trajectory.
    pub fn thinned(sides: &[ReplayKey], make: &EnvFactory, most: usize) -> Result<Self, PlayError> {
        let (dim, dt, id) = {
            let env = make()?;
            (env.spec().action.dim(), env.spec().dt, env.spec().id.clone())
        };
        let steps = |side: &ReplayKey| (side.actions.len() / dim).saturating_sub(side.first);
        let longest = sides.iter().map(steps).max().unwrap_or(0) / play::every_for(dt);
        let thin = longest.div_ceil(most).max(1);
        let films = sides.iter().map(|side| record(side, make, thin)).collect::<Result<Vec<_>, _>>()?;
        let scenes = Scene::side_by_side(&films, WIDTH);
        let (Some(film), Some(scene)) = (films.first(), scenes.first()) else {
            return Err(PlayError::Nothing(id));
        };
        let drawn = |scene: &Scene| Side {
            stills: scene.frames(),
            camera: scene.camera.iter().map(|[x, y]| [tenth(*x), tenth(y - scene.header)]).collect(),
            actors: scene.actors.iter().map(draw).collect(),
        };
        Ok(Self {
            period: film.period(),
            seconds: film.dt * film.every as f32,
            size: [scene.size[0] as f32, scene.size[1] as f32 - scene.header.round()],
            scale: scene.scale.clone(),
            square: scene.square,
            sides: scenes.iter().map(drawn).collect(),
        })
    }
}

fn draw(actor: &Actor) -> Drawn {
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
    Drawn { role, shapes: shapes.collect() }
}

/// Of a pixel: more is not seen, and costs bytes.
fn tenth(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}
