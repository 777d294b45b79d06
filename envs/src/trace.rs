//! Recorded trajectories: step a task through one and see whether it agrees.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::checked::Checked;
use crate::env::{EnvError, Step};
use crate::registry::make;

/// A trajectory from an explicit state, stepped on past termination.
///
/// Keys that are not named here are kept as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The task, by its name here or in Gymnasium.
    pub env: String,
    /// Which simulator made it.
    #[serde(default)]
    pub source: String,
    /// The initial state.
    pub init: Init,
    /// The first observation, where the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obs0: Option<Vec<f64>>,
    /// Actions, `[T][action_dim]`.
    pub actions: Vec<Vec<f32>>,
    /// Observations after each action, `[T][obs_dim]`.
    #[serde(default)]
    pub obs: Vec<Vec<f64>>,
    /// Task rewards, `[T]`.
    #[serde(default)]
    pub rewards: Vec<f64>,
    /// Whether the task ended at each step, `[T]`.
    #[serde(default)]
    pub terminated: Vec<bool>,
    /// Everything else in the file.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The state a trajectory begins in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Init {
    /// The task's own numbers.
    State {
        /// In the task's order.
        state: Vec<f64>,
    },
    /// Generalised positions and velocities, as simulators of articulated bodies have them.
    Joints {
        /// Positions.
        qpos: Vec<f64>,
        /// Velocities.
        qvel: Vec<f64>,
    },
}

impl Init {
    /// All numbers in order, positions first.
    pub fn numbers(&self) -> Vec<f64> {
        match self {
            Self::State { state } => state.clone(),
            Self::Joints { qpos, qvel } => [&qpos[..], qvel].concat(),
        }
    }
}

/// Why a trajectory cannot be stepped through.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The task or its state.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// An action of it, or what the task made of it.
    #[error("step {step}: {source}")]
    Step {
        /// From 0.
        step: usize,
        /// Why.
        source: EnvError,
    },
}

/// Steps the task through the trace's actions and returns what this simulator gives, in the same form.
///
/// # Errors
/// [`TraceError`]: no such task, a state or an action that it does not take.
pub fn replay(trace: &Trace) -> Result<Trace, TraceError> {
    let checks = Checked::new(make(&trace.env)?);
    // The bare task: a trace goes on past termination and the horizon.
    let mut env = make(&trace.env)?;
    let mut obs = vec![0.0; env.spec().obs_dim];
    env.restore(&trace.init.numbers(), &mut obs)?;
    checks.check_outcome(&obs, Step::default())?;
    let wide = |obs: &[f32]| obs.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let mut ours = Trace {
        source: "spo-envs".into(),
        obs0: Some(wide(&obs)),
        obs: Vec::new(),
        rewards: Vec::new(),
        terminated: Vec::new(),
        ..trace.clone()
    };
    for (step, action) in trace.actions.iter().enumerate() {
        let at = |source| TraceError::Step { step, source };
        checks.check_action(action).map_err(at)?;
        let done = env.step(action, &mut obs);
        checks.check_outcome(&obs, done).map_err(at)?;
        ours.obs.push(wide(&obs));
        ours.rewards.push(f64::from(done.reward));
        ours.terminated.push(done.terminated);
    }
    Ok(ours)
}
