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

/// How much an iteration rolls out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutConfig {
    /// S, initial states in an iteration.
    #[schemars(range(min = 1))]
    pub num_states: usize,
    /// K, trajectories from each initial state; for ARS an even number.
    #[schemars(range(min = 1))]
    pub trajectories_per_state: usize,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self { num_states: 8, trajectories_per_state: 4 }
    }
}

impl RolloutConfig {
    /// S · K, trajectories in an iteration.
    pub fn trajectories(&self) -> usize {
        self.num_states * self.trajectories_per_state
    }
}

/// Makes a fresh task; shared by the worker threads.
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
    /// Log-density of each latent under the policy that drew it, `[T]`.
    pub log_probs: Vec<f32>,
    /// Task rewards, `[T]`.
    pub rewards: Vec<f32>,
    /// Safety costs, `[T]`.
    pub costs: Vec<f32>,
    /// The episode ended for a reason of the task and not by the clock.
    pub terminated: bool,
    /// What it began from, where it is known.
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
    /// Where the range does not lie within the episode.
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

/// The random stream that an initial state was drawn from: enough to draw it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Start {
    /// The run's seed.
    pub seed: u64,
    /// Training or evaluation.
    pub phase: Phase,
    /// The iteration.
    pub iteration: u64,
    /// Which of the iteration's states.
    pub state: u64,
}

impl Start {
    /// The generator that the task is reset with.
    pub fn resets(&self) -> ChaCha8Rng {
        let [resets, ..] = self.phase.streams();
        stream(self.seed, resets, self.iteration, self.state)
    }
}

/// Where a trajectory comes from. With its own actions, it can be seen again: reset, step through what came before,
/// then step through the trajectory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin<'a> {
    /// What the episode began from.
    pub start: Start,
    /// The episode's actions before the trajectory, `[steps before, action_dim]`; none of a whole episode.
    pub before: &'a [f32],
}

/// A trajectory, or a window of one, borrowed from a rollout: what an oracle compares.
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
    /// Where it comes from, for those who must see it; `None` of what no rollout made.
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

/// The episodes of one iteration: `episodes[s * per_state + k]` is the k-th from state s.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// S · K episodes, those of one state side by side.
    pub episodes: Vec<Episode>,
    /// K.
    pub per_state: usize,
}

impl Rollout {
    /// Environment steps in all.
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

/// What to roll out, and which random streams to draw from.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The run's seed.
    pub seed: u64,
    /// Training or evaluation: their streams never meet.
    pub phase: Phase,
    /// Which iteration's streams.
    pub iteration: u64,
    /// S, the number of initial states.
    pub states: usize,
    /// K, the number of trajectories from each.
    pub per_state: usize,
    /// Sampled actions or the policy's mode.
    pub acting: Acting,
}

impl Request {
    /// The stream that the episode `index` is reset with, the same for all from one state.
    pub fn resets(&self, index: usize) -> ChaCha8Rng {
        self.start(index).resets()
    }

    /// What the episode `index` begins from.
    pub fn start(&self, index: usize) -> Start {
        let state = (index / self.per_state) as u64;
        Start { seed: self.seed, phase: self.phase, iteration: self.iteration, state }
    }
}

/// What a rollout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Learning.
    Train,
    /// Whom learning's trajectories are compared with, from the same initial states.
    Oppose,
    /// What the comparisons of a round of RLHF are about.
    Deploy,
    /// Picking among snapshots.
    Validate,
    /// The figures that are reported.
    Evaluate,
}

impl Phase {
    /// Streams of initial states, of actions, and of the choice among a mixture's policies.
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

/// Rolls out a mixture of policies: one is drawn uniformly for each trajectory (one policy is a mixture too).
///
/// A pure function of policies, request and streams: the same episodes on any number of threads.
///
/// # Errors
/// What the task reports: a wrong shape, a number that is not finite.
pub fn collect(policies: &[Policy], make: &EnvFactory, request: &Request) -> Result<Rollout, EnvError> {
    gather(make, request, |index| drawn(policies, request, index))
}

/// Rolls out a policy a trajectory, `policies[i]` in the i-th; otherwise as [`collect`].
///
/// # Errors
/// As [`collect`].
pub fn collect_each(policies: &[Policy], make: &EnvFactory, request: &Request) -> Result<Rollout, EnvError> {
    gather(make, request, |index| &policies[index])
}

/// All episodes of a request, each by the policy that `actor` names.
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
                // The error cannot be moved out of the worker's slot: make the same one again.
                Err(_) => Err(make().err().expect("a factory that failed once fails again")),
            },
        )
        .collect::<Result<_, _>>()?;
    Ok(Rollout { episodes, per_state: request.per_state })
}

/// The policy of a mixture that acts in the episode `index`.
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

/// The episode `index` of a request, as [`collect`] makes it.
///
/// # Errors
/// As [`collect`].
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
