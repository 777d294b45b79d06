//! A run's configuration: one flat table, every key with its default.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::learner::ars::ArsConfig;
use crate::learner::ppo::{Baseline, PolicyLoss, PpoConfig};
use crate::learner::sac::{SacConfig, Temperature};
use crate::oracle::OracleSpec;
use crate::policy::Head;
use crate::scorer::opponents::Opponents;
use crate::scorer::reward_model::model::Output;
use crate::scorer::reward_model::{queries::Sampling, schedule::Shape};
use crate::scorer::self_play::Placement;

mod defaults;
mod keys;
mod kinds;
pub mod read;
mod reward;
mod safety;
mod validate;

pub use kinds::{EnvDevice, HeadKind, LearnerKind, NormalizeScores, ScorerKind, TrainedResult};

/// Everything that decides a run, but for the machine it runs on.
///
/// Defaults are those of the default experiment, Pendulum from return comparisons; a learner may have others, see
/// [`Config::of`]. A key that belongs to another learner or scorer must keep its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The environment, by its name in the registry.
    pub env: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Environment steps of training; never passed but by the first iteration.
    pub total_steps: u64,
    /// The initial policy π₀: a run, whose newest policy is taken, or a policy file of one policy; empty for the learner's
    /// own first weights.
    pub init: String,
    /// Where the learner computes: `cpu`, or a Burn backend: `flex`, `ndarray`, `wgpu`; `wgpu:1` is the second adapter.
    pub device: String,
    /// Where environments step: on the learner's `device`, on the `host`, or, by `auto`, on a GPU where one computes and the
    /// task and the method allow it.
    pub residence: EnvDevice,

    /// PPO, SAC or ARS.
    pub learner: LearnerKind,
    /// Self-play, reward model, a language model's ratings or task reward.
    pub scorer: ScorerKind,
    /// Who compares: see [`OracleSpec`].
    pub oracle: OracleSpec,
    /// Whom a trajectory is compared with.
    pub opponents: Opponents,
    /// Self-play: whether a win proportion is 2 w_t − w_{t−1}, w_{t−1} against all trajectories of the iteration before, for
    /// a last policy that does not circle.
    pub optimism: bool,
    /// Self-play: whether opponents are rolled out apart, from the same states, by the policy that an update on this
    /// iteration would give, for a last policy that does not circle (extragradient: Korpelevich 1976). It promises so of
    /// Hedge's steps, which are `policy_loss = "sppo"`'s; PPO's are none.
    pub extragradient: bool,
    /// Self-play: β, the share of π₀ in the opponents, which are then rolled out apart, from the same states, by
    /// π^{1−β} π₀^{β}; with `kl_penalty` as τ it is Nash-MD (Munos et al. 2024). At 0 opponents are `opponents`.
    pub anchor: f32,
    /// Where in a trajectory its win proportion is paid out.
    pub placement: Placement,
    /// Steps a compared window; 0 compares whole trajectories. Self-play compares aligned windows; a reward model
    /// segments that begin anywhere.
    pub window: usize,
    /// Most comparisons of the run; 0 sets no limit. Self-play ends before it would be passed; a reward model has it
    /// spread over the run, and training goes on with the model as it is once it is spent.
    pub budget: u64,
    /// λ, the price of a nat of KL(π ‖ π₀) in units of the score: every step's is lowered by λ (log π − log π₀) of its action
    /// (Bai et al. 2022: 0.001; section 4.1).
    pub kl_penalty: f32,
    /// Whether every comparison is written to `comparisons.csv`, those of the `safety_oracle` to
    /// `safety_comparisons.csv`.
    pub log_comparisons: bool,

    /// Who says which of two trajectories is the safer, and of one whether it is safe: `cost=25`, with decorators; empty
    /// trains without safety. The scorer then has a counterpart of costs, and the learner weighs both: see
    /// [`safety`](crate::scorer::safety).
    #[serde(with = "crate::oracle::spec::optional")]
    pub safety_oracle: Option<OracleSpec>,
    /// Safety: λ before the first iteration (Dai et al. 2023: 1).
    pub multiplier_init: f64,
    /// Safety: η of log λ += η λ (J_C − d), in the inverse of J_C's unit (Dai et al. 2023: 0.1).
    pub multiplier_rate: f64,
    /// Safety: λ is never below it, so that a policy that was safe for long does not go unsafe for as long.
    pub multiplier_min: f64,
    /// Safety: λ is never above it (Dai et al. 2023: 5). At 0 the safety oracle judges the evaluation alone, and training
    /// goes as without it.
    pub multiplier_max: f64,
    /// Safety of self-play: d, the share of trajectories that may be unsafe.
    pub unsafe_limit: f64,

    /// S, initial states an iteration.
    pub states: usize,
    /// K, trajectories from each initial state; of ARS an even number.
    pub trajectories_per_state: usize,

    /// Action head of bounded actions.
    pub head: HeadKind,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Initial log standard deviation of the latent action.
    pub initial_log_std: f32,
    /// Whether observations are normalised by running statistics.
    pub normalize_obs: bool,
    /// Whether a critic's scores are divided by the running spread of their discounted sums; `auto` does so where
    /// their scale is unknown, that is, but for win proportions and ratings.
    pub normalize_scores: NormalizeScores,

    /// Advantages from the group or from a critic.
    pub baseline: Baseline,
    /// Whether advantages are scaled to unit spread.
    pub normalize_advantage: bool,
    /// γ of the advantage estimate, or of the critics' targets.
    pub discount: f32,
    /// λ of the advantage estimate.
    pub gae_lambda: f32,

    /// What an update of the policy minimises: `ppo`, the clipped surrogate of advantages; `sppo`, the squared error of
    /// trajectories' log ratios against η (win proportion − ½); `rebel`, that of their differences against differences of
    /// scores. The last two are of whole trajectories within their group, without a critic.
    pub policy_loss: PolicyLoss,
    /// SPPO, REBEL: η, how far a win proportion of 1 over one of 0 should move their log-probabilities apart.
    pub eta: f32,
    /// Adam's step size; ARS: α.
    pub learning_rate: f64,
    /// Whether the step size falls linearly to 0.
    pub learning_rate_decay: bool,
    /// Passes over each iteration's steps.
    pub epochs: usize,
    /// Rows a minibatch; SPPO and REBEL take whole groups, as many as reach it.
    pub minibatch: usize,
    /// The clip range ε of the ratio.
    pub clip: f32,
    /// Stops an iteration's epochs once KL(old ‖ new) passes it; 0 never stops.
    pub target_kl: f32,
    /// Weight of the entropy bonus.
    pub entropy_bonus: f32,
    /// Weight of the critic's loss.
    pub value_weight: f32,
    /// Largest global gradient norm.
    pub max_grad_norm: f32,

    /// SAC: most steps in replay.
    pub replay: usize,
    /// SAC: gradient updates an environment step.
    pub updates_per_step: f64,
    /// SAC: steps that act uniformly, before the first update.
    pub learning_starts: u64,
    /// SAC: share of the critics that goes into their targets at each update.
    pub tau: f32,
    /// SAC: `auto`, or a fixed price of a nat of entropy.
    pub temperature: Temperature,
    /// SAC: scores are multiplied by it; it sets their weight against the entropy's.
    pub score_scale: f32,
    /// SAC: whether replayed trajectories are compared with each new member of the queue and scored anew, or keep the
    /// scores of the iteration that collected them.
    pub relabel: bool,

    /// ARS: ν, the standard deviation of the noise in the weights.
    pub search_noise: f32,
    /// ARS: b, how many of an iteration's directions the weights move along, those with the best trajectory; a direction is two
    /// trajectories.
    pub top_directions: usize,

    /// Reward model: widths of the hidden layers (B-Pref: three of 256; imitation: two of 32).
    pub reward_hidden: Vec<usize>,
    /// Reward model: networks, whose mean is the reward (B-Pref: 3; imitation: 5).
    pub reward_ensemble: usize,
    /// Reward model: `linear` (imitation), or `tanh` for rewards in (−1, 1) (B-Pref).
    pub reward_output: Output,
    /// Reward model: differences of summed rewards are cut to ± this in the loss (imitation: 50); 0 cuts nothing.
    pub reward_clip: f32,
    /// Reward model: weight of the mean square of summed rewards in the loss (Dai et al. 2023: 0.001).
    pub reward_regularization: f32,
    /// Reward model: whether its inputs are normalised by running statistics (imitation does, B-Pref does not).
    pub reward_normalize: bool,
    /// Reward model: whether scores are predicted rewards less their mean, over their spread, on recent trajectories
    /// (Christiano et al. 2017, section 2.2.1; imitation does, B-Pref does not).
    pub reward_standardize: bool,
    /// Reward model: Adam's step size (B-Pref: 3e-4; imitation: 1e-3).
    pub reward_learning_rate: f64,
    /// Reward model: comparisons a minibatch (B-Pref: 128; imitation: 32).
    pub reward_minibatch: usize,
    /// Reward model: most passes over the kept comparisons a round (B-Pref: 200; imitation: 3).
    pub reward_epochs: usize,
    /// Reward model: most passes in the first round (imitation: 200 times as many); 0 is as in the others.
    pub reward_first_epochs: usize,
    /// Reward model: a round's passes end once one predicts more than this share right (B-Pref: 0.97); 1 never ends them.
    pub reward_stop_accuracy: f32,
    /// Reward model: whether every round starts from fresh weights.
    pub reward_restart: bool,
    /// Reward model: most comparisons kept, the newest.
    pub reward_dataset: usize,
    /// Reward model: share of the answers that are held out, for accuracy and calibration.
    pub reward_held_out: f32,
    /// Reward model: iterations from one round of comparisons to the next (B-Pref: 5,000 steps).
    pub reward_every: u64,
    /// Reward model: which pairs of segments are asked about: `uniform`, `disagreement`, `entropy` (B-Pref has all).
    pub query_sampling: Sampling,
    /// Reward model: comparisons a round until the budget is spent (B-Pref: 128); 0 spreads the budget over the run, or
    /// asks one a trajectory where there is none.
    pub queries_per_round: u64,
    /// Reward model: how the budget is spread: `constant`, or `hyperbolic`, in proportion to 1 / (1 + share done)
    /// (imitation).
    pub query_schedule: Shape,
    /// Reward model: share of the budget that the first round asks beforehand (imitation: 0.1).
    pub query_first_share: f32,
    /// Reward model: steps before the first round, scored by how far a state lies from those seen (PEBBLE).
    pub pretrain_steps: u64,
    /// Reward model: whether every round's predictions of the held-out comparisons are written to `reward_model.csv`.
    pub log_reward_model: bool,
    /// Reward model: R, rounds of iterated online RLHF (Bai et al. 2022, section 4.5), equal parts of the run's steps. Each
    /// deploys the newest policies, asks its share of the budget about their trajectories, fits the model from fresh weights
    /// to all answers so far, and trains the policy from π₀ again. 1 asks everything about π₀; 0 follows the keys above.
    pub rlhf_rounds: u64,
    /// Reward model in rounds: how many policies of the last round are deployed at once, at an iteration's trajectories each.
    pub rlhf_deployed: usize,
    /// Reward model in rounds: whether it learns from half of the comparisons, and a second one from the others; `metrics.csv`
    /// has what both make of the policy's trajectories (Bai et al. 2022, section 4.2).
    pub reward_split: bool,

    /// Which policy is the result.
    pub result: TrainedResult,
    /// Most snapshots kept for `best` and `average`; evenly spaced over the run.
    pub snapshots: usize,
    /// Episodes a snapshot for `best`.
    pub validation_episodes: usize,
    /// Episodes of the evaluation at the end.
    pub eval_episodes: usize,
    /// Iterations between checkpoints.
    pub checkpoint_every: u64,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A wrong key, type or syntax.
    #[error("{origin}: {why}")]
    Parse {
        /// The file, `--set KEY=VALUE`, or the key whose text cannot be used.
        origin: String,
        /// What is wrong and the mend.
        why: String,
    },
    /// A key of another learner or scorer.
    #[error("the {user} does not use `{key}`; leave it out")]
    Unused {
        /// The key.
        key: &'static str,
        /// The run's learner or scorer.
        user: String,
    },
    /// A value out of range.
    #[error("`{key}` is {value}; expected {expected}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

impl Config {
    /// The configuration as TOML, every key written out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a flat table of plain values")
    }

    /// Whether the learner brings its scores to unit spread.
    fn normalizes_scores(&self) -> bool {
        let chosen = match self.normalize_scores {
            // Win proportions and ratings have a known scale.
            NormalizeScores::Auto => matches!(self.scorer, ScorerKind::RewardModel | ScorerKind::TaskReward),
            chosen => chosen == NormalizeScores::On,
        };
        chosen && self.learner == LearnerKind::Ppo
    }

    /// SAC's part.
    pub fn sac(&self) -> SacConfig {
        SacConfig {
            hidden: self.hidden.clone(),
            learning_rate: self.learning_rate,
            minibatch: self.minibatch,
            replay: self.replay,
            updates_per_step: self.updates_per_step,
            learning_starts: self.learning_starts,
            discount: self.discount,
            tau: self.tau,
            temperature: self.temperature,
            score_scale: self.score_scale,
            normalize_obs: self.normalize_obs,
        }
    }

    /// ARS's part.
    pub fn ars(&self) -> ArsConfig {
        ArsConfig {
            hidden: self.hidden.clone(),
            learning_rate: self.learning_rate,
            search_noise: self.search_noise,
            top_directions: self.top_directions,
            normalize_obs: self.normalize_obs,
        }
    }

    /// Why environments must step on the host whatever the device, where they must.
    #[cfg(feature = "burn")]
    pub(crate) fn host_alone(&self) -> Option<&'static str> {
        let second = self.anchor > 0.0 || self.extragradient;
        match () {
            () if self.is_safe() => Some("costs are weighed on the host: a run without safety_oracle can"),
            () if second => {
                Some("opponents are rolled out on the host: anchor=0 and extragradient=false can")
            }
            () if self.kl_penalty > 0.0 => Some("the KL penalty is taken on the host: kl_penalty=0 can"),
            () if self.rlhf_rounds > 0 => Some("rounds of RLHF are deployed on the host: rlhf_rounds=0 can"),
            () if self.oracle.asks_people() => Some("people look at replays, which start on the host"),
            () => None,
        }
    }

    /// PPO's part.
    pub fn ppo(&self, discrete: bool) -> PpoConfig {
        let head = match (discrete, self.head) {
            (true, _) => Head::Categorical,
            (false, HeadKind::ClippedGaussian) => Head::ClippedGaussian,
            (false, HeadKind::TanhGaussian) => Head::TanhGaussian,
        };
        PpoConfig {
            hidden: self.hidden.clone(),
            head,
            initial_log_std: self.initial_log_std,
            learning_rate: self.learning_rate,
            learning_rate_decay: self.learning_rate_decay,
            epochs: self.epochs,
            minibatch: self.minibatch,
            policy_loss: self.policy_loss,
            eta: self.eta,
            clip: self.clip,
            target_kl: self.target_kl,
            entropy_bonus: self.entropy_bonus,
            value_weight: self.value_weight,
            max_grad_norm: self.max_grad_norm,
            baseline: self.baseline,
            normalize_advantage: self.normalize_advantage,
            normalize_obs: self.normalize_obs,
            normalize_scores: self.normalizes_scores(),
            discount: self.discount,
            gae_lambda: self.gae_lambda,
            costs: self.is_safe(),
        }
    }
}
