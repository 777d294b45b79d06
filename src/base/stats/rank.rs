//! Intervals of a share, and the correlation of two rankings.

use super::{Interval, Z975};

/// The 95 % score interval of a share, `hits` of `n`, where a tie is half a hit (Wilson 1927; Brown, Cai & DasGupta 2001,
/// equation 4). For n = 0 it is [0, 1].
///
/// Unlike the normal approximation, it is wider than zero for shares of 0 and 1.
pub fn wilson(hits: f64, n: f64) -> Interval {
    if n <= 0.0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (p, z2) = (hits / n, Z975 * Z975);
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z975 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // Rounding can put a bound slightly beyond the share itself.
    Interval { low: (middle - half).clamp(0.0, p), high: (middle + half).clamp(p, 1.0) }
}

/// Spearman's rank correlation: Pearson's correlation of the ranks, where equal values share their mean rank (Kendall &
/// Gibbons 1990, chapter 1). `None` if all values of one side are equal.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len().min(y.len());
    let (x, y) = (ranks(&x[..n]), ranks(&y[..n]));
    let (mx, my) = (super::mean(&x), super::mean(&y));
    let product = |a: &[f64], ma: f64, b: &[f64], mb: f64| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum()
    };
    let (xx, yy) = (product(&x, mx, &x, mx), product(&y, my, &y, my));
    (xx > 0.0 && yy > 0.0).then(|| product(&x, mx, &y, my) / (xx * yy).sqrt())
}

/// Ranks from 1; equal values share their mean rank.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let equal = order[from..].iter().take_while(|&&i| values[i] == values[order[from]]).count().max(1);
        let shared = from as f64 + (equal as f64 + 1.0) / 2.0;
        order[from..from + equal].iter().for_each(|&i| ranks[i] = shared);
        from += equal;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_by_hand() {
        // 8 of 10: middle (0.8 + 3.8415/20) / 1.38415 = 0.7167, half 1.95996/1.38415 √(.016 + .0096036) = 0.2266.
        let of = wilson(8.0, 10.0);
        assert!((of.low - 0.4902).abs() < 1e-4 && (of.high - 0.9433).abs() < 1e-4, "{of:?}");
        let all = wilson(20.0, 20.0);
        // n / (n + z²) = 20 / 23.8415
        assert!((all.low - 0.8389).abs() < 1e-4 && all.high == 1.0, "{all:?}");
        assert_eq!(wilson(0.0, 0.0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn rankings_by_hand() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        // Ranks 1 2 3 4 5 against 2 1 4 3 5: 1 − 6 · 4 / (5 · 24) = 0.8.
        let rho = spearman(&[1.0, 2.0, 3.0, 4.0, 50.0], &[0.2, 0.1, 0.4, 0.3, 9.0]).unwrap();
        assert!((rho - 0.8).abs() < 1e-12);
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, -1.0]), Some(-1.0));
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[], &[]), None);
    }
}
