//! A run's configuration: one flat table, every key with its default.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::learner::ppo::{Baseline, PpoConfig};
use crate::nearest::nearest;
use crate::opponents::Opponents;
use crate::policy::Head;
use crate::scorer::self_play::Placement;

/// Which scorer a run uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScorerKind {
    /// Win proportions by the oracle.
    #[default]
    SelfPlay,
    /// The task's reward: the skyline.
    TaskReward,
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

/// Everything that decides a run, but for the machine it runs on.
///
/// Defaults are those of the default experiment, Pendulum from return comparisons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The environment, by its name in the registry.
    pub env: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Environment steps of training; never passed but by the first iteration.
    pub total_steps: u64,
    /// Where the learner computes: `cpu`, or a Burn backend: `flex`, `ndarray`, `wgpu`.
    pub device: String,

    /// Self-play or task reward.
    pub scorer: ScorerKind,
    /// Who compares: see [`oracle::parse`](crate::oracle::parse()).
    pub oracle: String,
    /// Whom a trajectory is compared with.
    pub opponents: Opponents,
    /// Where in a trajectory its win proportion is paid out.
    pub placement: Placement,
    /// Steps a compared window; 0 compares whole trajectories.
    pub window: usize,
    /// Most comparisons of the run; 0 sets no limit. Training ends before it would be passed.
    pub budget: u64,
    /// Whether every comparison is written to `comparisons.csv`.
    pub log_comparisons: bool,

    /// S, initial states an iteration.
    pub states: usize,
    /// K, trajectories from each initial state.
    pub trajectories_per_state: usize,

    /// Action head of bounded actions.
    pub head: HeadKind,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Initial log standard deviation of the latent action.
    pub initial_log_std: f32,
    /// Whether observations are normalised by running statistics.
    pub normalize_obs: bool,
    /// Whether a critic's scores are divided by the running spread of their discounted sums.
    pub normalize_scores: bool,

    /// Advantages from the group or from a critic.
    pub baseline: Baseline,
    /// Whether advantages are scaled to unit spread.
    pub normalize_advantage: bool,
    /// γ of the advantage estimate.
    pub discount: f32,
    /// λ of the advantage estimate.
    pub gae_lambda: f32,

    /// Adam's step size.
    pub learning_rate: f64,
    /// Whether the step size falls linearly to 0.
    pub learning_rate_decay: bool,
    /// Passes over each iteration's steps.
    pub epochs: usize,
    /// Rows a minibatch.
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

impl Default for Config {
    fn default() -> Self {
        Self {
            env: "pendulum".into(),
            seed: 0,
            total_steps: 500_000,
            device: "cpu".into(),
            scorer: ScorerKind::SelfPlay,
            oracle: "return".into(),
            opponents: Opponents::Group,
            placement: Placement::Spread,
            window: 10,
            budget: 0,
            log_comparisons: false,
            states: 8,
            trajectories_per_state: 4,
            head: HeadKind::ClippedGaussian,
            hidden: vec![64, 64],
            initial_log_std: 0.0,
            normalize_obs: true,
            normalize_scores: false,
            baseline: Baseline::Critic,
            normalize_advantage: true,
            discount: 0.99,
            gae_lambda: 0.95,
            learning_rate: 5e-4,
            learning_rate_decay: true,
            epochs: 10,
            minibatch: 256,
            clip: 0.2,
            target_kl: 0.0,
            entropy_bonus: 0.0,
            value_weight: 0.5,
            max_grad_norm: 0.5,
            result: TrainedResult::Last,
            snapshots: 64,
            validation_episodes: 16,
            eval_episodes: 100,
            checkpoint_every: 5,
        }
    }
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
        /// The file, or `--set KEY=VALUE`.
        origin: String,
        /// What is wrong and the mend.
        why: String,
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
    /// Reads a TOML file; keys left out keep their defaults.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line, key and, for a misspelt key, the nearest right one.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        Self::from_toml(&text, &path.display().to_string())
    }

    /// Reads TOML text; `origin` names it in errors.
    ///
    /// # Errors
    /// [`ConfigError::Parse`].
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|e| parse_error(origin, &e))
    }

    /// Sets one key from `key=value`; the value is TOML, or bare text for text keys.
    ///
    /// # Errors
    /// [`ConfigError::Parse`] naming the key and the mend.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let origin = format!("--set {assignment}");
        let fail = |why: String| ConfigError::Parse { origin: origin.clone(), why };
        let Some((key, value)) = assignment.split_once('=') else {
            return Err(fail("expected KEY=VALUE, such as `learning_rate=0.001`".into()));
        };
        let (key, value) = (key.trim(), value.trim());
        let mut table = toml::Table::try_from(&*self).map_err(|e| fail(e.to_string()))?;
        let value = match table.get(key) {
            Some(toml::Value::String(_)) => toml::Value::String(value.trim_matches('"').to_string()),
            // A bare whole number is as good as a decimal one where a decimal is wanted.
            Some(toml::Value::Float(_)) if value.parse::<f64>().is_ok() => {
                toml::Value::Float(value.parse().unwrap_or_default())
            }
            _ => toml::from_str::<toml::Table>(&format!("v = {value}"))
                .ok()
                .and_then(|mut t| t.remove("v"))
                .unwrap_or_else(|| toml::Value::String(value.to_string())),
        };
        table.insert(key.to_string(), value);
        *self = table.try_into().map_err(|e| parse_error(&origin, &e))?;
        Ok(())
    }

    /// The configuration as TOML, every key written out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a flat table of plain values")
    }

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
        let checks: [(&'static str, bool, String, &'static str); 20] = [
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
                !self.hidden.contains(&0),
                format!("{:?}", self.hidden),
                "widths of at least 1, such as [64, 64]",
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
                self.validation_episodes > 0,
                self.validation_episodes.to_string(),
                positive,
            ),
            (
                "eval_episodes",
                self.eval_episodes >= 2,
                self.eval_episodes.to_string(),
                "a whole number of at least 2",
            ),
            ("checkpoint_every", self.checkpoint_every > 0, self.checkpoint_every.to_string(), positive),
            (
                "window",
                self.window == 0 || self.baseline == Baseline::Critic,
                self.window.to_string(),
                "0 with the baseline `group`, which knows whole trajectories only; set baseline=critic",
            ),
        ];
        for (key, holds, value, expected) in checks {
            if !holds {
                return Err(ConfigError::Range { key, value, expected });
            }
        }
        let lonely = self.trajectories_per_state < 2;
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

    /// The learner's part.
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
            clip: self.clip,
            target_kl: self.target_kl,
            entropy_bonus: self.entropy_bonus,
            value_weight: self.value_weight,
            max_grad_norm: self.max_grad_norm,
            baseline: self.baseline,
            normalize_advantage: self.normalize_advantage,
            normalize_obs: self.normalize_obs,
            normalize_scores: self.normalize_scores,
            discount: self.discount,
            gae_lambda: self.gae_lambda,
        }
    }
}

/// toml's message, with the nearest right key instead of its list of all keys.
fn parse_error(origin: &str, error: &toml::de::Error) -> ConfigError {
    let message = error.message();
    let mut why = message.to_string();
    if let Some(key) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        let keys = toml::Table::try_from(Config::default()).unwrap_or_default();
        why = match nearest(key, keys.keys().map(String::as_str)) {
            Some(near) => format!("unknown key `{key}`, did you mean `{near}`?"),
            None => format!("unknown key `{key}`; `spo train --help` lists the keys"),
        };
    }
    // The text in question shows where, and which key.
    let shown = error.to_string();
    let place: Vec<&str> = shown.lines().filter(|l| l.contains('|') || l.contains("line ")).collect();
    if !place.is_empty() {
        why = format!("{why}\n{}", place.join("\n"));
    }
    ConfigError::Parse { origin: origin.to_string(), why }
}
