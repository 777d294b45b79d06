//! Self-play: the win proportion of a trajectory is its reward (Swamy et al. 2024, Algorithm 1).

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batch, Scored, Scorer, ScorerState};
use crate::base::random::Stream;
use crate::oracle::{Answer, MeteredOracle, OracleError, Pair, Queries};
use crate::rollout::{Episode, Rollout, Trajectory, Windows};
use crate::scorer::opponents::Opponents;
use pool::Pool;

mod group;
mod pool;

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

    /// Which pairs are compared, in words, of `group`: the trajectories that an iteration rolls out from one state.
    pub fn pairs(&self, group: &str) -> String {
        let unit = match self.window {
            0 => "whole trajectories".to_string(),
            steps => format!("aligned windows of {steps} steps"),
        };
        match self.opponents {
            _ if self.mixture_coef > 0.0 => format!(
                "{unit} of {group}, each with those of a mixture of the policy and the reference policy"
            ),
            _ if self.extragradient => {
                format!("{unit} of {group}, each with those of the policy after a look-ahead update")
            }
            Opponents::Group if self.optimism => {
                format!("all pairs of {unit} among {group}, and with all of the previous iteration")
            }
            Opponents::Group => format!("all pairs of {unit} among {group}"),
            Opponents::Sampled(m) => format!("{unit}, each with {m} others drawn at random among {group}"),
            Opponents::Queue(b) => format!("{unit}, each with those of the last {b} trajectories"),
        }
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
/// step, so that an early end is judged by what it forgoes and not by its length. Two empty windows tie, and the oracle is not
/// asked. Without any answer the win proportion is ½.
///
/// With optimism it is 2 w_t − w_{t−1}, w_{t−1} against all trajectories of the iteration before: what optimistic Hedge
/// plays, whose last iterate converges where opponents move in cycles (Rakhlin & Sridharan 2013; Daskalakis & Panageas
/// 2019).
pub struct SelfPlay {
    oracle: MeteredOracle,
    opponents: Opponents,
    placement: Placement,
    windows: Windows,
    optimistic: bool,
    /// The newest trajectories, oldest first, of [`Opponents::Queue`].
    queue: VecDeque<Episode>,
    /// The previous iteration's trajectories, with optimism.
    previous: Vec<Episode>,
}

/// A window of an episode of the rollout, or the whole of it.
#[derive(Clone, Copy)]
struct Segment {
    episode: usize,
    window: usize,
}

impl Segment {
    /// Every window of every episode, as many for an episode as `count` says.
    fn all(rollout: &Rollout, count: impl Fn(usize) -> usize) -> Vec<Self> {
        (0..rollout.episodes.len())
            .flat_map(|episode| (0..count(episode)).map(move |window| Self { episode, window }))
            .collect()
    }
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

/// Who answers about a batch, and how its trajectories are cut.
struct Questions<'a> {
    oracle: &'a mut MeteredOracle,
    windows: Windows,
    batch: &'a Batch<'a>,
}

impl<'a> Questions<'a> {
    /// The segments as the oracle sees them.
    fn views(&self, segments: &[Segment]) -> Vec<Trajectory<'a>> {
        let episodes = &self.batch.rollout.episodes;
        segments.iter().map(|s| self.windows.view(&episodes[s.episode], s.window)).collect()
    }

    /// The oracle's answers; two empty windows tie, and are no question. `round` tells several askings of a batch apart.
    fn ask(&mut self, pairs: &[Pair<'_>], round: u64) -> Result<Vec<Answer>, OracleError> {
        let mut rng = self.batch.stream(Stream("oracle"), round);
        let real = |p: &&Pair<'_>| !(p.a.is_empty() && p.b.is_empty());
        let asked: Vec<_> = pairs.iter().filter(real).copied().collect();
        let mut answers = self.oracle.ask(&asked, &mut rng)?.into_iter();
        let answer = |p: &Pair<'_>| if real(&p) { answers.next() } else { Some(Answer::Prefer(0.5)) };
        Ok(pairs.iter().map_while(answer).collect())
    }
}

impl SelfPlay {
    /// Scores by `oracle`'s answers, as a configuration says.
    pub fn from_config(config: &SelfPlayConfig, oracle: MeteredOracle) -> Self {
        Self::new(oracle, config.opponents, config.placement, config.window_steps())
            .optimistic(config.optimism)
    }

    /// Scores by `oracle`'s answers; `window` is the length of a compared window, `None` compares whole trajectories.
    pub fn new(
        oracle: MeteredOracle,
        opponents: Opponents,
        placement: Placement,
        window: Option<usize>,
    ) -> Self {
        Self {
            oracle,
            opponents,
            placement,
            windows: Windows::new(window),
            optimistic: false,
            queue: VecDeque::new(),
            previous: Vec::new(),
        }
    }

    /// The oracle that is asked.
    pub(crate) fn oracle(&mut self) -> &mut MeteredOracle {
        &mut self.oracle
    }

    /// With optimism or without; it is for opponents of the same iteration.
    #[must_use]
    pub fn optimistic(mut self, optimistic: bool) -> Self {
        self.optimistic = optimistic;
        self
    }

    /// Where win proportions are paid out.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// What is compared.
    pub fn windows(&self) -> Windows {
        self.windows
    }

    /// Whether opponents are the whole group and nothing of another iteration.
    pub fn compares_within_groups_alone(&self) -> bool {
        self.opponents == Opponents::Group && !self.optimistic
    }

    /// The batch's segments and their win proportions.
    fn win_proportions(&mut self, batch: &Batch<'_>) -> Result<(Vec<Segment>, Vec<f64>), OracleError> {
        let Self { oracle, opponents, windows, optimistic, queue, previous, .. } = self;
        let (rollout, windows) = (batch.rollout, *windows);
        let mut questions = Questions { oracle, windows, batch };
        if let Some(given) = batch.opponents {
            let most = windows.most(rollout.episodes.iter().chain(&given.episodes));
            let segments = Segment::all(rollout, |_| most);
            let proportions = questions.against_pool(&segments, &Pool::by_state(given))?;
            return Ok((segments, proportions));
        }
        match *opponents {
            Opponents::Queue(size) => {
                let first = queue.is_empty();
                if first {
                    queue.extend(rollout.episodes.iter().take(size).cloned());
                }
                let most = windows.most(rollout.episodes.iter().chain(&*queue));
                let segments = Segment::all(rollout, |_| most);
                let proportions = questions.against_pool(&segments, &Pool::queue(queue, first))?;
                if !first {
                    queue.extend(rollout.episodes.iter().cloned());
                    let excess = queue.len().saturating_sub(size);
                    queue.drain(..excess);
                }
                Ok((segments, proportions))
            }
            Opponents::Group | Opponents::Sampled(_) => {
                // A validation is of no iteration, so it has no previous one, and the next iteration does not look back at it.
                let looks_back = *optimistic && !batch.is_validation();
                let before = if looks_back { windows.most(&*previous) } else { 0 };
                let groups = rollout.episodes.chunks(rollout.per_state);
                let most: Vec<usize> = groups.map(|group| windows.most(group).max(before)).collect();
                let segments = Segment::all(rollout, |episode| most[episode / rollout.per_state]);
                let mut proportions = questions.against_group(&segments, *opponents)?;
                if looks_back && !previous.is_empty() {
                    let former = questions.against_pool(&segments, &Pool::previous(previous))?;
                    proportions.iter_mut().zip(former).for_each(|(now, before)| *now = 2.0 * *now - before);
                }
                if looks_back {
                    *previous = rollout.episodes.clone();
                }
                Ok((segments, proportions))
            }
        }
    }
}

impl Scorer for SelfPlay {
    fn score(&mut self, batch: &Batch<'_>) -> Result<Scored, OracleError> {
        let rollout = batch.rollout;
        let (segments, proportions) = self.win_proportions(batch)?;
        let mut windows = vec![0; rollout.episodes.len()];
        segments.iter().for_each(|s| windows[s.episode] += 1);
        let mut scores: Vec<f32> = Vec::with_capacity(rollout.steps());
        for (s, w) in segments.iter().zip(proportions) {
            let share = w / windows[s.episode] as f64;
            let steps = self.windows.range(s.window, rollout.episodes[s.episode].len()).len();
            self.placement.pay(share, steps, &mut scores);
        }
        Ok(scores.into())
    }

    fn queries(&self) -> Queries {
        self.oracle.queries()
    }

    fn save(&mut self) -> Result<ScorerState, OracleError> {
        Ok(ScorerState {
            queries: self.oracle.queries(),
            log_bytes: self.oracle.sync_log()?,
            episodes: self.queue.iter().chain(&self.previous).cloned().collect(),
            ..ScorerState::default()
        })
    }

    fn load(&mut self, state: ScorerState) -> Result<(), String> {
        self.oracle.restore(state.queries);
        match self.optimistic {
            true => self.previous = state.episodes,
            false => self.queue = state.episodes.into(),
        }
        Ok(())
    }
}
