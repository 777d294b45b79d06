//! Self-play: the win proportion of a trajectory is its reward (Swamy et al. 2024, Algorithm 1).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::kinds::Census;
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

impl Placement {
    /// Pays `share` out over the `steps` steps of a window, behind `scores`. What is earned after the trajectory's end
    /// is its last step's.
    pub(super) fn pay(self, share: f64, steps: usize, scores: &mut Vec<f32>) {
        match self {
            _ if steps == 0 => scores.last_mut().into_iter().for_each(|last| *last += share as f32),
            Self::Spread => scores.extend(std::iter::repeat_n((share / steps as f64) as f32, steps)),
            Self::Last => {
                scores.extend(std::iter::repeat_n(0.0, steps - 1));
                scores.push(share as f32);
            }
        }
    }
}

/// Win proportions against the opponents, paid out over the steps.
///
/// A trajectory's scores sum to its win proportion whatever its length. With windows of n steps, aligned windows
/// are compared instead of whole trajectories, and the scores sum to the mean of the windows' win proportions. All of
/// a state have as many windows as the longest: those after a trajectory's end are empty, and are paid on its last
/// step, so that an early end is judged by what it forgoes and not by its length. Two empty windows tie unasked.
/// Where nobody answered, the win proportion is ½.
///
/// With optimism it is 2 w_t − w_{t−1}, w_{t−1} against all trajectories of the iteration before: what optimistic Hedge
/// plays, whose last iterate converges where opponents move in cycles (Rakhlin & Sridharan 2013; Daskalakis & Panageas
/// 2019).
pub struct SelfPlay {
    oracle: Counted,
    opponents: Opponents,
    placement: Placement,
    /// Steps a window; `None` compares whole trajectories.
    window: Option<usize>,
    optimistic: bool,
    /// Whether the queue is this iteration's opponents, each for the trajectories of its own state.
    given: bool,
    /// Of the opponents; with optimism, the last iteration's trajectories.
    queue: VecDeque<Episode>,
}

/// A window of an episode of the rollout, or the whole of it.
#[derive(Clone, Copy)]
struct Segment {
    episode: usize,
    window: usize,
}

/// Which of the oracle's kinds segments and their opponents are.
struct Kinds {
    /// Of the segments.
    own: Vec<usize>,
    /// Of the queue, by window.
    theirs: BTreeMap<usize, Vec<usize>>,
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
        Self { oracle, opponents, placement, window, optimistic: false, given: false, queue: VecDeque::new() }
    }

    /// With optimism or without; it is for opponents of the same iteration.
    #[must_use]
    pub fn optimistic(mut self, optimistic: bool) -> Self {
        self.optimistic = optimistic;
        self
    }

    /// How many windows `steps` steps have; a whole trajectory is one.
    fn count(&self, steps: usize) -> usize {
        self.window.map_or(1, |width| steps.div_ceil(width))
    }

    /// The steps of a window of an episode of `steps` steps; none of them after its end.
    fn range(&self, window: usize, steps: usize) -> Range<usize> {
        self.window.map_or(0..steps, |width| (window * width).min(steps)..((window + 1) * width).min(steps))
    }

    fn view<'a>(&self, episode: &'a Episode, window: usize) -> Trajectory<'a> {
        let range = self.range(window, episode.len());
        episode.window(range.start, range.end)
    }

    /// Every window of every episode, as many an episode as `count` says.
    fn segments(rollout: &Rollout, count: impl Fn(usize) -> usize) -> Vec<Segment> {
        (0..rollout.episodes.len())
            .flat_map(|episode| (0..count(episode)).map(move |window| Segment { episode, window }))
            .collect()
    }

    /// Windows of the longest of `episodes`.
    fn most<'a>(&self, episodes: impl IntoIterator<Item = &'a Episode>) -> usize {
        episodes.into_iter().map(|e| self.count(e.len())).max().unwrap_or(0)
    }

    /// Win proportions within each group, window by window; every answer counts for both sides.
    fn against_group(&mut self, batch: &Batch<'_>, segments: &[Segment]) -> Result<Vec<f64>, OracleError> {
        let rollout = batch.rollout;
        let mut groups: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (at, s) in segments.iter().enumerate() {
            groups.entry((s.episode / rollout.per_state, s.window)).or_default().push(at);
        }
        let views: Vec<_> =
            segments.iter().map(|s| self.view(&rollout.episodes[s.episode], s.window)).collect();
        if self.opponents == Opponents::Group
            && let Some(utilities) = self.oracle.utilities(views.iter().copied())
        {
            return self.ranked_in_groups(groups.into_values(), &views, &utilities);
        }
        if self.opponents == Opponents::Group
            && let Some(kinds) = self.oracle.kinds(views.iter().copied())
        {
            return self.counted_in_groups(batch, groups.into_values(), &views, &kinds);
        }
        let mut rng = stream(batch.seed, Stream("opponent"), batch.iteration, 0);
        let met: Vec<(usize, usize)> = groups
            .values()
            .flat_map(|members| match self.opponents {
                Opponents::Sampled(m) => sampled_pairs(members, m, &mut rng),
                _ => all_pairs(members),
            })
            .collect();
        let pairs: Vec<_> = met.iter().map(|&(i, j)| Pair { a: views[i], b: views[j] }).collect();
        let mut wins = vec![Wins::default(); segments.len()];
        for (&(i, j), answer) in met.iter().zip(self.ask(batch, &pairs, 0)?) {
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
        views: &[Trajectory<'_>],
        utilities: &[f64],
    ) -> Result<Vec<f64>, OracleError> {
        let mut proportions = vec![0.5; utilities.len()];
        let mut decided = Decided::default();
        for members in groups {
            let ranking = Ranking::new(members.iter().map(|&at| (utilities[at], views[at].is_empty())));
            for &at in &members {
                let contestant = (utilities[at], views[at].is_empty());
                proportions[at] = ranking.proportion(contestant, true, &mut decided);
            }
        }
        // Each pair was met from both of its sides.
        self.oracle.count_decided(Decided { asked: decided.asked / 2, tied: decided.tied / 2 })?;
        Ok(proportions)
    }

    /// What all pairs would give: a group is counted by kind.
    fn counted_in_groups(
        &mut self,
        batch: &Batch<'_>,
        groups: impl Iterator<Item = Vec<usize>>,
        views: &[Trajectory<'_>],
        kinds: &[usize],
    ) -> Result<Vec<f64>, OracleError> {
        let mut rng = stream(batch.seed, Stream("oracle"), batch.iteration, 0);
        let mut proportions = vec![0.5; kinds.len()];
        let mut decided = Decided::default();
        for members in groups {
            let census = Census::new(&members, |member| kinds[member]);
            let pairs: Vec<_> = census.pairs().map(|(i, j)| Pair { a: views[i], b: views[j] }).collect();
            let answers = self.oracle.between_kinds(&pairs, &mut rng)?;
            let won = census.proportions(&answers, &mut decided);
            members.iter().zip(won).for_each(|(&member, w)| proportions[member] = w);
        }
        self.oracle.count_decided(decided)?;
        Ok(proportions)
    }

    /// Which of the queue a segment meets.
    fn met(&self, s: &Segment, batch: &Batch<'_>, queue: &VecDeque<Episode>) -> Range<usize> {
        let per_state = batch.rollout.per_state;
        let state = s.episode / per_state;
        if self.given { state * per_state..(state + 1) * per_state } else { 0..queue.len() }
    }

    /// Win proportions against the queue as it was before this iteration.
    ///
    /// In the first iteration the queue is filled with its own trajectories, and none is compared with itself.
    fn against_queue(
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
        let mut decided = Decided::default();
        let proportions = (segments.iter().zip(views).zip(utilities))
            .map(|((s, view), utility)| {
                // The first iteration's trajectories are the queue's.
                let one_of_them = first && s.episode < queue.len();
                let ranking = &rankings[&(s.window, self.met(s, batch, queue).start)];
                ranking.proportion((utility, view.is_empty()), one_of_them, &mut decided)
            })
            .collect();
        Some(self.oracle.count_decided(decided).map(|()| proportions))
    }

    /// The kinds of the segments and of the queue, where the oracle has kinds.
    fn kinds_in_queue(
        &self,
        segments: &[Segment],
        views: &[Trajectory<'_>],
        queue: &VecDeque<Episode>,
    ) -> Option<Kinds> {
        let own = self.oracle.kinds(views.iter().copied())?;
        let mut theirs = BTreeMap::new();
        for s in segments {
            if let Entry::Vacant(window) = theirs.entry(s.window) {
                window.insert(self.oracle.kinds(queue.iter().map(|e| self.view(e, s.window)))?);
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
        let mut rng = stream(batch.seed, Stream("oracle"), batch.iteration, u64::from(self.optimistic));
        let (mut proportions, mut decided) = (Vec::with_capacity(own.len()), Decided::default());
        for ((s, view), kind) in segments.iter().zip(views).zip(own) {
            let met = self.met(s, batch, queue);
            let count = met.len() as u64;
            let place = match known.entry((s.window, kind, met.start)) {
                Entry::Occupied(place) => place.into_mut(),
                Entry::Vacant(place) => {
                    let mut kinds: BTreeMap<usize, (usize, u64)> = BTreeMap::new();
                    let there = theirs[&s.window][met.clone()].iter().zip(met);
                    there.for_each(|(&kind, at)| kinds.entry(kind).or_insert((at, 0)).1 += 1);
                    let pairs: Vec<_> = (kinds.values())
                        .map(|&(at, _)| Pair { a: *view, b: self.view(&queue[at], s.window) })
                        .collect();
                    let answers = self.oracle.between_kinds(&pairs, &mut rng)?;
                    let (mut won, mut tied) = (0.0, 0);
                    for (p, &(_, of_kind)) in answers.into_iter().zip(kinds.values()) {
                        won += f64::from(p) * of_kind as f64 / count as f64;
                        tied += if p == 0.5 { of_kind } else { 0 };
                    }
                    place.insert((won, tied))
                }
            };
            proportions.push(place.0);
            decided.asked += count;
            decided.tied += place.1;
        }
        self.oracle.count_decided(decided)?;
        Ok(proportions)
    }

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
        // Optimism asks a second time in an iteration.
        let round = u64::from(self.optimistic);
        for (at, answer) in met.into_iter().zip(self.ask(batch, &pairs, round)?) {
            if let Answer::Prefer(p) = answer {
                wins[at].add(p);
            }
        }
        Ok(wins.into_iter().map(Wins::proportion).collect())
    }

    /// The oracle's answers; what compares nothing with nothing is a tie, and no question.
    fn ask(&mut self, batch: &Batch<'_>, pairs: &[Pair<'_>], round: u64) -> Result<Vec<Answer>, OracleError> {
        let mut rng = stream(batch.seed, Stream("oracle"), batch.iteration, round);
        let real = |p: &&Pair<'_>| !(p.a.is_empty() && p.b.is_empty());
        let asked: Vec<_> = pairs.iter().filter(real).copied().collect();
        let mut answers = self.oracle.ask(&asked, &mut rng)?.into_iter();
        let answer = |p: &Pair<'_>| if real(&p) { answers.next() } else { Some(Answer::Prefer(0.5)) };
        Ok(pairs.iter().map_while(answer).collect())
    }
}

impl Scorer for SelfPlay {
    fn score(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>, OracleError> {
        let rollout = batch.rollout;
        let (segments, proportions) = match self.opponents {
            _ if self.given => {
                let most = self.most(rollout.episodes.iter().chain(&self.queue));
                let segments = Self::segments(rollout, |_| most);
                let proportions = self.against_queue(batch, &segments, false);
                (self.given, self.queue) = (false, VecDeque::new());
                (segments, proportions?)
            }
            Opponents::Queue(size) => {
                let first = self.queue.is_empty();
                if first {
                    self.queue.extend(rollout.episodes.iter().take(size).cloned());
                }
                let most = self.most(rollout.episodes.iter().chain(&self.queue));
                let segments = Self::segments(rollout, |_| most);
                let proportions = self.against_queue(batch, &segments, first)?;
                if !first {
                    self.queue.extend(rollout.episodes.iter().cloned());
                    let excess = self.queue.len().saturating_sub(size);
                    self.queue.drain(..excess);
                }
                (segments, proportions)
            }
            Opponents::Group | Opponents::Sampled(_) => {
                // Nothing is learned from a validation, and it is of no iteration.
                let looks_back = self.optimistic && batch.iteration != Batch::VALIDATION;
                let before = if looks_back { self.most(&self.queue) } else { 0 };
                let groups = rollout.episodes.chunks(rollout.per_state);
                let most: Vec<usize> = groups.map(|group| self.most(group).max(before)).collect();
                let segments = Self::segments(rollout, |episode| most[episode / rollout.per_state]);
                let mut proportions = self.against_group(batch, &segments)?;
                if looks_back && !self.queue.is_empty() {
                    let former = self.against_queue(batch, &segments, false)?;
                    proportions.iter_mut().zip(former).for_each(|(now, before)| *now = 2.0 * *now - before);
                }
                if looks_back {
                    self.queue = rollout.episodes.iter().cloned().collect();
                }
                (segments, proportions)
            }
        };
        let mut windows = vec![0; rollout.episodes.len()];
        segments.iter().for_each(|s| windows[s.episode] += 1);
        let mut scores: Vec<f32> = Vec::with_capacity(rollout.steps());
        for (s, w) in segments.iter().zip(proportions) {
            let share = w / windows[s.episode] as f64;
            let steps = self.range(s.window, rollout.episodes[s.episode].len()).len();
            self.placement.pay(share, steps, &mut scores);
        }
        Ok(scores)
    }

    fn meet(&mut self, opponents: Rollout) {
        (self.given, self.queue) = (true, opponents.episodes.into());
    }

    fn queries(&self) -> Queries {
        self.oracle.queries()
    }

    fn save(&mut self) -> Result<ScorerState, OracleError> {
        Ok(ScorerState {
            queries: self.oracle.queries(),
            log_bytes: self.oracle.sync_log()?,
            queue: self.queue.iter().cloned().collect(),
            ..ScorerState::default()
        })
    }

    fn load(&mut self, state: ScorerState) -> Result<(), String> {
        self.oracle.restore(state.queries);
        self.queue = state.queue.into();
        Ok(())
    }
}
