//! Augmented random search (Mania, Guy & Recht 2018): explores with noise in the weights instead of the actions.
//!
//! An iteration's trajectories come in pairs. One of a pair acts with the weights θ + ν δ, the other with θ − ν δ, for the whole
//! trajectory. Then θ moves along each direction δ in proportion to how much more the first scored than the second. This needs
//! only one score for each trajectory, which fits comparisons of whole trajectories: no score has to be divided among steps.
//! Evolution strategies convert returns to ranks (Salimans et al. 2017, section 2); win proportions within a group are such
//! ranks, and need no returns.

use rand::RngExt;
use rand_distr::StandardNormal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spo_envs::Spec;

use super::{Learner, LearnerState, UpdateContext, UpdateInput, UpdateMetrics};
use crate::base::random::{Stream, stream};
use crate::base::stats;
use crate::policy::{Acting, Activation, Head, Normalizer, Policy, UNIT_ENTROPY};

/// ARS's hyperparameters (Mania et al. 2018, algorithm 2). The defaults were chosen on HalfCheetah-v5, with whole
/// trajectories compared within a group of 16.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ArsConfig {
    /// Widths of the hidden layers; an empty list makes the policy linear.
    #[schemars(inner(range(min = 1, max = 16384)), extend("source" = "Mania et al. 2018: linear"))]
    pub hidden_sizes: Vec<usize>,
    /// α, the step size.
    #[schemars(extend("exclusiveMinimum" = 0), extend("source" = "Mania et al. 2018, table 9"))]
    pub learning_rate: f64,
    /// ν, the standard deviation of the noise in the weights.
    #[schemars(extend("exclusiveMinimum" = 0), extend("source" = "Mania et al. 2018, table 9"))]
    pub noise_std: f32,
    /// b, the number of an iteration's directions that the weights move along: those with the best trajectories. Each direction
    /// has two trajectories.
    #[schemars(range(min = 1))]
    pub top_directions: usize,
    /// Whether observations are normalised by running statistics.
    pub normalize_obs: bool,
}

impl Default for ArsConfig {
    fn default() -> Self {
        Self {
            hidden_sizes: Vec::new(),
            learning_rate: 0.02,
            noise_std: 0.03,
            top_directions: 4,
            normalize_obs: true,
        }
    }
}

/// The learner.
pub struct Ars {
    config: ArsConfig,
    /// θ. The network's weights are followed by log standard deviations of ν, which are used if actions are sampled.
    policy: Policy,
}

/// A direction of the search and its scores.
struct Trial {
    direction: Vec<f32>,
    /// Total scores of its two trajectories, θ + ν δ first.
    scores: [f32; 2],
}

impl Ars {
    /// A new learner for a task with continuous actions; its first weights depend only on `seed`.
    pub fn new(spec: &Spec, config: ArsConfig, seed: u64) -> Self {
        let head = Head::ClippedGaussian;
        let mlp = Policy::network(spec, head, &config.hidden_sizes, Activation::Tanh);
        let mut params = mlp.init(0.01, &mut stream(seed, Stream("weights"), 0, 0));
        params.resize(params.len() + Policy::log_stds(head, mlp.outputs()), config.noise_std.ln());
        let normalizer = Normalizer::identity(spec.obs_dim);
        let policy = Policy { mlp, params, normalizer, head, action: spec.action.clone() };
        Self { config, policy }
    }

    /// δ of a pair in an iteration: a standard normal number for each weight.
    fn direction(&self, pair: usize, context: UpdateContext) -> Vec<f32> {
        let mut rng = stream(context.seed, Stream("search"), context.iteration, pair as u64);
        (0..self.policy.mlp.params()).map(|_| rng.sample(StandardNormal)).collect()
    }

    /// The policy with the weights θ + by · δ.
    fn moved(&self, direction: &[f32], by: f32) -> Policy {
        let mut policy = self.policy.clone();
        policy.params.iter_mut().zip(direction).for_each(|(weight, d)| *weight += by * d);
        policy
    }

    /// Σ (s₊ − s₋) δ / (b σ) over the best b directions, where σ is the spread of their scores; `None` if all scores are equal.
    fn estimate(&self, mut trials: Vec<Trial>) -> Vec<f32> {
        let best = |trial: &Trial| trial.scores[0].max(trial.scores[1]);
        trials.sort_by(|a, b| best(b).total_cmp(&best(a)));
        trials.truncate(self.config.top_directions);
        let scores: Vec<f64> = trials.iter().flat_map(|t| t.scores).map(f64::from).collect();
        let (spread, mut step) = (stats::std_dev(&scores), vec![0.0; self.policy.mlp.params()]);
        if spread == 0.0 {
            return step;
        }
        for Trial { direction, scores: [plus, minus] } in &trials {
            let weight = f64::from(plus - minus) / (trials.len() as f64 * spread);
            step.iter_mut().zip(direction).for_each(|(sum, d)| *sum += weight as f32 * d);
        }
        step
    }
}

impl Learner for Ars {
    fn policy(&self) -> Policy {
        self.policy.clone()
    }

    fn start_from(&mut self, policy: &Policy) {
        self.policy.params.copy_from_slice(&policy.params);
        self.policy.normalizer = policy.normalizer.clone();
    }

    fn acting(&self) -> Acting {
        Acting::Mode
    }

    fn perturbed_policies(&self, count: usize, context: UpdateContext) -> Option<Vec<Policy>> {
        let noise = self.config.noise_std;
        let pairs = (0..count / 2).map(|pair| self.direction(pair, context));
        Some(pairs.flat_map(|d| [self.moved(&d, noise), self.moved(&d, -noise)]).collect())
    }

    fn update(&mut self, input: UpdateInput<'_>) -> UpdateMetrics {
        let UpdateInput { batch, context, .. } = input;
        let totals = batch.totals(input.scores);
        let pairs = totals.as_chunks().0.iter().enumerate();
        let trial =
            |(pair, &scores): (usize, &[f32; 2])| Trial { direction: self.direction(pair, context), scores };
        let step = self.estimate(pairs.map(trial).collect());
        let rate = self.config.learning_rate as f32;
        self.policy = self.moved(&step, rate);
        if self.config.normalize_obs {
            batch.episodes.iter().for_each(|e| self.policy.normalizer.update(e.obs));
        }
        let norm = step.iter().map(|g| g * g).sum::<f32>().sqrt();
        UpdateMetrics {
            policy_loss: -totals.iter().sum::<f32>() / totals.len() as f32,
            entropy: self.policy.action.dim() as f32 * (UNIT_ENTROPY + self.config.noise_std.ln()),
            // KL of N(θ, ν² I) from the same about the new θ.
            approx_kl: 0.5 * (rate * norm / self.config.noise_std).powi(2),
            grad_norm: norm,
            epochs: 1.0,
            ..UpdateMetrics::default()
        }
    }

    fn save(&self) -> LearnerState {
        LearnerState {
            tensors: [("params".to_string(), self.policy.params.clone())].into(),
            counters: Default::default(),
            normalizer: self.policy.normalizer.clone(),
            score_stats: Normalizer::identity(1),
        }
    }

    fn load(&mut self, state: &LearnerState) -> Result<(), String> {
        let params = state.tensor("params", self.policy.params.len())?;
        state.check_normalizer(self.policy.mlp.inputs())?;
        self.policy.params.copy_from_slice(params);
        self.policy.normalizer = state.normalizer.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
