//! Recorded trajectories: step a task through one and see whether it agrees.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use observation::Observation;

use crate::checked::{Checked, fault};
use crate::env::{Env, EnvError, Step};
use crate::registry::make;

mod observation;

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
        /// In the task's order.
        state: Vec<f64>,
    },
    /// Generalised positions and velocities, as simulators of articulated bodies have them.
    Joints {
        /// Positions.
        qpos: Vec<f64>,
        /// Velocities.
        qvel: Vec<f64>,
        /// Where the target is (two numbers), for a task that draws one beside its joints.
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
    /// An action of it, or what the task made of it.
    #[error("step {step}: {why}")]
    Step {
        /// From 0.
        step: usize,
        /// Why.
        why: EnvError,
    },
}

/// Steps the task through the trace's actions and returns what this simulator gives, in the same form: observations
/// of named parts stay so, unless the file has them as plain vectors.
///
/// Where the task draws a target beside its joints and `init` leaves it out, it is taken from `obs0`.
///
/// # Errors
/// [`TraceError`]: no such task, a state or an action that it does not take, a simulation that diverged.
pub fn replay(trace: &Trace) -> Result<Trace, TraceError> {
    let checks = Checked::new(make(&trace.env)?);
    // The bare task: a trace goes on past termination and the horizon.
    let mut env = make(&trace.env)?;
    let mut obs = vec![0.0; env.spec().obs_dim];
    let state = [trace.init.numbers(), unsaid_target(trace, &mut *env)].concat();
    env.restore(&state, &mut obs)?;
    fault(&*env, None)?;
    checks.check_outcome(&obs, Step::default())?;
    let plain = matches!(trace.obs0.as_ref().or(trace.obs.first()), Some(Observation::Vector(_)));
    let seen = |env: &dyn Env, obs: &[f32]| Observation::of(obs, if plain { &[] } else { env.parts() });
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

/// The target that `obs0` shows, where the task draws one beside its joints and `init` leaves it out.
fn unsaid_target(trace: &Trace, env: &mut dyn Env) -> Vec<f64> {
    let (Init::Joints { target, .. }, Some(theirs)) = (&trace.init, &trace.obs0) else { return vec![] };
    let mut obs = vec![0.0; env.spec().obs_dim];
    let at_origin = [trace.init.numbers(), vec![0.0; 2]].concat();
    if !target.is_empty() || env.restore(&at_origin, &mut obs).is_err() {
        return vec![];
    }
    // These parts are the target less something else, and so differ by the target from those with it at the origin.
    let ours = Observation::of(&obs, env.parts());
    let part =
        ["to_target", "target_position"].into_iter().find_map(|name| theirs.part(name).zip(ours.part(name)));
    part.map_or(vec![], |(theirs, ours)| theirs.iter().zip(ours).map(|(a, b)| a - b).collect())
}
