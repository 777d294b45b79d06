//! The newest trajectories of a run as replays.

use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::evaluate::play::PlayError;
use crate::web::picture::Picture;
use spo::base::tensors::FileError;
use spo::rollout::latest_replay::LatestReplay;
use spo::train::registered;
use spo::train::run::{Run, files};

/// Stills of a trajectory, about: twenty seconds at full rate. Longer ones are thinned.
const STILLS: usize = 500;

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No trajectories, or damaged ones.
    #[error(transparent)]
    File(#[from] FileError),
    /// No configuration, or a damaged one.
    #[error(transparent)]
    Config(#[from] spo::train::config::ConfigError),
    /// A task that is not of the registry, that needs a library, or that draws nothing.
    #[error("the replays cannot be drawn here: {0}")]
    Play(#[from] PlayError),
}

/// Trajectories of one state, best first, and what they were worth.
#[derive(Clone, Debug, Serialize)]
pub struct Replay {
    /// Their iteration.
    iteration: u64,
    /// K, of which these are the best, the worst and some between.
    of: usize,
    takes: Vec<Worth>,
    picture: Picture,
}

#[derive(Clone, Debug, Serialize)]
struct Worth {
    rank: usize,
    score: f64,
    task_return: f64,
}

/// Tells one file of newest trajectories from the next; `None` where there is none.
pub fn stamp(dir: &Path) -> Option<String> {
    let meta = std::fs::metadata(dir.join(files::NEWEST)).ok()?;
    let at = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{}-{}", at.as_nanos(), meta.len()))
}

/// The newest trajectories of the run in `dir`.
///
/// # Errors
/// [`ReplayError`].
pub fn of(dir: &Path) -> Result<Replay, ReplayError> {
    let env = Run::config_of(dir)?.env;
    let LatestReplay { iteration, of, takes } = LatestReplay::load(&dir.join(files::NEWEST))?;
    let worth = takes.iter().map(|t| Worth { rank: t.rank, score: t.score, task_return: t.task_return });
    let worth = worth.collect();
    let replay_keys: Vec<_> = takes.into_iter().map(|t| t.replay_key).collect();
    let make = registered(&env).map_err(PlayError::from)?;
    Ok(Replay { iteration, of, takes: worth, picture: Picture::thinned(&replay_keys, &make, STILLS)? })
}
