//! Rollouts: K trajectories from each of S initial states, in parallel over all cores.

pub mod kl;
pub mod latest_replay;
pub mod replay_key;
pub mod stats;
pub mod steps;
pub mod windows;

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spo_envs::{Checked, Env, EnvError};

use crate::base::random::{Stream, stream};
use crate::policy::{Acting, Policy};
pub use stats::RolloutStats;
pub use windows::Windows;

/// The size of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutConfig {
    /// S, the number of initial states per iteration.
    #[schemars(range(min = 1))]
    pub num_states: usize,
    /// K, the number of trajectories from each initial state; for ARS an even number.
    #[schemars(range(min = 1))]
    pub trajectories_per_state: usize,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self { num_states: 8, trajectories_per_state: 4 }
    }
}

impl RolloutConfig {
    /// S · K, the number of trajectories per iteration.
    pub fn trajectories(&self) -> usize {
        self.num_states * self.trajectories_per_state
    }
}

/// Makes a new task. The worker threads share it.
pub type EnvFactory = Arc<dyn Fn() -> Result<Box<dyn Env>, EnvError> + Send + Sync>;

/// One finished trajectory of T steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Episode {
    /// Observations before each step, `[T, obs_dim]`, as the task gave them.
    pub obs: Vec<f32>,
    /// The observation after the last step, `[obs_dim]`.
    pub final_obs: Vec<f32>,
    /// Actions as the task took them, `[T, action_dim]`.
    pub actions: Vec<f32>,
    /// Actions before squashing or clipping, `[T, action_dim]`.
    pub latents: Vec<f32>,
    /// Log-density of each latent under the policy that acted, `[T]`.
    pub log_probs: Vec<f32>,
    /// Task rewards, `[T]`.
    pub rewards: Vec<f32>,
    /// Safety costs, `[T]`.
    pub costs: Vec<f32>,
    /// Whether the task itself ended the episode, and not the time limit.
    pub terminated: bool,
    /// The start, if it is known.
    pub start: Option<Start>,
}

impl Episode {
    /// Number of steps T.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// The whole episode as an oracle sees it.
    pub fn trajectory(&self) -> Trajectory<'_> {
        self.window(0, self.len())
    }

    /// Steps `from..to` as an oracle sees them.
    ///
    /// # Panics
    /// If the range is not within the episode.
    pub fn window(&self, from: usize, to: usize) -> Trajectory<'_> {
        let (obs_dim, action_dim) = (self.final_obs.len(), self.actions.len() / self.len().max(1));
        let end =
            if to == self.len() { &self.final_obs[..] } else { &self.obs[to * obs_dim..(to + 1) * obs_dim] };
        Trajectory {
            obs: &self.obs[from * obs_dim..to * obs_dim],
            final_obs: end,
            actions: &self.actions[from * action_dim..to * action_dim],
            rewards: &self.rewards[from..to],
            costs: &self.costs[from..to],
            origin: self.start.map(|start| Origin { start, before: &self.actions[..from * action_dim] }),
        }
    }
}

/// The random stream from which an initial state was drawn. It is enough to draw the state again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Start {
    /// The run's seed.
    pub seed: u64,
    /// The purpose of the rollout.
    pub phase: Phase,
    /// The iteration.
    pub iteration: u64,
    /// Which of the iteration's states.
    pub state: u64,
}

impl Start {
    /// The random generator that resets the task.
    pub fn resets(&self) -> ChaCha8Rng {
        let [resets, ..] = self.phase.streams();
        stream(self.seed, resets, self.iteration, self.state)
    }
}

/// Where a trajectory comes from. Together with the trajectory's own actions it allows a replay: reset, step through the
/// actions before the trajectory, then through the trajectory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin<'a> {
    /// The start of the episode.
    pub start: Start,
    /// The episode's actions before the trajectory, `[steps before, action_dim]`; empty for a whole episode.
    pub before: &'a [f32],
}

/// A trajectory, or a window of one, borrowed from a rollout. Oracles compare these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trajectory<'a> {
    /// Observations before each step, `[T, obs_dim]`.
    pub obs: &'a [f32],
    /// The observation after the last step, `[obs_dim]`.
    pub final_obs: &'a [f32],
    /// Actions, `[T, action_dim]`.
    pub actions: &'a [f32],
    /// Task rewards, `[T]`: for simulated teachers.
    pub rewards: &'a [f32],
    /// Safety costs, `[T]`.
    pub costs: &'a [f32],
    /// Where it comes from, for oracles that replay it; `None` if it is not from a rollout.
    pub origin: Option<Origin<'a>>,
}

impl Trajectory<'_> {
    /// Number of steps T.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// The undiscounted task return, summed in double precision.
    pub fn task_return(&self) -> f64 {
        self.rewards.iter().map(|&r| f64::from(r)).sum()
    }

    /// The undiscounted total cost, summed in double precision.
    pub fn total_cost(&self) -> f64 {
        self.costs.iter().map(|&c| f64::from(c)).sum()
    }
}

/// The episodes of one iteration: `episodes[s * per_state + k]` is the k-th episode from state s.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// S · K episodes, ordered by state.
    pub episodes: Vec<Episode>,
    /// K.
    pub per_state: usize,
}

impl Rollout {
    /// Total number of environment steps.
    pub fn steps(&self) -> usize {
        self.episodes.iter().map(Episode::len).sum()
    }

    /// The task return of each episode.
    pub fn returns(&self) -> Vec<f64> {
        self.episodes.iter().map(|e| e.trajectory().task_return()).collect()
    }

    /// The total cost of each episode.
    pub fn total_costs(&self) -> Vec<f64> {
        self.episodes.iter().map(|e| e.trajectory().total_cost()).collect()
    }
}

/// What to roll out, and which random streams to use.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The run's seed.
    pub seed: u64,
    /// The purpose; every purpose has its own random streams.
    pub phase: Phase,
    /// The iteration of the random streams.
    pub iteration: u64,
    /// S, the number of initial states.
    pub states: usize,
    /// K, the number of trajectories from each.
    pub per_state: usize,
    /// How the policy chooses actions.
    pub acting: Acting,
}

impl Request {
    /// The random generator that resets the episode `index`; it is the same for all episodes from one state.
    pub fn resets(&self, index: usize) -> ChaCha8Rng {
        self.start(index).resets()
    }

    /// The start of the episode `index`.
    pub fn start(&self, index: usize) -> Start {
        let state = (index / self.per_state) as u64;
        Start { seed: self.seed, phase: self.phase, iteration: self.iteration, state }
    }
}

/// The purpose of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Learning.
    Train,
    /// Opponents of the training trajectories, from the same initial states.
    Oppose,
    /// Trajectories that a round of RLHF compares.
    Deploy,
    /// The choice among snapshots.
    Validate,
    /// The reported results.
    Evaluate,
}

impl Phase {
    /// The streams of initial states, of actions, and of the choice among a mixture's policies.
    fn streams(self) -> [Stream; 3] {
        match self {
            Self::Train => [Stream("reset"), Stream("action"), Stream("mixture")],
            Self::Oppose => [Stream("reset"), Stream("o.action"), Stream("o.mix")],
            Self::Deploy => [Stream("d.reset"), Stream("d.action"), Stream("d.mix")],
            Self::Validate => [Stream("v.reset"), Stream("v.action"), Stream("v.mix")],
            Self::Evaluate => [Stream("e.reset"), Stream("e.action"), Stream("e.mix")],
        }
    }
}

/// Rolls out a mixture of policies: each trajectory uses one of them, drawn uniformly. One policy is a mixture too.
///
/// The result depends only on the policies, the request and the random streams: it is the same on any number of threads.
///
/// # Errors
/// The task's error, such as a wrong shape or a number that is not finite.
pub fn collect(policies: &[Policy], make: &EnvFactory, request: &Request) -> Result<Rollout, EnvError> {
    gather(make, request, |index| drawn(policies, request, index))
}

/// Like [`collect`], but the i-th trajectory uses `policies[i]`.
///
/// # Errors
/// The same as [`collect`].
pub fn collect_each(policies: &[Policy], make: &EnvFactory, request: &Request) -> Result<Rollout, EnvError> {
    gather(make, request, |index| &policies[index])
}

/// All episodes of a request; `actor` chooses the policy of each.
fn gather<'p>(
    make: &EnvFactory,
    request: &Request,
    actor: impl Fn(usize) -> &'p Policy + Sync,
) -> Result<Rollout, EnvError> {
    let episodes = (0..request.states * request.per_state)
        .into_par_iter()
        .map_init(
            || make().map(Checked::new),
            |env, index| match env {
                Ok(env) => act_out(actor(index), env, request, index),
                // The error cannot be moved out of the worker's state, so make the same error again.
                Err(_) => Err(make().err().expect("a factory that failed once fails again")),
            },
        )
        .collect::<Result<_, _>>()?;
    Ok(Rollout { episodes, per_state: request.per_state })
}

/// The policy of a mixture that acts in episode `index`.
fn drawn<'p>(policies: &'p [Policy], request: &Request, index: usize) -> &'p Policy {
    use rand::RngExt;

    let [.., mixture] = request.phase.streams();
    match policies {
        [only] => only,
        many => {
            let mut rng = stream(request.seed, mixture, request.iteration, index as u64);
            &many[rng.random_range(0..many.len())]
        }
    }
}

/// The episode `index` of a request, the same as from [`collect`].
///
/// # Errors
/// The same as [`collect`].
pub fn episode(
    policies: &[Policy],
    env: &mut Checked,
    request: &Request,
    index: usize,
) -> Result<Episode, EnvError> {
    act_out(drawn(policies, request, index), env, request, index)
}

fn act_out(policy: &Policy, env: &mut Checked, request: &Request, index: usize) -> Result<Episode, EnvError> {
    let [_, actions, _] = request.phase.streams();
    let mut rng = stream(request.seed, actions, request.iteration, index as u64);
    let (horizon, obs_dim, action_dim) = (env.spec().horizon, env.spec().obs_dim, env.spec().action.dim());

    let mut out = Episode {
        obs: Vec::with_capacity(horizon * obs_dim),
        final_obs: vec![0.0; obs_dim],
        actions: Vec::with_capacity(horizon * action_dim),
        latents: Vec::with_capacity(horizon * action_dim),
        log_probs: Vec::with_capacity(horizon),
        rewards: Vec::with_capacity(horizon),
        costs: Vec::with_capacity(horizon),
        terminated: false,
        start: Some(request.start(index)),
    };
    let (mut latent, mut action) = (vec![0.0; action_dim], vec![0.0; action_dim]);
    let mut scratch = policy.scratch();
    env.reset(&mut request.resets(index), &mut out.final_obs)?;
    loop {
        out.obs.extend_from_slice(&out.final_obs);
        let log_prob =
            policy.act(&out.final_obs, request.acting, &mut rng, &mut scratch, &mut latent, &mut action);
        let step = env.step(&action, &mut out.final_obs)?;
        out.latents.extend_from_slice(&latent);
        out.actions.extend_from_slice(&action);
        out.log_probs.push(log_prob);
        out.rewards.push(step.reward);
        out.costs.push(step.cost);
        if step.terminated || step.truncated {
            out.terminated = step.terminated;
            return Ok(out);
        }
    }
}
