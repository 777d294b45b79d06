//! People as oracle: pairs and labels in a database, where a trainer and a page in the browser meet.
//!
//! - [`Human`]: how they are asked, from `human(wait=T,votes=N)`.
//! - [`store`]: the database, one SQLite file in the run's directory. Trainer and page meet there and nowhere else,
//!   so either may be killed or missing.
//! - [`pairs`]: the trainer's side: post, wait, settle. [`person`] is the oracle that does it.
//! - [`answers`]: the annotator's side: take a pair, answer it, take the answer back.
//! - [`progress`]: how many pairs are answered, and how often people agree.
//! - [`table`]: labels as CSV, out and in.
//!
//! A trajectory is kept as a [replay key](crate::rollout::replay_key): its start and its actions. So a run that is resumed
//! after a kill finds its own pairs again, and a label counts for everyone who asks about the same two trajectories.

pub mod answers;
mod options;
pub mod pairs;
pub mod person;
pub mod progress;
pub mod store;
pub mod table;
mod trajectories;

pub use options::{FORM, Human};
pub use person::HumanOracle;
pub use store::{LabelError, Store};

/// Milliseconds since 1970, as the database has all times.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
