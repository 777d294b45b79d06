//! Self-play: the win proportion of a trajectory is its reward (Swamy et al. 2024, Algorithm 1).

use std::collections::VecDeque;
use std::ops::Range;

#[cfg(feature = "burn")]
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batch, Scorer, ScorerState};
use crate::base::random::{Stream, stream};
#[cfg(feature = "burn")]
use crate::device::rollout;
use crate::oracle::{Answer, MeteredOracle, OracleError, Pair, Queries};
use crate::rollout::{Episode, Rollout, Trajectory};
use crate::scorer::opponents::Opponents;

mod group;
mod queue;

/// Where in a trajectory (or window) its win proportion is paid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Self-play's section of a configuration: opponents, windows, and variants of the update rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SelfPlayConfig {
    /// The opponents of a trajectory: the others from its state (`group`), M of them (`sampled=M`), or the last B
    /// trajectories of earlier iterations (`queue=B`).
    #[schemars(extend("expected" = "group, sampled=M or queue=B"))]
    pub opponents: Opponents,
    /// Steps in a compared window; windows are aligned. 0 compares whole trajectories.
    pub window: usize,
    /// Where in a trajectory its win proportion is paid out.
    pub placement: Placement,
    /// Whether the score is 2 w_t − w_{t−1}, with w_{t−1} against all trajectories of the iteration before. The last policy
    /// then does not move in a circle.
    #[schemars(extend("source" = "Daskalakis & Panageas 2019"))]
    pub optimism: bool,
    /// Whether opponents are rolled out apart, from the same states, by the policy that an update on this iteration would
    /// give. The last policy then does not move in a circle. This is proved for the steps of Hedge, which
    /// `ppo.policy_loss = "sppo"` makes, and not for PPO's.
    #[schemars(extend("source" = "Korpelevich 1976"))]
    pub extragradient: bool,
    /// β, the share of the reference policy in the opponents, which are then rolled out apart, from the same states. With
    /// `kl_coef` this is Nash-MD. 0 means that opponents are those of `opponents`.
    #[schemars(range(min = 0, max = 1), extend("source" = "Munos et al. 2024"))]
    pub mixture_coef: f32,
}

impl Default for SelfPlayConfig {
    fn default() -> Self {
        Self {
            opponents: Opponents::Group,
            window: 10,
            placement: Placement::Spread,
            optimism: false,
            extragradient: false,
            mixture_coef: 0.0,
        }
    }
}

impl SelfPlayConfig {
    /// Steps in a window; `None` compares whole trajectories.
    pub fn window_steps(&self) -> Option<usize> {
        Some(self.window).filter(|&steps| steps > 0)
    }

    /// Whether an iteration rolls opponents out apart.
    pub fn rolls_out_opponents(&self) -> bool {
        self.mixture_coef > 0.0 || self.extragradient
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
    oracle: MeteredOracle,
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
    pub fn new(
        oracle: MeteredOracle,
        opponents: Opponents,
        placement: Placement,
        window: Option<usize>,
    ) -> Self {
        Self { oracle, opponents, placement, window, optimistic: false, given: false, queue: VecDeque::new() }
    }

    /// Who is asked.
    pub(crate) fn oracle(&mut self) -> &mut MeteredOracle {
        &mut self.oracle
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

    #[cfg(feature = "burn")]
    fn score_on_device(&mut self, rollout: &resident::Rollout) -> Option<Result<Tensor<2>, OracleError>> {
        let alone = self.opponents == Opponents::Group && !self.optimistic && !self.given;
        if !alone || !self.oracle.by_return() {
            return None;
        }
        let (scores, decided) = resident::win_proportions(rollout, self.window, self.placement);
        Some(self.oracle.count_derived(decided).map(|()| scores))
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
