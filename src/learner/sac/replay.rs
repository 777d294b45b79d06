//! The replay buffer: a ring buffer with one contiguous array for each column.

use super::super::{Experience, LearnerState};

/// The newest steps, at most `capacity` of them. Observations are as the task gave them.
pub(super) struct Replay {
    capacity: usize,
    obs_dim: usize,
    action_dim: usize,
    /// `[n, obs_dim]`
    pub obs: Vec<f32>,
    /// In units of half the action range, `[n, action_dim]`.
    pub actions: Vec<f32>,
    /// `[n]`
    pub scores: Vec<f32>,
    /// `[n, obs_dim]`
    pub next_obs: Vec<f32>,
    /// 0 if the task ended the episode at this step, otherwise 1. At the end by the time limit it is 1, since the value of the
    /// next state still counts. `[n]`
    pub bootstraps: Vec<f32>,
    /// Number of steps pushed since the start.
    seen: u64,
}

impl Replay {
    pub fn new(capacity: usize, obs_dim: usize, action_dim: usize) -> Self {
        Self {
            capacity,
            obs_dim,
            action_dim,
            obs: Vec::new(),
            actions: Vec::new(),
            scores: Vec::new(),
            next_obs: Vec::new(),
            bootstraps: Vec::new(),
            seen: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.scores.len()
    }

    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The row of the `step`-th step ever pushed.
    fn row(&self, step: u64) -> usize {
        (step % self.capacity as u64) as usize
    }

    /// Appends an episode. If the buffer is full, it overwrites the oldest steps.
    pub fn push(&mut self, episode: &Experience<'_>, scores: &[f32], scale: f32) {
        let (obs_dim, action_dim) = (self.obs_dim, self.action_dim);
        let steps = scores.len();
        for (t, score) in scores.iter().enumerate() {
            let row = self.row(self.seen);
            let after = if t + 1 < steps { &episode.obs[(t + 1) * obs_dim..] } else { episode.final_obs };
            put(&mut self.obs, row, &episode.obs[t * obs_dim..(t + 1) * obs_dim]);
            put(&mut self.next_obs, row, &after[..obs_dim]);
            put(&mut self.actions, row, &episode.latents[t * action_dim..(t + 1) * action_dim]);
            self.actions[row * action_dim..(row + 1) * action_dim].iter_mut().for_each(|u| *u = u.tanh());
            put(&mut self.scores, row, &[scale * score]);
            let ends = t + 1 == steps && episode.terminated;
            put(&mut self.bootstraps, row, &[if ends { 0.0 } else { 1.0 }]);
            self.seen += 1;
        }
    }

    /// Replaces the scores of the newest steps; the last score is of the newest step. Scores of steps that are no longer in the
    /// buffer are ignored.
    pub fn relabel(&mut self, scores: &[f32], scale: f32) {
        let newest = &scores[scores.len().saturating_sub(self.len())..];
        let first = self.seen - newest.len() as u64;
        for (i, score) in newest.iter().enumerate() {
            let row = self.row(first + i as u64);
            self.scores[row] = scale * score;
        }
    }

    fn columns(&mut self) -> [(&'static str, usize, &mut Vec<f32>); 5] {
        [
            ("replay.obs", self.obs_dim, &mut self.obs),
            ("replay.actions", self.action_dim, &mut self.actions),
            ("replay.scores", 1, &mut self.scores),
            ("replay.next_obs", self.obs_dim, &mut self.next_obs),
            ("replay.bootstraps", 1, &mut self.bootstraps),
        ]
    }

    pub fn save(&self, state: &mut LearnerState) {
        state.counters.insert("replay.seen".into(), self.seen);
        let columns: [(&str, &Vec<f32>); 5] = [
            ("replay.obs", &self.obs),
            ("replay.actions", &self.actions),
            ("replay.scores", &self.scores),
            ("replay.next_obs", &self.next_obs),
            ("replay.bootstraps", &self.bootstraps),
        ];
        state.tensors.extend(columns.map(|(name, values)| (name.to_string(), values.clone())));
    }

    pub fn load(&mut self, state: &LearnerState) -> Result<(), String> {
        let seen = state.counter("replay.seen")?;
        let rows = seen.min(self.capacity as u64) as usize;
        for (name, width, column) in self.columns() {
            column.clear();
            column.extend_from_slice(state.tensor(name, rows * width)?);
        }
        self.seen = seen;
        Ok(())
    }
}

/// Writes row `row` of a column, or appends it if it is the next row.
fn put(column: &mut Vec<f32>, row: usize, values: &[f32]) {
    let from = row * values.len();
    if from == column.len() {
        column.extend_from_slice(values);
    } else {
        column[from..from + values.len()].copy_from_slice(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode<'a>(obs: &'a [f32], latents: &'a [f32], terminated: bool) -> Experience<'a> {
        let (obs, final_obs) = obs.split_at(obs.len() - 1);
        Experience { obs, final_obs, latents, log_probs: latents, terminated }
    }

    #[test]
    fn the_ring_keeps_the_newest_and_knows_what_followed() {
        let mut replay = Replay::new(4, 1, 1);
        replay.push(&episode(&[1.0, 2.0, 3.0], &[0.5, -0.5], true), &[10.0, 20.0], 0.1);
        assert_eq!(replay.next_obs, [2.0, 3.0]);
        assert_eq!(replay.actions, [0.5f32.tanh(), -0.5f32.tanh()]);
        assert_eq!(replay.scores, [1.0, 2.0]);
        assert_eq!(replay.bootstraps, [1.0, 0.0], "terminated: nothing follows");
        // Three more: the fifth step lies where the first was.
        replay.push(&episode(&[4.0, 5.0, 6.0, 7.0], &[0.0; 3], false), &[30.0, 40.0, 50.0], 0.1);
        assert_eq!(replay.obs, [6.0, 2.0, 4.0, 5.0]);
        assert_eq!(replay.next_obs, [7.0, 3.0, 5.0, 6.0]);
        assert_eq!(replay.scores, [5.0, 2.0, 3.0, 4.0]);
        assert_eq!(replay.bootstraps, [1.0, 0.0, 1.0, 1.0], "cut by the clock: what follows counts");
        assert_eq!((replay.len(), replay.seen()), (4, 5));
    }

    #[test]
    fn new_scores_reach_the_newest_steps_in_order() {
        let mut replay = Replay::new(4, 1, 1);
        replay.push(&episode(&[0.0; 6], &[0.0; 5], false), &[1.0, 2.0, 3.0, 4.0, 5.0], 1.0);
        // Steps 1 to 4 are left, in rows 1 2 3 0; two scores reach the last two of them.
        replay.relabel(&[8.0, 9.0], 2.0);
        assert_eq!(replay.scores, [18.0, 2.0, 3.0, 16.0]);
        // More scores than steps: the scores of overwritten steps are ignored.
        replay.relabel(&[0.0, 1.0, 2.0, 3.0, 4.0], 1.0);
        assert_eq!(replay.scores, [4.0, 1.0, 2.0, 3.0]);
    }
}
