//! A reward for a number within bounds (Tassa et al. 2018, <https://arxiv.org/abs/1801.00690>, "Reward").

/// How the reward falls with d, the distance from the bounds divided by the margin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sigmoid {
    /// exp(−½ (s d)²), s = √(−2 ln v)
    Gaussian,
    /// 1 − s d, s = 1 − v, not below 0
    Linear,
    /// 1 − (s d)², s = √(1 − v), not below 0
    Quadratic,
}

/// The suite's default reward at one margin.
pub(super) const AT_MARGIN: f64 = 0.1;

/// 1 for `low ≤ x ≤ high`. Outside, it falls to `v` at one `margin` from the bound, or directly to 0 if `margin` is 0.
pub(super) fn tolerance(x: f64, [low, high]: [f64; 2], margin: f64, sigmoid: Sigmoid, v: f64) -> f64 {
    if (low..=high).contains(&x) {
        return 1.0;
    }
    if margin == 0.0 {
        return 0.0;
    }
    let d = if x < low { low - x } else { x - high } / margin;
    match sigmoid {
        Sigmoid::Gaussian => {
            let s = (-2.0 * v.ln()).sqrt();
            (-0.5 * (d * s).powi(2)).exp()
        }
        Sigmoid::Linear => (1.0 - d * (1.0 - v)).max(0.0),
        Sigmoid::Quadratic => (1.0 - (d * (1.0 - v).sqrt()).powi(2)).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Sigmoid::*;

    const INF: f64 = f64::INFINITY;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn within_the_bounds_is_one_and_without_a_margin_all_else_is_zero() {
        for x in [0.0, 0.3, 1.0] {
            assert_eq!(tolerance(x, [0.0, 1.0], 0.0, Gaussian, AT_MARGIN), 1.0);
        }
        assert_eq!(tolerance(1.001, [0.0, 1.0], 0.0, Gaussian, AT_MARGIN), 0.0);
        assert_eq!(tolerance(9e9, [1.0, INF], 1.0, Linear, 0.5), 1.0);
    }

    #[test]
    fn one_margin_away_is_worth_v() {
        for (sigmoid, v) in
            [(Gaussian, 0.1), (Gaussian, 0.7), (Linear, 0.5), (Linear, 0.0), (Quadratic, 0.25)]
        {
            assert!(near(tolerance(3.0, [0.0, 1.0], 2.0, sigmoid, v), v), "{sigmoid:?} {v}");
            assert!(near(tolerance(-2.0, [0.0, 1.0], 2.0, sigmoid, v), v), "{sigmoid:?} {v}");
        }
    }

    #[test]
    fn by_hand() {
        // Half a margin: 0.1^(½²) = 0.1^0.25 = 0.5623413
        assert!((tolerance(0.5, [0.0, 0.0], 1.0, Gaussian, 0.1) - 0.562_341_325).abs() < 1e-9);
        // 1 − ½ · ½ = 0.75; at two margins 1 − 2 · ½ = 0, beyond it stays 0
        assert!(near(tolerance(0.5, [1.0, INF], 1.0, Linear, 0.5), 0.75));
        assert!(near(tolerance(-1.0, [1.0, INF], 1.0, Linear, 0.5), 0.0));
        assert_eq!(tolerance(-5.0, [1.0, INF], 1.0, Linear, 0.5), 0.0);
        // 1 − 0.6² = 0.64
        assert!(near(tolerance(-0.6, [0.0, 0.0], 1.0, Quadratic, 0.0), 0.64));
        assert_eq!(tolerance(1.5, [0.0, 0.0], 1.0, Quadratic, 0.0), 0.0);
    }
}
