//! The update from trajectories that are already on the device.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use spo_envs::{ActionSpace, Spec};

use super::actor::{Actor, Scale};
use super::layers::Layers;
use super::tensor::{Rows, TensorEngine};
use crate::base::device::burn::{arange, to_host};
use crate::base::random::{Stream, stream};
use crate::learner::ppo::objective::Objective;
use crate::learner::ppo::{Baseline, PolicyLoss, Ppo, PpoConfig, ScoreTraits};
use crate::learner::{Learner, LearnerState, UpdateContext, UpdateMetrics};
use crate::policy::{Head, Policy};

/// PPO that computes on a Burn device, and learns from trajectories there.
pub(crate) type DevicePpo = Ppo<TensorEngine>;

/// The number of rows that a critic evaluates at once outside of minibatches. It limits the memory of the layers.
const AT_ONCE: usize = 1 << 18;

/// N trajectories of at most T steps on a device, as a learner sees them: no task reward, no cost.
pub(crate) struct DeviceBatch {
    /// As the task gave them, `[N, T, obs_dim]`.
    pub obs: Tensor<3>,
    /// After the last step, `[N, obs_dim]`.
    pub final_obs: Tensor<2>,
    /// Before squashing or clipping, `[N, T, action_dim]`.
    pub latents: Tensor<3>,
    /// `[N, T]`
    pub log_probs: Tensor<2>,
    /// 1 for the steps that were made, `[N, T]`, for a task whose episodes can end early.
    pub alive: Option<Tensor<2>>,
    /// 1 for episodes that the task ended, `[N]`, for a task whose episodes can end early.
    pub terminated: Option<Tensor<1>>,
}

/// An iteration's steps as rows on the device, N · T of them, those of a trajectory side by side.
struct Table {
    /// Normalised, `[N · T, obs_dim]`.
    obs: Tensor<2>,
    latents: Tensor<2>,
    log_probs: Tensor<1>,
    advantages: Tensor<1>,
    targets: Tensor<1>,
    counts: Option<Tensor<1>>,
}

impl Table {
    /// The rows of `order`, `[rows]`.
    fn pick(&self, order: &Tensor<1, Int>) -> Rows {
        let vector = |t: &Tensor<1>| t.clone().select(0, order.clone());
        Rows {
            obs: self.obs.clone().select(0, order.clone()),
            latents: self.latents.clone().select(0, order.clone()),
            log_probs: vector(&self.log_probs),
            advantages: vector(&self.advantages),
            targets: vec![vector(&self.targets)],
            trajectories: None,
            counts: self.counts.as_ref().map(vector),
        }
    }
}

impl DevicePpo {
    /// A new learner that computes on `device`; its first weights depend only on `seed`.
    pub(crate) fn on(spec: &Spec, config: PpoConfig, scores: ScoreTraits, device: Device, seed: u64) -> Self {
        Self::with_engine(spec, config, scores, seed, |objective, params| {
            TensorEngine::new(objective, device, &params)
        })
    }

    /// Whether updates are possible on the device alone, without data that only the host has.
    pub(crate) fn supports(spec: &Spec, config: &PpoConfig, scores: ScoreTraits) -> bool {
        config.baseline == Baseline::Critic
            && config.policy_loss == PolicyLoss::Ppo
            && !scores.costs
            && matches!(spec.action, ActionSpace::Continuous { .. })
    }

    /// The device.
    pub(crate) fn device(&self) -> &Device {
        self.engine.device()
    }

    /// The present policy and everything that a checkpoint must hold: the weights travel to the host once.
    pub(crate) fn snapshot(&self) -> (Policy, LearnerState) {
        let state = self.save();
        (self.acting_by(state.tensors["params"].clone()), state)
    }

    /// The policy of the next rollout, on the device.
    pub(crate) fn actor(&self) -> Actor {
        let (mlp, weights) = (&self.objective.actor, self.engine.weights());
        let from = mlp.params();
        Actor {
            mean: self.engine.layers(mlp, weights, 0),
            log_std: weights.clone().slice(from..from + mlp.outputs()),
            scale: Scale::new(&self.template.normalizer.scale(), self.device()),
            squashes: self.template.head == Head::TanhGaussian,
        }
    }

    /// One update from one iteration's trajectories and their scores `[N, T]`.
    pub(crate) fn update_on_device(
        &mut self,
        batch: &DeviceBatch,
        scores: Tensor<2>,
        context: UpdateContext,
    ) -> UpdateMetrics {
        if self.normalize_scores {
            let sums =
                scores.clone().matmul(falling(scores.dims()[1], self.config.discount, &scores.device()));
            let [count, steps] = sums.dims();
            let (rows, mean, var) = moments(sums.reshape([count * steps, 1]), batch.alive.clone());
            self.score_stats.merge(rows, &mean, &var);
        }
        let table = self.table(batch, scores);
        let [count, steps] = batch.log_probs.dims();
        let mut rng = stream(context.seed, Stream("shuffle"), context.iteration, 0);
        let learning_rate = self.learning_rate(context);
        let size = self.config.minibatch_size;
        let losses = self.epochs(|ppo| {
            let engine = &mut ppo.engine;
            let order = shuffled(count, steps, &mut rng, engine.device());
            let rows = |_: &TensorEngine, from: usize| {
                table.pick(&order.clone().narrow(0, from, size.min(count * steps - from)))
            };
            engine.steps((0..count * steps).step_by(size), rows, learning_rate)
        });
        if self.config.normalize_obs {
            let [count, steps, dim] = batch.obs.dims();
            let rows = batch.obs.clone().reshape([count * steps, dim]);
            let (rows, mean, var) = moments(rows, batch.alive.clone());
            self.template.normalizer.merge(rows, &mean, &var);
        }
        losses
    }

    /// Normalises observations, evaluates the critic and estimates advantages (Schulman et al. 2016, equation 16).
    fn table(&self, batch: &DeviceBatch, scores: Tensor<2>) -> Table {
        let [count, steps, dim] = batch.obs.dims();
        let (gamma, lambda) = (self.config.discount, self.config.gae_lambda);
        let normalize = self.config.normalize_advantage;
        let score_scale = self.normalize_scores.then(|| self.score_stats.std().next()).flatten();
        let engine = &self.engine;
        let scale = Scale::new(&self.template.normalizer.scale(), engine.device());
        let critic = critic(&self.objective, engine);

        let obs = scale.apply(batch.obs.clone().reshape([count * steps, dim]));
        let values = (0..count * steps)
            .step_by(AT_ONCE)
            .map(|from| critic.apply(obs.clone().narrow(0, from, AT_ONCE.min(count * steps - from))));
        let values = Tensor::cat(values.collect(), 0).reshape([count, steps]);
        let last = critic.apply(scale.apply(batch.final_obs.clone()));
        let mut next = Tensor::cat(vec![values.clone().slice([0..count, 1..steps]), last], 1);
        if let (Some(alive), Some(terminated)) = (&batch.alive, &batch.terminated) {
            // The value after a terminated episode is 0.
            let survived = terminated.clone().neg().add_scalar(1.0).reshape([count, 1]);
            next = next * Tensor::cat(vec![alive.clone().slice([0..count, 1..steps]), survived], 1);
        }
        // δ_t = s_t + γ V(x_{t+1}) − V(x_t),  A_t = Σ_k (γλ)^k δ_{t+k}: a product with a triangle of powers.
        let scores = scores.div_scalar(score_scale.unwrap_or(1.0));
        let mut deltas = scores + next.mul_scalar(gamma) - values.clone();
        if let Some(alive) = &batch.alive {
            deltas = deltas * alive.clone();
        }
        let advantages = deltas.matmul(falling(steps, gamma * lambda, engine.device()).transpose());
        let targets = (advantages.clone() + values).reshape([count * steps]);
        let mut advantages: Tensor<1> = advantages.reshape([count * steps]);
        if normalize {
            let (_, mean, var) = moments(advantages.clone().reshape([count * steps, 1]), batch.alive.clone());
            advantages = advantages.sub_scalar(mean[0]).div_scalar(var[0].sqrt() + 1e-8);
        }
        let width = batch.latents.dims()[2];
        Table {
            obs,
            latents: batch.latents.clone().reshape([count * steps, width]),
            log_probs: batch.log_probs.clone().reshape([count * steps]),
            advantages,
            targets,
            counts: batch.alive.clone().map(|alive| alive.reshape([count * steps])),
        }
    }
}

fn critic(objective: &Objective, engine: &TensorEngine) -> Layers {
    let mlp = objective.critic.as_ref().expect("a learner on a device has a critic");
    engine.layers(mlp, engine.weights(), objective.critic_weights(0).start)
}

/// The triangle `[T, T]` of powers whose product with rows `[N, T]` is Σ_k base^k x_{t−k}; transposed, Σ_k base^k x_{t+k}.
fn falling(steps: usize, base: f32, device: &Device) -> Tensor<2> {
    // Nothing of what is ahead, then the powers from 0: place T − 1 + k has the k-th.
    let ahead = std::iter::repeat_n(0.0, steps - 1);
    let powers: Vec<f32> = ahead.chain((0..steps).map(|k| base.powi(k as i32))).collect();
    let powers = Tensor::<1>::from_data(TensorData::new(powers, [2 * steps - 1]), device);
    let time = arange(steps, device);
    let (from, to) = (time.clone().reshape([steps, 1]), time.reshape([1, steps]));
    let place = (to - from).add_scalar(steps as i32 - 1).reshape([steps * steps]);
    powers.select(0, place).reshape([steps, steps])
}

/// How many rows count, and the mean and population variance of each column of `rows` `[n, width]` over them.
fn moments(rows: Tensor<2>, counts: Option<Tensor<2>>) -> (f64, Vec<f64>, Vec<f64>) {
    let [n, width] = rows.dims();
    let counts = counts.map_or_else(|| Tensor::ones([n, 1], &rows.device()), |c| c.reshape([n, 1]));
    let counted = counts.clone().sum_dim(0);
    let mean = (rows.clone() * counts.clone()).sum_dim(0) / counted.clone();
    let var = ((rows - mean.clone()).square() * counts).sum_dim(0) / counted.clone();
    let read: Vec<f64> =
        to_host(Tensor::cat(vec![counted, mean, var], 1)).into_iter().map(f64::from).collect();
    (read[0], read[1..=width].to_vec(), read[width + 1..].to_vec())
}

/// All rows in a new order, `[N · T]`, the same on every device: each time step's trajectories are shuffled apart, and
/// neighbours in the order are of other time steps. Of the host it takes the numbers of two permutations and T shifts.
fn shuffled(count: usize, steps: usize, rng: &mut impl Rng, device: &Device) -> Tensor<1, Int> {
    let mut permutation = |n: usize| -> Vec<i32> {
        let mut all: Vec<i32> = (0..n as i32).collect();
        all.shuffle(rng);
        all
    };
    let (times, trajectories) = (permutation(steps), permutation(count));
    let shifts: Vec<i32> = (0..steps).map(|_| rng.random_range(0..count as i32)).collect();
    let ints = |values: Vec<i32>| {
        let length = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [length]), device)
    };
    let place = arange(count * steps, device);
    let turn = place.clone().div_scalar(steps as i32);
    let at = place - turn.clone().mul_scalar(steps as i32);
    let shifted = (turn + ints(shifts).select(0, at.clone())).remainder_scalar(count as i32);
    ints(trajectories).select(0, shifted).mul_scalar(steps as i32) + ints(times).select(0, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::device::burn::present;

    #[test]
    fn a_product_with_the_triangle_is_a_discounted_sum() {
        // Of 1, 2, 4 at base ½: 1, 2 + ½, 4 + 1 + ¼; transposed 1 + 1 + 1, 2 + 2, 4.
        for device in present(&["flex"]) {
            let rows = Tensor::<2>::from_data([[1.0, 2.0, 4.0]], &device);
            let triangle = falling(3, 0.5, &device);
            assert_eq!(to_host(rows.clone().matmul(triangle.clone())), [1.0, 2.5, 5.25]);
            assert_eq!(to_host(rows.clone().matmul(triangle.transpose())), [3.0, 4.0, 4.0]);
            assert_eq!(to_host(rows.matmul(falling(3, 0.0, &device))), [1.0, 2.0, 4.0]);
        }
    }

    #[test]
    fn a_shuffle_has_every_row_once_and_mixes_times() {
        let mut rng = stream(0, Stream("test"), 0, 0);
        let shapes = [(6, 5), (1, 7), (4, 1)];
        for (device, (count, steps)) in
            present(&["flex"]).into_iter().flat_map(|d| shapes.map(|shape| (d.clone(), shape)))
        {
            let order = shuffled(count, steps, &mut rng, &device);
            let order: Vec<i64> = order.into_data().iter::<i64>().collect();
            let mut times: Vec<i64> = order[..steps].iter().map(|row| row % steps as i64).collect();
            times.sort();
            assert_eq!(times, (0..steps as i64).collect::<Vec<_>>(), "the first T rows are of all T times");
            let mut all = order;
            all.sort();
            assert_eq!(all, (0..(count * steps) as i64).collect::<Vec<_>>());
        }
    }
}
