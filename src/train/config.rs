//! A run's configuration: keys at the top, and a section for each component.
//!
//! A key is declared once, as a field of the component that reads it: [`PpoConfig`] is in `learner/ppo`, and so on. Its
//! doc comment, type, range, default and source become its entry in [`keys`](mod@keys), which `spo config` prints. A run reads
//! the sections of its own learner and scorer; another section is an error.
//!
//! - [`keys`](mod@keys): what is known about every key, and how names are resolved.
//! - `read`: from files and `--set KEY=VALUE` to a configuration; `value`: texts to values; `old_names`: keys of version 0.1.
//! - `presets`: defaults that depend on the learner and on who answers.
//! - `validate`: rules over several keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::learner::LearnerKind;
use crate::learner::ars::ArsConfig;
use crate::learner::ppo::PpoConfig;
use crate::learner::sac::SacConfig;
use crate::oracle::{Oracle, OracleError, OracleSpec};
use crate::rollout::RolloutConfig;
pub use crate::scorer::ScorerKind;
use crate::scorer::reward_model::schedule::Schedule;
use crate::scorer::reward_model::{RewardModelConfig, RunSize};
use crate::scorer::safety::SafetyConfig;
use crate::scorer::self_play::SelfPlayConfig;

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
}
