//! Rollouts whose data stay on the device.

use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::noise::Noise;
use super::task::{Stepped, Task};
use crate::base::device::burn::{row, to_host};
use crate::base::random::{Stream, stream};
use crate::learner::ppo::burn::{Actor, DeviceBatch};
use crate::rollout::{self, Request};

/// N = S · K trajectories of at most T steps, K from each of S states side by side, on a device.
///
/// A trajectory that ended early stays in its last state. The steps after its end are marked as not made and have zeros.
pub(crate) struct Rollout {
    /// As the task gave them, `[N, T, obs_dim]`.
    pub obs: Tensor<3>,
    /// After the last step, `[N, obs_dim]`.
    pub final_obs: Tensor<2>,
    /// `[N, T, action_dim]`
    pub actions: Tensor<3>,
    /// Before squashing or clipping, `[N, T, action_dim]`.
    pub latents: Tensor<3>,
    /// `[N, T]`
    pub log_probs: Tensor<2>,
    /// `[N, T]`
    pub rewards: Tensor<2>,
    /// `[N, T]`, of a task with costs.
    pub costs: Option<Tensor<2>>,
    /// 1 for the steps that were made, `[N, T]`, for a task whose episodes can end early.
    pub alive: Option<Tensor<2>>,
    /// 1 for episodes that the task ended, `[N]`, for a task whose episodes can end early.
    pub terminated: Option<Tensor<1>>,
    /// K
    pub per_state: usize,
}

/// Random streams of a rollout.
pub(crate) struct Streams {
    /// Of initial states.
    pub resets: Noise,
    /// Of actions.
    pub actions: Noise,
}

impl Streams {
    /// Of a request.
    pub fn new(request: &Request) -> Self {
        let key = |name| stream(request.seed, Stream(name), request.iteration, 0).next_u64();
        Self { resets: Noise::new(key("g.reset")), actions: Noise::new(key("g.action")) }
    }
}

impl Rollout {
    /// Rolls `actor` out from `states` initial states, `per_state` times each.
    pub fn collect(
        task: &dyn Task,
        actor: &Actor,
        (states, per_state): (usize, usize),
        streams: &Streams,
        device: &Device,
    ) -> Self {
        let state = task.start(states, per_state, &streams.resets, device);
        Self::from_states(task, actor, state, per_state, &streams.actions, device)
    }

    /// From given states, `[N]` a column.
    pub fn from_states(
        task: &dyn Task,
        actor: &Actor,
        mut state: Vec<super::column::Column>,
        per_state: usize,
        noise: &Noise,
        device: &Device,
    ) -> Self {
        let spec = task.spec();
        let (steps, dim, count) = (spec.horizon, spec.action.dim(), state[0].0.dims()[0]);
        let bounds = Bounds::new(&spec.action, device);
        // [T, N, A]: a step's draws lie side by side.
        let noise = noise.normal(steps * count * dim, device).reshape([steps, count, dim]);
        let std = actor.log_std.clone().exp().reshape([1, dim]);
        let mut columns = StepColumns::default();
        let mut alive: Option<Tensor<1>> = None;
        for t in 0..steps {
            let obs = task.observe(&state);
            let drawn = noise.clone().slice([t..t + 1, 0..count, 0..dim]).reshape([count, dim]);
            let latent = actor.mean(obs.clone()) + drawn * std.clone();
            let action = bounds.within(actor.squash(latent.clone()));
            let before = state.clone();
            let Stepped { state: next, reward, cost, terminated } = task.step(state, action.clone());
            state = next;
            let mask = |column: Tensor<1>| match &alive {
                Some(alive) => column * alive.clone(),
                None => column,
            };
            columns.rewards.push(mask(reward));
            columns.costs.extend(cost.map(mask));
            if let Some(ended) = terminated {
                let was = alive.take().unwrap_or_else(|| ended.ones_like());
                let halted = was.clone().lower_elem(0.5);
                for (now, before) in state.iter_mut().zip(before) {
                    now.0 = now.0.clone().mask_where(halted.clone(), before.0);
                }
                alive = Some(was.clone() * ended.neg().add_scalar(1.0));
                columns.alive.push(was);
            }
            columns.obs.push(obs);
            columns.latents.push(latent);
            columns.actions.push(action);
        }
        // Σ_i −½ ε² − log σ − log √(2π), all steps at once.
        let constant = crate::policy::LOG_SQRT_2PI * dim as f32;
        let log_probs = noise.square().sum_dim(2).reshape([steps, count]).mul_scalar(-0.5)
            - actor.log_std.clone().sum().reshape([1, 1])
            - constant;
        let rows = |columns: Vec<Tensor<1>>| Tensor::stack::<2>(columns, 1);
        let with = |columns: Vec<Tensor<1>>| (!columns.is_empty()).then(|| rows(columns));
        Self {
            final_obs: task.observe(&state),
            obs: Tensor::stack(columns.obs, 1),
            actions: Tensor::stack(columns.actions, 1),
            latents: Tensor::stack(columns.latents, 1),
            log_probs: log_probs.transpose(),
            rewards: rows(columns.rewards),
            costs: with(columns.costs),
            alive: with(columns.alive),
            terminated: alive.map(|alive| alive.neg().add_scalar(1.0)),
            per_state,
        }
    }

    /// The part of the trajectories that a learner sees.
    pub fn learner_batch(&self) -> DeviceBatch {
        DeviceBatch {
            obs: self.obs.clone(),
            final_obs: self.final_obs.clone(),
            latents: self.latents.clone(),
            log_probs: self.log_probs.clone(),
            alive: self.alive.clone(),
            terminated: self.terminated.clone(),
        }
    }

    /// N trajectories and T steps.
    pub fn dims(&self) -> (usize, usize) {
        let [count, steps] = self.rewards.dims();
        (count, steps)
    }

    /// The number of environment steps; waits for the device.
    pub fn steps(&self) -> u64 {
        let (count, steps) = self.dims();
        match &self.alive {
            // float32 counts exactly only up to 16 million, so sum each step on the device and the results on the host.
            Some(alive) => to_host(alive.clone().sum_dim(0)).into_iter().map(|n| n as u64).sum(),
            None => {
                to_host(self.rewards.clone().slice([0..1, 0..1]));
                (count * steps) as u64
            }
        }
    }

    /// Some of the trajectories, copied to the host. Their initial states cannot be drawn again there.
    pub fn copy_to_host(&self, range: std::ops::Range<usize>) -> rollout::Rollout {
        let (count, steps) = (range.len(), self.dims().1);
        let matrix = |t: &Tensor<2>| {
            let width = t.dims()[1];
            to_host(t.clone().slice([range.clone(), 0..width]))
        };
        let cube = |t: &Tensor<3>| {
            let [_, rows, width] = t.dims();
            to_host(t.clone().slice([range.clone(), 0..rows, 0..width]))
        };
        let (obs, latents, actions) = (cube(&self.obs), cube(&self.latents), cube(&self.actions));
        let (log_probs, rewards) = (matrix(&self.log_probs), matrix(&self.rewards));
        let costs = self.costs.as_ref().map_or_else(|| vec![0.0; count * steps], matrix);
        let final_obs = matrix(&self.final_obs);
        let alive = self.alive.as_ref().map(matrix);
        let terminated = self.terminated.as_ref().map(|t| to_host(t.clone().slice([range.clone()])));
        let episode = |n: usize| {
            let own = alive.as_ref().map(|alive| &alive[n * steps..(n + 1) * steps]);
            let length = own.map_or(steps, |own| own.iter().filter(|a| **a > 0.5).count());
            let part = |values: &[f32]| {
                let width = values.len() / (count * steps);
                values[n * steps * width..][..length * width].to_vec()
            };
            let width = final_obs.len() / count;
            rollout::Episode {
                obs: part(&obs),
                final_obs: final_obs[n * width..(n + 1) * width].to_vec(),
                actions: part(&actions),
                latents: part(&latents),
                log_probs: part(&log_probs),
                rewards: part(&rewards),
                costs: part(&costs),
                terminated: terminated.as_ref().is_some_and(|t| t[n] > 0.5),
                start: None,
            }
        };
        rollout::Rollout { episodes: (0..count).map(episode).collect(), per_state: self.per_state }
    }
}

/// A rollout's steps, one tensor for each step and column.
#[derive(Default)]
struct StepColumns {
    obs: Vec<Tensor<2>>,
    latents: Vec<Tensor<2>>,
    actions: Vec<Tensor<2>>,
    rewards: Vec<Tensor<1>>,
    costs: Vec<Tensor<1>>,
    alive: Vec<Tensor<1>>,
}

/// The bounds of an action, `[1, action_dim]`: its middle and its half width.
struct Bounds {
    low: Tensor<2>,
    high: Tensor<2>,
}

impl Bounds {
    fn new(action: &spo_envs::ActionSpace, device: &Device) -> Self {
        let spo_envs::ActionSpace::Continuous { low, high } = action else {
            unreachable!("tasks given by equations have continuous actions");
        };
        Self { low: row(low, device), high: row(high, device) }
    }

    /// From [−1, 1] to the bounds, and the nearest of them from outside.
    fn within(&self, unit: Tensor<2>) -> Tensor<2> {
        let middle = (self.low.clone() + self.high.clone()).mul_scalar(0.5);
        let half = (self.high.clone() - self.low.clone()).mul_scalar(0.5);
        unit.clamp(-1.0, 1.0) * half + middle
    }
}
