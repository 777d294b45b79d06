//! Proximal policy optimisation (Schulman et al. 2017) on Burn tensors.
//!
//! All weights are one flat tensor, `[actor | log_std | critic]`, and layers are slices of it. So the global
//! gradient norm is the norm of one tensor, Adam has one state, every device starts from the same host numbers,
//! and there is one place, `Ppo::step`, where gradients are final.

use burn::optim::{Adam, AdamConfig, AdamState, AdaptiveMomentumState, Optimizer};
use burn::tensor::{Device, Tensor, TensorData, activation};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use spo_envs::Spec;

use super::{Experience, Learner, LearnerState, Losses, Moment, Steps};
use crate::advantage;
use crate::policy::{Head, Mlp, Normalizer, Policy};
use crate::random::{Stream, stream};

/// How scores become advantages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// A trajectory's total score against its group's mean and spread; no critic.
    Group,
    /// Generalised advantage estimation with a critic.
    #[default]
    Critic,
}

/// PPO's hyperparameters.
#[derive(Clone, Debug, PartialEq)]
pub struct PpoConfig {
    /// Widths of the hidden layers, of actor and critic alike.
    pub hidden: Vec<usize>,
    /// The action head.
    pub head: Head,
    /// Initial log standard deviation of the latent action.
    pub initial_log_std: f32,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Whether the step size falls linearly to 0 over the run.
    pub learning_rate_decay: bool,
    /// Passes over each iteration's steps.
    pub epochs: usize,
    /// Rows a minibatch.
    pub minibatch: usize,
    /// The clip range ε of the ratio.
    pub clip: f32,
    /// Stops the epochs once KL(old ‖ new) passes it; 0 never stops.
    pub target_kl: f32,
    /// Weight of the entropy bonus.
    pub entropy_bonus: f32,
    /// Weight of the critic's loss.
    pub value_weight: f32,
    /// Largest global gradient norm.
    pub max_grad_norm: f32,
    /// Advantages from the group or from a critic.
    pub baseline: Baseline,
    /// Whether advantages are scaled to unit spread.
    pub normalize_advantage: bool,
    /// Whether observations are normalised by running statistics.
    pub normalize_obs: bool,
    /// γ of the advantage estimate.
    pub discount: f32,
    /// λ of the advantage estimate.
    pub gae_lambda: f32,
}

/// log √(2πe), the entropy of a unit Gaussian in nats
const UNIT_ENTROPY: f32 = 1.418_938_5;
/// log √(2π)
const LOG_SQRT_2PI: f32 = 0.918_938_5;

/// The learner.
pub struct Ppo {
    config: PpoConfig,
    device: Device,
    /// The policy but for its weights, which are in `params`.
    template: Policy,
    critic: Option<Mlp>,
    params: Tensor<1>,
    adam: Adam,
    adam_state: Option<AdamState<1>>,
}

/// The host columns of one iteration.
struct Columns {
    obs: Vec<f32>,
    latents: Vec<f32>,
    log_probs: Vec<f32>,
    advantages: Vec<f32>,
    targets: Vec<f32>,
}

/// One minibatch on the device.
struct Rows {
    obs: Tensor<2>,
    latents: Tensor<2>,
    log_probs: Tensor<1>,
    advantages: Tensor<1>,
    targets: Tensor<1>,
}

impl Ppo {
    /// A fresh learner on a task; its first weights depend on `seed` alone.
    pub fn new(spec: &Spec, config: PpoConfig, device: Device, seed: u64) -> Self {
        let mut rng = stream(seed, Stream("weights"), 0, 0);
        let mlp = Policy::network(spec, &config.hidden);
        // A near-uniform first policy, a critic of unit scale (Andrychowicz et al. 2021, section 3.2).
        let mut params = mlp.init(0.01, &mut rng);
        params.resize(params.len() + Policy::log_stds(config.head, mlp.outputs()), config.initial_log_std);
        let critic = (config.baseline == Baseline::Critic).then(|| Mlp::new(spec.obs_dim, &config.hidden, 1));
        if let Some(critic) = &critic {
            params.extend(critic.init(1.0, &mut rng));
        }
        let template = Policy {
            mlp,
            params: Vec::new(),
            normalizer: Normalizer::identity(spec.obs_dim),
            head: config.head,
            action: spec.action.clone(),
        };
        Self {
            params: vector(&params, &device),
            // ε of 1e-5 as in OpenAI baselines and CleanRL.
            adam: AdamConfig::new().with_epsilon(1e-5).build(),
            adam_state: None,
            config,
            device,
            template,
            critic,
        }
    }

    /// Number of actor weights, log standard deviations included; the critic's stand behind them.
    fn actor_params(&self) -> usize {
        let outputs = self.template.mlp.outputs();
        self.template.mlp.params() + Policy::log_stds(self.config.head, outputs)
    }

    /// Normalises observations, evaluates the critic and estimates advantages, all on the host.
    fn columns(&self, steps: &Steps<'_>, scores: &[f32]) -> Columns {
        let host = to_vec(self.params.clone());
        let critic = self.critic.as_ref().map(|mlp| (mlp, &host[self.actor_params()..]));
        let mut rest = scores;
        let parts: Vec<(&Experience<'_>, &[f32])> = steps
            .episodes
            .iter()
            .map(|e| {
                let (own, tail) = rest.split_at(e.log_probs.len());
                rest = tail;
                (e, own)
            })
            .collect();
        let totals: Vec<f32> = parts.iter().map(|(_, own)| own.iter().sum()).collect();
        let group = advantage::group(&totals, steps.per_state, self.config.normalize_advantage);

        let per_episode: Vec<(Vec<f32>, Vec<f32>, Vec<f32>)> = parts
            .par_iter()
            .zip(&group)
            .map(|((e, own), &group_advantage)| {
                let obs = self.normalized(e.obs);
                let Some((mlp, weights)) = critic else {
                    return (obs, vec![group_advantage; own.len()], vec![0.0; own.len()]);
                };
                let mut scratch = mlp.scratch();
                let mut value = |row: &[f32]| mlp.forward(weights, row, &mut scratch)[0];
                let values: Vec<f32> = obs.chunks_exact(mlp.inputs()).map(&mut value).collect();
                let last = value(&self.normalized(e.final_obs));
                let (gamma, lambda) = (self.config.discount, self.config.gae_lambda);
                let advantages = advantage::gae(own, &values, last, e.terminated, gamma, lambda);
                let targets = advantages.iter().zip(&values).map(|(a, v)| a + v).collect();
                (obs, advantages, targets)
            })
            .collect();

        let rows = scores.len();
        let mut columns = Columns {
            obs: Vec::with_capacity(rows * self.template.mlp.inputs()),
            latents: Vec::new(),
            log_probs: Vec::with_capacity(rows),
            advantages: Vec::with_capacity(rows),
            targets: Vec::with_capacity(rows),
        };
        for ((e, _), (obs, advantages, targets)) in parts.iter().zip(per_episode) {
            columns.obs.extend(obs);
            columns.latents.extend_from_slice(e.latents);
            columns.log_probs.extend_from_slice(e.log_probs);
            columns.advantages.extend(advantages);
            columns.targets.extend(targets);
        }
        if critic.is_some() && self.config.normalize_advantage {
            advantage::standardize(&mut columns.advantages);
        }
        columns
    }

    fn normalized(&self, obs: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; obs.len()];
        self.template.normalizer.apply(obs, &mut out);
        out
    }

    /// One gradient step; returns the minibatch's figures `[6]`, still on the device.
    fn step(&mut self, rows: Rows, learning_rate: f64) -> Tensor<1> {
        let params = self.params.clone().autodiff().require_grad();
        let (loss, figures) = self.loss(&params, rows);
        let gradients = loss.backward();
        let gradient = params.grad(&gradients).expect("the loss depends on the weights");

        let norm = gradient.clone().square().sum().sqrt();
        let scale =
            norm.clone().add_scalar(1e-6).recip().mul_scalar(self.config.max_grad_norm).clamp_max(1.0);
        let (next, state) =
            self.adam.step(learning_rate, self.params.clone(), gradient * scale, self.adam_state.take());
        self.params = next;
        self.adam_state = state;
        Tensor::cat(vec![figures, norm], 0)
    }

    /// L = −E[min(ρ A, clip(ρ, 1 ± ε) A)] + c_v ½ E[(V − target)²] − c_e H[π] (Schulman et al. 2017, equation 9).
    fn loss(&self, params: &Tensor<1>, rows: Rows) -> (Tensor<1>, Tensor<1>) {
        let config = &self.config;
        let out = forward(&self.template.mlp, params, 0, rows.obs.clone());
        let (log_probs, entropy) = match config.head {
            Head::Categorical => categorical(out, rows.latents),
            Head::TanhGaussian | Head::ClippedGaussian => {
                let from = self.template.mlp.params();
                let log_std = params.clone().slice(from..from + self.template.mlp.outputs());
                gaussian(out, log_std, rows.latents)
            }
        };
        let log_ratio = log_probs - rows.log_probs;
        let ratio = log_ratio.clone().exp();
        let clipped = ratio.clone().clamp(1.0 - config.clip, 1.0 + config.clip);
        let surrogate = (ratio.clone() * rows.advantages.clone()).min_pair(clipped * rows.advantages).mean();
        let policy_loss = surrogate.neg();
        let mut loss = policy_loss.clone() - entropy.clone().mul_scalar(config.entropy_bonus);
        let value_loss = match &self.critic {
            None => policy_loss.clone().detach().mul_scalar(0.0),
            Some(critic) => {
                let values: Tensor<1> = forward(critic, params, self.actor_params(), rows.obs).squeeze_dim(1);
                let half_mse = (values - rows.targets).square().mean().mul_scalar(0.5);
                loss = loss + half_mse.clone().mul_scalar(config.value_weight);
                half_mse
            }
        };
        let (ratio, log_ratio) = (ratio.detach(), log_ratio.detach());
        let approx_kl = (ratio.clone().sub_scalar(1.0) - log_ratio).mean();
        let clip_fraction = ratio.sub_scalar(1.0).abs().greater_elem(config.clip).float().mean();
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
            obs: matrix(&columns.obs, self.template.mlp.inputs()),
            latents: matrix(&columns.latents, latent_dim),
            log_probs: vector(&columns.log_probs),
            advantages: vector(&columns.advantages),
            targets: vector(&columns.targets),
        }
    }
}

impl Learner for Ppo {
    fn policy(&self) -> Policy {
        let params = to_vec(self.params.clone().slice(0..self.actor_params()));
        Policy { params, ..self.template.clone() }
    }

    fn update(&mut self, steps: &Steps<'_>, scores: &[f32], moment: Moment) -> Losses {
        let columns = self.columns(steps, scores);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        let mut rng = stream(moment.seed, Stream("shuffle"), moment.iteration, 0);
        let decay = if self.config.learning_rate_decay { 1.0 - moment.progress } else { 1.0 };
        let learning_rate = self.config.learning_rate * decay;

        let (mut sums, mut minibatches, mut epochs) = ([0.0; 6], 0.0, 0.0);
        for _ in 0..self.config.epochs {
            order.shuffle(&mut rng);
            let figures: Vec<Tensor<1>> = order
                .chunks(self.config.minibatch)
                .map(|chunk| {
                    let rows = self.rows(&columns, chunk);
                    self.step(rows, learning_rate)
                })
                .collect();
            // One read from the device an epoch.
            let count = figures.len();
            let host = to_vec(Tensor::cat(figures, 0));
            let mut kl = 0.0;
            for row in host.chunks_exact(6) {
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                kl += row[3] / count as f32;
            }
            minibatches += count as f32;
            epochs += 1.0;
            if self.config.target_kl > 0.0 && kl > self.config.target_kl {
                break;
            }
        }
        if self.config.normalize_obs {
            steps.episodes.iter().for_each(|e| self.template.normalizer.update(e.obs));
        }
        let [policy_loss, value_loss, entropy, approx_kl, clip_fraction, grad_norm] =
            sums.map(|sum| sum / minibatches);
        Losses { policy_loss, value_loss, entropy, approx_kl, clip_fraction, grad_norm, epochs }
    }

    fn save(&self) -> LearnerState {
        let normalizer = &self.template.normalizer;
        let mut state = LearnerState {
            params: to_vec(self.params.clone()),
            obs_count: normalizer.count,
            obs_mean: normalizer.mean.clone(),
            obs_var: normalizer.var.clone(),
            ..LearnerState::default()
        };
        if let Some(AdamState { momentum }) = &self.adam_state {
            state.moment_1 = to_vec(momentum.moment_1.clone());
            state.moment_2 = to_vec(momentum.moment_2.clone());
            state.time = momentum.time as u64;
        }
        state
    }

    fn load(&mut self, state: &LearnerState) -> Result<(), String> {
        let (weights, inputs) = (self.params.dims()[0], self.template.mlp.inputs());
        let moments = if state.time == 0 { 0 } else { weights };
        for (name, got, want) in [
            ("params", state.params.len(), weights),
            ("moment_1", state.moment_1.len(), moments),
            ("moment_2", state.moment_2.len(), moments),
            ("obs_mean", state.obs_mean.len(), inputs),
            ("obs_var", state.obs_var.len(), inputs),
        ] {
            if got != want {
                return Err(format!("`{name}` has {got} numbers, this configuration needs {want}"));
            }
        }
        self.params = vector(&state.params, &self.device);
        self.adam_state = (state.time > 0).then(|| {
            let (m1, m2) = (vector(&state.moment_1, &self.device), vector(&state.moment_2, &self.device));
            AdamState::new(AdaptiveMomentumState::new(state.time as usize, m1, m2))
        });
        self.template.normalizer =
            Normalizer { count: state.obs_count, mean: state.obs_mean.clone(), var: state.obs_var.clone() };
        Ok(())
    }
}

/// The network on `x` `[rows, inputs]`, its weights at `offset` of the flat vector. Returns `[rows, outputs]`.
fn forward(mlp: &Mlp, params: &Tensor<1>, mut offset: usize, x: Tensor<2>) -> Tensor<2> {
    let mut take = |n: usize| {
        offset += n;
        params.clone().slice(offset - n..offset)
    };
    let last = mlp.layers().count() - 1;
    mlp.layers().enumerate().fold(x, |x, (layer, (inputs, outputs))| {
        let weight = take(inputs * outputs).reshape([inputs, outputs]);
        let bias = take(outputs).reshape([1, outputs]);
        let y = x.matmul(weight) + bias;
        if layer < last { tanh(y) } else { y }
    })
}

/// tanh y = 2 σ(2 y) − 1: on Burn's CPU backends `tanh` itself takes more time than all the rest of an update.
fn tanh(y: Tensor<2>) -> Tensor<2> {
    activation::sigmoid(y.mul_scalar(2.0)).mul_scalar(2.0).sub_scalar(1.0)
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

fn vector(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

fn to_vec(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[cfg(test)]
mod tests;
