//! Rules over several keys, checked before anything runs. The range of a single key is declared with its field.

use spo_envs::{ActionSpace, Spec};

use super::keys::{self, Key};
use super::{Config, ConfigError, EnvDevice, TrainedResult, read, value};
use crate::learner::LearnerKind;
use crate::learner::ppo::{Baseline, PolicyLoss};
use crate::learner::sac::Temperature;
use crate::scorer::ScorerKind;
use crate::scorer::opponents::Opponents;
use crate::scorer::reward_model::RewardModelConfig;
use crate::scorer::reward_model::queries::Sampling;
use crate::scorer::reward_model::schedule::{MOST, Shape};

/// Most bytes of an iteration's observations, actions and scores.
const LARGEST_ITERATION: u64 = 1 << 36;
/// Steps of an episode that a reward model's checkpoint can name: whole numbers in float32.
const LONGEST: usize = 1 << 24;

/// A rule: the key that it names, whether it holds, and what was expected.
type Rule = (&'static str, bool, &'static str);

impl Config {
    /// Checks every key, and the rules over several of them.
    ///
    /// # Errors
    /// [`ConfigError::Range`] for the first rule that does not hold, [`ConfigError::Unused`] for a key that was set and is
    /// not read.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_ranges()?;
        self.check_unused()?;
        self.check(&self.scorer_rules())?;
        self.check(&self.learner_rules())?;
        if self.scorer == ScorerKind::RewardModel {
            self.check(&self.reward_model_rules())?;
        }
        self.check_safety()?;
        self.check(&self.result_rules())?;
        self.check(&self.group_rules())
    }

    /// As [`validate`](Self::validate), and whether learner and scorer fit the task.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn validate_on(&self, spec: &Spec) -> Result<(), ConfigError> {
        self.validate()?;
        let discrete = matches!(spec.action, ActionSpace::Discrete(_));
        // What a round begins with may start just before an iteration's steps are over.
        let iteration = (self.rollout.trajectories() * spec.horizon) as u64;
        let round = (self.reward_model.deployed_policies as u64 + 2).saturating_mul(iteration);
        self.check(&[
            (
                "learner",
                self.learner == LearnerKind::Ppo || !discrete,
                "`ppo` for a task with discrete actions; SAC and ARS need continuous actions",
            ),
            (
                "env",
                self.scorer != ScorerKind::RewardModel || spec.horizon <= LONGEST,
                "a task of at most 16777216 steps an episode with the scorer `reward_model`",
            ),
        ])?;
        let row = 4 * (spec.obs_dim + 2 * spec.action.dim() + 2) as u64;
        let bytes = [self.rollout.trajectories_per_state as u64, spec.horizon as u64, row]
            .into_iter()
            .try_fold(self.rollout.num_states as u64, u64::checked_mul);
        if bytes.is_none_or(|bytes| bytes > LARGEST_ITERATION) {
            let (states, k) = (self.rollout.num_states, self.rollout.trajectories_per_state);
            return Err(ConfigError::Range {
                key: "rollout.num_states".into(),
                value: format!("{states} with rollout.trajectories_per_state = {k}"),
                expected: "fewer: an iteration keeps all its steps in memory, at most 64 GiB of them".into(),
            });
        }
        self.check(&[(
            "reward_model.rlhf_rounds",
            self.rlhf_rounds().saturating_mul(round) <= self.total_steps,
            "fewer rounds, fewer reward_model.deployed_policies or more total_steps: the steps of each round must hold \
             deployed_policies + 2 iterations",
        )])
    }

    /// The first rule that does not hold, as an error.
    fn check(&self, rules: &[Rule]) -> Result<(), ConfigError> {
        let Some((key, _, expected)) = rules.iter().find(|(_, holds, _)| !holds) else { return Ok(()) };
        let value = keys::flat(self).get(*key).map(value::shown).unwrap_or_default();
        Err(ConfigError::Range { key: (*key).into(), value, expected: (*expected).into() })
    }

    /// Every number within its declared range.
    fn check_ranges(&self) -> Result<(), ConfigError> {
        let (values, in_use) = (keys::flat(self), self.sections());
        let used = |key: &&Key| key.section().is_empty() || in_use.contains(&key.section());
        match keys::keys().iter().filter(used).find(|key| !key.holds(&values[&key.name])) {
            None => Ok(()),
            Some(key) => Err(ConfigError::Range {
                key: key.name.clone(),
                value: value::shown(&values[&key.name]),
                expected: match values[&key.name].as_u64().is_some_and(|n| i64::try_from(n).is_err()) {
                    true => "at most 2^63 - 1".into(),
                    false => key.expected.clone(),
                },
            }),
        }
    }

    /// No key set that this run does not read: of another learner or scorer, or of another form of either.
    fn check_unused(&self) -> Result<(), ConfigError> {
        let preset = keys::flat(&Self::preset(self.learner, &self.oracle));
        let (values, in_use) = (keys::flat(self), self.sections());
        let changed = |key: &str| values[key] != preset[key];
        let unused = |key: String, user: String| Err(ConfigError::Unused { key, user });
        let foreign = |key: &&Key| {
            !key.section().is_empty() && !in_use.contains(&key.section()) && !read::is_shared(key)
        };
        if let Some(key) = keys::keys().iter().filter(foreign).find(|key| changed(&key.name)) {
            return unused(key.name.clone(), read::non_user(key, self));
        }
        let of = |section: &str, names: &[&str]| {
            names.iter().map(|name| format!("{section}.{name}")).find(|key| changed(key))
        };
        if self.learner == LearnerKind::Ppo
            && let Some(key) = of("ppo", self.ppo.unused_keys())
        {
            return unused(
                key,
                format!("policy loss `{}`", values["ppo.policy_loss"].as_str().unwrap_or("")),
            );
        }
        if self.scorer == ScorerKind::RewardModel {
            let (names, user): (&[&str], _) = match self.reward_model.rlhf_rounds {
                0 => (&["deployed_policies"], "scorer without reward_model.rlhf_rounds"),
                _ => (&RewardModelConfig::SCHEDULE_KEYS, "schedule of reward_model.rlhf_rounds"),
            };
            if let Some(key) = of("reward_model", names) {
                return unused(key, user.into());
            }
        }
        if self.learner != LearnerKind::Ppo && changed("kl_coef") {
            return unused("kl_coef".into(), format!("learner `{}`", self.learner));
        }
        Ok(())
    }

    fn scorer_rules(&self) -> Vec<Rule> {
        let ppo = self.learner == LearnerKind::Ppo;
        let plays = self.scorer == ScorerKind::SelfPlay;
        let rates = self.scorer == ScorerKind::LlmDirect;
        let in_queue = matches!(self.self_play.opponents, Opponents::Queue(_));
        let in_group = self.self_play.opponents == Opponents::Group;
        let own = &self.self_play;
        vec![
            (
                "oracle",
                !rates || self.oracle.language_model().is_some(),
                "a language model alone with the scorer `llm_direct`, because only a language model rates: \
                 llm(base_url=URL,model=NAME)",
            ),
            (
                "self_play.window",
                !rates || own.window == 0,
                "0 with the scorer `llm_direct`, which rates whole trajectories",
            ),
            (
                "log_comparisons",
                !rates || !self.log_comparisons,
                "false with the scorer `llm_direct`, which compares nothing",
            ),
            (
                "self_play.optimism",
                !own.optimism || (plays && ppo && !in_queue),
                "false, except for self-play with ppo against opponents of the same iteration \
                 (self_play.opponents=group): a queue holds earlier iterations already",
            ),
            (
                "self_play.extragradient",
                !own.extragradient || (plays && ppo && in_group && !own.optimism),
                "false, except for self-play with ppo, self_play.opponents=group and self_play.optimism=false",
            ),
            (
                "self_play.mixture_coef",
                own.mixture_coef == 0.0 || (plays && ppo && in_group && !own.optimism && !own.extragradient),
                "0, except for self-play with ppo, self_play.opponents=group, and without optimism or extragradient",
            ),
            (
                "self_play.window",
                own.window == 0 || !ppo || self.ppo.baseline == Baseline::Critic || !plays,
                "0 with ppo.baseline=group, which compares whole trajectories only; or set ppo.baseline=critic",
            ),
        ]
    }

    /// Whether there is anybody to compare with.
    fn group_rules(&self) -> [Rule; 2] {
        let ppo = self.learner == LearnerKind::Ppo;
        let plays = self.scorer == ScorerKind::SelfPlay;
        let in_queue = matches!(self.self_play.opponents, Opponents::Queue(_));
        let alone = self.rollout.trajectories_per_state < 2;
        [
            (
                "rollout.trajectories_per_state",
                !(alone && ppo && self.ppo.regresses()),
                "at least 2 with ppo.policy_loss sppo or rebel, which compare within a group",
            ),
            (
                "rollout.trajectories_per_state",
                !(alone && plays && (!in_queue || (ppo && self.ppo.baseline == Baseline::Group))),
                "at least 2, or a queue of opponents with a critic (self_play.opponents=queue=128, ppo.baseline=critic)",
            ),
        ]
    }

    fn learner_rules(&self) -> Vec<Rule> {
        let mut rules = vec![
            (
                "device",
                self.learner == LearnerKind::Ppo || self.device == "cpu",
                "cpu with the learners `sac` and `ars`, which compute on the host only",
            ),
            (
                "env_device",
                self.env_device != EnvDevice::Device || self.device != "cpu",
                "auto or host with device=cpu, whose environments step on the host",
            ),
            (
                "rollout.trajectories_per_state",
                self.learner != LearnerKind::Ars || self.rollout.trajectories_per_state.is_multiple_of(2),
                "an even number with the learner `ars`, whose trajectories come in pairs",
            ),
        ];
        if self.learner == LearnerKind::Ppo {
            rules.extend(self.ppo_rules());
        }
        if self.learner == LearnerKind::Sac {
            rules.extend(self.sac_rules());
        }
        rules
    }

    fn ppo_rules(&self) -> Vec<Rule> {
        let (regresses, sppo) = (self.ppo.regresses(), self.ppo.policy_loss == PolicyLoss::Sppo);
        vec![
            (
                "kl_coef",
                !(sppo && self.kl_coef > 0.0),
                "0 with ppo.policy_loss=sppo, which fits win proportions as they are",
            ),
            (
                "ppo.baseline",
                !regresses || self.ppo.baseline == Baseline::Group,
                "group with ppo.policy_loss sppo and rebel, which have no critic (ppo.baseline=group, \
                 self_play.window=0)",
            ),
            (
                "ppo.normalize_advantage",
                !regresses || !self.ppo.normalize_advantage,
                "false with ppo.policy_loss sppo and rebel, which fit scores as they are",
            ),
            (
                "scorer",
                !sppo || self.scorer == ScorerKind::SelfPlay,
                "self_play with ppo.policy_loss=sppo, which fits win proportions; rebel fits any score",
            ),
        ]
    }

    fn sac_rules(&self) -> Vec<Rule> {
        let sac = &self.sac;
        let in_queue =
            self.scorer == ScorerKind::SelfPlay && matches!(self.self_play.opponents, Opponents::Queue(_));
        let fixed = match sac.temperature {
            Temperature::Auto => true,
            Temperature::Fixed(alpha) => alpha.is_finite() && alpha > 0.0,
        };
        vec![
            ("sac.temperature", fixed, "auto, or a finite number above 0"),
            (
                "sac.buffer_size",
                sac.buffer_size >= sac.minibatch_size,
                "at least as many steps as a minibatch has rows",
            ),
            (
                "sac.learning_starts",
                sac.learning_starts < self.total_steps,
                "fewer steps than total_steps, or nothing is learned",
            ),
            (
                "sac.relabel",
                !sac.relabel || in_queue,
                "false, except for self-play against a queue (self_play.opponents=queue=10): other scores do not age, are \
                 always renewed (reward_model), or have lost their opponents",
            ),
        ]
    }

    fn reward_model_rules(&self) -> Vec<Rule> {
        let own = &self.reward_model;
        let (rounds, budget) = (own.rlhf_rounds, self.budget);
        let spreads = budget > 0 && own.queries_per_round == 0;
        let sizes = [own.deployed_policies, self.rollout.num_states, self.rollout.trajectories_per_state];
        vec![
            (
                "reward_model.query_sampling",
                own.query_sampling != Sampling::Disagreement || own.ensemble_size > 1,
                "uniform or entropy with a single network, which cannot disagree with itself; or set \
                 reward_model.ensemble_size=3",
            ),
            (
                "reward_model.query_first_share",
                own.query_first_share == 0.0 || spreads,
                "0 without a budget to spread (budget=2000, reward_model.queries_per_round=0)",
            ),
            (
                "reward_model.query_schedule",
                spreads || own.query_schedule == Shape::Constant,
                "constant without a budget to spread (budget=2000, reward_model.queries_per_round=0)",
            ),
            (
                "reward_model.pretrain_steps",
                own.pretrain_steps < self.total_steps,
                "fewer steps than total_steps, or nothing is ever asked",
            ),
            (
                "reward_model.log_predictions",
                !own.log_predictions || own.held_out_share > 0.0,
                "false where no answers are held out; or set reward_model.held_out_share=0.1",
            ),
            (
                "reward_model.split",
                !own.split || rounds > 0,
                "false without reward_model.rlhf_rounds: a model that is fitted again and again has no scores to follow",
            ),
            (
                "reward_model.rlhf_rounds",
                rounds == 0 || self.learner == LearnerKind::Ppo,
                "0, except with the learner `ppo`: a replay buffer would outlive a round, and `ars` has no policy to \
                 deploy except the mean of its search",
            ),
            (
                "reward_model.rlhf_rounds",
                rounds == 0 || budget > 0,
                "0 without a budget for the rounds to share (budget=2000)",
            ),
            (
                "reward_model.rlhf_rounds",
                rounds == 0 || rounds <= budget,
                "at most as many rounds as the budget has comparisons",
            ),
            (
                "budget",
                rounds == 0 || budget <= rounds.saturating_mul(MOST),
                "at most 100000 comparisons for each of reward_model.rlhf_rounds",
            ),
            (
                "reward_model.dataset_size",
                rounds == 0 || own.dataset_size as u64 >= budget,
                "at least the budget with reward_model.rlhf_rounds, which fit all answers so far",
            ),
            (
                "reward_model.deployed_policies",
                rounds == 0 || sizes.into_iter().any(|n| n > 1),
                "more than 1, so that there are two trajectories to compare",
            ),
        ]
    }

    /// The safety keys, and whether the others go with them.
    fn check_safety(&self) -> Result<(), ConfigError> {
        let Some(judge) = self.safety_judge()? else { return Ok(()) };
        let own = &self.safety;
        if own.lagrange_max == 0.0 {
            let preset = keys::flat(&Self::preset(self.learner, &self.oracle));
            let values = keys::flat(self);
            let others = keys::keys().iter().filter(|key| key.section() == "safety");
            let changed = |key: &&Key| {
                !["oracle", "lagrange_max"].contains(&key.short_name())
                    && values[&key.name] != preset[&key.name]
            };
            return match others.into_iter().find(changed) {
                None => Ok(()),
                Some(key) => Err(ConfigError::Unused {
                    key: key.name.clone(),
                    user: "run that `safety.lagrange_max=0` trains without safety".into(),
                }),
            };
        }
        if self.learner != LearnerKind::Ppo {
            let user = format!("learner `{}`", self.learner);
            return Err(ConfigError::Unused { key: "safety.oracle".into(), user });
        }
        if self.scorer != ScorerKind::SelfPlay && own.unsafe_limit != Self::default().safety.unsafe_limit {
            let user = format!("scorer `{}`", self.scorer);
            return Err(ConfigError::Unused { key: "safety.unsafe_limit".into(), user });
        }
        if self.scorer == ScorerKind::TaskReward && judge.structure().cost_limit.is_none() {
            return Err(self.unfit_judge(
                "the scorer `task_reward` compares the task's own cost with a limit; expected `cost=25` alone",
            ));
        }
        self.check(&[
            (
                "safety.lagrange_min",
                own.lagrange_min <= own.lagrange_max,
                "a number above 0 and at most safety.lagrange_max",
            ),
            (
                "safety.lagrange_init",
                (own.lagrange_min..=own.lagrange_max).contains(&own.lagrange_init),
                "a number from safety.lagrange_min to safety.lagrange_max",
            ),
            (
                "scorer",
                self.scorer != ScorerKind::LlmDirect,
                "self_play, reward_model or task_reward with a safety oracle",
            ),
            (
                "ppo.policy_loss",
                self.ppo.policy_loss == PolicyLoss::Ppo,
                "ppo with a safety oracle, whose costs are weighed as advantages",
            ),
            (
                "self_play.extragradient",
                !self.self_play.extragradient,
                "false with a safety oracle: its look-ahead step ignores costs",
            ),
        ])
    }

    /// The error for a safety oracle that cannot judge safety.
    pub(super) fn unfit_judge(&self, why: &str) -> ConfigError {
        let text = self.safety.oracle.as_ref().map(ToString::to_string).unwrap_or_default();
        ConfigError::Parse { origin: format!("safety.oracle `{text}`"), why: why.into() }
    }

    fn result_rules(&self) -> [Rule; 3] {
        let best = self.result == TrainedResult::Best;
        let people = self.oracle.asks_people() && self.scorer != ScorerKind::TaskReward;
        let paid = self.oracle.asks_language_model()
            && matches!(self.scorer, ScorerKind::SelfPlay | ScorerKind::LlmDirect);
        [
            (
                "result",
                !(best && self.safety.trains()),
                "last or average with a safety oracle: the best by comparisons may be unsafe",
            ),
            (
                "result",
                !(best && people),
                "last or average with people, who would have to compare all pairs of snapshots",
            ),
            (
                "result",
                !(best && paid),
                "last or average with a language model, which would be asked about every snapshot",
            ),
        ]
    }
}
