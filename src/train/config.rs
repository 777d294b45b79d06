//! A run's configuration: keys at the top, and a section for each component.
//!
//! A key is declared once, as a field of the component that reads it: [`PpoConfig`] is in `learner/ppo`, and so on. Its
//! doc comment, type, range, default and source become its entry in [`keys`](mod@keys), which `spo config` prints. A run reads
//! the sections of its own learner and scorer; another section is an error.
//!
//! Below the sections stands what is made from them: the learner, the scorer and the source of costs. Every choice is a
//! `match` over all kinds, so a new kind does not compile before it has its place here.
//!
//! - [`keys`](mod@keys): what is known about every key, and how names are resolved.
//! - `read`: from files and `--set KEY=VALUE` to a configuration; `value`: texts to values; `old_names`: keys of version 0.1.
//! - `presets`: defaults that depend on the learner and on who answers.
//! - `validate`: rules over several keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spo_envs::Spec;

use crate::base::device::Device;
#[cfg(feature = "burn")]
use crate::device::burn::DeviceScorer;
use crate::learner::Learner;
pub use crate::learner::LearnerKind;
use crate::learner::ars::{Ars, ArsConfig};
use crate::learner::ppo::{Ppo, PpoConfig, ScoreTraits};
use crate::learner::sac::{Sac, SacConfig};
use crate::oracle::{MeteredOracle, Oracle, OracleError, OracleSpec};
use crate::rollout::RolloutConfig;
use crate::scorer::Scorer;
pub use crate::scorer::ScorerKind;
use crate::scorer::llm_direct::LlmDirect;
use crate::scorer::opponents::Opponents;
use crate::scorer::relabelled::Relabelled;
use crate::scorer::reward_model::schedule::Schedule;
use crate::scorer::reward_model::{IteratedRewardModel, RewardModelConfig, RunSize};
use crate::scorer::safety::{CostSource, SafetyConfig};
use crate::scorer::self_play::{SelfPlay, SelfPlayConfig};
use crate::scorer::task_reward::TaskReward;
use crate::train::TrainError;

mod error;
pub mod keys;
mod old_names;
mod presets;
mod read;
mod validate;
mod value;

pub use error::ConfigError;
pub use keys::Key;
pub use read::Layer;

/// Which policy of the run is its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrainedResult {
    /// The policy of the last iteration.
    #[default]
    Last,
    /// The snapshot that wins most comparisons against the other snapshots, on validation states.
    Best,
    /// The uniform mixture of snapshots, which converges under intransitive preferences.
    Average,
}

/// Where environments step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvDevice {
    /// On the learner's device where that is a GPU and the task and the method allow it; otherwise on the host.
    #[default]
    Auto,
    /// On the learner's device.
    Device,
    /// On the host.
    Host,
}

/// Everything that decides a run, except the machine it runs on.
///
/// The defaults are those of the default experiment, Pendulum from comparisons of returns. Some depend on the learner and
/// on who answers; see [`Config::preset`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The environment; `spo envs` lists them.
    pub env: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Environment steps of training. Only the first iteration may pass it.
    #[schemars(range(min = 1))]
    pub total_steps: u64,
    /// The policy to start from, which is the reference policy too: a run, whose newest policy is taken, or a policy file.
    /// Empty: the learner's own first weights.
    pub init: String,
    /// Where the learner computes: `cpu`, or a backend of Burn: `flex`, `ndarray`, `wgpu`; `wgpu:1` is the second adapter.
    pub device: String,
    /// Where environments step.
    pub env_device: EnvDevice,
    /// The learner.
    pub learner: LearnerKind,
    /// What takes the place of a reward.
    pub scorer: ScorerKind,
    /// Who compares trajectories: a judge and decorators; `spo oracles` lists them.
    pub oracle: OracleSpec,
    /// Most comparisons of the run; 0 sets no limit. Self-play ends before it would pass the limit. A reward model spreads it
    /// over the run, and training goes on with the model as it is when the budget is spent.
    pub budget: u64,
    /// λ, the price of a nat of KL(π ‖ π₀) in units of the score: the score of every step is lowered by
    /// λ (log π − log π₀) of its action.
    #[schemars(range(min = 0), extend("source" = "Bai et al. 2022, section 4.1: 0.001"))]
    pub kl_coef: f32,
    /// Whether every comparison is written to `comparisons.csv`, and those of the safety oracle to
    /// `safety_comparisons.csv`.
    pub log_comparisons: bool,
    /// Which policy of the run is its result.
    pub result: TrainedResult,
    /// Largest number of snapshots kept for `best` and `average`, evenly spaced over the run.
    #[schemars(range(min = 2))]
    pub snapshots: usize,
    /// Episodes for each snapshot when `result = "best"` compares them.
    #[schemars(range(min = 1, max = 1000000))]
    pub validation_episodes: usize,
    /// Episodes of the evaluation at the end.
    #[schemars(range(min = 2, max = 1000000))]
    pub eval_episodes: usize,
    /// Iterations between two checkpoints.
    #[schemars(range(min = 1))]
    pub checkpoint_every: u64,
    /// How much an iteration rolls out.
    pub rollout: RolloutConfig,
    /// Scorer `self_play`.
    pub self_play: SelfPlayConfig,
    /// Scorer `reward_model`.
    pub reward_model: RewardModelConfig,
    /// A second oracle, of safety.
    pub safety: SafetyConfig,
    /// Learner `ppo`.
    pub ppo: PpoConfig,
    /// Learner `sac`.
    pub sac: SacConfig,
    /// Learner `ars`.
    pub ars: ArsConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            env: "pendulum".into(),
            seed: 0,
            total_steps: 500_000,
            init: String::new(),
            device: "cpu".into(),
            env_device: EnvDevice::Auto,
            learner: LearnerKind::Ppo,
            scorer: ScorerKind::SelfPlay,
            oracle: OracleSpec::default(),
            budget: 0,
            kl_coef: 0.0,
            log_comparisons: false,
            result: TrainedResult::Last,
            snapshots: 64,
            validation_episodes: 16,
            eval_episodes: 100,
            checkpoint_every: 5,
            rollout: RolloutConfig::default(),
            self_play: SelfPlayConfig::default(),
            reward_model: RewardModelConfig::default(),
            safety: SafetyConfig::default(),
            ppo: PpoConfig::default(),
            sac: SacConfig::default(),
            ars: ArsConfig::default(),
        }
    }
}

impl Config {
    /// The sections that this run reads.
    pub fn sections(&self) -> Vec<&'static str> {
        keys::sections_in_use(self.learner, self.scorer, self.safety.oracle.is_some())
    }

    /// Whether the learner's observations are normalised by running statistics.
    pub fn normalizes_obs(&self) -> bool {
        match self.learner {
            LearnerKind::Ppo => self.ppo.normalize_obs,
            LearnerKind::Sac => self.sac.normalize_obs,
            LearnerKind::Ars => self.ars.normalize_obs,
        }
    }

    /// Widths of the learner's hidden layers.
    pub fn hidden_sizes(&self) -> &[usize] {
        match self.learner {
            LearnerKind::Ppo => &self.ppo.hidden_sizes,
            LearnerKind::Sac => &self.sac.hidden_sizes,
            LearnerKind::Ars => &self.ars.hidden_sizes,
        }
    }

    /// Most comparisons of the run, if there is a limit.
    pub fn budget_limit(&self) -> Option<u64> {
        Some(self.budget).filter(|&most| most > 0)
    }

    /// Rounds of iterated RLHF; 0 where there are none.
    pub fn rlhf_rounds(&self) -> u64 {
        if self.scorer == ScorerKind::RewardModel { self.reward_model.rlhf_rounds } else { 0 }
    }

    /// When a reward model asks, on a task of at most `horizon` steps an episode.
    pub fn query_schedule(&self, horizon: usize) -> Schedule {
        self.reward_model.schedule(RunSize {
            trajectories: self.rollout.trajectories() as u64,
            horizon: horizon as u64,
            total_steps: self.total_steps,
            budget: self.budget_limit(),
        })
    }

    /// Which pairs the oracle compares, in words.
    pub fn pairs(&self) -> String {
        let RolloutConfig { num_states, trajectories_per_state } = self.rollout;
        match self.scorer {
            ScorerKind::SelfPlay => self.self_play.pairs(&format!(
                "the {trajectories_per_state} trajectories from one of {num_states} initial states"
            )),
            ScorerKind::RewardModel => self.reward_model.pairs(),
            ScorerKind::LlmDirect => "no pairs: each trajectory is rated by itself".into(),
            ScorerKind::TaskReward => "no pairs".into(),
        }
    }

    /// Steps that are compared at once; 0 where whole trajectories are.
    pub fn compared_steps(&self) -> usize {
        match self.scorer {
            ScorerKind::RewardModel => self.reward_model.segment_length,
            ScorerKind::SelfPlay | ScorerKind::LlmDirect | ScorerKind::TaskReward => self.self_play.window,
        }
    }

    /// The oracle that judges safety, if there is one.
    ///
    /// # Errors
    /// [`ConfigError::Parse`]: no oracle, or one that does not say what is safe.
    pub fn safety_judge(&self) -> Result<Option<Box<dyn Oracle>>, ConfigError> {
        self.safety.judge().map_err(|why: OracleError| self.unfit_judge(&why.to_string()))
    }

    /// Why environments must step on the host whatever the device, where they must.
    #[cfg(feature = "burn")]
    pub(crate) fn host_alone(&self) -> Option<&'static str> {
        match () {
            () if self.safety.trains() => Some("a run with a safety oracle needs its costs on the host"),
            () if self.self_play.rolls_out_opponents() => {
                Some("self_play.mixture_coef and self_play.extragradient roll opponents out on the host")
            }
            () if self.kl_coef > 0.0 => Some("kl_coef needs the trajectories on the host"),
            () if self.rlhf_rounds() > 0 => Some("reward_model.rlhf_rounds deploys policies on the host"),
            () if self.oracle.asks_people() => Some("people look at replays, which start on the host"),
            () => None,
        }
    }

    /// The learner, on a device.
    pub(super) fn make_learner(&self, spec: &Spec, device: Device) -> Box<dyn Learner> {
        match self.learner {
            LearnerKind::Ppo => {
                Box::new(Ppo::new(spec, self.ppo.clone(), self.score_traits(), device, self.seed))
            }
            LearnerKind::Sac => Box::new(Sac::new(spec, self.sac.clone(), self.seed)),
            LearnerKind::Ars => Box::new(Ars::new(spec, self.ars.clone(), self.seed)),
        }
    }

    /// What PPO must know of the scores.
    pub(super) fn score_traits(&self) -> ScoreTraits {
        ScoreTraits { known_scale: self.scorer.known_scale(), costs: self.safety.trains() }
    }

    /// The scorer, by the answers of `oracle`.
    pub(super) fn make_scorer(&self, spec: &Spec, oracle: MeteredOracle) -> Box<dyn Scorer> {
        let replay = (self.learner == LearnerKind::Sac).then_some(self.sac.buffer_size);
        match self.scorer {
            ScorerKind::SelfPlay => match (self.self_play.opponents, replay.filter(|_| self.sac.relabel)) {
                (Opponents::Queue(size), Some(replay)) => {
                    let SelfPlayConfig { placement, .. } = self.self_play;
                    Box::new(Relabelled::new(oracle, size, placement, self.self_play.window_steps(), replay))
                }
                (Opponents::Group | Opponents::Sampled(_) | Opponents::Queue(_), _) => {
                    Box::new(SelfPlay::from_config(&self.self_play, oracle))
                }
            },
            ScorerKind::RewardModel => {
                let schedule = self.query_schedule(spec.horizon);
                let model = self.reward_model.clone();
                Box::new(IteratedRewardModel::new(oracle, spec, model, schedule, replay, self.seed))
            }
            ScorerKind::LlmDirect => Box::new(LlmDirect::new(oracle, self.self_play.placement)),
            ScorerKind::TaskReward => Box::new(TaskReward),
        }
    }

    /// The scorer for trajectories that stay on a device.
    #[cfg(feature = "burn")]
    pub(super) fn make_device_scorer(&self, spec: &Spec, oracle: MeteredOracle) -> DeviceScorer {
        match self.scorer {
            ScorerKind::SelfPlay => SelfPlay::from_config(&self.self_play, oracle).into(),
            ScorerKind::TaskReward => DeviceScorer::TaskReward(TaskReward),
            ScorerKind::RewardModel | ScorerKind::LlmDirect => {
                DeviceScorer::OnHost(self.make_scorer(spec, oracle))
            }
        }
    }

    /// Where the costs of a safe training come from: the counterpart of the scorer. `oracle` gives the safety oracle, where it
    /// is needed.
    pub(super) fn make_cost_source(
        &self,
        spec: &Spec,
        oracle: impl FnOnce() -> Result<MeteredOracle, OracleError>,
    ) -> Result<CostSource, TrainError> {
        match self.scorer {
            ScorerKind::SelfPlay => {
                Ok(CostSource::WinProportion(SelfPlay::from_config(&self.self_play, oracle()?)))
            }
            ScorerKind::RewardModel => {
                // A cost has a zero of its own, and is known before anything else.
                let own = RewardModelConfig { standardize_rewards: false, ..self.reward_model.clone() };
                let mut schedule = self.query_schedule(spec.horizon);
                schedule.pretrain_steps = 0;
                let model = IteratedRewardModel::new(oracle()?, spec, own, schedule, None, self.seed);
                Ok(CostSource::CostModel(Box::new(model.of_costs())))
            }
            ScorerKind::TaskReward => Ok(CostSource::Task),
            ScorerKind::LlmDirect => Err(ConfigError::Range {
                key: "scorer".into(),
                value: self.scorer.to_string(),
                expected: "self_play, reward_model or task_reward with a safety oracle".into(),
            }
            .into()),
        }
    }

    /// d of the constraint J_C ≤ d; `of_task` is the limit of the safety oracle on a trajectory's cost.
    pub(super) fn cost_limit(&self, of_task: Option<f64>) -> f64 {
        match self.scorer {
            ScorerKind::SelfPlay => self.safety.unsafe_limit,
            ScorerKind::TaskReward => of_task.unwrap_or(0.0),
            ScorerKind::RewardModel | ScorerKind::LlmDirect => 0.0,
        }
    }
}
