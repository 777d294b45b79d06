//! People as oracle: pairs and labels in a database, and a page that shows the one and takes the other.
//!
//! - [`store`]: the database, one SQLite file in the run's directory. Trainer and server meet there and nowhere else,
//!   so either may be killed or missing.
//! - [`pairs`]: the trainer's side: post, wait, settle. [`person`] is the oracle that does it.
//! - [`answers`]: the annotator's side: take a pair, answer it, take the answer back.
//! - [`progress`]: how far the work is, and how far people agree.
//! - [`picture`]: a pair as two replays of one scale, for the page to draw.
//! - [`server`]: the [`page`](crate::page) over HTTP; [`access`] says who may speak to it.
//! - [`table`]: labels as CSV, out and in.
//!
//! A trajectory is kept as what makes it again, its start and its actions, and known by a checksum of these. So a run
//! that goes on after a kill meets its own pairs, and a label counts for whoever asks of the same two trajectories.

pub mod answers;
mod api;
pub mod pairs;
pub mod person;
pub mod picture;
pub mod progress;
pub mod server;
pub mod store;
pub mod table;

pub use crate::page::access;
pub use person::Person;
pub use server::Server;
pub use store::{LabelError, Store};

/// Milliseconds since 1970, as the database has all times.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
