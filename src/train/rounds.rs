//! Rounds of iterated online RLHF (Bai et al. 2022, section 4.5). Each round deploys several of the newest policies, queries
//! comparisons of their trajectories, and then trains reward model and policy from scratch on the comparisons of all rounds.

use super::TrainError;
use super::state::RunState;
use crate::device::Backend;
use crate::policy::Policy;
use crate::policy::snapshots::Snapshots;
use crate::rollout::{self, Phase, Request, Rollout};

impl RunState {
    /// The number of rounds that should have begun by now: each has an equal share of the run's steps.
    fn rounds_due(&self) -> u64 {
        let (rounds, total) = (u128::from(self.config.rlhf_rounds()), u128::from(self.config.total_steps));
        let passed = u128::from(self.env_steps) * rounds / total;
        (passed + 1).min(rounds) as u64
    }

    /// Whether the next iteration is the first of a round.
    pub(super) fn begins_round(&self) -> bool {
        let begun = self.model_counts.map_or(0, |counts| counts.rounds);
        self.rounds_due() > begun
    }

    /// Rolls out the newest policies, whose trajectories this round compares. The learner starts again from π₀.
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
            backend.parts().learner.load(fresh).expect("a learner loads its own state");
        }
        // The result is made only of the policies of the last round.
        self.snapshots = Snapshots::new(config.snapshots);
        Ok(deployed)
    }

    /// Share of the steps that are done, which the learner's step size depends on. With rounds it is the share of the current
    /// round, since each round trains a policy from scratch.
    pub(super) fn progress(&self) -> f64 {
        let done = self.env_steps as f64 / self.config.total_steps as f64;
        match self.config.rlhf_rounds() {
            0 => done,
            rounds => (done * rounds as f64 - (self.rounds_due() - 1) as f64).min(1.0),
        }
    }
}

/// At most `count` policies of the newer half of a round, evenly spaced, the last one included.
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
        // Of sixteen policies: every second one, back from the sixteenth, within the last eight.
        assert_eq!(names(15, 4), [15.0, 13.0, 11.0, 9.0]);
        // Half of three is one and a half: the last two. Before the first round there is only the current policy.
        assert_eq!(names(2, 4), [2.0, 1.0]);
        assert_eq!((names(0, 4), names(15, 1)), (vec![0.0], vec![15.0]));
    }
}
