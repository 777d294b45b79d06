//! What the keys that name a choice can be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which learner a run uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnerKind {
    /// Proximal policy optimisation: on-policy.
    #[default]
    Ppo,
    /// Soft actor-critic: off-policy, continuous actions only.
    Sac,
    /// Augmented random search: noise in the weights, for whole trajectories; continuous actions only.
    Ars,
}

impl fmt::Display for LearnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Ppo => "ppo",
            Self::Sac => "sac",
            Self::Ars => "ars",
        };
        write!(f, "{name}")
    }
}

/// Which scorer a run uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScorerKind {
    /// Win proportions by the oracle.
    #[default]
    SelfPlay,
    /// A reward model fitted to the oracle's answers, round by round: the baseline.
    RewardModel,
    /// A language model's rating of each trajectory.
    LlmDirect,
    /// The task's reward: the skyline.
    TaskReward,
}

impl fmt::Display for ScorerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::SelfPlay => "self_play",
            Self::RewardModel => "reward_model",
            Self::LlmDirect => "llm_direct",
            Self::TaskReward => "task_reward",
        };
        write!(f, "{name}")
    }
}

/// Which policy of the run is its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainedResult {
    /// The policy of the last iteration.
    #[default]
    Last,
    /// The snapshot that wins most comparisons against the other snapshots, on validation states.
    Best,
    /// The uniform mixture of snapshots: what converges under intransitive preferences.
    Average,
}

/// The action head for bounded actions; options always have a categorical one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// Gaussian clipped to the bounds.
    #[default]
    ClippedGaussian,
    /// tanh-squashed Gaussian.
    TanhGaussian,
}

/// Where environments step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvDevice {
    /// On the learner's device where that is a GPU, and the task and the method allow it.
    #[default]
    Auto,
    /// On the learner's device.
    Device,
    /// On the host.
    Host,
}

/// Whether the scores that a critic learns from are brought to unit spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub enum NormalizeScores {
    /// By the scorer: a win proportion or a rating has a known scale, a reward has not.
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
            other => Err(format!("normalize_scores is `{other}`; expected `auto`, `true` or `false`")),
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
