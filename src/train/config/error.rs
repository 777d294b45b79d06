//! What can be wrong with a configuration.

use std::path::PathBuf;

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
        /// The file and its line, or `--set KEY=VALUE`, or the key with the wrong value.
        origin: String,
        /// What is wrong, and what to write instead.
        why: String,
    },
    /// A key that this run does not use.
    #[error("the {user} does not use `{key}`; leave it out")]
    Unused {
        /// The key.
        key: String,
        /// The run's learner or scorer.
        user: String,
    },
    /// A value out of range.
    #[error("`{key}` is {value}; expected {expected}")]
    Range {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What it may be.
        expected: String,
    },
}
