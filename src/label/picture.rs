//! A pair as two replays of one scale.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use spo_envs::{Checked, Shape};

use super::answers::{Left, Shown};
use super::store::{LabelError, Store};
use crate::oracle::{OracleError, Pair};
use crate::play::{self, Actor, Film, Role, Scene};
use crate::rollout::{EnvFactory, Start, Trajectory};

/// Pixels of a picture's width; the page scales them.
const WIDTH: u32 = 480;

/// What makes a trajectory again.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What its episode began from.
    pub start: Start,
    /// Steps of the episode before it.
    pub first: usize,
    /// Actions from the episode's first step to the trajectory's last, `[first + T, action_dim]`.
    pub actions: Vec<f32>,
}

impl Recipe {
    /// Of a trajectory that a rollout made.
    ///
    /// # Errors
    /// Where it does not know its origin.
    pub fn of(trajectory: Trajectory<'_>) -> Result<Self, OracleError> {
        let origin = trajectory.origin.ok_or_else(|| {
            OracleError::Failed("a trajectory without an origin cannot be shown to people".into())
        })?;
        let dim = match trajectory.len() {
            0 => origin.before.len().max(1),
            steps => trajectory.actions.len() / steps,
        };
        // What comes after the end of an episode is empty, and begins where that ends.
        let first = if trajectory.is_empty() { usize::MAX } else { origin.before.len() / dim };
        Ok(Self { start: origin.start, first, actions: [origin.before, trajectory.actions].concat() })
    }

    /// Both sides of a pair.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_pair(pair: &Pair<'_>) -> Result<[Self; 2], OracleError> {
        Ok([Self::of(pair.a)?, Self::of(pair.b)?])
    }

    /// A checksum of the whole, by which the trajectory is known: FNV-1a of 64 bits (Fowler, Noll & Vo).
    pub fn id(&self) -> i64 {
        let start = self.start_json();
        let first = (self.first as u64).to_le_bytes();
        let bytes = start.bytes().chain(first).chain(self.action_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }) as i64
    }

    pub(super) fn start_json(&self) -> String {
        serde_json::to_string(&self.start).expect("plain numbers")
    }

    pub(super) fn action_bytes(&self) -> Vec<u8> {
        self.actions.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    /// The trajectory as it was seen, a still every so many steps that it plays in real time.
    ///
    /// # Errors
    /// Where the task cannot be made or draws nothing.
    pub fn film(&self, make: &EnvFactory) -> Result<Film, LabelError> {
        let failed = |why: String| LabelError::Picture(why);
        let mut env = Checked::new(make().map_err(|e| failed(e.to_string()))?);
        let (dim, every) = (env.spec().action.dim(), play::every_for(env.spec().dt));
        let actions = self.actions.chunks(dim).map(<[f32]>::to_vec);
        let mut film =
            Film::shoot(&mut env, &mut self.start.resets(), actions, 1).map_err(|e| failed(e.to_string()))?;
        let last = film.stills.len() - 1;
        let first = self.first.min(last);
        film.stills.retain(|s| s.step == last || (s.step >= first && (s.step - first).is_multiple_of(every)));
        film.every = every;
        Ok(film)
    }
}

/// A pair for the page to draw: what stands on the left and on the right, and no word of who or how good they are.
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
    /// Left and right.
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
    /// Of two trajectories, left and right.
    ///
    /// # Errors
    /// As [`Recipe::film`].
    pub fn new(sides: &[Recipe; 2], make: &EnvFactory) -> Result<Self, LabelError> {
        let films = [sides[0].film(make)?, sides[1].film(make)?];
        let scenes = Scene::side_by_side(&films, WIDTH);
        let (film, scene) = (&films[0], &scenes[0]);
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

impl Store {
    /// The recipes of a pair as it is shown: left, then right.
    ///
    /// # Errors
    /// [`LabelError::Database`], [`LabelError::Picture`] where it is damaged.
    pub fn recipes(&self, shown: &Shown) -> Result<[Recipe; 2], LabelError> {
        let [a, b] = [self.recipe(shown.a)?, self.recipe(shown.b)?];
        Ok(if shown.left == Left::A { [a, b] } else { [b, a] })
    }

    fn recipe(&self, id: i64) -> Result<Recipe, LabelError> {
        let row = self.read(|t| {
            t.query_row("SELECT start, first, actions FROM trajectories WHERE id = ?1", params![id], |r| {
                Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?, r.get::<_, Vec<u8>>(2)?))
            })
            .optional()
        })?;
        let damaged = || LabelError::Picture(format!("trajectory {id:016x} is damaged or missing"));
        let (start, first, bytes) = row.ok_or_else(damaged)?;
        let start = serde_json::from_str(&start).map_err(|_| damaged())?;
        let actions = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let recipe = Recipe { start, first: first as usize, actions };
        if recipe.id() == id { Ok(recipe) } else { Err(damaged()) }
    }
}
