//! The Lagrange multiplier λ, the weight of costs.

/// A Lagrange multiplier that rises while a constraint J_C ≤ d is violated and falls while it holds:
/// log λ += η λ (J_C − d) (Dai et al. 2023, appendix B), λ within bounds.
///
/// To first order, 1 / λ changes by η (d − J_C) per iteration. A policy that was safe for a long time would have a very small λ, and
/// λ would need as long to grow again after a violation. The lower bound prevents this.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lagrange {
    lambda: f64,
    rate: f64,
    bounds: [f64; 2],
}

impl Lagrange {
    /// A multiplier that starts at `init`, with the learning rate η and the bounds of λ. All must be above 0.
    pub fn new(init: f64, rate: f64, bounds: [f64; 2]) -> Self {
        Self { lambda: init, rate, bounds }
    }

    /// λ
    pub fn value(&self) -> f64 {
        self.lambda
    }

    /// Continues from a checkpoint's λ.
    pub fn restore(&mut self, lambda: f64) {
        self.lambda = lambda;
    }

    /// Updates λ by `violation` = J_C − d; does nothing if it is not known.
    pub fn step(&mut self, violation: Option<f64>) {
        if let Some(violation) = violation.filter(|v| !v.is_nan()) {
            let moved = self.lambda * (self.rate * self.lambda * violation).exp();
            let [least, most] = self.bounds;
            self.lambda = moved.max(least).min(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_by_hand() {
        let mut multiplier = Lagrange::new(1.0, 0.1, [0.01, 5.0]);
        // log λ = 0 + 0.1 · 1 · 3 = 0.3; then 0.3 + 0.1 · e^0.3 · (−2) = 0.3 − 0.2 · 1.349859 = 0.030028.
        multiplier.step(Some(3.0));
        assert!((multiplier.value() - 0.3f64.exp()).abs() < 1e-12);
        multiplier.step(Some(-2.0));
        assert!((multiplier.value().ln() - 0.030_028_2).abs() < 1e-6, "{}", multiplier.value());
        let before = multiplier;
        multiplier.step(None);
        multiplier.step(Some(f64::NAN));
        assert_eq!(multiplier, before, "nothing was judged");
    }

    #[test]
    fn it_stays_within_its_bounds_and_comes_back_from_them() {
        let mut multiplier = Lagrange::new(1.0, 0.1, [0.01, 5.0]);
        for violation in [1e300, f64::INFINITY, 3.0] {
            multiplier.step(Some(violation));
            assert_eq!(multiplier.value(), 5.0);
        }
        multiplier.step(Some(-0.5));
        assert!(multiplier.value() < 4.0, "5 e^(−¼)");
        for violation in [-1e300, f64::NEG_INFINITY, -1.0] {
            multiplier.step(Some(violation));
            assert_eq!(multiplier.value(), 0.01);
        }
        multiplier.step(Some(1e3));
        assert!((multiplier.value() - 0.01 * 1f64.exp()).abs() < 1e-9, "0.1 · 0.01 · 1,000 = 1");
    }
}
