//! One iteration, the same on every backend: rollout → oracle → win proportions → scores → advantages → update → record.

use std::time::Instant;

use super::state::RunState;
use super::{Record, Timing, TrainError};
use crate::device::{Backend, BackendError, Collected, ScoredRollout};
use crate::learner::{UpdateContext, UpdateMetrics};
use crate::oracle::{OracleError, Queries};
use crate::rollout::{Phase, Request, Rollout, RolloutStats};
use crate::scorer::safety::{Safety, SafetyReport};
use crate::scorer::{Batch, ModelReport};

/// An iteration's scores, and their cost in steps and seconds.
struct Judged<S> {
    scored: ScoredRollout<S>,
    /// Environment steps of opponents from a rollout of their own.
    opponent_steps: u64,
    /// Seconds from the iteration's start to the end of all rollouts.
    rolled_out: f64,
}

impl RunState {
    /// One iteration. `None` if the budget of comparisons is too small for it; this ends the training.
    pub fn iterate<B: Backend>(&mut self, backend: &mut B) -> Result<Option<(Record, Timing)>, TrainError> {
        let start = Instant::now();
        let deployed = if self.begins_round() { Some(self.begin_round(backend)?) } else { None };
        let config = &self.config;
        let request = Request {
            seed: config.seed,
            phase: Phase::Train,
            iteration: self.iteration,
            states: config.rollout.num_states,
            per_state: config.rollout.trajectories_per_state,
            acting: backend.learner().acting(),
        };
        let context =
            UpdateContext { seed: config.seed, iteration: self.iteration, progress: self.progress() };
        let collected = backend.rollout(&request, context).map_err(|e| self.error(e))?;
        let judged = match self.judge(backend, &collected, deployed.as_ref(), request, context, start) {
            Err(TrainError::Oracle(OracleError::Budget { .. })) => {
                self.budget_spent = true;
                self.snapshots.offer(self.iteration, || collected.policy);
                return Ok(None);
            }
            other => other?,
        };
        let Judged { scored, opponent_steps, rolled_out } = judged;
        let overview = backend.overview(self.iteration + 1, &collected, &scored, &self.reference);
        let overview = overview.map_err(|e| self.error(e))?;
        let scored_at = start.elapsed().as_secs_f64();

        let metrics = backend.update(&collected.rollout, &scored, context).map_err(|e| self.error(e))?;
        self.snapshots.offer(self.iteration, || collected.policy);
        self.latest_replay = overview.latest_replay;
        self.model_counts = scored.model.map(|model| model.counts);
        self.held_out = scored.held_out;

        self.iteration += 1;
        self.env_steps += collected.steps + opponent_steps;
        self.seconds += start.elapsed().as_secs_f64();
        self.check_finite(&metrics)?;
        let timing = Timing {
            iteration: self.iteration,
            rollout: rolled_out,
            score: scored_at - rolled_out,
            update: start.elapsed().as_secs_f64() - scored_at,
            seconds: self.seconds,
        };
        let asked = [backend.scorer().queries(), backend.safety().map(Safety::queries).unwrap_or_default()];
        let record = self.record(overview.stats, metrics, scored.model, scored.safety, asked);
        Ok(Some((record, timing)))
    }

    /// Rolls out opponents, if they have a rollout of their own, and scores the iteration's trajectories.
    fn judge<B: Backend>(
        &self,
        backend: &mut B,
        collected: &Collected<B::Rollout>,
        deployed: Option<&Rollout>,
        request: Request,
        context: UpdateContext,
        start: Instant,
    ) -> Result<Judged<B::Scores>, TrainError> {
        let opponents = self.opponents(backend, collected, request, context)?;
        let rolled_out = start.elapsed().as_secs_f64();
        let batch = Batch {
            opponents: opponents.as_ref(),
            deployed,
            ..Batch::training(&collected.rollout, context.seed, context.iteration)
        };
        let scored = backend.score(&batch).map_err(|e| self.error(e))?;
        let opponent_steps = opponents.as_ref().map_or(0, |opponents| opponents.steps() as u64);
        Ok(Judged { scored, opponent_steps, rolled_out })
    }

    /// A backend's error as an error of this iteration.
    pub fn error(&self, error: BackendError) -> TrainError {
        let iteration = self.iteration + 1;
        match error {
            BackendError::Env(error) => error.into(),
            BackendError::Oracle(error) => error.into(),
            BackendError::Score(value) => TrainError::Score { iteration, value },
            BackendError::DeviceLost(why) => TrainError::DeviceLost { iteration, why },
        }
    }

    fn check_finite(&self, metrics: &UpdateMetrics) -> Result<(), TrainError> {
        let figures = [
            ("policy_loss", metrics.policy_loss),
            ("value_loss", metrics.value_loss),
            ("grad_norm", metrics.grad_norm),
        ];
        match figures.into_iter().find(|(_, value)| !value.is_finite()) {
            Some((what, value)) => Err(TrainError::Diverged { iteration: self.iteration, what, value }),
            None => Ok(()),
        }
    }

    /// The row of the iteration that has ended; `asked` has the queries to the oracle and to the safety oracle so far.
    fn record(
        &self,
        stats: RolloutStats,
        metrics: UpdateMetrics,
        model: Option<ModelReport>,
        safety: Option<SafetyReport>,
        [queries, asked_of_safety]: [Queries; 2],
    ) -> Record {
        let model = model.unwrap_or_default();
        Record {
            iteration: self.iteration,
            env_steps: self.env_steps,
            queries: queries.asked,
            answered: queries.answered,
            tied: queries.tied,
            abstained: queries.abstained,
            return_mean: stats.return_mean,
            return_std: stats.return_std,
            length_mean: stats.length_mean,
            score_mean: stats.score_mean,
            score_spread: stats.score_spread,
            entropy: metrics.entropy,
            approx_kl: metrics.approx_kl,
            clip_fraction: metrics.clip_fraction,
            policy_loss: metrics.policy_loss,
            value_loss: metrics.value_loss,
            grad_norm: metrics.grad_norm,
            epochs: metrics.epochs,
            temperature: metrics.temperature,
            reward_loss: model.loss,
            reward_accuracy: model.accuracy,
            reward_calibration: model.calibration,
            kl_to_init: stats.kl_to_init,
            reward_train_score: model.split.map(|s| s.train),
            reward_test_score: model.split.map(|s| s.test),
            rlhf_round: if self.config.rlhf_rounds() > 0 { model.counts.rounds } else { 0 },
            cost_mean: stats.cost_mean,
            unsafe_share: safety.and_then(|safety| safety.unsafe_share),
            multiplier: safety.map(|safety| safety.multiplier),
            safety_queries: asked_of_safety.asked,
            safety_verdicts: asked_of_safety.verdicts,
            cost_loss: safety.and_then(|safety| safety.cost_loss),
        }
    }
}
