//! Win proportions against a queue of trajectories.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::{Segment, SelfPlay, Wins};
use crate::base::random::{Stream, stream};
use crate::oracle::metered::DerivedCounts;
use crate::oracle::{Answer, OracleError, Pair};
use crate::rollout::{Episode, Trajectory};
use crate::scorer::Batch;
use crate::scorer::equivalence::EquivalenceClasses;
use crate::scorer::ranking::Ranking;

/// Which of the oracle's kinds segments and their opponents are.
struct Kinds {
    /// Of the segments.
    own: Vec<usize>,
    /// Of the queue, by window.
    theirs: BTreeMap<usize, Vec<usize>>,
}

impl SelfPlay {
    /// Which of the queue a segment meets.
    fn met(&self, s: &Segment, batch: &Batch<'_>, queue: &VecDeque<Episode>) -> Range<usize> {
        let per_state = batch.rollout.per_state;
        let state = s.episode / per_state;
        if self.given { state * per_state..(state + 1) * per_state } else { 0..queue.len() }
    }

    /// Win proportions against the queue as it was before this iteration.
    ///
    /// In the first iteration the queue is filled with its own trajectories, and none is compared with itself.
    pub(super) fn against_queue(
        &mut self,
        batch: &Batch<'_>,
        segments: &[Segment],
        first: bool,
    ) -> Result<Vec<f64>, OracleError> {
        let rollout = batch.rollout;
        let queue = std::mem::take(&mut self.queue);
        let views: Vec<_> =
            segments.iter().map(|s| self.view(&rollout.episodes[s.episode], s.window)).collect();
        let proportions = match self.ranked_in_queue(batch, segments, &views, &queue, first) {
            Some(ranked) => ranked,
            None => match self.kinds_in_queue(segments, &views, &queue) {
                Some(kinds) if !first => self.counted_in_queue(batch, segments, &views, &queue, kinds),
                _ => self.asked_in_queue(batch, segments, &views, &queue, first),
            },
        };
        self.queue = queue;
        proportions
    }

    /// What all comparisons with the queue would give: its utilities are sorted, window by window.
    fn ranked_in_queue(
        &mut self,
        batch: &Batch<'_>,
        segments: &[Segment],
        views: &[Trajectory<'_>],
        queue: &VecDeque<Episode>,
        first: bool,
    ) -> Option<Result<Vec<f64>, OracleError>> {
        let utilities = self.oracle.utilities(views.iter().copied())?;
        let mut rankings: BTreeMap<(usize, usize), Ranking> = BTreeMap::new();
        for s in segments {
            let met = self.met(s, batch, queue);
            if let Entry::Vacant(place) = rankings.entry((s.window, met.start)) {
                let there = || queue.range(met.clone()).map(|opponent| self.view(opponent, s.window));
                let utilities = self.oracle.utilities(there())?;
                place.insert(Ranking::new(utilities.into_iter().zip(there().map(|t| t.is_empty()))));
            }
        }
        let mut decided = DerivedCounts::default();
        let proportions = (segments.iter().zip(views).zip(utilities))
            .map(|((s, view), utility)| {
                // The first iteration's trajectories are the queue's.
                let one_of_them = first && s.episode < queue.len();
                let ranking = &rankings[&(s.window, self.met(s, batch, queue).start)];
                ranking.proportion((utility, view.is_empty()), one_of_them, &mut decided)
            })
            .collect();
        Some(self.oracle.count_derived(decided).map(|()| proportions))
    }

    /// The kinds of the segments and of the queue, where the oracle has kinds.
    fn kinds_in_queue(
        &self,
        segments: &[Segment],
        views: &[Trajectory<'_>],
        queue: &VecDeque<Episode>,
    ) -> Option<Kinds> {
        let own = self.oracle.classes(views.iter().copied())?;
        let mut theirs = BTreeMap::new();
        for s in segments {
            if let Entry::Vacant(window) = theirs.entry(s.window) {
                window.insert(self.oracle.classes(queue.iter().map(|e| self.view(e, s.window)))?);
            }
        }
        Some(Kinds { own, theirs })
    }

    /// What all comparisons with the queue would give: every kind is asked about each once.
    fn counted_in_queue(
        &mut self,
        batch: &Batch<'_>,
        segments: &[Segment],
        views: &[Trajectory<'_>],
        queue: &VecDeque<Episode>,
        Kinds { own, theirs }: Kinds,
    ) -> Result<Vec<f64>, OracleError> {
        // By window, own kind and the place of those who are met: the win proportion, and how many of them tie.
        let mut known: BTreeMap<(usize, usize, usize), (f64, u64)> = BTreeMap::new();
        let mut rng = stream(batch.seed, Stream("oracle"), batch.iteration, self.round());
        let (mut proportions, mut decided) = (Vec::with_capacity(own.len()), DerivedCounts::default());
        for ((s, view), kind) in segments.iter().zip(views).zip(own) {
            let met = self.met(s, batch, queue);
            let count = met.len() as u64;
            let &mut (won, tied) = match known.entry((s.window, kind, met.start)) {
                Entry::Occupied(place) => place.into_mut(),
                Entry::Vacant(place) => {
                    let there = &theirs[&s.window];
                    let census = EquivalenceClasses::new(met, |at| there[at]);
                    let opponents = census.kinds().map(|at| self.view(&queue[at], s.window));
                    let pairs: Vec<_> = opponents.map(|b| Pair { a: *view, b }).collect();
                    let answers = self.oracle.between_classes(&pairs, &mut rng)?;
                    place.insert(census.against(&answers))
                }
            };
            proportions.push(won);
            decided.asked += count;
            decided.tied += tied;
        }
        self.oracle.count_derived(decided)?;
        Ok(proportions)
    }

    /// Which asking of the iteration it is: optimism asks about the group too, and so may who was given opponents.
    fn round(&self) -> u64 {
        u64::from(self.optimistic || self.given)
    }

    /// Every opponent of the queue, one question each.
    fn asked_in_queue(
        &mut self,
        batch: &Batch<'_>,
        segments: &[Segment],
        views: &[Trajectory<'_>],
        queue: &VecDeque<Episode>,
        first: bool,
    ) -> Result<Vec<f64>, OracleError> {
        let (mut met, mut pairs) = (Vec::new(), Vec::new());
        for (at, (s, &a)) in segments.iter().zip(views).enumerate() {
            for place in self.met(s, batch, queue) {
                if !(first && place == s.episode) {
                    met.push(at);
                    pairs.push(Pair { a, b: self.view(&queue[place], s.window) });
                }
            }
        }
        let mut wins = vec![Wins::default(); segments.len()];
        for (at, answer) in met.into_iter().zip(self.ask(batch, &pairs, self.round())?) {
            if let Answer::Prefer(p) = answer {
                wins[at].add(p);
            }
        }
        Ok(wins.into_iter().map(Wins::proportion).collect())
    }
}
