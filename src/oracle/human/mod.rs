//! People as oracle. The trainer and a web page exchange pairs and labels through a database.
//!
//! - [`Human`]: how people are asked, from `human(wait=T,votes=N)`.
//! - [`store`]: the database, one SQLite file in the run's directory. It is the only connection between trainer and page,
//!   so either may be killed or missing.
//! - [`pairs`]: the trainer's side: post pairs, look how far they are, take the answers. [`oracle`] does it.
//! - [`answers`]: the annotator's side: take a pair, answer it, undo the answer.
//! - [`progress`]: how many pairs are answered, and how often people agree.
//! - [`table`]: export and import of labels as CSV.
//!
//! A trajectory is kept as a [replay key](crate::rollout::replay_key): its start and its actions. So a run that is resumed
//! after a kill finds its own pairs again, and a label counts for everyone who asks about the same two trajectories.

pub mod answers;
mod options;
pub mod oracle;
pub mod pairs;
pub mod progress;
pub mod store;
pub mod table;
mod trajectories;

pub use options::{FORM, Human};
pub use oracle::HumanOracle;
pub use store::{LabelError, Store};

/// Milliseconds since 1970, the unit of all times in the database.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
