//! PPO's section of a configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PolicyLoss;

/// How scores become advantages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// A trajectory's total score against the mean and spread of its group, without a critic.
    Group,
    /// Generalised advantage estimation with a critic.
    #[default]
    Critic,
}

/// The action head for bounded actions. Discrete actions always have a categorical head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// A Gaussian, clipped to the bounds.
    #[default]
    ClippedGaussian,
    /// A Gaussian, squashed to the bounds by tanh.
    TanhGaussian,
}

/// Whether the scores that a critic learns from are scaled to unit spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
#[schemars(with = "String")]
pub enum NormalizeScores {
    /// Depends on the scorer: rewards are scaled; win proportions and ratings have a known scale and are not.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl TryFrom<toml::Value> for NormalizeScores {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        match value.as_str().map_or_else(|| value.to_string(), str::to_string).as_str() {
            "auto" => Ok(Self::Auto),
            "true" => Ok(Self::On),
            "false" => Ok(Self::Off),
            other => Err(format!("it is `{other}`; expected `auto`, `true` or `false`")),
        }
    }
}

impl From<NormalizeScores> for toml::Value {
    fn from(choice: NormalizeScores) -> Self {
        match choice {
            NormalizeScores::Auto => Self::String("auto".into()),
            chosen => Self::Boolean(chosen == NormalizeScores::On),
        }
    }
}

/// PPO's hyperparameters. The defaults were chosen on Pendulum, with seeds from 100 on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Widths of the hidden layers, of the actor and of the critic.
    #[schemars(inner(range(min = 1, max = 16384)))]
    pub hidden_sizes: Vec<usize>,
    /// Action head of bounded actions.
    pub head: HeadKind,
    /// First log standard deviation of the latent action.
    #[schemars(range(min = -10, max = 10))]
    pub log_std_init: f32,
    /// Whether observations are normalised by running statistics.
    pub normalize_obs: bool,
    /// Whether the critic's scores are divided by the running spread of their discounted sums: `true`, `false`, or
    /// `auto`, which does so for rewards but not for win proportions and ratings, whose scale is known.
    #[schemars(extend("expected" = "auto, true or false"))]
    pub normalize_scores: NormalizeScores,
    /// How scores become advantages.
    pub baseline: Baseline,
    /// Whether advantages are scaled to unit spread.
    pub normalize_advantage: bool,
    /// γ of the advantage estimate.
    #[schemars(range(min = 0, max = 1))]
    pub discount: f32,
    /// λ of the advantage estimate.
    #[schemars(range(min = 0, max = 1), extend("source" = "Schulman et al. 2016, equation 16"))]
    pub gae_lambda: f32,
    /// What an update of the policy minimises.
    pub policy_loss: PolicyLoss,
    /// SPPO and REBEL: η, by how much the log-probability of a trajectory with win proportion 1 rises above that of one with 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub eta: f32,
    /// Adam's step size.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Whether the step size falls linearly to 0 over the run.
    pub learning_rate_decay: bool,
    /// Passes over the steps of each iteration.
    #[schemars(range(min = 1))]
    pub epochs: usize,
    /// Rows in a minibatch. SPPO and REBEL use whole groups, as many as are needed to reach this number of rows.
    #[schemars(range(min = 1))]
    pub minibatch_size: usize,
    /// The clip range ε of the probability ratio.
    #[schemars(extend("exclusiveMinimum" = 0), extend("source" = "Schulman et al. 2017, table 3"))]
    pub clip: f32,
    /// Stops the epochs of an iteration when KL(old ‖ new) is larger; 0 never stops them.
    #[schemars(range(min = 0))]
    pub target_kl: f32,
    /// Weight of the entropy bonus.
    #[schemars(range(min = 0))]
    pub entropy_coef: f32,
    /// Weight of the critic's loss.
    #[schemars(range(min = 0))]
    pub value_coef: f32,
    /// Largest global norm of the gradient.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_grad_norm: f32,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            hidden_sizes: vec![64, 64],
            head: HeadKind::ClippedGaussian,
            log_std_init: 0.0,
            normalize_obs: true,
            normalize_scores: NormalizeScores::Auto,
            baseline: Baseline::Critic,
            normalize_advantage: true,
            discount: 0.99,
            gae_lambda: 0.95,
            policy_loss: PolicyLoss::Ppo,
            eta: 1.0,
            learning_rate: 5e-4,
            learning_rate_decay: true,
            epochs: 10,
            minibatch_size: 256,
            clip: 0.2,
            target_kl: 0.0,
            entropy_coef: 0.0,
            value_coef: 0.5,
            max_grad_norm: 0.5,
        }
    }
}

impl PpoConfig {
    /// Whether the update is a regression of whole trajectories (SPPO, REBEL) and not PPO's clipped surrogate.
    pub fn regresses(&self) -> bool {
        self.policy_loss != PolicyLoss::Ppo
    }

    /// The keys that the chosen policy loss does not use.
    pub fn unused_keys(&self) -> &'static [&'static str] {
        if self.regresses() {
            &["normalize_scores", "discount", "gae_lambda", "clip", "value_coef"]
        } else {
            &["eta"]
        }
    }
}
