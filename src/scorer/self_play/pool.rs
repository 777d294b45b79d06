//! Win proportions against a pool of trajectories that are not the batch's own groups.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::{Questions, Segment, Wins};
use crate::base::random::Stream;
use crate::oracle::metered::DerivedCounts;
use crate::oracle::{Answer, OracleError, Pair};
use crate::rollout::{Episode, Rollout, Trajectory};
use crate::scorer::equivalence::EquivalenceClasses;
use crate::scorer::ranking::Ranking;

/// The trajectories that segments are compared with.
pub(super) struct Pool<'a> {
    episodes: Vec<&'a Episode>,
    /// Whether a trajectory is compared only with the pool's trajectories of its own state, K of each, and not with all.
    by_state: bool,
    /// Whether the pool is the first of the batch's own trajectories, none of which is compared with itself.
    own: bool,
    /// Tells these questions apart from others about the same batch.
    round: u64,
}

impl<'a> Pool<'a> {
    /// A queue of trajectories; a queue that was filled with this batch's own is `own`.
    pub fn queue(queue: &'a VecDeque<Episode>, own: bool) -> Self {
        Self { episodes: queue.iter().collect(), by_state: false, own, round: 0 }
    }

    /// All trajectories of the previous iteration, beside questions about the group.
    pub fn previous(episodes: &'a [Episode]) -> Self {
        Self { episodes: episodes.iter().collect(), by_state: false, own: false, round: 1 }
    }

    /// Opponents that were rolled out apart from the batch's own initial states.
    pub fn by_state(opponents: &'a Rollout) -> Self {
        Self { episodes: opponents.episodes.iter().collect(), by_state: true, own: false, round: 1 }
    }
}

/// The equivalence classes of segments and of their opponents.
struct Classes {
    /// Of the segments.
    own: Vec<usize>,
    /// Of the pool, by window.
    theirs: BTreeMap<usize, Vec<usize>>,
}

impl Questions<'_> {
    /// The places in the pool of a segment's opponents.
    fn opponents(&self, s: &Segment, pool: &Pool<'_>) -> Range<usize> {
        let per_state = self.batch.rollout.per_state;
        let state = s.episode / per_state;
        if pool.by_state { state * per_state..(state + 1) * per_state } else { 0..pool.episodes.len() }
    }

    /// Win proportions against the pool, window by window.
    pub(super) fn against_pool(
        &mut self,
        segments: &[Segment],
        pool: &Pool<'_>,
    ) -> Result<Vec<f64>, OracleError> {
        let views = self.views(segments);
        if let Some(ranked) = self.ranked_in_pool(segments, &views, pool) {
            return ranked;
        }
        match self.classes_in_pool(segments, &views, pool) {
            Some(classes) if !pool.own => self.counted_in_pool(segments, &views, pool, classes),
            _ => self.asked_in_pool(segments, &views, pool),
        }
    }

    /// What all comparisons with the pool would give, by sorting its utilities window by window.
    fn ranked_in_pool(
        &mut self,
        segments: &[Segment],
        views: &[Trajectory<'_>],
        pool: &Pool<'_>,
    ) -> Option<Result<Vec<f64>, OracleError>> {
        let utilities = self.oracle.utilities(views.iter().copied())?;
        let mut rankings: BTreeMap<(usize, usize), Ranking> = BTreeMap::new();
        for s in segments {
            let opponents = self.opponents(s, pool);
            if let Entry::Vacant(place) = rankings.entry((s.window, opponents.start)) {
                let episodes = &pool.episodes[opponents];
                let there = || episodes.iter().map(|opponent| self.windows.view(opponent, s.window));
                let utilities = self.oracle.utilities(there())?;
                place.insert(Ranking::new(utilities.into_iter().zip(there().map(|t| t.is_empty()))));
            }
        }
        let mut decided = DerivedCounts::default();
        let proportions = (segments.iter().zip(views).zip(utilities))
            .map(|((s, view), utility)| {
                let one_of_them = pool.own && s.episode < pool.episodes.len();
                let ranking = &rankings[&(s.window, self.opponents(s, pool).start)];
                ranking.proportion((utility, view.is_empty()), one_of_them, &mut decided)
            })
            .collect();
        Some(self.oracle.count_derived(decided).map(|()| proportions))
    }

    /// The classes of the segments and of the pool, if the oracle has such classes.
    fn classes_in_pool(
        &self,
        segments: &[Segment],
        views: &[Trajectory<'_>],
        pool: &Pool<'_>,
    ) -> Option<Classes> {
        let own = self.oracle.classes(views.iter().copied())?;
        let mut theirs = BTreeMap::new();
        for s in segments {
            if let Entry::Vacant(window) = theirs.entry(s.window) {
                let there = pool.episodes.iter().map(|e| self.windows.view(e, s.window));
                window.insert(self.oracle.classes(there)?);
            }
        }
        Some(Classes { own, theirs })
    }

    /// What all comparisons with the pool would give, from one answer for each pair of classes.
    fn counted_in_pool(
        &mut self,
        segments: &[Segment],
        views: &[Trajectory<'_>],
        pool: &Pool<'_>,
        Classes { own, theirs }: Classes,
    ) -> Result<Vec<f64>, OracleError> {
        // By window, own class and the place of the opponents: the win proportion, and how many comparisons tie.
        let mut known: BTreeMap<(usize, usize, usize), (f64, u64)> = BTreeMap::new();
        let mut rng = self.batch.stream(Stream("oracle"), pool.round);
        let (mut proportions, mut decided) = (Vec::with_capacity(own.len()), DerivedCounts::default());
        for ((s, view), class) in segments.iter().zip(views).zip(own) {
            let opponents = self.opponents(s, pool);
            let count = opponents.len() as u64;
            let &mut (won, tied) = match known.entry((s.window, class, opponents.start)) {
                Entry::Occupied(place) => place.into_mut(),
                Entry::Vacant(place) => {
                    let there = &theirs[&s.window];
                    let classes = EquivalenceClasses::new(opponents, |at| there[at]);
                    let members =
                        classes.representatives().map(|at| self.windows.view(pool.episodes[at], s.window));
                    let pairs: Vec<_> = members.map(|b| Pair { a: *view, b }).collect();
                    let answers = self.oracle.between_classes(&pairs, &mut rng)?;
                    place.insert(classes.against(&answers))
                }
            };
            proportions.push(won);
            decided.asked += count;
            decided.tied += tied;
        }
        self.oracle.count_derived(decided)?;
        Ok(proportions)
    }

    /// Every opponent of the pool, one question each.
    fn asked_in_pool(
        &mut self,
        segments: &[Segment],
        views: &[Trajectory<'_>],
        pool: &Pool<'_>,
    ) -> Result<Vec<f64>, OracleError> {
        let (mut asked, mut pairs) = (Vec::new(), Vec::new());
        for (at, (s, &a)) in segments.iter().zip(views).enumerate() {
            for place in self.opponents(s, pool) {
                if !(pool.own && place == s.episode) {
                    asked.push(at);
                    pairs.push(Pair { a, b: self.windows.view(pool.episodes[place], s.window) });
                }
            }
        }
        let mut wins = vec![Wins::default(); segments.len()];
        for (at, answer) in asked.into_iter().zip(self.ask(&pairs, pool.round)?) {
            if let Answer::Prefer(p) = answer {
                wins[at].add(p);
            }
        }
        Ok(wins.into_iter().map(Wins::proportion).collect())
    }
}
