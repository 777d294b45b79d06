//! Opponents of another policy, rolled out apart.

use super::{TrainError, Trainer};
use crate::learner::{Moment, Steps};
use crate::policy::Policy;
use crate::rollout::kl;
use crate::rollout::{self, Phase, Request, Rollout};
use crate::scorer::Batch;

impl Trainer {
    /// Trajectories, from the same states, that those of `rollout` are compared with in place of each other; `None` where
    /// opponents are no policy of their own.
    ///
    /// With `anchor` they are of π^{1−β} π₀^{β} (Munos et al. 2024). With `extragradient` they are of the policy that the
    /// learner would have after this iteration: it takes its step, and takes it back (Korpelevich 1976).
    pub(super) fn opposition(
        &mut self,
        policy: &Policy,
        rollout: &Rollout,
        request: Request,
        moment: Moment,
    ) -> Result<Option<Rollout>, TrainError> {
        let opponent = if self.config.self_play.mixture_coef > 0.0 {
            let mixed_with = policy.mixed_with(&self.initial, self.config.self_play.mixture_coef);
            mixed_with.expect("a policy mixes with the one that it began as")
        } else if self.config.self_play.extragradient {
            self.look_ahead(rollout, moment)?
        } else {
            return Ok(None);
        };
        let request = Request { phase: Phase::Oppose, ..request };
        Ok(Some(rollout::collect(&[opponent], &self.factory, &request)?))
    }

    /// The policy after an update by the rollout, which the learner then forgets.
    fn look_ahead(&mut self, rollout: &Rollout, moment: Moment) -> Result<Policy, TrainError> {
        let batch = Batch { rollout, seed: moment.seed, iteration: moment.iteration };
        let scores = self.scorer.score(&batch)?;
        let price = self.config.kl_coef;
        let penalised = (price > 0.0).then(|| kl::penalised(&scores, rollout, &self.initial, price));
        let before = self.learner.save();
        self.learner.update(&Steps::from(rollout), penalised.as_ref().unwrap_or(&scores), moment);
        let ahead = self.learner.policy();
        self.learner.load(&before).expect("a learner goes back to what it was");
        Ok(ahead)
    }
}
