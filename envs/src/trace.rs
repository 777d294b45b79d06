//! Recorded trajectories: step a task through one, to compare two simulators.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use observation::Observation;

use crate::checked::{Checked, fault};
use crate::env::{Env, EnvError, Step};
use crate::registry::make;

mod observation;

/// A trajectory from an explicit state. Its steps continue after termination.
///
/// Other keys of the file are kept unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The task, by its name in the registry or in Gymnasium.
    pub env: String,
    /// Which simulator made it.
    #[serde(default)]
    pub source: String,
    /// The initial state.
    pub init: Init,
    /// The first observation, if the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obs0: Option<Observation>,
    /// Actions, `[T][action_dim]`.
    pub actions: Vec<Vec<f32>>,
    /// Observations after each action, `[T]`.
    #[serde(default)]
    pub obs: Vec<Observation>,
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
        /// The numbers in the task's order.
        state: Vec<f64>,
    },
    /// Generalised positions and velocities of an articulated body.
    Joints {
        /// Positions.
        qpos: Vec<f64>,
        /// Velocities.
        qvel: Vec<f64>,
        /// The target's position (two numbers), for a task that draws a target in addition to its joints.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        target: Vec<f64>,
    },
}

impl Init {
    /// All numbers in order: positions, velocities, target.
    pub fn numbers(&self) -> Vec<f64> {
        match self {
            Self::State { state } => state.clone(),
            Self::Joints { qpos, qvel, target } => [&qpos[..], qvel, target].concat(),
        }
    }
}

/// Why a trajectory cannot be stepped through.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The task or its state.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// An action, or the task's outcome of it.
    #[error("step {step}: {why}")]
    Step {
        /// The step, counted from 0.
        step: usize,
        /// Why.
        why: EnvError,
    },
}

/// Steps the task through the trace's actions and returns this simulator's trajectory in the same form. Observations
/// with named parts keep them, unless the file has plain vectors.
///
/// If the task draws a target in addition to its joints and `init` does not give it, the target comes from `obs0`.
///
/// # Errors
/// [`TraceError`]: the task does not exist, does not accept the state or an action, or its simulation diverged.
pub fn replay(trace: &Trace) -> Result<Trace, TraceError> {
    let checks = Checked::new(make(&trace.env)?);
    // The task without `Checked`: a trace continues after termination and after the horizon.
    let mut env = make(&trace.env)?;
    let mut obs = vec![0.0; env.spec().obs_dim];
    let state = [trace.init.numbers(), target_from_obs0(trace, &mut *env)].concat();
    env.restore(&state, &mut obs)?;
    fault(&*env, None)?;
    checks.check_outcome(&obs, Step::default())?;
    let plain = matches!(trace.obs0.as_ref().or(trace.obs.first()), Some(Observation::Vector(_)));
    let seen =
        |env: &dyn Env, obs: &[f32]| Observation::from_parts(obs, if plain { &[] } else { env.parts() });
    let mut ours = Trace {
        source: "spo-envs".into(),
        obs0: Some(seen(&*env, &obs)),
        obs: Vec::new(),
        rewards: Vec::new(),
        terminated: Vec::new(),
        ..trace.clone()
    };
    for (step, action) in trace.actions.iter().enumerate() {
        let at = |why| TraceError::Step { step, why };
        checks.check_action(action).map_err(at)?;
        let done = env.step(action, &mut obs);
        fault(&*env, None).map_err(at)?;
        checks.check_outcome(&obs, done).map_err(at)?;
        ours.obs.push(seen(&*env, &obs));
        ours.rewards.push(f64::from(done.reward));
        ours.terminated.push(done.terminated);
    }
    Ok(ours)
}

/// The target that `obs0` shows; empty if `init` has it or the task has none.
fn target_from_obs0(trace: &Trace, env: &mut dyn Env) -> Vec<f64> {
    let (Init::Joints { target, .. }, Some(theirs)) = (&trace.init, &trace.obs0) else { return vec![] };
    let mut obs = vec![0.0; env.spec().obs_dim];
    let at_origin = [trace.init.numbers(), vec![0.0; 2]].concat();
    if !target.is_empty() || env.restore(&at_origin, &mut obs).is_err() {
        return vec![];
    }
    // These parts are the target minus another position. So their difference from the same parts with the target at
    // the origin is the target.
    let ours = Observation::from_parts(&obs, env.parts());
    let part =
        ["to_target", "target_position"].into_iter().find_map(|name| theirs.part(name).zip(ours.part(name)));
    part.map_or(vec![], |(theirs, ours)| theirs.iter().zip(ours).map(|(a, b)| a - b).collect())
}
