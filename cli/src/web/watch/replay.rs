//! The latest trajectories of a run as replays.

use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::evaluate::play::PlayError;
use crate::web::picture::Picture;
use spo::base::tensors::FileError;
use spo::rollout::latest_replay::{LatestReplay, RankedTrajectory};
use spo::train::registered;
use spo::train::run::{Run, files};

/// Approximate largest number of frames of a replay: twenty seconds at the full rate. Longer replays have fewer frames
/// per second.
const FRAMES: usize = 500;

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There are no trajectories, or the file is damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no configuration, or it is damaged.
    #[error(transparent)]
    Config(#[from] spo::train::config::ConfigError),
    /// The task is not in the registry, needs a missing library, or draws nothing.
    #[error("cannot draw the replays on this machine: {0}")]
    Play(#[from] PlayError),
}

/// Replays of trajectories from one state, best first, with their scores.
#[derive(Clone, Debug, Serialize)]
pub struct Replay {
    /// Their iteration.
    iteration: u64,
    /// K, the number of trajectories from the state. If there are many, only the best, the worst and some between them
    /// are here.
    per_state: usize,
    trajectories: Vec<Ranked>,
    picture: Picture,
}

#[derive(Clone, Debug, Serialize)]
struct Ranked {
    rank: usize,
    score: f64,
    task_return: f64,
}

/// A text that changes with the file of latest trajectories; `None` if there is no file.
pub fn version(dir: &Path) -> Option<String> {
    let meta = std::fs::metadata(dir.join(files::LATEST_REPLAY)).ok()?;
    let at = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{}-{}", at.as_nanos(), meta.len()))
}

impl Replay {
    /// Replays the latest trajectories of the run in `dir`.
    ///
    /// # Errors
    /// [`ReplayError`] if its files cannot be read or the task cannot be drawn.
    pub fn read(dir: &Path) -> Result<Self, ReplayError> {
        let env = Run::config_of(dir)?.env;
        let LatestReplay { iteration, per_state, trajectories } =
            LatestReplay::load(&dir.join(files::LATEST_REPLAY))?;
        let rank = |t: &RankedTrajectory| Ranked { rank: t.rank, score: t.score, task_return: t.task_return };
        let ranked = trajectories.iter().map(rank).collect();
        let replay_keys: Vec<_> = trajectories.into_iter().map(|t| t.replay_key).collect();
        let make = registered(&env).map_err(PlayError::from)?;
        let picture = Picture::thinned(&replay_keys, &make, FRAMES)?;
        Ok(Self { iteration, per_state, trajectories: ranked, picture })
    }
}
