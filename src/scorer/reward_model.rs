//! An iterated reward model, the baseline of self-play (RLHF; Christiano et al. 2017, B-Pref, imitation).
//!
//! Every round queries pairs of segments of recent trajectories and fits a [`RewardModel`] to the stored answers. The score of a
//! step is its predicted reward.
//!
//! - `schedule`: how many comparisons to query;
//! - `queries`: which pairs;
//! - `answers`: whether an answer is for the fit, held out, or for the second model;
//! - `novelty`: rewards before the first round;
//! - `split`: a second model of half of the answers.
//!
//! With rounds of deployed policies (Bai et al. 2022, section 4.5), a round queries pairs of their trajectories instead, and the
//! model does not change until the next round.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::Rng;
use spo_envs::Spec;

use super::{Batch, HeldOut, ModelCounts, ModelReport, Scored, Scorer, ScorerState, SplitScores};
use crate::base::random::Stream;
use crate::oracle::{Answer, MeteredOracle, OracleError, Pair, Queries, SafetyQuery};
use crate::policy::normalizer::Normalizer;
use crate::policy::state::LearnerState;
use crate::rollout::{Episode, Rollout, Trajectory};
use crate::scorer::reward_model::model::assess::Assessment;
use crate::scorer::reward_model::model::{Comparison, RewardModel, Segment};
use answers::{Answered, Part};
pub use config::{RewardModelConfig, RunSize};
use queries::Clip;
use schedule::Schedule;
use split::Split;

mod answers;
mod config;
pub mod model;
mod novelty;
pub mod queries;
pub mod schedule;
mod split;

/// Pairs are chosen among at least this many of the newest trajectories (B-Pref's buffer).
const POOL: usize = 100;

/// Scores by a reward model that is fitted again every round.
///
/// The budget of comparisons is spread over the run. When it is used up, training continues and the model no longer changes.
/// Before the first answer, scores are 0. A round without any answer does not change the model; such rounds are counted.
///
/// Comparisons of segments of the same length do not determine the mean of the reward: adding a constant to the reward of every
/// step gives the same predictions. Standardised scores set the mean to 0. This matters if episodes can end early, because
/// the mean then decides whether long episodes are good, and the comparisons do not say so.
pub struct IteratedRewardModel {
    oracle: MeteredOracle,
    model: RewardModel,
    /// The second model, if the answers are split.
    split: Option<Split>,
    config: RewardModelConfig,
    schedule: Schedule,
    /// Whether the oracle judges safety and the model predicts costs.
    of_costs: bool,
    /// Capacity of the learner's replay buffer in steps; `None` if it has none.
    replay: Option<usize>,
    /// Episodes by number, oldest first: recent ones, those in the replay buffer, and those with an answered comparison.
    episodes: BTreeMap<u64, Episode>,
    /// The answered comparisons, oldest first.
    answered: VecDeque<Answered>,
    /// Mean and spread of the predicted rewards of recent trajectories at the last fit or, before the first round, of all
    /// novelties.
    stats: Normalizer,
    counts: Counts,
}

/// The results of one fit.
struct Fitted {
    loss: Option<f32>,
    assessment: Assessment,
    held_out: Vec<HeldOut>,
}

/// Counts of what happened so far.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// Steps scored.
    steps: u64,
    /// Iterations since the end of pre-training.
    iterations: u64,
    /// Number of answers since the start of the run.
    answers: u64,
    /// Rounds of comparisons, rounds without an answer, and members that diverged.
    rounds: u64,
    unanswered: u64,
    restarts: u64,
}

impl Counts {
    fn named(&mut self) -> [(&'static str, &mut u64); 6] {
        [
            ("steps", &mut self.steps),
            ("iterations", &mut self.iterations),
            ("answers", &mut self.answers),
            ("rounds", &mut self.rounds),
            ("unanswered", &mut self.unanswered),
            ("restarts", &mut self.restarts),
        ]
    }
}

/// A trajectory as the model sees it.
fn segment<'a>(t: &Trajectory<'a>) -> Segment<'a> {
    Segment { obs: t.obs, actions: t.actions }
}

impl IteratedRewardModel {
    /// A scorer with a model of `oracle`'s answers, for a learner with a replay buffer of `replay` steps, or without one.
    pub fn new(
        oracle: MeteredOracle,
        spec: &Spec,
        config: RewardModelConfig,
        schedule: Schedule,
        replay: Option<usize>,
        seed: u64,
    ) -> Self {
        Self {
            oracle,
            split: config.split.then(|| Split::new(spec, config.clone(), seed)),
            model: RewardModel::new(spec, config.clone(), seed),
            config,
            schedule,
            of_costs: false,
            replay,
            episodes: BTreeMap::new(),
            answered: VecDeque::new(),
            stats: Normalizer::identity(1),
            counts: Counts::default(),
        }
    }

    /// A model of costs instead of rewards: the oracle judges which segment is safer, and whether each is safe (Safe RLHF:
    /// Dai et al. 2023, section 3.2). A cost above 0 means unsafe, so predictions should not be standardised.
    #[must_use]
    pub fn of_costs(mut self) -> Self {
        self.of_costs = true;
        self
    }

    /// The current model.
    pub fn model(&self) -> &RewardModel {
        &self.model
    }

    /// Numbers of the newest episodes, oldest first.
    fn newest(&self, count: usize) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.episodes.keys().rev().take(count).copied().collect();
        numbers.reverse();
        numbers
    }

    /// Stores the iteration's episodes without the columns that only a learner reads.
    fn remember(&mut self, episodes: &[Episode]) {
        let next = self.episodes.keys().next_back().map_or(0, |last| last + 1);
        for (number, e) in (next..).zip(episodes) {
            self.model.observe(segment(&e.trajectory()));
            if let Some(split) = &mut self.split {
                split.model.observe(segment(&e.trajectory()));
            }
            let kept = Episode { latents: Vec::new(), log_probs: Vec::new(), ..e.clone() };
            self.episodes.insert(number, kept);
        }
    }

    /// Drops episodes that are not recent, not in the replay buffer, and in no comparison.
    fn forget(&mut self, pool: usize) {
        let recent = self.newest(pool).first().copied().unwrap_or(0);
        let first = recent.min(self.replay_start());
        let compared: BTreeSet<u64> =
            self.answered.iter().flat_map(|a| a.clips.map(|clip| clip.episode)).collect();
        self.episodes.retain(|number, _| *number >= first || compared.contains(number));
    }

    /// The oldest episode with a step that may still be in the replay buffer.
    fn replay_start(&self) -> u64 {
        let mut steps = 0;
        let fits = |e: &&(u64, usize)| {
            let within = self.replay.is_some_and(|replay| steps < replay);
            steps += e.1;
            within
        };
        let lengths: Vec<(u64, usize)> = self.episodes.iter().rev().map(|(n, e)| (*n, e.len())).collect();
        lengths.iter().take_while(fits).last().map_or(u64::MAX, |e| e.0)
    }

    /// A round that compares trajectories of deployed policies.
    fn round_about(&mut self, deployed: &Rollout, batch: &Batch<'_>) -> Result<Option<Fitted>, OracleError> {
        self.remember(&deployed.episodes);
        let pool = self.newest(deployed.episodes.len());
        let due = self.schedule.due_at_deployment(self.counts.rounds, self.oracle.queries().asked);
        let fitted = self.round(batch, &pool, due)?;
        self.forget(pool.len());
        Ok(fitted)
    }

    /// Queries `due` comparisons, stores the answers, and fits the model; `None` without a fit.
    fn round(&mut self, batch: &Batch<'_>, pool: &[u64], due: u64) -> Result<Option<Fitted>, OracleError> {
        let candidates: Vec<(u64, &Episode)> = pool.iter().map(|n| (*n, &self.episodes[n])).collect();
        let mut rng = batch.stream(Stream("query"), 0);
        let length = Some(self.config.segment_length).filter(|&steps| steps > 0);
        let sampling = self.config.query_sampling;
        let clips = queries::choose(&candidates, due as usize, length, sampling, &self.model, &mut rng);
        if clips.is_empty() {
            return Ok(None);
        }
        let view = |clip: Clip| self.episodes[&clip.episode].window(clip.from, clip.to);
        let pairs: Vec<Pair<'_>> = clips.iter().map(|&[a, b]| Pair { a: view(a), b: view(b) }).collect();
        let mut rng = batch.stream(Stream("oracle"), 0);
        let answers = self.oracle.ask(&pairs, &mut rng)?;
        let signs = if self.of_costs { self.signs(&clips, &mut rng)? } else { vec![[0.0; 2]; clips.len()] };
        self.counts.rounds += 1;
        let before = self.counts.answers;
        for ((clips, answer), signs) in clips.into_iter().zip(answers).zip(signs) {
            if let Answer::Prefer(p) = answer {
                let p = if self.of_costs { 1.0 - p } else { p };
                let part = Part::of_answer(
                    self.counts.answers,
                    f64::from(self.config.held_out_share),
                    self.config.split,
                );
                self.counts.answers += 1;
                self.answered.push_back(Answered { clips, p, part, signs });
            }
        }
        if self.counts.answers == before {
            self.counts.unanswered += 1;
            return Ok(None);
        }
        let excess = self.answered.len().saturating_sub(self.config.dataset_size);
        self.answered.drain(..excess);
        Ok(self.fit(pool))
    }

    /// The oracle's verdict on each side of the pairs: 1 unsafe, −1 safe, 0 no verdict.
    fn signs(&mut self, pairs: &[[Clip; 2]], rng: &mut dyn Rng) -> Result<Vec<[f32; 2]>, OracleError> {
        let shown = |clip: Clip| {
            let episode = &self.episodes[&clip.episode];
            let trajectory = episode.window(clip.from, clip.to);
            SafetyQuery { trajectory, share: trajectory.len() as f64 / episode.len() as f64 }
        };
        let all: Vec<SafetyQuery<'_>> = pairs.iter().flatten().map(|&clip| shown(clip)).collect();
        let verdicts = self.oracle.verdicts(&all, rng)?;
        let sign = |verdict: Option<bool>| verdict.map_or(0.0, |safe| if safe { -1.0 } else { 1.0 });
        Ok(verdicts.as_chunks::<2>().0.iter().map(|&[a, b]| [sign(a), sign(b)]).collect())
    }

    /// Fits the model to the stored answers; `None` if no answer is for training.
    fn fit(&mut self, pool: &[u64]) -> Option<Fitted> {
        let Self { answered, episodes, model, split, .. } = self;
        let view = |clip: Clip| segment(&episodes[&clip.episode].window(clip.from, clip.to));
        let comparisons = |part: Part| -> Vec<Comparison<'_>> {
            let those = answered.iter().filter(|a| a.part == part);
            let one = |&Answered { clips: [a, b], p, signs, .. }: &Answered| Comparison {
                a: view(a),
                b: view(b),
                p,
                signs,
            };
            those.map(one).collect()
        };
        let trained = comparisons(Part::Train);
        if trained.is_empty() {
            return None;
        }
        let fit = model.fit(&trained);
        let predicted = model.predict(&comparisons(Part::HeldOut));
        let assessment = Assessment::new(&predicted);
        let round = self.counts.rounds;
        let held_out = (predicted.iter())
            .map(|c| HeldOut { round, score_a: c.score_a, score_b: c.score_b, p_a_wins: c.p })
            .collect();
        self.stats = Normalizer::identity(1);
        for number in pool {
            self.stats.update(&model.rewards(segment(&episodes[number].trajectory())));
        }
        let mut restarts = fit.restarts;
        if let Some(split) = split {
            let pool: Vec<&Episode> = pool.iter().map(|number| &episodes[number]).collect();
            restarts += split.fit(&comparisons(Part::Other), model, &pool);
        }
        self.counts.restarts += restarts;
        Some(Fitted { loss: fit.loss, assessment, held_out })
    }

    /// The predicted scores of trajectories, one for each step.
    fn predict_all(&self, episodes: &[Episode]) -> Vec<f32> {
        episodes.iter().flat_map(|e| self.predict(e)).collect()
    }

    /// An iteration's `scores`, and what is reported with them.
    fn report(&self, scores: Vec<f32>, split: Option<SplitScores>, fitted: Option<Fitted>) -> Scored {
        let Counts { rounds, unanswered, restarts, .. } = self.counts;
        let counts = ModelCounts { rounds, unanswered, restarts };
        let (loss, assessment, held_out) = match fitted {
            Some(Fitted { loss, assessment, held_out }) => (loss, assessment, held_out),
            None => (None, Assessment::default(), Vec::new()),
        };
        let Assessment { accuracy, calibration } = assessment;
        let model = Some(ModelReport { counts, loss, accuracy, calibration, split });
        Scored { scores, model, held_out, ..Scored::default() }
    }

    /// The scores of trajectories by the two models of a split.
    fn split_scores(&self, episodes: &[Episode]) -> Option<SplitScores> {
        self.split.as_ref().and_then(|split| split.scores(&self.model, episodes))
    }

    /// The predicted scores of everything that may still be in the replay buffer; `None` without a buffer.
    fn predict_replay(&self) -> Option<Vec<f32>> {
        self.replay?;
        let replayed = self.episodes.range(self.replay_start()..);
        Some(replayed.flat_map(|(_, e)| self.predict(e)).collect())
    }

    /// The scores of an episode's steps.
    fn predict(&self, e: &Episode) -> Vec<f32> {
        let rewards = self.model.rewards(segment(&e.trajectory()));
        if !(self.config.standardize_rewards && self.model.is_trained()) {
            return rewards;
        }
        let mut scores = vec![0.0; rewards.len()];
        self.stats.scale().apply(&rewards, &mut scores);
        scores
    }

    /// Novelties of the newest `count` episodes' states, divided by their running spread.
    fn explore(&mut self, count: usize) -> Vec<f32> {
        let width = self.episodes.values().next_back().map_or(1, |e| e.final_obs.len());
        let states: Vec<&[f32]> = self.episodes.values().flat_map(|e| e.obs.chunks_exact(width)).collect();
        let new = self.episodes.values().rev().take(count).map(Episode::len).sum();
        let mut scores = novelty::log_distances(&states, new);
        self.stats.update(&scores);
        let std = self.stats.scale().std[0];
        scores.iter_mut().for_each(|score| *score /= std);
        scores
    }
}

impl Scorer for IteratedRewardModel {
    fn score(&mut self, batch: &Batch<'_>) -> Result<Scored, OracleError> {
        let episodes = &batch.rollout.episodes;
        if batch.is_validation() {
            return Ok(self.report(self.predict_all(episodes), None, None));
        }
        if self.schedule.rounds > 0 {
            let round = batch.deployed.map(|deployed| self.round_about(deployed, batch)).transpose()?;
            return Ok(self.report(self.predict_all(episodes), self.split_scores(episodes), round.flatten()));
        }
        let explores = self.counts.steps < self.schedule.pretrain_steps;
        self.remember(episodes);
        self.counts.steps += batch.rollout.steps() as u64;
        let recent = episodes.len().max(POOL);
        if explores {
            let novelties = self.explore(episodes.len());
            self.forget(recent);
            return Ok(self.report(novelties, None, None));
        }
        let pool = self.newest(recent);
        // From now on scores are rewards, and novelties are no longer needed.
        let reward_scale_changed = self.counts.iterations == 0 && self.schedule.pretrain_steps > 0;
        let fitted = if self.counts.iterations.is_multiple_of(self.schedule.every) {
            let due = self.schedule.due(self.oracle.queries().asked, self.counts.steps);
            self.round(batch, &pool, due)?
        } else {
            None
        };
        self.counts.iterations += 1;
        let changed = reward_scale_changed || fitted.is_some();
        let scored = self.report(self.predict_all(episodes), self.split_scores(episodes), fitted);
        self.forget(recent);
        let renewed = if changed { self.predict_replay() } else { None };
        Ok(Scored { renewed, reward_scale_changed, ..scored })
    }

    fn queries(&self) -> Queries {
        self.oracle.queries()
    }

    fn save(&mut self) -> Result<ScorerState, OracleError> {
        let places: BTreeMap<u64, usize> = self.episodes.keys().copied().zip(0..).collect();
        let rows = self.answered.iter().flat_map(|a| a.row(|episode| places[&episode]));
        let mut model = self.model.save();
        if let Some(split) = &self.split {
            split.save(&mut model);
        }
        model.tensors.insert("answered".into(), rows.collect());
        if self.of_costs {
            model.tensors.insert("signs".into(), self.answered.iter().flat_map(|a| a.signs).collect());
        }
        model.counters.extend(self.counts.named().map(|(name, count)| (name.to_string(), *count)));
        model.score_stats = self.stats.clone();
        Ok(ScorerState {
            queries: self.oracle.queries(),
            log_bytes: self.oracle.sync_log()?,
            episodes: self.episodes.values().cloned().collect(),
            model: Some(model),
            ..ScorerState::default()
        })
    }

    fn load(&mut self, state: ScorerState) -> Result<(), String> {
        let model: LearnerState = state.model.ok_or("it has no reward model")?;
        self.model.load(&model)?;
        if let Some(split) = &mut self.split {
            split.load(&model)?;
        }
        for (name, count) in self.counts.named() {
            *count = model.counter(name)?;
        }
        let rows = model.tensors.get("answered").ok_or("it has no `answered`")?;
        let answered = |row| Answered::from_row(row, &state.episodes);
        self.answered = rows.chunks(answers::ROW).map(answered).collect::<Result<_, _>>()?;
        if self.of_costs {
            let signs = model.tensor("signs", 2 * self.answered.len())?;
            self.answered.iter_mut().zip(signs.as_chunks::<2>().0).for_each(|(a, signs)| a.signs = *signs);
        }
        self.oracle.restore(state.queries);
        self.stats = model.score_stats;
        self.episodes = (0..).zip(state.episodes).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
