//! SAC's section of a configuration.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The temperature α, the weight of a nat of entropy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
#[schemars(with = "String")]
pub enum Temperature {
    /// Learned, so that the entropy meets a target of −dim(A) nats (Haarnoja et al. 2018b, section 5).
    #[default]
    Auto,
    /// A fixed value.
    Fixed(f32),
}

impl FromStr for Temperature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            number => number
                .parse()
                .map(Self::Fixed)
                .map_err(|_| format!("it is `{text}`; expected `auto` or a number such as 0.2")),
        }
    }
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Fixed(alpha) => write!(f, "{alpha}"),
        }
    }
}

impl TryFrom<toml::Value> for Temperature {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        value.as_str().map_or_else(|| value.to_string(), str::to_string).parse()
    }
}

impl From<Temperature> for toml::Value {
    fn from(temperature: Temperature) -> Self {
        Self::String(temperature.to_string())
    }
}

/// SAC's hyperparameters. The defaults are those of Stable-Baselines3 and CleanRL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SacConfig {
    /// Widths of the hidden layers, of the actor and of the critics.
    #[schemars(inner(range(min = 1, max = 16384)), extend("source" = "Haarnoja et al. 2018, table 1"))]
    pub hidden_sizes: Vec<usize>,
    /// Adam's step size, for actor, critics and temperature.
    #[schemars(extend("exclusiveMinimum" = 0), extend("source" = "Haarnoja et al. 2018, table 1"))]
    pub learning_rate: f64,
    /// Rows in a gradient update.
    #[schemars(range(min = 1), extend("source" = "Haarnoja et al. 2018, table 1"))]
    pub minibatch_size: usize,
    /// Largest number of steps in the replay buffer.
    #[schemars(range(min = 1), extend("source" = "Haarnoja et al. 2018, table 1"))]
    pub buffer_size: usize,
    /// Gradient updates per environment step.
    #[schemars(extend("exclusiveMinimum" = 0), extend("source" = "Haarnoja et al. 2018, table 1"))]
    pub updates_per_step: f64,
    /// Steps with uniformly random actions, before the first update.
    #[schemars(extend("source" = "Stable-Baselines3: 100; CleanRL: 5000"))]
    pub learning_starts: u64,
    /// γ of the critics' targets.
    #[schemars(range(min = 0, max = 1), extend("source" = "Haarnoja et al. 2018, table 1"))]
    pub discount: f32,
    /// τ, the share by which the target networks move towards the critics at each update.
    #[schemars(extend("exclusiveMinimum" = 0), extend("maximum" = 1), extend("source" = "Haarnoja et al. 2018, table 1"))]
    pub tau: f32,
    /// α, the weight of the entropy: `auto` learns it, a number fixes it.
    #[schemars(extend("expected" = "auto, or a finite number above 0"))]
    pub temperature: Temperature,
    /// Factor of the scores. It sets their weight against the entropy.
    #[schemars(extend("exclusiveMinimum" = 0), extend("source" = "Haarnoja et al. 2018, section 5.2"))]
    pub score_scale: f32,
    /// Whether observations are normalised by running statistics.
    pub normalize_obs: bool,
    /// Self-play with a queue: whether replayed trajectories are compared with each new member of the queue and get new
    /// scores. Otherwise they keep the scores of the iteration that collected them.
    pub relabel: bool,
}

impl Default for SacConfig {
    fn default() -> Self {
        Self {
            hidden_sizes: vec![256, 256],
            learning_rate: 3e-4,
            minibatch_size: 256,
            buffer_size: 1_000_000,
            updates_per_step: 1.0,
            learning_starts: 1_000,
            discount: 0.99,
            tau: 0.005,
            temperature: Temperature::Auto,
            score_scale: 1.0,
            normalize_obs: false,
            relabel: false,
        }
    }
}
