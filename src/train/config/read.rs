//! From files and assignments to a configuration.

use std::path::Path;

use super::{Config, ConfigError, LearnerKind};
use crate::base::toml_error::explain;

/// The defaults of a learner.
type Defaults = fn(LearnerKind) -> Config;

impl Config {
    /// A file's keys (if there is one), then `key=value` assignments in order; keys left out take the defaults of the
    /// learner that these choose, wherever they name it, and those for people or a language model where one is the oracle.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line, key and, for a misspelt key, the nearest right one.
    pub fn gather(file: Option<&Path>, assignments: &[String]) -> Result<Self, ConfigError> {
        let config = Self::assemble(file, assignments, Self::of)?;
        if config.oracle.asks_people() {
            Self::assemble(file, assignments, Self::of_people)
        } else if config.oracle.asks_language_model() {
            Self::assemble(file, assignments, Self::of_llm)
        } else {
            Ok(config)
        }
    }

    fn assemble(file: Option<&Path>, assignments: &[String], of: Defaults) -> Result<Self, ConfigError> {
        let (first, rest): (Vec<&String>, Vec<&String>) =
            assignments.iter().partition(|a| a.split('=').next().is_some_and(|key| key.trim() == "learner"));
        let mut config = Self::default();
        first.iter().try_for_each(|a| config.set(a))?;
        config = of(config.learner);
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.into(), source })?;
            let chosen = (!first.is_empty()).then_some(config.learner);
            config = Self::read(&text, &path.display().to_string(), chosen, of)?;
        }
        rest.iter().try_for_each(|a| config.set(a))?;
        Ok(config)
    }

    /// Reads a TOML file; keys left out keep the defaults of its learner.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        Self::gather(Some(path), &[])
    }

    /// Reads TOML text; `origin` names it in errors.
    ///
    /// # Errors
    /// [`ConfigError::Parse`].
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Self::read(text, origin, None, Self::of)
    }

    /// Keys that were read already; `origin` names them in errors.
    ///
    /// # Errors
    /// [`ConfigError::Parse`].
    pub fn from_table(keys: toml::Table, origin: &str) -> Result<Self, ConfigError> {
        let own: Self = keys.clone().try_into().map_err(|e| parse_error(origin, &e, TRAIN_HELP))?;
        Self::over_defaults(keys, own.learner, origin, Self::of)
    }

    /// The text's keys over the defaults of `learner`, or else of the text's own.
    fn read(
        text: &str,
        origin: &str,
        learner: Option<LearnerKind>,
        of: Defaults,
    ) -> Result<Self, ConfigError> {
        // Straight from the text, for errors that show the line.
        let own: Result<Self, _> = toml::from_str(text);
        let keys = toml::from_str::<toml::Table>(text);
        let own = own.map_err(|e| match &keys {
            Ok(keys) if keys.contains_key("cells") => ConfigError::Parse {
                origin: origin.to_string(),
                why: format!("it is an experiment of several runs: `spo experiment {origin}`"),
            },
            _ => parse_error(origin, &e, TRAIN_HELP),
        })?;
        Self::over_defaults(keys.unwrap_or_default(), learner.unwrap_or(own.learner), origin, of)
    }

    fn over_defaults(
        keys: toml::Table,
        learner: LearnerKind,
        origin: &str,
        of: Defaults,
    ) -> Result<Self, ConfigError> {
        let mut table = of(learner).table();
        table.extend(keys);
        let config: Self = table.try_into().map_err(|e| parse_error(origin, &e, TRAIN_HELP))?;
        Ok(Self { learner, ..config })
    }

    /// The first key in which two configurations make other runs, with its values here and there.
    pub fn difference(&self, other: &Self) -> Option<(String, String, String)> {
        // A choice left to the program is the one it comes to.
        let made = |config: &Self| {
            let mut table = config.table();
            table.insert("normalize_scores".into(), config.normalizes_scores().into());
            table
        };
        let there = made(other);
        (made(self).into_iter())
            .find(|(key, value)| there.get(key) != Some(value))
            .map(|(key, value)| (key.clone(), value.to_string(), there[&key].to_string()))
    }

    pub(super) fn table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("a flat table of plain values")
    }

    /// Sets one key from `key=value`; the value is TOML, or bare text for text keys. Setting `learner` takes along
    /// the keys that have the former learner's default.
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
        let mut table = self.table();
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
        let former =
            std::mem::replace(self, table.try_into().map_err(|e| parse_error(&origin, &e, TRAIN_HELP))?);
        if self.learner != former.learner {
            let (before, after) = (Self::of(former.learner).table(), Self::of(self.learner).table());
            let mut table = self.table();
            for (key, value) in &mut table {
                if *value == before[key] {
                    *value = after[key].clone();
                }
            }
            *self = table.try_into().map_err(|e| parse_error(&origin, &e, TRAIN_HELP))?;
        }
        Ok(())
    }
}

/// Where the keys of a run are listed.
const TRAIN_HELP: &str = "`spo train --show-config` lists the keys";

/// A file's or an assignment's error: see [`explain`].
pub fn parse_error(origin: &str, error: &toml::de::Error, help: &str) -> ConfigError {
    ConfigError::Parse { origin: origin.to_string(), why: explain(error, help) }
}
