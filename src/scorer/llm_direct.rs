//! A language model's ratings as scores, without comparisons and without a reward model.

use super::self_play::Placement;
use super::{Batch, Scored, Scorer, ScorerState};
use crate::oracle::{MeteredOracle, OracleError, Queries};
use crate::rollout::Trajectory;

/// Scores a trajectory by what the oracle rates it, in [−1, 1], paid out over its steps (d-RLAIF: Lee et al. 2023).
///
/// A trajectory that was not rated gets the mean of those from the same state that were, so that it is neither good
/// nor bad beside them; where none was, 0, the middle of the scale. Queries are ratings: one a trajectory.
pub struct LlmDirect {
    oracle: MeteredOracle,
    placement: Placement,
}

impl LlmDirect {
    /// Scores by `oracle`'s ratings.
    pub fn new(oracle: MeteredOracle, placement: Placement) -> Self {
        Self { oracle, placement }
    }
}

impl Scorer for LlmDirect {
    fn score(&mut self, batch: &Batch<'_>) -> Result<Scored, OracleError> {
        let rollout = batch.rollout;
        let shown: Vec<Trajectory<'_>> = rollout.episodes.iter().map(|e| e.trajectory()).collect();
        let ratings = self.oracle.rate(&shown)?;
        let mut scores = Vec::with_capacity(rollout.steps());
        let groups = ratings.chunks(rollout.per_state).zip(rollout.episodes.chunks(rollout.per_state));
        for (ratings, episodes) in groups {
            let rated: Vec<f64> = ratings.iter().flatten().map(|&r| f64::from(r)).collect();
            let middle = if rated.is_empty() { 0.0 } else { crate::base::stats::mean(&rated) };
            for (rating, episode) in ratings.iter().zip(episodes) {
                self.placement.pay(rating.map_or(middle, f64::from), episode.len(), &mut scores);
            }
        }
        Ok(scores.into())
    }

    fn queries(&self) -> Queries {
        self.oracle.queries()
    }

    fn save(&mut self) -> Result<ScorerState, OracleError> {
        Ok(ScorerState { queries: self.oracle.queries(), ..ScorerState::default() })
    }

    fn load(&mut self, state: ScorerState) -> Result<(), String> {
        self.oracle.restore(state.queries);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::{Answer, Oracle, Pair, Rater};
    use crate::rollout::{Episode, Rollout};

    /// Rates by the first reward; nothing above 1.
    struct ByReward;

    impl Oracle for ByReward {
        fn compare(&mut self, _: &[Pair<'_>], _: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
            Err(OracleError::Failed("it compares nothing".into()))
        }

        fn rater(&mut self) -> Option<&mut dyn Rater> {
            Some(self)
        }
    }

    impl Rater for ByReward {
        fn rate(&mut self, trajectories: &[Trajectory<'_>]) -> Result<Vec<Option<f32>>, OracleError> {
            Ok(trajectories.iter().map(|t| Some(t.rewards[0]).filter(|r| *r <= 1.0)).collect())
        }
    }

    fn rollout(rewards: &[f32], steps: usize) -> Rollout {
        let episode = |&r: &f32| Episode {
            obs: vec![0.0; steps],
            final_obs: vec![0.0],
            actions: vec![0.0; steps],
            rewards: vec![r; steps],
            costs: vec![0.0; steps],
            ..Episode::default()
        };
        Rollout { episodes: rewards.iter().map(episode).collect(), per_state: 2 }
    }

    #[test]
    fn ratings_are_paid_out_and_gaps_are_filled_from_the_same_state() {
        // Two states: (½, unrated) and (unrated, unrated).
        let rollout = rollout(&[0.5, 9.0, 9.0, 9.0], 2);
        let batch = Batch::training(&rollout, 0, 0);
        let mut scorer = LlmDirect::new(MeteredOracle::new(Box::new(ByReward), Some(7)), Placement::Spread);
        assert_eq!(scorer.score(&batch).unwrap().scores, [0.25, 0.25, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0]);
        let counted = Queries { asked: 4, answered: 1, abstained: 3, ..Queries::default() };
        assert_eq!(scorer.queries(), counted);
        assert!(matches!(scorer.score(&batch), Err(OracleError::Budget { asked: 4, next: 4, .. })));
        let mut other = LlmDirect::new(MeteredOracle::new(Box::new(ByReward), None), Placement::Last);
        other.load(scorer.save().unwrap()).unwrap();
        assert_eq!(other.queries(), counted);
        assert_eq!(other.score(&batch).unwrap().scores[..4], [0.0, 0.5, 0.0, 0.5]);
    }

    #[test]
    fn what_is_no_rating_is_an_error() {
        let rollout = rollout(&[0.0, -1.5], 1);
        let batch = Batch::training(&rollout, 0, 0);
        let mut scorer = LlmDirect::new(MeteredOracle::new(Box::new(ByReward), None), Placement::Spread);
        assert!(matches!(scorer.score(&batch), Err(OracleError::Rating { trajectory: 1, .. })));
        let compares = |_: Trajectory<'_>, _: Trajectory<'_>| 0.5;
        let mut scorer = LlmDirect::new(MeteredOracle::new(Box::new(compares), None), Placement::Spread);
        assert!(scorer.score(&batch).unwrap_err().to_string().contains("does not rate"));
    }
}
