//! A reward learned from comparisons: an ensemble of per-step networks r(s, a) under the Bradley–Terry model
//! (Christiano et al. 2017, section 2.2.3).
//!
//! P(a ≻ b) = σ(Σ r over a − Σ r over b). A cost model is the same, but predicts the less safe of two segments, and a summed cost
//! of 0 separates safe from unsafe segments (Safe RLHF: Dai et al. 2023, section 3.2).
//! [`scorer::reward_model`](crate::scorer::reward_model) queries the comparisons and gives the rewards to the learner; this
//! module fits the model and measures its accuracy.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spo_envs::{ActionSpace, Spec};

use super::RewardModelConfig;
use crate::policy::mlp::{Activation, Mlp};
use crate::policy::normalizer::{Normalizer, Scale};
use crate::policy::state::LearnerState;
use member::{Buffers, Member, Network};

pub mod assess;
mod member;

/// The bounds of a predicted reward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// No bounds.
    #[default]
    Linear,
    /// tanh: rewards in (−1, 1), as in B-Pref.
    Tanh,
}

/// Consecutive steps as the model sees them, without the task's reward and cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment<'a> {
    /// `[T, obs_dim]`
    pub obs: &'a [f32],
    /// `[T, action_dim]`, as given to the task.
    pub actions: &'a [f32],
}

/// An answered comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison<'a> {
    /// The first segment.
    pub a: Segment<'a>,
    /// The second.
    pub b: Segment<'a>,
    /// P(a ≻ b), the oracle's answer: 0, 1, ½ for a tie, or any probability. For a cost model, the probability that a costs more.
    pub p: f32,
    /// For a cost model, the verdicts on a and on b: 1 unsafe, −1 safe, 0 no verdict. For a reward model 0.
    pub signs: [f32; 2],
}

/// A comparison and a model's prediction of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// Summed rewards of the first segment.
    pub score_a: f64,
    /// Summed rewards of the second segment.
    pub score_b: f64,
    /// P(a ≻ b), the oracle's answer.
    pub p: f32,
}

impl Predicted {
    /// The predicted log-odds that the first is preferred.
    pub fn gap(&self) -> f64 {
        self.score_a - self.score_b
    }
}

/// The results of a fit: means over the members that did not diverge, `None` if all diverged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fit {
    /// Cross-entropy of the last epoch, in nats per comparison.
    pub loss: Option<f32>,
    /// Members that diverged and were reset to fresh weights.
    pub restarts: u64,
}

/// The ensemble.
pub struct RewardModel {
    config: RewardModelConfig,
    network: Network,
    members: Vec<Member>,
    /// Statistics of the inputs seen so far. The networks use the statistics at the last fit.
    normalizer: Normalizer,
    seed: u64,
    fits: u64,
}

impl RewardModel {
    /// An untrained model for a task; its weights depend only on `seed`.
    pub fn new(spec: &Spec, config: RewardModelConfig, seed: u64) -> Self {
        let options = match spec.action {
            ActionSpace::Discrete(options) => Some(options),
            ActionSpace::Continuous { .. } => None,
        };
        let action_dim = spec.action.dim();
        let inputs = spec.obs_dim + options.unwrap_or(action_dim);
        let network = Network {
            mlp: Mlp::new(inputs, &config.hidden_sizes, 1, Activation::Relu),
            output: config.output,
            clip: Some(config.logit_clip).filter(|&clip| clip > 0.0),
            regularization: f64::from(config.regularization_coef),
            scale: None,
            obs_dim: spec.obs_dim,
            action_dim,
            options,
        };
        let members =
            (0..config.ensemble_size).map(|m| Member::fresh(&network.mlp, seed, 0, m as u64)).collect();
        Self { members, network, normalizer: Normalizer::identity(inputs), seed, fits: 0, config }
    }

    /// Merges steps into the running statistics of the inputs. The networks use them from the next fit on.
    pub fn observe(&mut self, steps: Segment<'_>) {
        if self.config.normalize_inputs {
            let mut inputs = Vec::new();
            self.network.append(steps, &mut inputs);
            self.normalizer.update(&inputs);
        }
    }

    /// Whether at least one member was fitted.
    pub fn is_trained(&self) -> bool {
        self.members.iter().any(|m| m.trained)
    }

    /// Fits every member to the comparisons, each in its own random order.
    ///
    /// A member whose loss or weights are no longer finite is fitted once more from fresh weights. If it diverges
    /// again, predictions do not use it until one of its later fits succeeds.
    pub fn fit(&mut self, comparisons: &[Comparison<'_>]) -> Fit {
        if self.config.normalize_inputs {
            self.network.scale = Some(self.normalizer.scale());
        }
        let Self { config, network, members, seed, fits, .. } = self;
        let fitted: Vec<member::Fitted> = (members.par_iter_mut().enumerate())
            .map(|(m, member)| member.fit(network, config, comparisons, *seed, (*fits, m as u64)))
            .collect();
        self.fits += 1;
        let losses: Vec<f32> = fitted.iter().filter_map(|f| f.loss).collect();
        let loss = (!losses.is_empty()).then(|| losses.iter().sum::<f32>() / losses.len() as f32);
        Fit { loss, restarts: fitted.iter().map(|f| f.restarts).sum() }
    }

    /// The predicted reward of each step, `[T]`: the mean over the fitted members, or zeros if there is none.
    pub fn rewards(&self, segment: Segment<'_>) -> Vec<f32> {
        let each = self.member_rewards(segment);
        let mut mean = vec![0.0; segment.obs.len() / self.network.obs_dim];
        for own in &each {
            mean.iter_mut().zip(own).for_each(|(sum, r)| *sum += r / each.len() as f32);
        }
        mean
    }

    /// The predicted reward of each step, `[T]`, by each trained member.
    pub fn member_rewards(&self, segment: Segment<'_>) -> Vec<Vec<f32>> {
        let mut buffers = Buffers::default();
        self.network.encode(segment, &mut buffers);
        let trained = self.members.iter().filter(|m| m.trained);
        trained.map(|m| self.network.rewards(&m.weights.params, &mut buffers)).collect()
    }

    /// Predictions of comparisons by the ensemble's mean; empty while the model is untrained.
    pub fn predict(&self, comparisons: &[Comparison<'_>]) -> Vec<Predicted> {
        if !self.is_trained() {
            return Vec::new();
        }
        let of = |c: &Comparison<'_>| Predicted { score_a: self.sum(c.a), score_b: self.sum(c.b), p: c.p };
        comparisons.par_iter().map(of).collect()
    }

    /// The summed rewards of a segment.
    pub fn sum(&self, segment: Segment<'_>) -> f64 {
        self.rewards(segment).iter().map(|&r| f64::from(r)).sum()
    }

    /// The model's part of a checkpoint.
    pub fn save(&self) -> LearnerState {
        let mut state = LearnerState {
            tensors: Default::default(),
            counters: [("fits".to_string(), self.fits)].into(),
            normalizer: self.normalizer.clone(),
            score_stats: Normalizer::identity(1),
        };
        if let Some(scale) = &self.network.scale {
            state.tensors.insert("scale.mean".into(), scale.mean.clone());
            state.tensors.insert("scale.std".into(), scale.std.clone());
        }
        self.members.iter().enumerate().for_each(|(m, member)| member.save(m, &mut state));
        state
    }

    /// Continues from a checkpoint of a model of the same shape.
    ///
    /// # Errors
    /// A message that names the part with the wrong length.
    pub fn load(&mut self, state: &LearnerState) -> Result<(), String> {
        let inputs = self.network.mlp.inputs();
        state.check_normalizer(inputs)?;
        self.fits = state.counter("fits")?;
        self.normalizer = state.normalizer.clone();
        self.network.scale = None;
        if self.config.normalize_inputs && self.fits > 0 {
            let get = |name: &str| state.tensor(name, inputs).map(<[f32]>::to_vec);
            self.network.scale = Some(Scale { mean: get("scale.mean")?, std: get("scale.std")? });
        }
        self.members.iter_mut().enumerate().try_for_each(|(m, member)| member.load(m, state))
    }
}

#[cfg(test)]
mod tests;
