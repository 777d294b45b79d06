//! Self-play for a learner with a replay buffer: past trajectories get new scores whenever the queue of opponents changes.

use std::collections::VecDeque;
use std::ops::Range;

use super::self_play::Placement;
use super::{Batch, Scored, Scorer, ScorerState};
use crate::base::random::Stream;
use crate::oracle::{Answer, MeteredOracle, OracleError, Pair, Queries};
use crate::rollout::{Episode, Windows};

/// Win proportions against a queue of the last B trajectories, for new trajectories and for those still in the replay buffer.
///
/// No pair is queried twice: an answer is stored while both trajectories are needed, and counts for both. So an
/// iteration costs one comparison of each trajectory in the buffer with each new member of the queue.
pub struct Relabelled {
    oracle: MeteredOracle,
    /// B
    size: usize,
    placement: Placement,
    windows: Windows,
    /// Capacity of the learner's replay buffer, in steps.
    replay: usize,
    /// The stored trajectories, oldest first. The last ones are the queue.
    past: VecDeque<Past>,
    /// The indices of the queue's members in `past`.
    queue: Range<usize>,
}

/// A trajectory and the known answers about it.
struct Past {
    episode: Episode,
    /// For each member of the queue in order: P(own ≻ the member's) of each window up to the end of the longer trajectory. NaN
    /// means that the oracle abstained, an empty list is the trajectory itself, and `None` means not queried yet.
    answers: VecDeque<Option<Vec<f32>>>,
}

impl Relabelled {
    /// A scorer against the last `size` trajectories, for a replay buffer of `replay` steps. `window` is the length of a compared
    /// window in steps; `None` compares whole trajectories.
    pub fn new(
        oracle: MeteredOracle,
        size: usize,
        placement: Placement,
        window: Option<usize>,
        replay: usize,
    ) -> Self {
        let windows = Windows::new(window);
        Self { oracle, size, placement, windows, replay, past: VecDeque::new(), queue: 0..0 }
    }

    /// The number of windows of the longest of `those`.
    fn most(&self, those: impl Iterator<Item = usize>) -> usize {
        self.windows.most(those.map(|at| &self.past[at].episode))
    }

    /// The number of windows in which `a` and `b` are compared; 0 if they are the same trajectory.
    fn common(&self, a: usize, b: usize) -> usize {
        if a == b { 0 } else { self.most([a, b].into_iter()) }
    }

    /// The known answer about `a` against `b`, stored with either of the two.
    fn known(&self, a: usize, b: usize) -> Option<Vec<f32>> {
        let given = |of: usize, to: usize| {
            let place = to.checked_sub(self.queue.start)?;
            self.past[of].answers.get(place)?.as_ref()
        };
        match (given(a, b), given(b, a)) {
            _ if a == b => Some(Vec::new()),
            (Some(own), _) => Some(own.clone()),
            (None, Some(theirs)) => Some(theirs.iter().map(|p| 1.0 - p).collect()),
            (None, None) => None,
        }
    }

    /// Queries the unknown comparisons of `those` with the queue.
    fn ask(&mut self, those: Range<usize>, batch: &Batch<'_>, round: u64) -> Result<(), OracleError> {
        let mut open = Vec::new();
        for a in those.clone() {
            for b in self.queue.clone() {
                // If both would query the same pair, only the first does.
                let asked = self.queue.contains(&a) && those.contains(&b) && b < a;
                if !asked && self.known(a, b).is_none() {
                    open.push((a, b));
                }
            }
        }
        let lengths: Vec<usize> = open.iter().map(|&(a, b)| self.common(a, b)).collect();
        let view = |at: usize, window: usize| self.windows.view(&self.past[at].episode, window);
        let pairs: Vec<Pair<'_>> = (open.iter().zip(&lengths))
            .flat_map(|(&(a, b), &length)| (0..length).map(move |w| (a, b, w)))
            .map(|(a, b, w)| Pair { a: view(a, w), b: view(b, w) })
            .collect();
        let mut rng = batch.stream(Stream("oracle"), round);
        let mut answers = self.oracle.ask(&pairs, &mut rng)?.into_iter().map(|answer| match answer {
            Answer::Prefer(p) => p,
            Answer::Abstain => f32::NAN,
        });
        let rows: Vec<Vec<f32>> =
            lengths.into_iter().map(|length| answers.by_ref().take(length).collect()).collect();
        let start = self.queue.start;
        for ((a, b), row) in open.into_iter().zip(rows) {
            self.past[a].answers[b - start] = Some(row);
        }
        for a in those {
            for b in self.queue.clone() {
                if self.past[a].answers[b - start].is_none() {
                    self.past[a].answers[b - start] = self.known(a, b);
                }
            }
        }
        Ok(())
    }

    /// The scores of the steps of `those`, each with `most` windows.
    fn pay(&self, those: Range<usize>, most: usize) -> Vec<f32> {
        let mut scores: Vec<f32> = Vec::new();
        for at in those {
            for w in 0..most {
                // Windows after the end of both trajectories tie.
                let rows = self.past[at].answers.iter().flatten().filter(|row| !row.is_empty());
                let answers = rows.map(|row| row.get(w).copied().unwrap_or(0.5)).filter(|p| !p.is_nan());
                let (sum, n) = answers.fold((0.0, 0.0), |(sum, n), p| (sum + f64::from(p), n + 1.0));
                let share = if n == 0.0 { 0.5 } else { sum / n } / most as f64;
                self.placement.pay(
                    share,
                    self.windows.range(w, self.past[at].episode.len()).len(),
                    &mut scores,
                );
            }
        }
        scores
    }

    /// The scores of all stored trajectories against the current queue.
    fn renewed(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>, OracleError> {
        let all = 0..self.past.len();
        self.ask(all.clone(), batch, 1)?;
        Ok(self.pay(all.clone(), self.most(all)))
    }

    /// Makes the last B trajectories the queue. Answers about new members against the old queue are stored for both sides.
    fn move_queue(&mut self) {
        let end = self.past.len();
        let queue = end.saturating_sub(self.size)..end;
        let joined = queue.start.max(self.queue.end)..end;
        let gone = queue.start - self.queue.start;
        let known: Vec<Vec<_>> =
            (0..end).map(|a| joined.clone().map(|b| self.known(a, b)).collect()).collect();
        for (past, known) in self.past.iter_mut().zip(known) {
            past.answers.drain(..gone.min(past.answers.len()));
            past.answers.extend(known);
        }
        self.queue = queue;
    }

    /// Drops the trajectories that are neither in the replay buffer nor in the queue nor among the last `new` ones.
    fn forget(&mut self, new: usize) {
        let mut steps: usize = self.past.iter().map(|p| p.episode.len()).sum();
        while self.queue.start > 0
            && self.past.len() > new
            && steps - self.past[0].episode.len() >= self.replay
        {
            steps -= self.past[0].episode.len();
            self.past.pop_front();
            self.queue = self.queue.start - 1..self.queue.end - 1;
        }
    }
}

impl Scorer for Relabelled {
    fn score(&mut self, batch: &Batch<'_>) -> Result<Scored, OracleError> {
        let episodes = &batch.rollout.episodes;
        let new = self.past.len()..self.past.len() + episodes.len();
        let unknown = VecDeque::from(vec![None; self.queue.len()]);
        // Do not store columns that only a learner reads.
        self.past.extend(episodes.iter().map(|e| Past {
            episode: Episode { latents: Vec::new(), log_probs: Vec::new(), ..e.clone() },
            answers: unknown.clone(),
        }));
        // The first iteration is compared with itself. Later ones are compared with the queue of earlier iterations.
        if new.start == 0 {
            self.move_queue();
        }
        self.ask(new.clone(), batch, 0)?;
        let scores = self.pay(new.clone(), self.most(new.chain(self.queue.clone())));
        self.move_queue();
        self.forget(episodes.len());
        // The learner does not learn from a validation, so past steps need no new scores.
        let renewed = if batch.is_validation() { None } else { Some(self.renewed(batch)?) };
        Ok(Scored { scores, renewed, ..Scored::default() })
    }

    fn queries(&self) -> Queries {
        self.oracle.queries()
    }

    fn save(&mut self) -> Result<ScorerState, OracleError> {
        Ok(ScorerState {
            queries: self.oracle.queries(),
            log_bytes: self.oracle.sync_log()?,
            episodes: self.past.iter().map(|p| p.episode.clone()).collect(),
            answers: self.past.iter().flat_map(|p| p.answers.iter().flatten().flatten().copied()).collect(),
            model: None,
        })
    }

    fn load(&mut self, state: ScorerState) -> Result<(), String> {
        self.oracle.restore(state.queries);
        let mut rest = state.answers.into_iter();
        let fresh = |episode| Past { episode, answers: VecDeque::new() };
        self.past = state.episodes.into_iter().map(fresh).collect();
        self.queue = 0..0;
        self.move_queue();
        for at in 0..self.past.len() {
            for (place, member) in self.queue.clone().enumerate() {
                let length = self.common(at, member);
                let row: Vec<f32> = rest.by_ref().take(length).collect();
                self.past[at].answers[place] = (row.len() == length).then_some(row);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::{Rollout, Trajectory};

    fn scorer(size: usize, replay: usize, window: Option<usize>) -> Relabelled {
        let judge = |a: Trajectory<'_>, b: Trajectory<'_>| match a.task_return().total_cmp(&b.task_return()) {
            std::cmp::Ordering::Less => 0.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Greater => 1.0,
        };
        Relabelled::new(MeteredOracle::new(Box::new(judge), None), size, Placement::Last, window, replay)
    }

    /// One iteration; the scores at collection and those of all stored trajectories.
    fn iterate(scorer: &mut Relabelled, iteration: u64, rewards: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let episode = |rewards: &&[f32]| Episode {
            obs: vec![0.0; rewards.len()],
            final_obs: vec![0.0],
            actions: vec![0.0; rewards.len()],
            rewards: rewards.to_vec(),
            costs: vec![0.0; rewards.len()],
            ..Episode::default()
        };
        let rollout = Rollout { episodes: rewards.iter().map(episode).collect(), per_state: 1 };
        let scored = scorer.score(&Batch::training(&rollout, 0, iteration)).unwrap();
        (scored.scores, scored.renewed.unwrap())
    }

    #[test]
    fn past_trajectories_are_scored_against_the_queue_of_today_and_no_pair_is_asked_twice() {
        let mut scorer = scorer(2, 100, None);
        // 1 and 3 are the queue and are compared with each other: one comparison for both.
        assert_eq!(iterate(&mut scorer, 0, &[&[1.0], &[3.0]]), (vec![0.0, 1.0], vec![0.0, 1.0]));
        assert_eq!(scorer.queries().asked, 1);
        // 2 is compared with 1 and 3: ½. The queue is now 3, 2. New scores: 1 loses to both; 3 beats 2; 2 loses to 3. Only 2
        // against 1 and 3 was queried; these answers also count for 1 and 3.
        assert_eq!(iterate(&mut scorer, 1, &[&[2.0]]), (vec![0.5], vec![0.0, 1.0, 0.0]));
        assert_eq!(scorer.queries().asked, 3);
        // 4 is compared with 3 and 2: 1. The queue is 2, 4: 1 loses to both, 3 beats only 2, 2 loses to 4, 4 beats 2. Only
        // 1 against 4 is a new query; the answers about 3 and 2 against 4 are known.
        assert_eq!(iterate(&mut scorer, 2, &[&[4.0]]), (vec![1.0], vec![0.0, 0.5, 0.0, 1.0]));
        assert_eq!(scorer.queries().asked, 3 + 2 + 1);
    }

    #[test]
    fn what_left_replay_is_forgotten_and_windows_are_compared_up_to_the_end_of_the_longer() {
        let mut scorer = scorer(1, 3, Some(1));
        iterate(&mut scorer, 0, &[&[1.0, 5.0]]);
        // Windows against 1, 5 and nothing, which is worth 0: lost, won, won. Each pays a third of its proportion.
        let third = 1.0 / 3.0;
        let (new, all) = iterate(&mut scorer, 1, &[&[0.0, 6.0, 9.0]]);
        assert_eq!(new, [0.0, third, third]);
        // The buffer holds three steps: the first trajectory is gone. The newest is the whole queue, so it has no opponent.
        assert_eq!(all, [0.5 * third; 3]);
        assert_eq!(scorer.queries().asked, 3);
        // Shorter than the queue's 0, 6, 9: won, lost, and the third, lost after the end, is paid on the last step.
        assert_eq!(iterate(&mut scorer, 2, &[&[2.0, 1.0]]).0, [third, 0.0]);
    }

    #[test]
    fn a_saved_scorer_continues() {
        let runs: [&[&[f32]]; 3] = [&[&[1.0, 0.0], &[3.0, 1.0]], &[&[2.0, 2.0]], &[&[0.5, 4.0, 1.0]]];
        let (mut whole, mut halves) = (scorer(2, 100, Some(1)), scorer(2, 100, Some(1)));
        for (at, rewards) in runs.iter().enumerate() {
            assert_eq!(iterate(&mut whole, at as u64, rewards), iterate(&mut halves, at as u64, rewards));
            let state = halves.save().unwrap();
            halves = scorer(2, 100, Some(1));
            halves.load(state).unwrap();
        }
        assert_eq!(whole.queries(), halves.queries());
    }
}
