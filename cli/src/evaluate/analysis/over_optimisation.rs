//! Over-optimisation: the policy's score by the model that it is trained on, and by a second model of the other half of the
//! comparisons (Bai et al. 2022, section 4.2).

use super::reward_vs_kl::root_kl;
use spo::base::stats;
use spo::train::Record;

/// An iteration, scored by both models.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The iteration, from 1.
    pub iteration: u64,
    /// Environment steps so far.
    pub env_steps: u64,
    /// √KL(π ‖ π₀) of whole trajectories.
    pub root_kl: f64,
    /// Mean task return.
    pub task_return: f64,
    /// The score by the model that the policy is trained on.
    pub train: f64,
    /// The score by the other model.
    pub test: f64,
    /// Mean of `train` over the window that ends here; `None` before the first full window.
    pub train_mean: Option<f64>,
    /// Mean of `test` over the same window.
    pub test_mean: Option<f64>,
}

/// A round of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// The run's seed.
    pub seed: u64,
    /// The round.
    pub round: u64,
    /// Iterations of a running mean.
    pub window: usize,
    /// The iterations that both models scored.
    pub steps: Vec<Step>,
    /// The index in `steps` at which the models begin to diverge.
    pub diverge_at: Option<usize>,
}

/// A running mean is over one iteration in this many of a round, but over at least the second number.
const WINDOW: (usize, usize) = (10, 3);

/// The rounds of a run whose comparisons are split.
pub fn rounds(seed: u64, records: &[Record]) -> Vec<Round> {
    let rounds = records.chunk_by(|a, b| a.rlhf_round == b.rlhf_round);
    rounds.map(|round| Round::new(seed, round)).filter(|round| !round.steps.is_empty()).collect()
}

impl Round {
    fn new(seed: u64, records: &[Record]) -> Self {
        let mut steps: Vec<Step> = (records.iter())
            .filter_map(|r| {
                Some(Step {
                    iteration: r.iteration,
                    env_steps: r.env_steps,
                    root_kl: root_kl(r),
                    task_return: r.return_mean,
                    train: r.reward_train_score?.into(),
                    test: r.reward_test_score?.into(),
                    train_mean: None,
                    test_mean: None,
                })
            })
            .collect();
        let window = (steps.len() / WINDOW.0).max(WINDOW.1);
        let train = running_means(&steps.iter().map(|s| s.train).collect::<Vec<_>>(), window);
        let test = running_means(&steps.iter().map(|s| s.test).collect::<Vec<_>>(), window);
        for (step, (train, test)) in steps.iter_mut().zip(train.iter().zip(&test)) {
            (step.train_mean, step.test_mean) = (*train, *test);
        }
        let round = records.first().map_or(0, |r| r.rlhf_round);
        Self { seed, round, window, steps, diverge_at: divergence_point(&train, &test, window) }
    }
}

/// The mean over each `window` numbers, at the last of them.
fn running_means(values: &[f64], window: usize) -> Vec<Option<f64>> {
    (1..=values.len()).map(|end| Some(stats::mean(&values[end.checked_sub(window)?..end]))).collect()
}

/// Where the models begin to diverge: the first index such that at `window` indices in a row, the running mean of the train score is
/// above its value one window earlier, and that of the test score is below.
fn divergence_point(train: &[Option<f64>], test: &[Option<f64>], window: usize) -> Option<usize> {
    let rise = |means: &[Option<f64>], at: usize| Some(means[at]? - means[at.checked_sub(window)?]?);
    let parts = |at: usize| {
        rise(train, at).is_some_and(|rise| rise > 0.0) && rise(test, at).is_some_and(|rise| rise < 0.0)
    };
    let apart: Vec<bool> = (0..train.len()).map(parts).collect();
    apart.windows(window).position(|all| all.iter().all(|&apart| apart))
}

#[cfg(test)]
mod tests {
    use super::super::reward_vs_kl::tests::record;
    use super::*;

    fn split(scores: &[(f32, f32)]) -> Vec<Record> {
        let row = |(i, &(train, test)): (usize, &(f32, f32))| Record {
            reward_train_score: Some(train),
            reward_test_score: Some(test),
            ..record(i as u64 + 1, 1, 0.01, 0.0, 0.0)
        };
        scores.iter().enumerate().map(row).collect()
    }

    #[test]
    fn the_models_part_where_one_rises_and_the_other_falls_for_a_window() {
        // Both rise to the sixth row; then the test score falls by as much. Windows of three:
        //   test        1  2  3  4  5  6  5  4  3  2  1
        //   its means   -  -  2  3  4  5 16/3 5 4  3  2
        //   over three rows before: the 9th (4 against 5) is the first below, and so are the 10th and the 11th.
        let scores: Vec<(f32, f32)> =
            (1..=11).map(|i| (i as f32, if i <= 6 { i as f32 } else { 12.0 - i as f32 })).collect();
        let of = &rounds(3, &split(&scores))[0];
        assert_eq!((of.seed, of.round, of.window, of.diverge_at), (3, 1, 3, Some(8)));
        assert_eq!((of.steps[1].test_mean, of.steps[2].test_mean), (None, Some(2.0)));
        assert!((of.steps[6].test_mean.unwrap() - 16.0 / 3.0).abs() < 1e-12);
        assert_eq!(of.steps[8].env_steps, 900);
        // Two such rows are fewer than a window.
        assert_eq!(rounds(3, &split(&scores[..10]))[0].diverge_at, None);
        // If both fall or both rise, they do not diverge.
        let fall: Vec<(f32, f32)> = (0..30).map(|i| (-i as f32, -2.0 * i as f32)).collect();
        let rise: Vec<(f32, f32)> = (0..30).map(|i| (i as f32, 0.1 * i as f32)).collect();
        assert!([fall, rise].iter().all(|scores| rounds(0, &split(scores))[0].diverge_at.is_none()));
    }

    #[test]
    fn rounds_are_courses_of_their_own_and_runs_without_a_split_have_none() {
        let mut records = split(&[(1.0, 1.0); 7]);
        records[4..].iter_mut().for_each(|r| r.rlhf_round = 2);
        let counts: Vec<(u64, usize)> =
            rounds(0, &records).iter().map(|c| (c.round, c.steps.len())).collect();
        assert_eq!(counts, [(1, 4), (2, 3)]);
        assert!(rounds(0, &[record(1, 0, 0.0, 0.0, 0.0)]).is_empty());
    }
}
