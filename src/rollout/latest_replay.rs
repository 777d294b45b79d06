//! The newest trajectories of a run, left in its directory for those who watch.
//!
//! Nothing is learned from the file, and no run continues from it: it may be missing, stale or damaged, and what cannot
//! be written ends no training.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::tensors::{self, FileError, FileKind, TensorFile};
use crate::rollout::replay_key::ReplayKey;
use crate::rollout::{Rollout, Start};

const KIND: FileKind = FileKind { format: "spo-newest", version: "1" };

/// Most trajectories that are left: side by side there is room for no more.
pub const MOST: usize = 8;

/// Trajectories of one state and what they were worth, best first.
#[derive(Clone, Debug, PartialEq)]
pub struct LatestReplay {
    /// The iteration that they are of, from 1.
    pub iteration: u64,
    /// K, the trajectories of the state; of more than [`MOST`], `takes` has the best, the worst, and some between.
    pub of: usize,
    /// Best first.
    pub takes: Vec<RankedTrajectory>,
}

/// A trajectory and what it was worth.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedTrajectory {
    /// Which of the K, from 1 for the best.
    pub rank: usize,
    /// Its summed scores: the win proportion, of self-play.
    pub score: f64,
    /// Its task return.
    pub task_return: f64,
    /// What makes it again.
    pub replay_key: ReplayKey,
}

/// What the metadata say of a take.
#[derive(Serialize, Deserialize)]
struct Header {
    rank: usize,
    score: f64,
    task_return: f64,
    start: Start,
}

impl LatestReplay {
    /// The group of an iteration's first state; `scores` are one a step, `[Σ T]`. `None` where the rollout does not know
    /// what it began from.
    pub fn new(iteration: u64, rollout: &Rollout, scores: &[f32]) -> Option<Self> {
        let group = rollout.episodes.iter().take(rollout.per_state);
        let mut ranked: Vec<_> = group
            .zip(rollout.per_episode(scores))
            .map(|(episode, own)| (own.iter().map(|&s| f64::from(s)).sum::<f64>(), episode))
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (of, shown) = (ranked.len(), ranked.len().min(MOST));
        let takes = (0..shown).map(|place| {
            // Evenly by rank, from the best to the worst.
            let at = if shown > 1 { place * (of - 1) / (shown - 1) } else { 0 };
            let (score, episode) = ranked[at];
            let replay_key = ReplayKey { start: episode.start?, first: 0, actions: episode.actions.clone() };
            Some(RankedTrajectory {
                rank: at + 1,
                score,
                task_return: episode.trajectory().task_return(),
                replay_key,
            })
        });
        Some(Self { iteration, of, takes: takes.collect::<Option<_>>()? })
    }

    /// Replaces `path` whole or not at all; it does not wait for the disk.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let mut file = TensorFile::new(&KIND);
        file.meta("iteration", &self.iteration.to_string());
        file.meta("of", &self.of.to_string());
        let header = |t: &RankedTrajectory| {
            let RankedTrajectory { rank, score, task_return, ref replay_key } = *t;
            Header { rank, score, task_return, start: replay_key.start }
        };
        let headers: Vec<Header> = self.takes.iter().map(header).collect();
        file.meta("takes", &serde_json::to_string(&headers).expect("plain numbers"));
        for (place, take) in self.takes.iter().enumerate() {
            let actions = take.replay_key.actions.clone();
            file.add(&format!("actions.{place}"), &[actions.len()], actions);
        }
        file.write_unsynced(path)
    }

    /// What [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`FileError::Read`], [`FileError::Damaged`], [`FileError::Foreign`].
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let bytes = tensors::read(path)?;
        let (tensors, meta) = tensors::open(path, &bytes, &KIND)?;
        let damaged = |why: String| FileError::Damaged { path: path.into(), why };
        let number = |key: &str| {
            let value = meta.get(key).and_then(|v| v.parse::<u64>().ok());
            value.ok_or_else(|| damaged(format!("no number `{key}`")))
        };
        let headers = meta.get("takes").map_or("", String::as_str);
        let headers: Vec<Header> = serde_json::from_str(headers).map_err(|e| damaged(e.to_string()))?;
        let takes = headers.into_iter().enumerate().map(|(place, header)| {
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
            of: number("of")? as usize,
            takes: takes.collect::<Result<_, FileError>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::{Episode, Phase};

    /// K trajectories of a state and K of another, of one step each, worth `worth` by score.
    fn rollout(worth: &[f32]) -> Rollout {
        let episode = |state: u64, k: usize| Episode {
            obs: vec![0.0],
            final_obs: vec![0.0],
            actions: vec![k as f32],
            rewards: vec![10.0 * k as f32],
            costs: vec![0.0],
            start: Some(Start { seed: 7, phase: Phase::Train, iteration: 4, state }),
            ..Episode::default()
        };
        let episodes = (0..2).flat_map(|s| (0..worth.len()).map(move |k| episode(s, k)));
        Rollout { episodes: episodes.collect(), per_state: worth.len() }
    }

    fn newest(worth: &[f32]) -> LatestReplay {
        LatestReplay::new(5, &rollout(worth), &[worth, &vec![9.0; worth.len()]].concat()).unwrap()
    }

    #[test]
    fn the_first_states_group_stands_best_to_worst() {
        let newest = newest(&[0.25, 1.0, 0.5]);
        let told: Vec<_> =
            newest.takes.iter().map(|t| (t.rank, t.score, t.task_return, t.replay_key.actions[0])).collect();
        assert_eq!(told, [(1, 1.0, 10.0, 1.0), (2, 0.5, 20.0, 2.0), (3, 0.25, 0.0, 0.0)]);
        assert!(newest.takes.iter().all(|t| t.replay_key.start.state == 0) && newest.of == 3);
    }

    #[test]
    fn of_many_the_best_the_worst_and_some_between_are_left() {
        let worth: Vec<f32> = (0..22).map(|k| k as f32).collect();
        let newest = newest(&worth);
        let ranks: Vec<usize> = newest.takes.iter().map(|t| t.rank).collect();
        assert_eq!((ranks, newest.of), (vec![1, 4, 7, 10, 13, 16, 19, 22], 22));
    }

    #[test]
    fn what_began_nowhere_known_is_not_shown() {
        let mut rollout = rollout(&[0.0, 1.0]);
        rollout.episodes[0].start = None;
        assert_eq!(LatestReplay::new(1, &rollout, &[0.0; 4]), None);
    }

    #[test]
    fn it_comes_back_whole_and_a_damaged_one_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("newest");
        let newest = newest(&[0.25, 1.0, 0.5]);
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
