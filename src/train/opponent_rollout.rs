//! Opponents of another policy, rolled out apart.

use super::TrainError;
use super::state::RunState;
use crate::device::{Backend, Collected};
use crate::learner::UpdateContext;
use crate::policy::Policy;
use crate::rollout::{self, Phase, Request, Rollout};
use crate::scorer::Batch;

impl RunState {
    /// Trajectories, from the same states, that those collected are compared with in place of each other; `None` where opponents
    /// have no policy of their own.
    ///
    /// With `anchor` they are of π^{1−β} π₀^{β} (Munos et al. 2024). With `extragradient` they are of the policy that the
    /// learner would have after this iteration: it takes its step, and takes it back (Korpelevich 1976).
    pub(super) fn opponents<B: Backend>(
        &self,
        backend: &mut B,
        collected: &Collected<B::Rollout>,
        request: Request,
        context: UpdateContext,
    ) -> Result<Option<Rollout>, TrainError> {
        let opponent = if self.config.self_play.mixture_coef > 0.0 {
            let mixed = collected.policy.mixed_with(&self.reference, self.config.self_play.mixture_coef);
            mixed.expect("a policy mixes with the one that it began as")
        } else if self.config.self_play.extragradient {
            self.look_ahead(backend, &collected.rollout, context)?
        } else {
            return Ok(None);
        };
        let request = Request { phase: Phase::Oppose, ..request };
        Ok(Some(rollout::collect(&[opponent], &self.factory, &request)?))
    }

    /// The policy after an update by the rollout, which is then undone.
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
        backend.parts().learner.load(&before).expect("a learner takes its own state back");
        Ok(ahead)
    }
}
