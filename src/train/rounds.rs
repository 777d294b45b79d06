//! Rounds of iterated online RLHF (Bai et al. 2022, section 4.5): the newest policies are deployed, several at once; what
//! they did is compared, beside all that was compared before; reward model and policy are trained from scratch.

use super::TrainError;
use super::state::RunState;
use crate::device::Backend;
use crate::policy::Policy;
use crate::policy::snapshots::Snapshots;
use crate::rollout::{self, Phase, Request, Rollout};

impl RunState {
    /// Rounds begun so far, by the steps that are done: each has an equal share of them.
    fn rounds_due(&self) -> u64 {
        let (rounds, total) = (u128::from(self.config.rlhf_rounds()), u128::from(self.config.total_steps));
        let passed = u128::from(self.env_steps) * rounds / total;
        (passed + 1).min(rounds) as u64
    }

    /// Whether the next iteration is a round's first.
    pub(super) fn begins_round(&self) -> bool {
        let begun = self.model_counts.map_or(0, |counts| counts.rounds);
        self.rounds_due() > begun
    }

    /// Deploys the newest policies, whose trajectories the round asks about; the learner starts from π₀ again.
    pub(super) fn begin_round<B: Backend>(&mut self, backend: &mut B) -> Result<Rollout, TrainError> {
        let config = &self.config;
        let request = Request {
            seed: config.seed,
            phase: Phase::Deploy,
            iteration: self.iteration,
            states: config.rollout.num_states * config.reward_model.deployed_policies,
            per_state: config.rollout.trajectories_per_state,
            acting: backend.learner().acting(),
        };
        let policies =
            newest(&self.snapshots, backend.learner().policy(), config.reward_model.deployed_policies);
        let deployed = rollout::collect(&policies, &self.factory, &request)?;
        self.env_steps += deployed.steps() as u64;
        if let Some(fresh) = &self.fresh {
            backend.parts().learner.load(fresh).expect("a learner takes its own state back");
        }
        // The result is made of the policies of one round, the last.
        self.snapshots = Snapshots::new(config.snapshots);
        Ok(deployed)
    }

    /// Share of the steps that are done, of which the learner's step size is a function: of the round's where there are
    /// rounds, since each trains a policy from scratch.
    pub(super) fn progress(&self) -> f64 {
        let done = self.env_steps as f64 / self.config.total_steps as f64;
        match self.config.rlhf_rounds() {
            0 => done,
            rounds => (done * rounds as f64 - (self.rounds_due() - 1) as f64).min(1.0),
        }
    }
}

/// `count` policies at most of a round's newer half, evenly spaced back from the last.
fn newest(round: &Snapshots, last: Policy, count: usize) -> Vec<Policy> {
    let all = round.policies.len() + 1;
    let mut places: Vec<usize> = (0..count).map(|i| all - 1 - i * all / (2 * count)).collect();
    places.dedup();
    places.into_iter().map(|at| round.policies.get(at).unwrap_or(&last).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Activation, Head, Mlp, Normalizer};
    use spo_envs::ActionSpace;

    #[test]
    fn the_newer_half_is_deployed_from_the_last_policy_on() {
        let policy = |n: u64| Policy {
            mlp: Mlp::new(1, &[], 1, Activation::Tanh),
            params: vec![n as f32],
            normalizer: Normalizer::identity(1),
            head: Head::Categorical,
            action: ActionSpace::Discrete(1),
        };
        let names = |snapshots: u64, count: usize| -> Vec<f32> {
            let mut round = Snapshots::new(100);
            (0..snapshots).for_each(|n| round.offer(n, || policy(n)));
            newest(&round, policy(snapshots), count).iter().map(|p| p.params[0]).collect()
        };
        // Sixteen policies: back from the sixteenth by two, and not beyond the eighth from the end.
        assert_eq!(names(15, 4), [15.0, 13.0, 11.0, 9.0]);
        // Of three, half is one and a half: the last two. Before a first round there is the last alone.
        assert_eq!(names(2, 4), [2.0, 1.0]);
        assert_eq!((names(0, 4), names(15, 1)), (vec![0.0], vec![15.0]));
    }
}
