//! Self-play: the win proportion of a trajectory is its reward (Swamy et al. 2024, Algorithm 1).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Batch, Scorer, ScorerState};
use crate::opponents::{Opponents, all_pairs, sampled_pairs};
use crate::oracle::{Answer, Counted, OracleError, Pair, Queries};
use crate::random::{Stream, stream};
use crate::rollout::{Episode, Rollout, Trajectory};

/// Where in a trajectory (or window) its win proportion is paid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// In equal parts on every step: w / T.
    #[default]
    Spread,
    /// Whole on the last step.
    Last,
}

/// Win proportions against the opponents, paid out over the steps.
///
/// A trajectory's scores sum to its win proportion whatever its length. With windows of n steps, aligned windows
/// are compared instead of whole trajectories, and the scores sum to the mean of the windows' win proportions.
/// Where nobody answered, the win proportion is ½.
pub struct SelfPlay {
    oracle: Counted,
    opponents: Opponents,
    placement: Placement,
    /// Steps a window; `None` compares whole trajectories.
    window: Option<usize>,
    queue: VecDeque<Episode>,
}

/// Steps `from..to` of an episode of the rollout.
#[derive(Clone, Copy)]
struct Segment {
    episode: usize,
    window: usize,
    from: usize,
    to: usize,
}

/// A running win proportion.
#[derive(Clone, Copy, Default)]
struct Wins {
    sum: f64,
    answers: u32,
}

impl Wins {
    fn add(&mut self, p: f32) {
        self.sum += f64::from(p);
        self.answers += 1;
    }

    fn proportion(self) -> f64 {
        if self.answers == 0 { 0.5 } else { self.sum / f64::from(self.answers) }
    }
}

impl SelfPlay {
    /// Scores by `oracle`'s answers.
    pub fn new(oracle: Counted, opponents: Opponents, placement: Placement, window: Option<usize>) -> Self {
        Self { oracle, opponents, placement, window, queue: VecDeque::new() }
    }

    /// The aligned windows of every episode, or each episode whole.
    fn segments(&self, rollout: &Rollout) -> Vec<Segment> {
        let mut segments = Vec::new();
        for (episode, e) in rollout.episodes.iter().enumerate() {
            let width = self.window.unwrap_or(e.len()).max(1);
            for (window, from) in (0..e.len()).step_by(width).enumerate() {
                segments.push(Segment { episode, window, from, to: (from + width).min(e.len()) });
            }
        }
        segments
    }

    /// Win proportions within each group, window by window; every answer counts for both sides.
    fn against_group(&mut self, batch: &Batch<'_>, segments: &[Segment]) -> Result<Vec<f64>, OracleError> {
        let rollout = batch.rollout;
        let mut groups: Vec<((usize, usize), Vec<usize>)> = Vec::new();
        for (at, s) in segments.iter().enumerate() {
            let key = (s.episode / rollout.per_state, s.window);
            match groups.binary_search_by_key(&key, |(key, _)| *key) {
                Ok(found) => groups[found].1.push(at),
                Err(place) => groups.insert(place, (key, vec![at])),
            }
        }
        let mut rng = stream(batch.seed, Stream("opponent"), batch.iteration, 0);
        let met: Vec<(usize, usize)> = groups
            .iter()
            .flat_map(|(_, members)| match self.opponents {
                Opponents::Sampled(m) => sampled_pairs(members, m, &mut rng),
                _ => all_pairs(members),
            })
            .collect();
        let of =
            |at: usize| rollout.episodes[segments[at].episode].window(segments[at].from, segments[at].to);
        let pairs: Vec<Pair<'_>> = met.iter().map(|&(i, j)| Pair { a: of(i), b: of(j) }).collect();
        let mut wins = vec![Wins::default(); segments.len()];
        for (&(i, j), answer) in met.iter().zip(self.ask(batch, &pairs)?) {
            if let Answer::Prefer(p) = answer {
                wins[i].add(p);
                wins[j].add(1.0 - p);
            }
        }
        Ok(wins.into_iter().map(Wins::proportion).collect())
    }

    /// Win proportions against the queue as it was before this iteration.
    ///
    /// The first iteration meets an empty queue: it is filled with that iteration's own trajectories, and no
    /// trajectory is compared with itself.
    fn against_queue(
        &mut self,
        batch: &Batch<'_>,
        segments: &[Segment],
        size: usize,
    ) -> Result<Vec<f64>, OracleError> {
        let rollout = batch.rollout;
        let first = self.queue.is_empty();
        if first {
            self.queue.extend(rollout.episodes.iter().take(size).cloned());
        }
        let queue = std::mem::take(&mut self.queue);
        let mut met = Vec::new();
        let mut pairs = Vec::new();
        for (at, s) in segments.iter().enumerate() {
            let a = rollout.episodes[s.episode].window(s.from, s.to);
            for (place, opponent) in queue.iter().enumerate() {
                if (first && place == s.episode) || s.from >= opponent.len() {
                    continue;
                }
                met.push(at);
                pairs.push(Pair { a, b: self.same_window(s, opponent) });
            }
        }
        let mut wins = vec![Wins::default(); segments.len()];
        let answers = self.ask(batch, &pairs);
        drop(pairs);
        self.queue = queue;
        for (at, answer) in met.into_iter().zip(answers?) {
            if let Answer::Prefer(p) = answer {
                wins[at].add(p);
            }
        }
        if !first {
            self.queue.extend(rollout.episodes.iter().cloned());
            let excess = self.queue.len().saturating_sub(size);
            self.queue.drain(..excess);
        }
        Ok(wins.into_iter().map(Wins::proportion).collect())
    }

    /// The part of `opponent` that stands against a segment: its aligned window, or the whole of it.
    fn same_window<'a>(&self, segment: &Segment, opponent: &'a Episode) -> Trajectory<'a> {
        match self.window {
            None => opponent.trajectory(),
            Some(width) => opponent.window(segment.from, (segment.from + width).min(opponent.len())),
        }
    }

    fn ask(&mut self, batch: &Batch<'_>, pairs: &[Pair<'_>]) -> Result<Vec<Answer>, OracleError> {
        let mut rng = stream(batch.seed, Stream("oracle"), batch.iteration, 0);
        self.oracle.ask(pairs, &mut rng)
    }
}

impl Scorer for SelfPlay {
    fn score(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>, OracleError> {
        let segments = self.segments(batch.rollout);
        let proportions = match self.opponents {
            Opponents::Queue(size) => self.against_queue(batch, &segments, size)?,
            Opponents::Group | Opponents::Sampled(_) => self.against_group(batch, &segments)?,
        };
        let mut windows = vec![0; batch.rollout.episodes.len()];
        segments.iter().for_each(|s| windows[s.episode] += 1);
        let mut scores = Vec::with_capacity(batch.rollout.steps());
        for (s, w) in segments.iter().zip(proportions) {
            let (share, steps) = (w / windows[s.episode] as f64, s.to - s.from);
            match self.placement {
                Placement::Spread => scores.extend(std::iter::repeat_n((share / steps as f64) as f32, steps)),
                Placement::Last => {
                    scores.extend(std::iter::repeat_n(0.0, steps - 1));
                    scores.push(share as f32);
                }
            }
        }
        Ok(scores)
    }

    fn queries(&self) -> Queries {
        self.oracle.queries()
    }

    fn save(&mut self) -> Result<ScorerState, OracleError> {
        Ok(ScorerState {
            queries: self.oracle.queries(),
            log_bytes: self.oracle.sync_log()?,
            queue: self.queue.iter().cloned().collect(),
        })
    }

    fn load(&mut self, state: ScorerState) {
        self.oracle.restore(state.queries);
        self.queue = state.queue.into();
    }
}
