//! The reward model's part of a configuration, and its ranges.

use super::validate::WIDEST;
use super::{Config, ConfigError, LearnerKind, ScorerKind};
use crate::scorer::reward_model::QueryConfig;
use crate::scorer::reward_model::model::RewardConfig;
use crate::scorer::reward_model::queries::Sampling;
use crate::scorer::reward_model::schedule::{MOST, Schedule, Shape};

/// Networks of an ensemble at most: they are all in memory.
const LARGEST_ENSEMBLE: usize = 100;
/// Policies that are deployed at once, at most.
const MOST_DEPLOYED: usize = 1000;

impl Config {
    /// What is fitted.
    pub fn reward_model(&self) -> RewardConfig {
        let rounds = self.rlhf_rounds > 0;
        let first_epochs =
            if self.reward_first_epochs == 0 { self.reward_epochs } else { self.reward_first_epochs };
        RewardConfig {
            hidden: self.reward_hidden.clone(),
            ensemble: self.reward_ensemble,
            output: self.reward_output,
            clip: self.reward_clip,
            regularization: self.reward_regularization,
            normalize: self.reward_normalize,
            learning_rate: self.reward_learning_rate,
            minibatch: self.reward_minibatch,
            // From fresh weights, every fit is a first one.
            epochs: if rounds { first_epochs } else { self.reward_epochs },
            first_epochs,
            stop_accuracy: self.reward_stop_accuracy,
            restart: self.reward_restart || rounds,
        }
    }

    /// What is asked, on a task of episodes of at most `horizon` steps.
    pub fn queries(&self, horizon: usize) -> QueryConfig {
        let trajectories = (self.states * self.trajectories_per_state) as u64;
        QueryConfig {
            segment: Some(self.window).filter(|&w| w > 0),
            sampling: self.query_sampling,
            schedule: Schedule {
                shape: self.query_schedule,
                first_share: f64::from(self.query_first_share),
                per_round: Some(self.queries_per_round).filter(|&n| n > 0),
                every: self.reward_every,
                budget: Some(self.budget).filter(|&b| b > 0),
                trajectories,
                iteration_steps: trajectories * horizon as u64,
                total_steps: self.total_steps,
                pretrain_steps: self.pretrain_steps,
                rounds: self.rlhf_rounds,
            },
            dataset: self.reward_dataset,
            held_out: f64::from(self.reward_held_out),
            standardize: self.reward_standardize,
            split: self.reward_split,
        }
    }

    /// Checks the ranges of the reward model's keys.
    pub(super) fn validate_reward(&self) -> Result<(), ConfigError> {
        let positive = "a whole number of at least 1";
        let learns = self.scorer == ScorerKind::RewardModel;
        let spreads = self.budget > 0 && self.queries_per_round == 0;
        let share = self.query_first_share;
        // Of another scorer, all of these keys are refused together.
        let rounds = if learns { self.rlhf_rounds } else { 0 };
        let checks: [(&'static str, bool, String, &'static str); 24] = [
            (
                "reward_hidden",
                self.reward_hidden.iter().all(|width| (1..=WIDEST).contains(width)),
                format!("{:?}", self.reward_hidden),
                "widths from 1 to 16384, such as [64, 64]",
            ),
            (
                "reward_ensemble",
                (1..=LARGEST_ENSEMBLE).contains(&self.reward_ensemble),
                self.reward_ensemble.to_string(),
                "a whole number from 1 to 100",
            ),
            (
                "reward_clip",
                self.reward_clip.is_finite() && self.reward_clip >= 0.0,
                self.reward_clip.to_string(),
                "a finite number of at least 0",
            ),
            (
                "reward_regularization",
                self.reward_regularization.is_finite() && self.reward_regularization >= 0.0,
                self.reward_regularization.to_string(),
                "a finite number of at least 0",
            ),
            (
                "reward_learning_rate",
                self.reward_learning_rate.is_finite() && self.reward_learning_rate > 0.0,
                self.reward_learning_rate.to_string(),
                "a finite number above 0",
            ),
            ("reward_minibatch", self.reward_minibatch > 0, self.reward_minibatch.to_string(), positive),
            ("reward_epochs", self.reward_epochs > 0, self.reward_epochs.to_string(), positive),
            (
                "reward_stop_accuracy",
                self.reward_stop_accuracy > 0.0 && self.reward_stop_accuracy <= 1.0,
                self.reward_stop_accuracy.to_string(),
                "a number above 0 and at most 1",
            ),
            ("reward_dataset", self.reward_dataset > 0, self.reward_dataset.to_string(), positive),
            (
                "reward_held_out",
                (0.0..1.0).contains(&self.reward_held_out),
                self.reward_held_out.to_string(),
                "a number of at least 0 and below 1",
            ),
            ("reward_every", self.reward_every > 0, self.reward_every.to_string(), positive),
            (
                "query_sampling",
                self.query_sampling != Sampling::Disagreement || self.reward_ensemble > 1,
                "disagreement".into(),
                "uniform or entropy where one network has nobody to disagree with; or set reward_ensemble=3",
            ),
            (
                "queries_per_round",
                self.queries_per_round <= MOST,
                self.queries_per_round.to_string(),
                "at most 100000",
            ),
            (
                "query_first_share",
                share == 0.0 || (spreads && (0.0..=1.0).contains(&share)),
                share.to_string(),
                "a number from 0 to 1, and 0 without a budget to spread (budget=2000, queries_per_round=0)",
            ),
            (
                "query_schedule",
                spreads || self.query_schedule == Shape::Constant,
                "hyperbolic".into(),
                "constant without a budget to spread (budget=2000, queries_per_round=0)",
            ),
            (
                "pretrain_steps",
                !learns || self.pretrain_steps < self.total_steps,
                self.pretrain_steps.to_string(),
                "fewer steps than total_steps, or nobody is asked",
            ),
            (
                "log_reward_model",
                !self.log_reward_model || self.reward_held_out > 0.0,
                "true".into(),
                "false where no answers are held out; or set reward_held_out=0.1",
            ),
            (
                "reward_split",
                !learns || !self.reward_split || rounds > 0,
                "true".into(),
                "false without rlhf_rounds: a model that is fitted again and again gives no scores to follow",
            ),
            (
                "rlhf_rounds",
                rounds == 0 || self.learner == LearnerKind::Ppo,
                self.rlhf_rounds.to_string(),
                "0 but with the learner `ppo`: a replay would outlive a round, and `ars` has no policy to deploy but the mean of its \
                 search",
            ),
            (
                "rlhf_rounds",
                rounds == 0 || self.budget > 0,
                self.rlhf_rounds.to_string(),
                "0 without a budget for the rounds to share (budget=2000)",
            ),
            (
                "rlhf_rounds",
                rounds <= self.budget || rounds == 0,
                self.rlhf_rounds.to_string(),
                "at most as many rounds as the budget has comparisons",
            ),
            (
                "budget",
                rounds == 0 || self.budget <= rounds.saturating_mul(MOST),
                self.budget.to_string(),
                "at most 100000 comparisons for each of rlhf_rounds",
            ),
            (
                "reward_dataset",
                rounds == 0 || self.reward_dataset as u64 >= self.budget,
                self.reward_dataset.to_string(),
                "at least the budget with rlhf_rounds, which fit all answers so far",
            ),
            (
                "rlhf_deployed",
                (1..=MOST_DEPLOYED).contains(&self.rlhf_deployed)
                    && (rounds == 0
                        || self.rlhf_deployed.max(self.states).max(self.trajectories_per_state) > 1),
                self.rlhf_deployed.to_string(),
                "a whole number from 1 to 1000, and two trajectories to compare",
            ),
        ];
        match checks.into_iter().find(|(_, holds, _, _)| !holds) {
            Some((key, _, value, expected)) => Err(ConfigError::Range { key, value, expected }),
            None => Ok(()),
        }
    }
}
