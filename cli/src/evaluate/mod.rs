//! What finished runs are worth: reports, plots, tournaments, audits, replays.
//!
//! - [`experiment`]: tasks, methods and seeds in one file; [`report`] says what they gave.
//! - [`tournament`]: trained policies play each other; [`best_of`](mod@best_of): rejection sampling.
//! - [`analysis`]: whether a reward model's scores mean what they say.
//! - [`audit`]: what a run should disclose, on one page.
//! - [`plot`] and [`play`]: curves and episodes as pictures.

pub mod analysis;
pub mod audit;
pub mod best_of;
pub mod experiment;
mod pixels;
pub mod play;
pub mod plot;
pub mod report;
pub mod tournament;
