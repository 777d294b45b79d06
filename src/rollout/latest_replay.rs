//! The latest trajectories of a run, saved in its directory for `spo watch`.
//!
//! Training does not read the file. It may be missing, old or damaged, and training continues if it cannot be written.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::tensors::{self, FileError, FileKind, TensorFile};
use crate::rollout::replay_key::ReplayKey;
use crate::rollout::{Rollout, Start};

const KIND: FileKind = FileKind { format: "spo-newest", version: "1" };

/// Largest number of saved trajectories: a page has room for no more side by side.
pub const MOST: usize = 8;

/// Trajectories from one state with their scores, best first.
#[derive(Clone, Debug, PartialEq)]
pub struct LatestReplay {
    /// Their iteration, counted from 1.
    pub iteration: u64,
    /// K, the number of trajectories from the state. If K is above [`MOST`], `trajectories` holds the best, the worst and
    /// some between them.
    pub per_state: usize,
    /// The trajectories, best first.
    pub trajectories: Vec<RankedTrajectory>,
}

/// A trajectory with its rank and score.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedTrajectory {
    /// Its rank among the K; 1 is the best.
    pub rank: usize,
    /// The sum of its scores. In self-play this is the win proportion.
    pub score: f64,
    /// Its task return.
    pub task_return: f64,
    /// The data to replay it.
    pub replay_key: ReplayKey,
}

/// The metadata of a trajectory in the file.
#[derive(Serialize, Deserialize)]
struct Header {
    rank: usize,
    score: f64,
    task_return: f64,
    start: Start,
}

impl LatestReplay {
    /// The trajectories from an iteration's first state. `scores` holds one score per step, `[Σ T]`. `None` if the
    /// rollout's episodes have no start.
    pub fn from_rollout(iteration: u64, rollout: &Rollout, scores: &[f32]) -> Option<Self> {
        let group = rollout.episodes.iter().take(rollout.per_state);
        let mut ranked: Vec<_> = group
            .zip(rollout.per_episode(scores))
            .map(|(episode, own)| (own.iter().map(|&s| f64::from(s)).sum::<f64>(), episode))
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (per_state, shown) = (ranked.len(), ranked.len().min(MOST));
        let trajectories = (0..shown).map(|place| {
            // Evenly spaced by rank, from the best to the worst.
            let at = if shown > 1 { place * (per_state - 1) / (shown - 1) } else { 0 };
            let (score, episode) = ranked[at];
            let replay_key = ReplayKey { start: episode.start?, first: 0, actions: episode.actions.clone() };
            Some(RankedTrajectory {
                rank: at + 1,
                score,
                task_return: episode.trajectory().task_return(),
                replay_key,
            })
        });
        Some(Self { iteration, per_state, trajectories: trajectories.collect::<Option<_>>()? })
    }

    /// Replaces the file at `path` atomically, without waiting for the disk.
    ///
    /// # Errors
    /// [`FileError::Write`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let mut file = TensorFile::new(&KIND);
        file.meta("iteration", &self.iteration.to_string());
        file.meta("of", &self.per_state.to_string());
        let header = |t: &RankedTrajectory| {
            let RankedTrajectory { rank, score, task_return, ref replay_key } = *t;
            Header { rank, score, task_return, start: replay_key.start }
        };
        let headers: Vec<Header> = self.trajectories.iter().map(header).collect();
        file.meta("takes", &serde_json::to_string(&headers).expect("plain numbers"));
        for (place, trajectory) in self.trajectories.iter().enumerate() {
            let actions = trajectory.replay_key.actions.clone();
            file.add(&format!("actions.{place}"), &[actions.len()], actions);
        }
        file.write_unsynced(path)
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`FileError::Read`] if it cannot be read, [`FileError::Damaged`] or [`FileError::Foreign`] if it is not intact.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let bytes = tensors::read(path)?;
        let (tensors, meta) = tensors::open(path, &bytes, &KIND)?;
        let damaged = |why: String| FileError::Damaged { path: path.into(), why };
        let number = |key: &str| {
            let value = meta.get(key).and_then(|v| v.parse::<u64>().ok());
            value.ok_or_else(|| damaged(format!("its metadata has no number `{key}`")))
        };
        let headers = meta.get("takes").map_or("", String::as_str);
        let headers: Vec<Header> = serde_json::from_str(headers).map_err(|e| damaged(e.to_string()))?;
        let trajectories = headers.into_iter().enumerate().map(|(place, header)| {
            let Header { rank, score, task_return, start } = header;
            let (_, actions) = tensors::floats(&tensors, &format!("actions.{place}")).map_err(damaged)?;
            Ok(RankedTrajectory {
                rank,
                score,
                task_return,
                replay_key: ReplayKey { start, first: 0, actions },
            })
        });
        Ok(Self {
            iteration: number("iteration")?,
            per_state: number("of")? as usize,
            trajectories: trajectories.collect::<Result<_, FileError>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::{Episode, Phase};

    /// K trajectories from each of two states, of one step each, with these scores.
    fn rollout(scores: &[f32]) -> Rollout {
        let episode = |state: u64, k: usize| Episode {
            obs: vec![0.0],
            final_obs: vec![0.0],
            actions: vec![k as f32],
            rewards: vec![10.0 * k as f32],
            costs: vec![0.0],
            start: Some(Start { seed: 7, phase: Phase::Train, iteration: 4, state }),
            ..Episode::default()
        };
        let episodes = (0..2).flat_map(|s| (0..scores.len()).map(move |k| episode(s, k)));
        Rollout { episodes: episodes.collect(), per_state: scores.len() }
    }

    fn latest(scores: &[f32]) -> LatestReplay {
        LatestReplay::from_rollout(5, &rollout(scores), &[scores, &vec![9.0; scores.len()]].concat()).unwrap()
    }

    #[test]
    fn the_first_states_trajectories_are_sorted_best_to_worst() {
        let newest = latest(&[0.25, 1.0, 0.5]);
        let told: Vec<_> = newest
            .trajectories
            .iter()
            .map(|t| (t.rank, t.score, t.task_return, t.replay_key.actions[0]))
            .collect();
        assert_eq!(told, [(1, 1.0, 10.0, 1.0), (2, 0.5, 20.0, 2.0), (3, 0.25, 0.0, 0.0)]);
        assert!(newest.trajectories.iter().all(|t| t.replay_key.start.state == 0) && newest.per_state == 3);
    }

    #[test]
    fn of_many_trajectories_the_best_the_worst_and_some_between_are_kept() {
        let scores: Vec<f32> = (0..22).map(|k| k as f32).collect();
        let newest = latest(&scores);
        let ranks: Vec<usize> = newest.trajectories.iter().map(|t| t.rank).collect();
        assert_eq!((ranks, newest.per_state), (vec![1, 4, 7, 10, 13, 16, 19, 22], 22));
    }

    #[test]
    fn trajectories_without_a_start_are_not_saved() {
        let mut rollout = rollout(&[0.0, 1.0]);
        rollout.episodes[0].start = None;
        assert_eq!(LatestReplay::from_rollout(1, &rollout, &[0.0; 4]), None);
    }

    #[test]
    fn save_and_load_agree_and_a_damaged_file_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("newest");
        let newest = latest(&[0.25, 1.0, 0.5]);
        newest.save(&path).unwrap();
        assert_eq!(LatestReplay::load(&path).unwrap(), newest);
        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 7, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let why = LatestReplay::load(&path).unwrap_err().to_string();
            assert!(why.contains("is damaged"), "{cut}: {why}");
        }
    }
}
