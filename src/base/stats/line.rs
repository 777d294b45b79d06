//! Linear regression.

/// y = intercept + slope · x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// y at 0.
    pub intercept: f64,
    /// Change of y per unit of x.
    pub slope: f64,
    /// R², the share of y's variance that it explains; 0 if y does not vary.
    pub r2: f64,
}

impl Line {
    /// The least-squares line through points (x, y); `None` if x does not vary.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let about = |a: fn(f64, f64) -> f64| points.iter().map(|p| a(p.0 - x, p.1 - y)).sum::<f64>();
        let (xx, xy, yy) = (about(|x, _| x * x), about(|x, y| x * y), about(|_, y| y * y));
        // No points, or all with the same x.
        if xx.is_nan() || xx <= 0.0 {
            return None;
        }
        let slope = xy / xx;
        let r2 = if yy > 0.0 { xy * xy / (xx * yy) } else { 0.0 };
        Some(Self { intercept: y - slope * x, slope, r2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_by_hand() {
        // Around the means 1 and 8/3: Σxy = 5/3 + 4/3 = 3, Σx² = 2, Σy² = 42/9. Slope 3/2, intercept 8/3 − 3/2,
        // R² = 9 / (2 · 42/9) = 27/28.
        let line = Line::through(&[(0.0, 1.0), (1.0, 3.0), (2.0, 4.0)]).unwrap();
        assert!((line.slope - 1.5).abs() < 1e-12 && (line.intercept - 7.0 / 6.0).abs() < 1e-12, "{line:?}");
        assert!((line.r2 - 27.0 / 28.0).abs() < 1e-12);
        let exact = Line::through(&[(1.0, 5.0), (3.0, 1.0), (4.0, -1.0)]).unwrap();
        assert!((exact.slope + 2.0).abs() < 1e-12 && (exact.r2 - 1.0).abs() < 1e-12);
        assert_eq!(Line::through(&[(0.0, 2.0), (1.0, 2.0)]).unwrap().r2, 0.0);
        assert_eq!(Line::through(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(Line::through(&[]), None);
    }
}
