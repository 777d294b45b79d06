//! Stratified bootstrap (Efron 1979; Agarwal et al. 2021, section 4.1): how much a statistic over a few seeds varies.

use rand::{Rng, RngExt};

use crate::base::random::{Stream, stream};

/// A two-sided 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The 2.5 % quantile.
    pub low: f64,
    /// The 97.5 % quantile.
    pub high: f64,
}

/// The number of bootstrap samples and their seed. The same values give the same interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// Number of bootstrap samples.
    pub draws: usize,
    /// Seed of their random stream.
    pub seed: u64,
}

impl Default for Resampling {
    fn default() -> Self {
        Self { draws: 10_000, seed: 0 }
    }
}

impl Resampling {
    /// The percentile interval of `statistic` over strata (tasks). Each stratum is a sample of runs, and is resampled
    /// with replacement to its own size.
    ///
    /// An interval from few runs is too narrow: with five normal values, the interval of the mean contains the true mean
    /// in about 85 of 100 cases. `None` if every stratum has fewer than two values, or one is empty.
    pub fn interval<S: AsRef<[f64]>>(
        &self,
        strata: &[S],
        statistic: impl Fn(&[Vec<f64>]) -> f64,
    ) -> Option<Interval> {
        let sizes = || strata.iter().map(|s| s.as_ref().len());
        if sizes().any(|n| n == 0) || sizes().all(|n| n < 2) {
            return None;
        }
        let mut rng = stream(self.seed, Stream("resample"), 0, 0);
        let mut drawn: Vec<Vec<f64>> = strata.iter().map(|s| s.as_ref().to_vec()).collect();
        let mut values: Vec<f64> = (0..self.draws.max(1))
            .map(|_| {
                for (to, from) in drawn.iter_mut().zip(strata) {
                    redraw(to, from.as_ref(), &mut rng);
                }
                statistic(&drawn)
            })
            .collect();
        values.sort_by(f64::total_cmp);
        Some(Interval { low: quantile(&values, 0.025), high: quantile(&values, 0.975) })
    }
}

fn redraw(to: &mut [f64], from: &[f64], rng: &mut dyn Rng) {
    to.fill_with(|| from[rng.random_range(0..from.len())]);
}

/// A quantile of sorted values with linear interpolation (Hyndman & Fan 1996, definition 7; NumPy's default).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + share * (sorted[high] - sorted[low])
}

/// The probability that a run of method x is better than a run of method y on a random task: the mean over tasks of
/// P(X > Y) + ½ P(X = Y) (Agarwal et al. 2021, section 4.3). Larger values are better; `x[task]` and `y[task]` hold one
/// value per run.
///
/// ½ if there is no task.
pub fn probability_of_improvement<S: AsRef<[f64]>>(x: &[S], y: &[S]) -> f64 {
    let tasks = x.len().min(y.len());
    if tasks == 0 {
        return 0.5;
    }
    let of_task = |x: &[f64], y: &[f64]| {
        let wins: f64 = (x.iter().flat_map(|a| y.iter().map(move |b| (a, b))))
            .map(|(a, b)| if a > b { 1.0 } else { 0.5 * f64::from(u8::from(a == b)) })
            .sum();
        wins / (x.len() * y.len()).max(1) as f64
    };
    x.iter().zip(y).map(|(x, y)| of_task(x.as_ref(), y.as_ref())).sum::<f64>() / tasks as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::stats::{iqm, mean};
    use rand_distr::StandardNormal;

    #[test]
    fn improvement_by_hand() {
        // 3 beats 1 and 2, 2 beats 1 and ties with 2: (2 + 1.5) / 4 = 0.875.
        assert_eq!(probability_of_improvement(&[[3.0, 2.0]], &[[1.0, 2.0]]), 0.875);
        // A second task, on which x always loses: (0.875 + 0) / 2, whatever its scale.
        let (x, y) = ([[3.0, 2.0], [-900.0, -800.0]], [[1.0, 2.0], [-7.0, -6.0]]);
        assert_eq!(probability_of_improvement(&x, &y), 0.4375);
        assert_eq!(probability_of_improvement(&y, &x), 1.0 - 0.4375);
        assert_eq!(probability_of_improvement::<[f64; 1]>(&[], &[]), 0.5);
    }

    #[test]
    fn the_interval_of_two_values_is_theirs() {
        // The mean of two draws from {0, 1} is 0, ½, ½ or 1, each with probability ¼: the 2.5 % quantiles are 0 and 1.
        let both = Resampling::default().interval(&[[0.0, 1.0]], |s| mean(&s[0])).unwrap();
        assert_eq!((both.low, both.high), (0.0, 1.0));
        // Each stratum is resampled by itself: the second adds a constant to the sum of means.
        let strata = [vec![0.0, 1.0], vec![5.0]];
        let sum = |s: &[Vec<f64>]| s.iter().map(|v| mean(v)).sum();
        let shifted = Resampling::default().interval(&strata, sum).unwrap();
        assert_eq!((shifted.low, shifted.high), (5.0, 6.0));
    }

    #[test]
    fn a_seed_fixes_the_interval_and_one_run_has_none() {
        let values = [[0.3, 1.2, 2.5, 2.6, 9.0]];
        let of = |seed| Resampling { draws: 500, seed }.interval(&values, |s| iqm(&s[0])).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_eq!(Resampling::default().interval(&[[1.0]], |s| iqm(&s[0])), None);
        assert_eq!(Resampling::default().interval(&[vec![1.0, 2.0], vec![]], |s| iqm(&s[0])), None);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
    }

    /// How often the interval of the mean of `runs` standard normal values on each of `tasks` tasks contains 0.
    fn coverage(tasks: usize, runs: usize) -> f64 {
        let experiments = 400;
        let mut rng = stream(7, Stream("test"), 0, 0);
        let mut held = 0;
        for seed in 0..experiments {
            let strata: Vec<Vec<f64>> = (0..tasks)
                .map(|_| {
                    (0..runs).map(|_| rand::RngExt::sample::<f64, _>(&mut rng, StandardNormal)).collect()
                })
                .collect();
            let over_all = |s: &[Vec<f64>]| s.iter().map(|v| mean(v)).sum::<f64>() / s.len() as f64;
            let interval = Resampling { draws: 400, seed }.interval(&strata, over_all).unwrap();
            held += u64::from((interval.low..=interval.high).contains(&0.0));
        }
        held as f64 / experiments as f64
    }

    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        // The bootstrap's variance is (n − 1)/n of the sample's. With 20 runs, that makes the width 0.975 times as large
        // and the coverage 0.944.
        let enough = coverage(3, 20);
        assert!((0.91..=0.98).contains(&enough), "{enough}");
        // With five runs on one task the coverage is as low as the documentation says.
        let few = coverage(1, 5);
        assert!((0.78..=0.90).contains(&few), "{few}");
    }
}
