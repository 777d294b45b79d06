//! The range of every key, checked before anything runs.

use spo_envs::{ActionSpace, Spec};

use super::keys::{CLIPPED_KEYS, OWN_KEYS, REWARD_KEYS, SCHEDULE_KEYS};
use super::{
    Baseline, Config, ConfigError, EnvDevice, LearnerKind, Opponents, PolicyLoss, ScorerKind, Temperature,
    TrainedResult,
};

/// Of a hidden layer; a square layer of it has a GiB of weights.
pub(super) const WIDEST: usize = 1 << 14;
/// Of an evaluation.
const MOST_EPISODES: usize = 1_000_000;
/// Most bytes of an iteration's observations, actions and scores.
const LARGEST_ITERATION: u64 = 1 << 36;
/// Steps of an episode that a reward model's checkpoint can name: whole numbers in float32.
const LONGEST: usize = 1 << 24;

impl Config {
    /// Checks every range.
    ///
    /// # Errors
    /// [`ConfigError::Range`] for the first key out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let positive = "a whole number of at least 1";
        let unit = "a number from 0 to 1";
        let rate = "a finite number above 0";
        let weight = "a finite number of at least 0";
        let in_unit = |x: f32| (0.0..=1.0).contains(&x);
        let above = |x: f64| x.is_finite() && x > 0.0;
        let at_least = |x: f32| x.is_finite() && x >= 0.0;
        let (sac, ars) = (self.learner == LearnerKind::Sac, self.learner == LearnerKind::Ars);
        let ppo = self.learner == LearnerKind::Ppo;
        let temperature = match self.temperature {
            Temperature::Auto => true,
            Temperature::Fixed(alpha) => above(f64::from(alpha)),
        };
        let regresses = self.policy_loss != PolicyLoss::Ppo && ppo;
        let sppo = self.policy_loss == PolicyLoss::Sppo && ppo;
        let plays = self.scorer == ScorerKind::SelfPlay && ppo;
        let queue = self.scorer == ScorerKind::SelfPlay && matches!(self.opponents, Opponents::Queue(_));
        // TOML, in which a run's configuration is kept, has no larger.
        if let Some((key, value)) = self.whole_numbers().into_iter().find(|(_, n)| i64::try_from(*n).is_err())
        {
            return Err(ConfigError::Range { key, value: value.to_string(), expected: "at most 2^63 - 1" });
        }
        let rated = self.scorer == ScorerKind::LlmDirect;
        let checks: [(&'static str, bool, String, &'static str); 44] = [
            (
                "oracle",
                !rated || self.oracle.language_model().is_some(),
                format!("`{}`", self.oracle),
                "a language model alone with the scorer `llm_direct`, which others cannot rate for: \
                 llm(base_url=URL,model=NAME)",
            ),
            (
                "window",
                !rated || self.window == 0,
                self.window.to_string(),
                "0 with the scorer `llm_direct`, which rates whole trajectories",
            ),
            (
                "log_comparisons",
                !rated || !self.log_comparisons,
                "true".into(),
                "false with the scorer `llm_direct`, which compares nothing",
            ),
            ("total_steps", self.total_steps > 0, self.total_steps.to_string(), positive),
            ("states", self.states > 0, self.states.to_string(), positive),
            (
                "trajectories_per_state",
                self.trajectories_per_state > 0,
                self.trajectories_per_state.to_string(),
                positive,
            ),
            (
                "hidden",
                self.hidden.iter().all(|width| (1..=WIDEST).contains(width)),
                format!("{:?}", self.hidden),
                "widths from 1 to 16384, such as [64, 64]",
            ),
            (
                "initial_log_std",
                in_unit(self.initial_log_std.abs() / 10.0),
                self.initial_log_std.to_string(),
                "a number from -10 to 10",
            ),
            ("discount", in_unit(self.discount), self.discount.to_string(), unit),
            ("gae_lambda", in_unit(self.gae_lambda), self.gae_lambda.to_string(), unit),
            ("learning_rate", above(self.learning_rate), self.learning_rate.to_string(), rate),
            (
                "optimism",
                !self.optimism || (plays && !queue),
                self.optimism.to_string(),
                "false but for self-play with ppo against opponents of the same iteration (opponents=group): a queue or a \
                 replay holds the past already",
            ),
            (
                "extragradient",
                !self.extragradient || (plays && self.opponents == Opponents::Group && !self.optimism),
                self.extragradient.to_string(),
                "false but for self-play with ppo, opponents=group and without optimism",
            ),
            ("anchor", in_unit(self.anchor), self.anchor.to_string(), unit),
            (
                "anchor",
                self.anchor == 0.0
                    || (plays && self.opponents == Opponents::Group && !self.optimism && !self.extragradient),
                self.anchor.to_string(),
                "0 but for self-play with ppo, opponents=group and without optimism or extragradient",
            ),
            (
                "kl_penalty",
                at_least(self.kl_penalty) && !(sppo && self.kl_penalty > 0.0),
                self.kl_penalty.to_string(),
                "a finite number of at least 0; 0 with policy_loss sppo, which fits win proportions as they are",
            ),
            ("eta", above(f64::from(self.eta)), self.eta.to_string(), rate),
            (
                "baseline",
                !regresses || self.baseline == Baseline::Group,
                "critic".into(),
                "group with policy_loss sppo and rebel, which have no critic (baseline=group, window=0)",
            ),
            (
                "normalize_advantage",
                !regresses || !self.normalize_advantage,
                "true".into(),
                "false with policy_loss sppo and rebel, which fit scores as they are",
            ),
            (
                "scorer",
                !sppo || self.scorer == ScorerKind::SelfPlay,
                self.scorer.to_string(),
                "self_play with policy_loss sppo, which fits win proportions; rebel fits any score",
            ),
            ("epochs", self.epochs > 0, self.epochs.to_string(), positive),
            ("minibatch", self.minibatch > 0, self.minibatch.to_string(), positive),
            ("clip", above(f64::from(self.clip)), self.clip.to_string(), rate),
            ("target_kl", at_least(self.target_kl), self.target_kl.to_string(), weight),
            ("entropy_bonus", at_least(self.entropy_bonus), self.entropy_bonus.to_string(), weight),
            ("value_weight", at_least(self.value_weight), self.value_weight.to_string(), weight),
            ("max_grad_norm", above(f64::from(self.max_grad_norm)), self.max_grad_norm.to_string(), rate),
            ("snapshots", self.snapshots >= 2, self.snapshots.to_string(), "a whole number of at least 2"),
            (
                "validation_episodes",
                (1..=MOST_EPISODES).contains(&self.validation_episodes),
                self.validation_episodes.to_string(),
                "a whole number from 1 to 1000000",
            ),
            (
                "eval_episodes",
                (2..=MOST_EPISODES).contains(&self.eval_episodes),
                self.eval_episodes.to_string(),
                "a whole number from 2 to 1000000",
            ),
            ("checkpoint_every", self.checkpoint_every > 0, self.checkpoint_every.to_string(), positive),
            (
                "window",
                self.window == 0 || self.baseline == Baseline::Critic || self.scorer != ScorerKind::SelfPlay,
                self.window.to_string(),
                "0 with the baseline `group`, which knows whole trajectories only; set baseline=critic",
            ),
            (
                "device",
                ppo || self.device == "cpu",
                self.device.clone(),
                "cpu with the learners `sac` and `ars`, which compute on the host only",
            ),
            (
                "residence",
                self.residence != EnvDevice::Device || self.device != "cpu",
                "device".into(),
                "auto or host with device=cpu, whose environments are the host's",
            ),
            (
                "replay",
                self.replay >= self.minibatch || !sac,
                self.replay.to_string(),
                "at least as many steps as a minibatch has rows",
            ),
            ("updates_per_step", above(self.updates_per_step), self.updates_per_step.to_string(), rate),
            (
                "learning_starts",
                !sac || self.learning_starts < self.total_steps,
                self.learning_starts.to_string(),
                "fewer steps than total_steps, or nothing is learned",
            ),
            (
                "tau",
                in_unit(self.tau) && self.tau > 0.0,
                self.tau.to_string(),
                "a number above 0 and at most 1",
            ),
            ("temperature", temperature, self.temperature.to_string(), "`auto` or a finite number above 0"),
            ("score_scale", above(f64::from(self.score_scale)), self.score_scale.to_string(), rate),
            (
                "trajectories_per_state",
                !ars || self.trajectories_per_state.is_multiple_of(2),
                self.trajectories_per_state.to_string(),
                "an even number with the learner `ars`, whose trajectories come in pairs",
            ),
            ("search_noise", above(f64::from(self.search_noise)), self.search_noise.to_string(), rate),
            ("top_directions", self.top_directions > 0, self.top_directions.to_string(), positive),
            (
                "relabel",
                !self.relabel || queue,
                self.relabel.to_string(),
                "false but for self-play against a queue (opponents=queue=10): other scores do not go stale, are always \
                 renewed (reward_model), or their opponents are gone",
            ),
        ];
        for (key, holds, value, expected) in checks {
            if !holds {
                return Err(ConfigError::Range { key, value, expected });
            }
        }
        self.validate_reward()?;
        self.validate_safety()?;
        let people = self.oracle.asks_people() && self.scorer != ScorerKind::TaskReward;
        if people && self.result == TrainedResult::Best {
            let expected =
                "`last` or `average` with people: they would compare every snapshot with every other";
            return Err(ConfigError::Range { key: "result", value: "best".into(), expected });
        }
        let paid = self.oracle.asks_language_model()
            && matches!(self.scorer, ScorerKind::SelfPlay | ScorerKind::LlmDirect);
        if paid && self.result == TrainedResult::Best {
            let expected =
                "`last` or `average` with a language model, which would be asked about every snapshot";
            return Err(ConfigError::Range { key: "result", value: "best".into(), expected });
        }
        let (given, defaults) = (self.table(), Self::default().table());
        for (users, keys) in OWN_KEYS {
            if let Some(key) =
                keys.iter().find(|&&key| !users.contains(&self.learner) && given[key] != defaults[key])
            {
                return Err(ConfigError::Unused { key, user: format!("learner `{}`", self.learner) });
            }
        }
        let foreign: &[&str] = if regresses { &CLIPPED_KEYS } else { &["eta"] };
        if let Some(key) = foreign.iter().find(|&&key| given[key] != defaults[key]) {
            let user = format!("policy_loss `{}`", given["policy_loss"].as_str().unwrap_or_default());
            return Err(ConfigError::Unused { key, user });
        }
        let own = self.scorer == ScorerKind::RewardModel;
        if let Some(key) = REWARD_KEYS.into_iter().find(|&key| !own && given[key] != defaults[key]) {
            return Err(ConfigError::Unused { key, user: format!("scorer `{}`", self.scorer) });
        }
        let (unfollowed, user): (&[&str], _) = match self.rlhf_rounds {
            0 => (&["rlhf_deployed"], "scorer without rlhf_rounds"),
            _ => (&SCHEDULE_KEYS, "schedule of rlhf_rounds"),
        };
        if let Some(key) = unfollowed.iter().find(|&&key| given[key] != defaults[key]) {
            return Err(ConfigError::Unused { key, user: user.into() });
        }
        let lonely = self.trajectories_per_state < 2;
        if lonely && regresses {
            let expected = "at least 2 with policy_loss sppo and rebel, which compare within a group";
            return Err(ConfigError::Range { key: "trajectories_per_state", value: "1".into(), expected });
        }
        if lonely
            && (self.baseline == Baseline::Group || !matches!(self.opponents, Opponents::Queue(_)))
            && self.scorer == ScorerKind::SelfPlay
        {
            return Err(ConfigError::Range {
                key: "trajectories_per_state",
                value: "1".into(),
                expected: "at least 2, or a queue of opponents with a critic (opponents=queue=128, baseline=critic)",
            });
        }
        Ok(())
    }

    /// Checks every range, and that the learner can act on the task.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn validate_on(&self, spec: &Spec) -> Result<(), ConfigError> {
        self.validate()?;
        if self.learner != LearnerKind::Ppo && matches!(spec.action, ActionSpace::Discrete(_)) {
            let expected = "`ppo` on a task of options; SAC and ARS act continuously only";
            return Err(ConfigError::Range { key: "learner", value: self.learner.to_string(), expected });
        }
        if self.scorer == ScorerKind::RewardModel && spec.horizon > LONGEST {
            let expected = "a task of at most 16777216 steps an episode with the scorer `reward_model`";
            return Err(ConfigError::Range { key: "env", value: self.env.clone(), expected });
        }
        let row = 4 * (spec.obs_dim + 2 * spec.action.dim() + 2) as u64;
        let bytes = [self.trajectories_per_state as u64, spec.horizon as u64, row]
            .into_iter()
            .try_fold(self.states as u64, u64::checked_mul);
        if bytes.is_none_or(|bytes| bytes > LARGEST_ITERATION) {
            let value =
                format!("{} with trajectories_per_state = {}", self.states, self.trajectories_per_state);
            let expected = "fewer: an iteration holds all its steps in memory, at most 64 GiB of them";
            return Err(ConfigError::Range { key: "states", value, expected });
        }
        // What a round begins with may start just before an iteration's steps are over.
        let iteration = (self.states * self.trajectories_per_state * spec.horizon) as u64;
        let round = (self.rlhf_deployed as u64 + 2).saturating_mul(iteration);
        if self.rlhf_rounds.saturating_mul(round) > self.total_steps {
            let expected = "fewer rounds, fewer rlhf_deployed or more total_steps: each round's share of the steps must hold \
                            rlhf_deployed + 2 iterations";
            let value = self.rlhf_rounds.to_string();
            return Err(ConfigError::Range { key: "rlhf_rounds", value, expected });
        }
        Ok(())
    }

    /// Every key that counts something.
    fn whole_numbers(&self) -> [(&'static str, u64); 25] {
        [
            ("seed", self.seed),
            ("total_steps", self.total_steps),
            ("window", self.window as u64),
            ("budget", self.budget),
            ("states", self.states as u64),
            ("trajectories_per_state", self.trajectories_per_state as u64),
            ("epochs", self.epochs as u64),
            ("minibatch", self.minibatch as u64),
            ("replay", self.replay as u64),
            ("learning_starts", self.learning_starts),
            ("top_directions", self.top_directions as u64),
            ("snapshots", self.snapshots as u64),
            ("validation_episodes", self.validation_episodes as u64),
            ("eval_episodes", self.eval_episodes as u64),
            ("checkpoint_every", self.checkpoint_every),
            ("reward_ensemble", self.reward_ensemble as u64),
            ("reward_minibatch", self.reward_minibatch as u64),
            ("reward_epochs", self.reward_epochs as u64),
            ("reward_first_epochs", self.reward_first_epochs as u64),
            ("reward_dataset", self.reward_dataset as u64),
            ("reward_every", self.reward_every),
            ("queries_per_round", self.queries_per_round),
            ("pretrain_steps", self.pretrain_steps),
            ("rlhf_rounds", self.rlhf_rounds),
            ("rlhf_deployed", self.rlhf_deployed as u64),
        ]
    }
}
