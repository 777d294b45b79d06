//! Opponents from a rollout of another policy.

use super::TrainError;
use super::state::RunState;
use crate::device::{Backend, Collected};
use crate::learner::UpdateContext;
use crate::policy::Policy;
use crate::rollout::{self, Phase, Request, Rollout};
use crate::scorer::Batch;

impl RunState {
    /// Opponents from the same initial states, which the collected trajectories are compared with instead of with each
    /// other. `None` if the opponents are those of `self_play.opponents`.
    ///
    /// With `mixture_coef` β the opponents' policy is π^{1−β} π₀^{β} (Munos et al. 2024). With `extragradient` it is the policy
    /// that the learner would have after this iteration: the learner makes its update, which is then undone (Korpelevich 1976).
    pub(super) fn opponents<B: Backend>(
        &self,
        backend: &mut B,
        collected: &Collected<B::Rollout>,
        request: Request,
        context: UpdateContext,
    ) -> Result<Option<Rollout>, TrainError> {
        let opponent = if self.config.self_play.mixture_coef > 0.0 {
            let mixed = collected.policy.mixed_with(&self.reference, self.config.self_play.mixture_coef);
            mixed.expect("a policy can be mixed with the policy that it started as")
        } else if self.config.self_play.extragradient {
            self.look_ahead(backend, &collected.rollout, context)?
        } else {
            return Ok(None);
        };
        let request = Request { phase: Phase::Oppose, ..request };
        Ok(Some(rollout::collect(&[opponent], &self.factory, &request)?))
    }

    /// The policy after an update on the rollout. The update is then undone.
    fn look_ahead<B: Backend>(
        &self,
        backend: &mut B,
        rollout: &B::Rollout,
        context: UpdateContext,
    ) -> Result<Policy, TrainError> {
        let batch = Batch::training(rollout, context.seed, context.iteration);
        let scored = backend.score(&batch).map_err(|e| self.error(e))?;
        let before = backend.learner().save();
        backend.update(rollout, &scored, context).map_err(|e| self.error(e))?;
        let ahead = backend.learner().policy();
        backend.parts().learner.load(&before).expect("a learner loads its own state");
        Ok(ahead)
    }
}
