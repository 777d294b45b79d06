//! Statistics: means, intervals, correlations.
//!
//! For comparisons of methods over several seeds and tasks (Agarwal, Schwarzer, Castro, Courville & Bellemare 2021,
//! "Deep RL at the Edge of the Statistical Precipice"): [`iqm`], [`bootstrap`](mod@bootstrap) intervals and
//! [`probability_of_improvement`]. For shares and rank correlations: [`wilson`], [`spearman`].

pub mod bootstrap;
mod line;
pub mod rank;

pub use bootstrap::{Interval, Resampling, probability_of_improvement};
pub use line::Line;
pub use rank::{spearman, wilson};

/// The mean; 0 for an empty slice.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The population standard deviation; 0 for an empty slice.
pub fn std_dev(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

/// The interquartile mean: the mean without the ⌊n/4⌋ lowest and the ⌊n/4⌋ highest values; 0 for an empty slice.
///
/// Agarwal et al. 2021, section 4.3. Only whole values are dropped, as in SciPy's `trim_mean(values, 0.25)` and rliable.
pub fn iqm(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = sorted.len() / 4;
    mean(&sorted[cut..sorted.len() - cut])
}

/// Half width of the 95 % confidence interval of the mean, t₀.₉₇₅(n−1) · s / √n with the sample standard deviation s; 0
/// for fewer than two values.
pub fn ci95(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let n = values.len() as f64;
    let sample_std = std_dev(values) * (n / (n - 1.0)).sqrt();
    t975(values.len() - 1) * sample_std / n.sqrt()
}

/// The 0.975 quantile of the standard normal distribution.
const Z975: f64 = 1.959_963_985;

/// The 0.975 quantile of Student's t.
///
/// A table up to 10 degrees of freedom (Abramowitz & Stegun, table 26.10); above that their expansion 26.7.5 around the
/// normal quantile, with an error below 1e-4.
fn t975(degrees: usize) -> f64 {
    const TABLE: [f64; 10] = [
        12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004, 2.262_157,
        2.228_139,
    ];
    if let Some(&t) = degrees.checked_sub(1).and_then(|i| TABLE.get(i)) {
        return t;
    }
    let (z, v) = (Z975, degrees as f64);
    let g1 = (z.powi(3) + z) / 4.0;
    let g2 = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let g3 = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    let g4 = (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5) - 1920.0 * z.powi(3) - 945.0 * z)
        / 92160.0;
    z + g1 / v + g2 / v.powi(2) + g3 / v.powi(3) + g4 / v.powi(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_by_hand() {
        // 1, 2, 3, 4: mean 2.5, s² = 5/3, half width 3.182446 · √(5/3) / 2 = 2.0543.
        let v = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(mean(&v), 2.5);
        assert_eq!(std_dev(&[1.0, 3.0]), 1.0);
        assert!((ci95(&v) - 3.182_446 * (5.0f64 / 3.0).sqrt() / 2.0).abs() < 1e-9);
        assert_eq!(ci95(&[7.0]), 0.0);
    }

    #[test]
    fn interquartile_means_by_hand() {
        // Five values: one is dropped at each end, (2 + 3 + 10) / 3 = 5.
        assert_eq!(iqm(&[10.0, 1.0, 1000.0, 3.0, 2.0]), 5.0);
        // Eight values: two are dropped at each end, (3 + 4 + 5 + 6) / 4 = 4.5.
        assert_eq!(iqm(&[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, -90.0]), 4.5);
        // Three values: none is dropped.
        assert_eq!(iqm(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!((iqm(&[7.0]), iqm(&[])), (7.0, 0.0));
    }

    #[test]
    fn quantiles_of_the_table_and_beyond() {
        // Published values for 11, 30 and 99 degrees of freedom.
        for (degrees, t) in [(11, 2.200_985), (30, 2.042_272), (99, 1.984_217)] {
            assert!((t975(degrees) - t).abs() < 1e-4, "{degrees}: {}", t975(degrees));
        }
    }
}
