//! The [`Env`] trait and the types in its methods.

use rand::Rng;
use serde::{Deserialize, Serialize};

/// The space of a task's actions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ActionSpace {
    /// A real vector within bounds, one pair of bounds per dimension.
    Continuous {
        /// Lower bounds, `[action_dim]`.
        low: Vec<f32>,
        /// Upper bounds, `[action_dim]`.
        high: Vec<f32>,
    },
    /// One of `n` options. The action is a slice of one number: the option's index.
    Discrete(usize),
}

impl ActionSpace {
    /// The same bounds in all `dim` dimensions.
    pub fn uniform(dim: usize, low: f32, high: f32) -> Self {
        Self::Continuous { low: vec![low; dim], high: vec![high; dim] }
    }

    /// Length of an action slice.
    pub fn dim(&self) -> usize {
        match self {
            Self::Continuous { low, .. } => low.len(),
            Self::Discrete(_) => 1,
        }
    }
}

/// A task's shapes, bounds and time limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Name in the registry.
    pub id: String,
    /// Length of an observation.
    pub obs_dim: usize,
    /// Bounds or options of the actions.
    pub action: ActionSpace,
    /// Steps after which an episode is truncated.
    pub horizon: usize,
    /// Seconds between two steps; 0 if the task has no physical time.
    pub dt: f32,
}

/// The outcome of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The task reward: for evaluation and simulated teachers, never for the learner.
    pub reward: f32,
    /// The safety cost; 0 if the task has none.
    pub cost: f32,
    /// The task itself ended the episode (a fall, a goal): the value of its future is 0.
    pub terminated: bool,
    /// The time limit ended the episode: its future exists but is not observed.
    pub truncated: bool,
}

/// A task: state, dynamics, reward.
///
/// Implementations may assume slices of the right length and finite actions, and may leave
/// [`Step::truncated`] false: [`Checked`](crate::Checked) checks the inputs and applies the time limit.
/// To get K trajectories from one initial state, reset K tasks with clones of one random generator.
pub trait Env: Send {
    /// Shapes, bounds and horizon; constant over the task's life.
    fn spec(&self) -> &Spec;

    /// Draws an initial state and writes its observation, `[obs_dim]`.
    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]);

    /// Sets the state (the numbers of a trace's `init`) and writes its observation, `[obs_dim]`.
    ///
    /// # Errors
    /// [`EnvError::State`] if the length is wrong or the task does not support this.
    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        let _ = (state, obs);
        Err(EnvError::State { id: self.spec().id.clone(), want: "a task that can be restored".into() })
    }

    /// Advances by one step. An action outside the bounds moves the task like the nearest bound.
    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step;

    /// What went wrong in the last reset or step, if the simulator failed. [`Checked`](crate::Checked)
    /// returns it as [`EnvError::Simulation`].
    fn fault(&self) -> Option<&str> {
        None
    }

    /// Whether [`with_dynamics`](crate::with_dynamics) knows this task's equations by its id.
    fn has_equations(&self) -> bool {
        false
    }

    /// Name and length of each part of an observation, in order, for tasks with named parts (DM Control). Empty for
    /// all others.
    fn parts(&self) -> &[(&'static str, usize)] {
        &[]
    }

    /// The current state as lines and circles, for a picture or a page.
    fn frame(&self) -> Frame {
        Frame::default()
    }
}

/// A picture of a state, in metres, y upwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// What to draw, back to front.
    pub shapes: Vec<Shape>,
}

/// A thing to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A line segment.
    Line {
        /// One end (x, y).
        from: [f32; 2],
        /// The other end (x, y).
        to: [f32; 2],
        /// Thickness.
        width: f32,
    },
    /// A circle.
    Circle {
        /// Centre (x, y).
        centre: [f32; 2],
        /// Radius.
        radius: f32,
    },
}

/// An error of a task.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// No task has this name.
    #[error("there is no environment `{id}`{} `spo envs` lists them", did_you_mean(nearest))]
    Unknown {
        /// The name asked for.
        id: String,
        /// The nearest name in the registry.
        nearest: Option<String>,
    },
    /// A slice of the wrong length.
    #[error("{id}: {what} has {got} numbers, expected {want}")]
    Shape {
        /// The task.
        id: String,
        /// "action" or "observation".
        what: &'static str,
        /// Length given.
        got: usize,
        /// Length of the spec.
        want: usize,
    },
    /// A number that is NaN or infinite.
    #[error("{id}: {what}[{index}] is {value}, expected a finite number")]
    NotFinite {
        /// The task.
        id: String,
        /// "action", "observation" or "reward".
        what: &'static str,
        /// Index in the slice.
        index: usize,
        /// The number.
        value: f32,
    },
    /// An action that is not an index of a discrete space.
    #[error("{id}: action {value} is not an option, expected a whole number below {options}")]
    Option {
        /// The task.
        id: String,
        /// The number given.
        value: f32,
        /// Number of options.
        options: usize,
    },
    /// Stepped before a reset or after the end.
    #[error("{id}: the episode has not begun or is over; call reset first")]
    NotReset {
        /// The task.
        id: String,
    },
    /// A state that the task cannot be set to.
    #[error("{id}: cannot restore the state, expected {want}")]
    State {
        /// The task.
        id: String,
        /// What the task accepts.
        want: String,
    },
    /// The text after `@` is not a valid number of steps.
    #[error("`{id}`: write the number of steps of an episode after `@`, from 1 to {most}")]
    Horizon {
        /// The name asked for.
        id: String,
        /// The largest number.
        most: usize,
    },
    /// The task's simulator failed.
    #[error("{id}: {}{why}", at_step(*step))]
    Simulation {
        /// The task.
        id: String,
        /// The step that failed, counted from 0; `None` for a reset.
        step: Option<usize>,
        /// What happened.
        why: String,
    },
    /// The task needs MuJoCo, and the library or the model cannot be opened.
    #[error("{id}: {why}")]
    Mujoco {
        /// The task.
        id: String,
        /// Why, and how to fix it.
        why: Box<crate::mujoco::MujocoError>,
    },
}

fn at_step(step: Option<usize>) -> String {
    step.map(|step| format!("step {step}: ")).unwrap_or_default()
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(|| ";".to_string(), |n| format!(", did you mean `{n}`?"))
}
