//! How many comparisons each round queries: a budget spread over the run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the budget is spread over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Evenly over the steps.
    #[default]
    Constant,
    /// In proportion to 1 / (1 + x), where x is the share of the run that is done (imitation's default).
    Hyperbolic,
}

impl Shape {
    /// Share of the budget for the part of the run up to `x`; 0 at 0, 1 at 1.
    fn share(self, x: f64) -> f64 {
        match self {
            Self::Constant => x,
            // ∫₀ˣ dt / (1 + t), divided by the integral up to 1.
            Self::Hyperbolic => x.ln_1p() / std::f64::consts::LN_2,
        }
    }
}

/// The largest number of comparisons of a round: its candidates, ten times as many, are in memory at once.
pub const MOST: u64 = 100_000;

/// When the rounds are, and how many comparisons each queries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// How the rest of the budget, after `first_share`, is spread.
    pub shape: Shape,
    /// Share of the budget that the first round gets in addition to its share by `shape`.
    pub first_share: f64,
    /// Comparisons per round until the budget is used up. `None` spreads the budget over the run or, without a budget, makes
    /// one comparison for each trajectory.
    pub per_round: Option<u64>,
    /// Iterations from one round to the next.
    pub every: u64,
    /// The largest number of comparisons of the run.
    pub budget: Option<u64>,
    /// Trajectories of an iteration.
    pub trajectories: u64,
    /// Steps of an iteration of full length.
    pub iteration_steps: u64,
    /// Steps of the run.
    pub total_steps: u64,
    /// Steps before the first round.
    pub pretrain_steps: u64,
    /// Rounds of deployed policies; each uses an equal share of the budget and ignores the other fields. 0 if not used.
    pub rounds: u64,
}

impl Schedule {
    /// Comparisons to query now, after `asked` earlier ones and `steps` steps of the run, which include this iteration's.
    pub fn due(&self, asked: u64, steps: u64) -> u64 {
        let due = match (self.per_round, self.budget) {
            (Some(each), _) => each,
            (None, None) => self.trajectories.saturating_mul(self.every),
            (None, Some(budget)) => self.spread(budget, steps).saturating_sub(asked),
        };
        let left = self.budget.map_or(u64::MAX, |budget| budget.saturating_sub(asked));
        due.min(left).min(MOST)
    }

    /// Comparisons to query in a round of deployed policies, after `asked` in the `before` earlier rounds.
    pub fn due_at_deployment(&self, before: u64, asked: u64) -> u64 {
        let share = u128::from(self.budget.unwrap_or(0)) * u128::from(before + 1);
        let by_now = (share / u128::from(self.rounds.max(1))) as u64;
        by_now.saturating_sub(asked).min(MOST)
    }

    /// How much of the budget should be used by the end of this round's iterations.
    fn spread(&self, budget: u64, steps: u64) -> u64 {
        // The run ends with the last iteration of full length that fits.
        let end = (self.total_steps / self.iteration_steps).max(1) * self.iteration_steps;
        let ahead = (self.every - 1).saturating_mul(self.iteration_steps);
        let done = steps.saturating_add(ahead).saturating_sub(self.pretrain_steps) as f64;
        let x = (done / end.saturating_sub(self.pretrain_steps).max(1) as f64).min(1.0);
        let share = self.first_share + (1.0 - self.first_share) * self.shape.share(x);
        if x == 1.0 { budget } else { (budget as f64 * share) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        Schedule {
            shape: Shape::Constant,
            first_share: 0.0,
            per_round: None,
            every: 1,
            budget: Some(1000),
            trajectories: 4,
            iteration_steps: 100,
            total_steps: 1050,
            pretrain_steps: 0,
            rounds: 0,
        }
    }

    /// The number of comparisons of each round of the run.
    fn asked(schedule: Schedule) -> Vec<u64> {
        let (mut all, mut sum) = (Vec::new(), 0);
        for iteration in 0..schedule.total_steps / schedule.iteration_steps {
            let before = iteration * schedule.iteration_steps;
            let since = iteration - schedule.pretrain_steps.div_ceil(schedule.iteration_steps).min(iteration);
            if before >= schedule.pretrain_steps && since % schedule.every == 0 {
                let due = schedule.due(sum, before + schedule.iteration_steps);
                sum += due;
                all.push(due);
            }
        }
        all
    }

    #[test]
    fn the_whole_budget_is_asked_by_the_last_iteration() {
        assert_eq!(asked(schedule()), [100; 10]);
        // Rounds at iterations 0, 4 and 8 stand for four, four and two iterations.
        assert_eq!(asked(Schedule { every: 4, ..schedule() }), [400, 400, 200]);
        // The first of five rounds takes a tenth and its share of the rest.
        let front = Schedule { first_share: 0.1, every: 2, ..schedule() };
        assert_eq!(asked(front), [280, 180, 180, 180, 180]);
        // Eight iterations are left after 200 steps.
        assert_eq!(asked(Schedule { pretrain_steps: 200, ..schedule() }), [125; 8]);
        // 1000 log₂(1.1) = 137.5, 1000 log₂(1.2) = 263.03, …
        let hyperbolic = asked(Schedule { shape: Shape::Hyperbolic, ..schedule() });
        assert_eq!((hyperbolic[0], hyperbolic[1], hyperbolic.iter().sum::<u64>()), (137, 126, 1000));
    }

    #[test]
    fn deployments_share_the_budget_to_the_last_comparison() {
        let three = Schedule { rounds: 3, ..schedule() };
        // 1000/3, 2000/3 and 1000, rounded down.
        let asked = (0..3).fold(vec![0], |mut asked, before| {
            asked.push(asked[before as usize] + three.due_at_deployment(before, asked[before as usize]));
            asked
        });
        assert_eq!(asked, [0, 333, 666, 1000]);
        assert_eq!(Schedule { rounds: 1, ..schedule() }.due_at_deployment(0, 0), 1000);
    }

    #[test]
    fn a_number_a_round_lasts_until_the_budget_is_spent() {
        let each = Schedule { per_round: Some(300), ..schedule() };
        assert_eq!(asked(each)[..5], [300, 300, 300, 100, 0]);
        assert_eq!(asked(Schedule { budget: None, ..each }), [300; 10]);
        assert_eq!(asked(Schedule { budget: None, every: 2, ..schedule() }), [8; 5], "one a trajectory");
        assert_eq!(Schedule { per_round: Some(u64::MAX), budget: None, ..each }.due(0, 100), MOST);
        assert_eq!(Schedule { budget: Some(i64::MAX as u64), ..schedule() }.due(0, 1000), MOST);
    }
}
