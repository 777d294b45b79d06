//! The host's backend: environments step on all cores, and trajectories lie in memory.

use super::{Backend, BackendError, Collected, Overview, Parts, ScoredRollout};
use crate::learner::{Costs, Learner, LearnerBatch, LearnerState, UpdateContext, UpdateInput, UpdateMetrics};
use crate::policy::Policy;
use crate::rollout::latest_replay::LatestReplay;
use crate::rollout::{self, EnvFactory, Request, Rollout, RolloutStats, kl};
use crate::scorer::safety::Safety;
use crate::scorer::{Batch, Scored, Scorer};

/// Any learner and any scorer, with environments on the host.
pub(crate) struct Host {
    /// Makes environments.
    pub factory: EnvFactory,
    pub learner: Box<dyn Learner>,
    pub scorer: Box<dyn Scorer>,
    /// Where costs are weighed.
    pub safety: Option<Safety>,
    /// π₀
    pub reference: Policy,
    /// The price of a nat of KL(π ‖ π₀), in units of the score.
    pub kl_coef: f32,
}

/// What the host's update learns from.
pub(crate) struct HostScores {
    /// `[Σ T]`
    scores: Vec<f32>,
    /// Of every step that a replay may still hold, ending with this iteration's, where these changed.
    renewed: Option<Vec<f32>>,
    reward_scale_changed: bool,
    /// `[Σ T]`
    costs: Option<Vec<f32>>,
}

impl Host {
    /// Scores or costs less the price of the KL to π₀; `None` where there is no price.
    fn penalised(&self, signal: &[f32], rollout: &Rollout, price: f32) -> Option<Vec<f32>> {
        (price != 0.0).then(|| kl::penalised(signal, rollout, &self.reference, price))
    }
}

impl Backend for Host {
    type Rollout = Rollout;
    type Scores = HostScores;

    fn learner(&self) -> &dyn Learner {
        &*self.learner
    }

    fn scorer(&self) -> &dyn Scorer {
        &*self.scorer
    }

    fn safety(&self) -> Option<&Safety> {
        self.safety.as_ref()
    }

    fn parts(&mut self) -> Parts<'_> {
        let Self { learner, scorer, safety, .. } = self;
        Parts { learner: &mut **learner, scorer: &mut **scorer, safety: safety.as_mut() }
    }

    fn saved(&self) -> (Policy, LearnerState) {
        (self.learner.policy(), self.learner.save())
    }

    fn rollout(
        &mut self,
        request: &Request,
        context: UpdateContext,
    ) -> Result<Collected<Rollout>, BackendError> {
        let policy = self.learner.policy();
        let rollout = match self.learner.perturbed_policies(request.states * request.per_state, context) {
            Some(each) => rollout::collect_each(&each, &self.factory, request)?,
            None => rollout::collect(std::slice::from_ref(&policy), &self.factory, request)?,
        };
        Ok(Collected { steps: rollout.steps() as u64, rollout, policy })
    }

    fn score(&mut self, batch: &Batch<'_>) -> Result<ScoredRollout<HostScores>, BackendError> {
        // A cost model is not asked about deployed policies.
        let about_costs = Batch { deployed: None, ..batch.with_rollout(batch.rollout) };
        let safety = self.safety.as_mut().map(|safety| safety.score(&about_costs)).transpose()?;
        let Scored { scores, renewed, reward_scale_changed, model, held_out } = self.scorer.score(batch)?;
        let report = safety.as_ref().map(|scored| scored.report);
        let costs = safety.map(|scored| scored.costs);
        let scores = HostScores { scores, renewed, reward_scale_changed, costs };
        Ok(ScoredRollout { scores, model, held_out, safety: report })
    }

    fn overview(
        &self,
        iteration: u64,
        collected: &Collected<Rollout>,
        scored: &ScoredRollout<HostScores>,
        reference: &Policy,
    ) -> Result<Overview, BackendError> {
        let Collected { rollout, policy, .. } = collected;
        let HostScores { scores, renewed, costs, .. } = &scored.scores;
        let mut all = scores.iter().chain(renewed.iter().flatten()).chain(costs.iter().flatten());
        if let Some(&value) = all.find(|s| !s.is_finite()) {
            return Err(BackendError::Score(value));
        }
        let kl_to_init = kl::on_visited(policy, reference, rollout);
        Ok(Overview {
            stats: RolloutStats::new(rollout, scores, kl_to_init),
            latest_replay: LatestReplay::from_rollout(iteration, rollout, scores),
        })
    }

    fn update(
        &mut self,
        rollout: &Rollout,
        scored: &ScoredRollout<HostScores>,
        context: UpdateContext,
    ) -> Result<UpdateMetrics, BackendError> {
        let HostScores { scores, renewed, reward_scale_changed, costs } = &scored.scores;
        // With costs, half of the price is theirs (Dai et al. 2023, appendix B).
        let price = if costs.is_some() { 0.5 * self.kl_coef } else { self.kl_coef };
        let penalised = self.penalised(scores, rollout, price);
        let penalised_costs = costs.as_ref().and_then(|costs| self.penalised(costs, rollout, -price));
        let own = penalised.as_ref().unwrap_or(scores);
        let (replay_scores, own) = match renewed {
            Some(renewed) => {
                let (past, own) = renewed.split_at(renewed.len() - scores.len());
                (Some(past), own)
            }
            None => (None, &own[..]),
        };
        let costs = penalised_costs
            .as_ref()
            .or(costs.as_ref())
            .zip(scored.safety)
            .map(|(costs, safety)| Costs { scores: costs, multiplier: safety.multiplier as f32 });
        let batch = LearnerBatch::from(rollout);
        Ok(self.learner.update(UpdateInput {
            batch: &batch,
            scores: own,
            costs,
            replay_scores,
            reset_critics: *reward_scale_changed,
            context,
        }))
    }
}
