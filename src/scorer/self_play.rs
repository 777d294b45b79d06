//! Self-play: the win proportion of a trajectory is its reward (Swamy et al. 2024, Algorithm 1).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::ranking::Ranking;
use super::{Batch, Scorer, ScorerState};
use crate::opponents::{Opponents, all_pairs, sampled_pairs};
use crate::oracle::counted::Decided;
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
        let of =
            |at: usize| rollout.episodes[segments[at].episode].window(segments[at].from, segments[at].to);
        if self.opponents == Opponents::Group
            && let Some(utilities) = self.oracle.utilities((0..segments.len()).map(of))
        {
            let groups = groups.into_iter().map(|(_, members)| members);
            return self.ranked_in_groups(groups, &utilities);
        }
        let mut rng = stream(batch.seed, Stream("opponent"), batch.iteration, 0);
        let met: Vec<(usize, usize)> = groups
            .iter()
            .flat_map(|(_, members)| match self.opponents {
                Opponents::Sampled(m) => sampled_pairs(members, m, &mut rng),
                _ => all_pairs(members),
            })
            .collect();
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

    /// What all pairs would give: a group's utilities are sorted.
    fn ranked_in_groups(
        &mut self,
        groups: impl Iterator<Item = Vec<usize>>,
        utilities: &[f64],
    ) -> Result<Vec<f64>, OracleError> {
        let mut proportions = vec![0.5; utilities.len()];
        let mut decided = Decided::default();
        for members in groups {
            let ranking = Ranking::new(members.iter().map(|&at| utilities[at]).collect());
            for &at in &members {
                proportions[at] = ranking.proportion(utilities[at], true, &mut decided);
            }
        }
        // Each pair was met from both of its sides.
        self.oracle.count_decided(Decided { asked: decided.asked / 2, tied: decided.tied / 2 })?;
        Ok(proportions)
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
        let proportions = match self.ranked_in_queue(rollout, segments, &queue, first) {
            Some(ranked) => ranked,
            None => self.asked_in_queue(batch, segments, &queue, first),
        };
        self.queue = queue;
        let proportions = proportions?;
        if !first {
            self.queue.extend(rollout.episodes.iter().cloned());
            let excess = self.queue.len().saturating_sub(size);
            self.queue.drain(..excess);
        }
        Ok(proportions)
    }

    /// What all comparisons with the queue would give: its utilities are sorted, window by window.
    fn ranked_in_queue(
        &mut self,
        rollout: &Rollout,
        segments: &[Segment],
        queue: &VecDeque<Episode>,
        first: bool,
    ) -> Option<Result<Vec<f64>, OracleError>> {
        let own = segments.iter().map(|s| rollout.episodes[s.episode].window(s.from, s.to));
        let utilities = self.oracle.utilities(own)?;
        let mut rankings: BTreeMap<usize, Ranking> = BTreeMap::new();
        for s in segments {
            if let Entry::Vacant(place) = rankings.entry(s.window) {
                let there = queue.iter().filter(|o| s.from < o.len()).map(|o| self.same_window(s, o));
                place.insert(Ranking::new(self.oracle.utilities(there)?));
            }
        }
        let mut decided = Decided::default();
        let proportions = (segments.iter().zip(utilities))
            .map(|(s, utility)| {
                // The first iteration's trajectories are the queue's.
                let one_of_them = first && s.episode < queue.len();
                rankings[&s.window].proportion(utility, one_of_them, &mut decided)
            })
            .collect();
        Some(self.oracle.count_decided(decided).map(|()| proportions))
    }

    fn asked_in_queue(
        &mut self,
        batch: &Batch<'_>,
        segments: &[Segment],
        queue: &VecDeque<Episode>,
        first: bool,
    ) -> Result<Vec<f64>, OracleError> {
        let rollout = batch.rollout;
        let (mut met, mut pairs) = (Vec::new(), Vec::new());
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
        for (at, answer) in met.into_iter().zip(self.ask(batch, &pairs)?) {
            if let Answer::Prefer(p) = answer {
                wins[at].add(p);
            }
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
