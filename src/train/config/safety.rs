//! The safety part of a configuration, and its ranges.

use super::keys::SAFETY_KEYS;
use super::{Config, ConfigError, PolicyLoss, ScorerKind, TrainedResult};
use crate::oracle::{Oracle, OracleError, OracleSpec};

impl Config {
    /// Whether training weighs costs against scores.
    pub fn is_safe(&self) -> bool {
        self.safety_oracle.is_some() && self.multiplier_max > 0.0
    }

    /// The oracle that judges safety, where there is one.
    ///
    /// # Errors
    /// [`ConfigError::Parse`]: an oracle that cannot be made, or that does not say what is safe.
    pub fn safety_judge(&self) -> Result<Option<Box<dyn Oracle>>, ConfigError> {
        let Some(spec) = &self.safety_oracle else { return Ok(None) };
        let judge = spec.build().and_then(|mut judge| {
            judge.safety_judge().ok_or(OracleError::NoSafetyJudge)?;
            Ok(judge)
        });
        judge.map(Some).map_err(|why| unfit(spec, &why.to_string()))
    }

    /// Checks the safety keys, and that the others go with them.
    pub(super) fn validate_safety(&self) -> Result<(), ConfigError> {
        let (given, defaults) = (self.table(), Self::default().table());
        let unused = |key: &'static str, user: String| match given[key] == defaults[key] {
            true => Ok(()),
            false => Err(ConfigError::Unused { key, user }),
        };
        let (Some(spec), Some(judge)) = (&self.safety_oracle, self.safety_judge()?) else {
            let alone = || "run without a `safety_oracle`".to_string();
            return SAFETY_KEYS.into_iter().try_for_each(|key| unused(key, alone()));
        };
        let (least, most) = (self.multiplier_min, self.multiplier_max);
        if most == 0.0 {
            let only = || "run that `multiplier_max=0` trains without safety".to_string();
            let others = SAFETY_KEYS.into_iter().filter(|&key| key != "multiplier_max");
            return others.into_iter().try_for_each(|key| unused(key, only()));
        }
        if self.scorer != ScorerKind::SelfPlay {
            unused("unsafe_limit", format!("scorer `{}`", self.scorer))?;
        }
        if self.scorer == ScorerKind::TaskReward && judge.structure().cost_limit.is_none() {
            return Err(unfit(
                spec,
                "the scorer `task_reward` takes the task's own cost against a limit; expected `cost=25` alone",
            ));
        }
        let finite = |x: f64| x.is_finite() && x > 0.0;
        let checks: [(&'static str, bool, String, &'static str); 9] = [
            (
                "multiplier_rate",
                finite(self.multiplier_rate),
                self.multiplier_rate.to_string(),
                "a finite number above 0",
            ),
            (
                "multiplier_max",
                finite(most),
                most.to_string(),
                "a finite number above 0, or 0 to train without safety",
            ),
            (
                "multiplier_min",
                finite(least) && least <= most,
                least.to_string(),
                "a number above 0 and at most multiplier_max",
            ),
            (
                "multiplier_init",
                (least..=most).contains(&self.multiplier_init),
                self.multiplier_init.to_string(),
                "a number from multiplier_min to multiplier_max",
            ),
            (
                "unsafe_limit",
                (0.0..1.0).contains(&self.unsafe_limit),
                self.unsafe_limit.to_string(),
                "a number of at least 0 and below 1",
            ),
            (
                "scorer",
                self.scorer != ScorerKind::LlmDirect,
                self.scorer.to_string(),
                "self_play, reward_model or task_reward with a safety_oracle",
            ),
            (
                "policy_loss",
                self.policy_loss == PolicyLoss::Ppo,
                format!("{:?}", self.policy_loss).to_lowercase(),
                "ppo with a safety_oracle, whose costs are weighed as advantages",
            ),
            (
                "extragradient",
                !self.extragradient,
                "true".into(),
                "false with a safety_oracle, of whose costs its look ahead knows nothing",
            ),
            (
                "result",
                self.result != TrainedResult::Best,
                "best".into(),
                "last or average with a safety_oracle: the best by comparisons may be unsafe",
            ),
        ];
        match checks.into_iter().find(|(_, holds, _, _)| !holds) {
            Some((key, _, value, expected)) => Err(ConfigError::Range { key, value, expected }),
            None => Ok(()),
        }
    }
}

/// The error for an oracle that cannot judge safety.
fn unfit(spec: &OracleSpec, why: &str) -> ConfigError {
    ConfigError::Parse { origin: format!("safety_oracle `{spec}`"), why: why.into() }
}
