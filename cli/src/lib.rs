//! The `spo` command.
//!
//! - [`commands`]: the command line, one file a verb.
//! - [`web`]: pages in the browser, where people compare and runs are watched.
//! - [`evaluate`]: reports, plots, tournaments, audits and replays of finished runs.
//!
//! The algorithm is the crate `spo`.
#![warn(missing_docs)]

pub mod commands;
pub mod evaluate;
pub mod web;
