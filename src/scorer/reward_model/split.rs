//! A second reward model, fitted to the half of the comparisons that the policy is not trained on. If the second model scores the
//! policy lower than the first, the policy exploits errors of the first (Bai et al. 2022, section 4.2).

use rand::RngExt;
use spo_envs::Spec;

use super::{RewardModelConfig, segment};
use crate::base::random::{Stream, stream};
use crate::policy::state::LearnerState;
use crate::rollout::Episode;
use crate::scorer::SplitScores;
use crate::scorer::reward_model::model::{Comparison, RewardModel};

/// The second model, and the mean rewards, by both models, of the trajectories that were compared last.
pub(super) struct Split {
    pub model: RewardModel,
    /// Mean rewards per step by the first model and by this one. They are subtracted from scores, since comparisons of segments of
    /// the same length do not determine the mean of a reward.
    levels: [f32; 2],
}

/// The prefix of the names of the model's tensors in a checkpoint.
const PREFIX: &str = "other.";
/// The name of the mean rewards in a checkpoint.
const LEVELS: &str = "levels";

impl Split {
    /// An untrained model with other weights than the first model of the same seed.
    pub fn new(spec: &Spec, config: RewardModelConfig, seed: u64) -> Self {
        let own = stream(seed, Stream("split"), 0, 0).random();
        Self { model: RewardModel::new(spec, config, own), levels: [0.0; 2] }
    }

    /// Fits the model to its half of the comparisons; `first` was fitted to the other half. Returns how many members diverged.
    pub fn fit(&mut self, half: &[Comparison<'_>], first: &RewardModel, pool: &[&Episode]) -> u64 {
        let restarts = if half.is_empty() { 0 } else { self.model.fit(half).restarts };
        let steps: usize = pool.iter().map(|e| e.len()).sum();
        self.levels = [first, &self.model].map(|model| {
            let sum: f64 = pool.iter().map(|e| model.sum(segment(&e.trajectory()))).sum();
            (sum / steps.max(1) as f64) as f32
        });
        restarts
    }

    /// Scores of trajectories by both models; `None` before both are fitted.
    pub fn scores(&self, first: &RewardModel, episodes: &[Episode]) -> Option<SplitScores> {
        let mean = |model: &RewardModel, level: f32| {
            let over = |e: &Episode| model.sum(segment(&e.trajectory())) - f64::from(level) * e.len() as f64;
            (episodes.iter().map(over).sum::<f64>() / episodes.len() as f64) as f32
        };
        (first.is_trained() && self.model.is_trained()).then(|| SplitScores {
            train: mean(first, self.levels[0]),
            test: mean(&self.model, self.levels[1]),
        })
    }

    /// Adds this model to a checkpoint of the first model, which has the same inputs.
    pub fn save(&self, state: &mut LearnerState) {
        let own = self.model.save();
        let named = |name: String| format!("{PREFIX}{name}");
        state.tensors.extend(own.tensors.into_iter().map(|(name, values)| (named(name), values)));
        state.counters.extend(own.counters.into_iter().map(|(name, count)| (named(name), count)));
        state.tensors.insert(named(LEVELS.into()), self.levels.to_vec());
    }

    /// Continues from such a checkpoint.
    ///
    /// # Errors
    /// A message that names the part that is missing or has the wrong length.
    pub fn load(&mut self, state: &LearnerState) -> Result<(), String> {
        let mut own = state.clone();
        own.tensors = stripped(&state.tensors);
        own.counters = stripped(&state.counters);
        self.levels.copy_from_slice(own.tensor(LEVELS, 2)?);
        self.model.load(&own)
    }
}

/// This model's tensors, without the prefix.
fn stripped<T: Clone>(all: &std::collections::BTreeMap<String, T>) -> std::collections::BTreeMap<String, T> {
    all.iter().filter_map(|(name, v)| Some((name.strip_prefix(PREFIX)?.to_string(), v.clone()))).collect()
}
