//! Gradient steps on Burn tensors.
//!
//! All weights are one flat tensor, `[actor | log_std | critics]`, and layers are slices of it. So the global
//! gradient norm is the norm of one tensor, Adam has one state, every device starts from the same host numbers,
//! and there is one place, `step`, where gradients are final.

use burn::optim::{Adam, AdamConfig, AdamState, AdaptiveMomentumState, Optimizer};
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::layers::Layers;
use crate::base::device::burn::{adapter, to_host, vector};
use crate::learner::ppo::objective::{
    ADAM_EPSILON, AdamMoments, Columns, Engine, FIGURES, Figures, Objective,
};
use crate::learner::ppo::regression::PolicyLoss;
use crate::policy::mlp::Mlp;
use crate::policy::{Head, LOG_SQRT_2PI, UNIT_ENTROPY};

/// Weights and optimiser on a Burn device.
pub struct TensorEngine {
    objective: Objective,
    device: Device,
    /// Whether launching a kernel is what takes time, as on a GPU.
    launches: bool,
    params: Tensor<1>,
    adam: Adam,
    state: Option<AdamState<1>>,
}

/// One minibatch on the device.
pub(crate) struct Rows {
    pub obs: Tensor<2>,
    pub latents: Tensor<2>,
    pub log_probs: Tensor<1>,
    pub advantages: Tensor<1>,
    /// Of each critic.
    pub targets: Vec<Tensor<1>>,
    /// Of a regression.
    pub trajectories: Option<Totals>,
    /// 1 for the rows that count and 0 for padding, if there is any.
    pub counts: Option<Tensor<1>>,
}

impl Rows {
    /// The mean over the rows that count, `[1]`.
    fn mean(&self, of_rows: Tensor<1>) -> Tensor<1> {
        match &self.counts {
            None => of_rows.mean(),
            // A minibatch of fillers alone has the mean 0.
            Some(counts) => (of_rows * counts.clone()).sum() / counts.clone().sum().clamp_min(1.0),
        }
    }
}

/// How rows add up to a minibatch's M trajectories, and what these scored.
pub(crate) struct Totals {
    /// 1 if a row belongs to a trajectory, `[M, rows]`.
    sums: Tensor<2>,
    /// `[M]`
    scores: Tensor<1>,
    /// K
    per_state: usize,
}

impl TensorEngine {
    pub(crate) fn new(objective: Objective, device: Device, params: &[f32]) -> Self {
        Self {
            objective,
            launches: adapter(&device).is_some(),
            params: vector(params, &device),
            adam: AdamConfig::new().with_epsilon(ADAM_EPSILON as f32).build(),
            state: None,
            device,
        }
    }

    /// Where it computes.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// All weights.
    pub(crate) fn weights(&self) -> &Tensor<1> {
        &self.params
    }

    /// The network whose weights stand at `offset` of `params`.
    pub(crate) fn layers(&self, mlp: &Mlp, params: &Tensor<1>, offset: usize) -> Layers {
        Layers::new(mlp, params, offset, self.launches)
    }

    /// The gradient `[params]` of one minibatch and its figures but for the norm `[FIGURES - 1]`, on the device.
    fn gradient(&self, rows: &Rows) -> (Tensor<1>, Tensor<1>) {
        let params = self.params.clone().autodiff().require_grad();
        let (loss, figures) = self.loss(&params, rows);
        let gradients = loss.backward();
        (params.grad(&gradients).expect("the loss depends on the weights"), figures)
    }

    /// A gradient step for each minibatch, whose rows are `rows(minibatch)`; the figures of each.
    pub(crate) fn steps<M>(
        &mut self,
        minibatches: impl Iterator<Item = M>,
        rows: impl Fn(&Self, M) -> Rows,
        rate: f64,
    ) -> Vec<Figures> {
        let step = |minibatch| {
            let rows = rows(self, minibatch);
            self.step(&rows, rate)
        };
        // One read from the device for all.
        let figures = to_host(Tensor::cat(minibatches.map(step).collect(), 0));
        figures.as_chunks::<FIGURES>().0.to_vec()
    }

    /// One gradient step; returns the minibatch's figures `[FIGURES]`, still on the device.
    fn step(&mut self, rows: &Rows, learning_rate: f64) -> Tensor<1> {
        let (gradient, figures) = self.gradient(rows);
        let norm = gradient.clone().square().sum().sqrt();
        let limit = self.objective.max_grad_norm;
        let scale = norm.clone().add_scalar(1e-6).recip().mul_scalar(limit).clamp_max(1.0);
        let (next, state) =
            self.adam.step(learning_rate, self.params.clone(), gradient * scale, self.state.take());
        self.params = next;
        self.state = state;
        Tensor::cat(vec![figures, norm], 0)
    }

    /// The [`Objective`] of a minibatch.
    fn loss(&self, params: &Tensor<1>, rows: &Rows) -> (Tensor<1>, Tensor<1>) {
        let config = &self.objective;
        let out = self.layers(&config.actor, params, 0).apply(rows.obs.clone());
        let (log_probs, entropy) = match config.head {
            Head::Categorical => categorical(out, rows.latents.clone()),
            _ => {
                let from = config.actor.params();
                let log_std = params.clone().slice(from..from + config.actor.outputs());
                gaussian(out, log_std, rows.latents.clone())
            }
        };
        let log_ratio = log_probs - rows.log_probs.clone();
        let ratio = log_ratio.clone().exp();
        let policy_loss = match &rows.trajectories {
            Some(trajectories) => regression(config, log_ratio.clone(), trajectories),
            None => {
                let clipped = ratio.clone().clamp(1.0 - config.clip, 1.0 + config.clip);
                let free = ratio.clone() * rows.advantages.clone();
                rows.mean(free.min_pair(clipped * rows.advantages.clone())).neg()
            }
        };
        let mut loss = policy_loss.clone() - entropy.clone().mul_scalar(config.entropy_coef);
        let mut value_loss = policy_loss.clone().detach().mul_scalar(0.0);
        let critics = config.critic.iter().cycle().take(config.critics).zip(rows.targets.iter().cloned());
        for (place, (critic, targets)) in critics.enumerate() {
            let offset = config.critic_weights(place).start;
            let values: Tensor<1> =
                self.layers(critic, params, offset).apply(rows.obs.clone()).squeeze_dim(1);
            let half_mse = rows.mean((values - targets).square()).mul_scalar(0.5);
            loss = loss + half_mse.clone().mul_scalar(config.value_coef);
            value_loss = value_loss + half_mse;
        }
        let (ratio, log_ratio) = (ratio.detach(), log_ratio.detach());
        let approx_kl = rows.mean(ratio.clone().sub_scalar(1.0) - log_ratio);
        let clip_fraction = rows.mean(ratio.sub_scalar(1.0).abs().greater_elem(config.clip).float());
        let figures = Tensor::cat(
            vec![policy_loss.detach(), value_loss.detach(), entropy.detach(), approx_kl, clip_fraction],
            0,
        );
        (loss, figures.inner())
    }

    fn rows(&self, columns: &Columns, order: &[usize]) -> Rows {
        let device = self.device.clone().autodiff();
        let matrix = |column: &[f32], width: usize| {
            let mut picked = Vec::with_capacity(order.len() * width);
            order.iter().for_each(|&i| picked.extend_from_slice(&column[i * width..(i + 1) * width]));
            Tensor::<2>::from_data(TensorData::new(picked, [order.len(), width]), &device)
        };
        let vector = |column: &[f32]| {
            let picked: Vec<f32> = order.iter().map(|&i| column[i]).collect();
            Tensor::<1>::from_data(TensorData::new(picked, [order.len()]), &device)
        };
        let latent_dim = columns.latents.len() / columns.log_probs.len();
        Rows {
            obs: matrix(&columns.obs, self.objective.actor.inputs()),
            latents: matrix(&columns.latents, latent_dim),
            log_probs: vector(&columns.log_probs),
            advantages: vector(&columns.advantages),
            targets: columns.targets.iter().map(|targets| vector(targets)).collect(),
            trajectories: (self.objective.policy_loss != PolicyLoss::Ppo).then(|| {
                let (members, places) = columns.trajectories.within(order);
                let mut sums = vec![0.0; members.len() * order.len()];
                places.iter().enumerate().for_each(|(row, &at)| sums[at * order.len() + row] = 1.0);
                let scores: Vec<f32> = members.iter().map(|&m| columns.trajectories.scores[m]).collect();
                Totals {
                    sums: Tensor::from_data(TensorData::new(sums, [members.len(), order.len()]), &device),
                    scores: Tensor::from_data(TensorData::new(scores, [members.len()]), &device),
                    per_state: columns.trajectories.per_state,
                }
            }),
            counts: None,
        }
    }
}

/// [`regression::loss`](crate::learner::ppo::regression::loss) of the rows' log ratios `[rows]`.
fn regression(objective: &Objective, log_ratios: Tensor<1>, trajectories: &Totals) -> Tensor<1> {
    let ratios: Tensor<1> = trajectories.sums.clone().matmul(log_ratios.unsqueeze_dim(1)).squeeze_dim(1);
    let scores = trajectories.scores.clone();
    if objective.policy_loss == PolicyLoss::Sppo {
        let targets = scores.sub_scalar(0.5).mul_scalar(objective.eta);
        return (ratios - targets).square().mean();
    }
    let (count, group) = (scores.dims()[0], trajectories.per_state);
    let gaps = (ratios.div_scalar(objective.eta) - scores).reshape([count / group, group]);
    let errors = gaps.clone() - gaps.mean_dim(1);
    errors.square().mean().mul_scalar(2.0 * group as f32 / (group - 1) as f32)
}

impl Engine for TensorEngine {
    fn params(&self) -> Vec<f32> {
        to_host(self.params.clone())
    }

    fn epoch(&mut self, columns: &Columns, minibatches: &[&[usize]], rate: f64) -> Vec<Figures> {
        self.steps(minibatches.iter(), |engine, order| engine.rows(columns, order), rate)
    }

    fn moments(&self) -> AdamMoments {
        self.state.as_ref().map_or_else(AdamMoments::default, |AdamState { momentum }| AdamMoments {
            first: to_host(momentum.moment_1.clone()),
            second: to_host(momentum.moment_2.clone()),
            time: momentum.time as u64,
        })
    }

    fn load(&mut self, params: &[f32], moments: &AdamMoments) {
        self.params = vector(params, &self.device);
        self.state = (moments.time > 0).then(|| {
            let of = |values: &[f32]| vector(values, &self.device);
            let (first, second) = (of(&moments.first), of(&moments.second));
            AdamState::new(AdaptiveMomentumState::new(moments.time as usize, first, second))
        });
    }

    #[cfg(test)]
    fn loss_and_gradient(&mut self, columns: &Columns, order: &[usize]) -> (f32, Vec<f32>) {
        let (gradient, figures) = self.gradient(&self.rows(columns, order));
        (self.objective.loss(&to_host(figures)), to_host(gradient))
    }
}

/// log N(u; μ, σ²) summed over dimensions `[rows]`, and the entropy `[1]`.
fn gaussian(mean: Tensor<2>, log_std: Tensor<1>, latents: Tensor<2>) -> (Tensor<1>, Tensor<1>) {
    let dim = mean.dims()[1];
    let log_std_row = log_std.clone().reshape([1, dim]);
    let z = (latents - mean) * log_std_row.clone().neg().exp();
    let log_probs = (z.square().mul_scalar(-0.5) - log_std_row).sum_dim(1).squeeze_dim(1);
    let log_probs = log_probs.sub_scalar(LOG_SQRT_2PI * dim as f32);
    (log_probs, log_std.sum().add_scalar(UNIT_ENTROPY * dim as f32))
}

/// log softmax at the chosen options `[rows]`, and the mean entropy `[1]`.
fn categorical(logits: Tensor<2>, options: Tensor<2>) -> (Tensor<1>, Tensor<1>) {
    let log_probs = activation::log_softmax(logits, 1);
    let entropy = (log_probs.clone().exp() * log_probs.clone()).sum_dim(1).mean().neg();
    (log_probs.gather(1, options.int()).squeeze_dim(1), entropy)
}
