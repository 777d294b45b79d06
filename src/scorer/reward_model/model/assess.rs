//! Accuracy and calibration of predicted preferences.

use super::Predicted;

/// Bins of the calibration error, over confidences from ½ to 1 (Guo et al. 2017 use 15 over 0 to 1).
const BINS: usize = 10;

/// Figures of predictions; `None` if there is no comparison to compute them from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Assessment {
    /// Share of the comparisons whose preferred side was predicted; ties are left out.
    pub accuracy: Option<f32>,
    /// Expected calibration error, Σ_b n_b/n |confidence_b − share_b|: how far, on average, the confidence in the
    /// predicted side lies from the share that it wins (Guo et al. 2017, equation 3).
    pub calibration: Option<f32>,
}

/// σ(x)
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Whether the side that `gap` predicts is the preferred one; `None` for a tie.
pub fn correct(gap: f64, p: f32) -> Option<bool> {
    (p != 0.5).then_some((gap > 0.0) == (p > 0.5) && gap != 0.0)
}

/// How much of the comparison the side that `gap` predicts has won: ½ for a tie, 1 for a certain win.
pub fn share_won(gap: f64, p: f32) -> f64 {
    if gap < 0.0 { 1.0 - f64::from(p) } else { f64::from(p) }
}

impl Assessment {
    /// The figures of these predictions.
    pub fn new(predicted: &[Predicted]) -> Self {
        let (mut right, mut decided) = (0.0, 0.0);
        // For each bin, the sum of confidences and the sum of wins of the predicted side.
        let mut bins = [(0.0, 0.0); BINS];
        for c in predicted {
            let (gap, p) = (c.gap(), c.p);
            if let Some(correct) = correct(gap, p) {
                decided += 1.0;
                right += f64::from(u8::from(correct));
            }
            let confidence = sigmoid(gap.abs());
            let won = share_won(gap, p);
            let bin = ((confidence - 0.5) * 2.0 * BINS as f64) as usize;
            let (sum, wins) = &mut bins[bin.min(BINS - 1)];
            *sum += confidence;
            *wins += won;
        }
        let error: f64 = bins.iter().map(|(sum, wins)| (sum - wins).abs()).sum();
        Self {
            accuracy: (decided > 0.0).then_some((right / decided) as f32),
            calibration: (!predicted.is_empty()).then_some((error / predicted.len() as f64) as f32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_and_calibration_by_hand() {
        // Gaps of log 3: confidence 3/4 in a, in a, in b. a wins, loses, wins: the predicted side wins 1 of 3.
        let log_3 = 3f64.ln();
        let assess = |of: &[(f64, f32)]| {
            let predicted = |&(gap, p): &(f64, f32)| Predicted { score_a: gap, score_b: 0.0, p };
            Assessment::new(&of.iter().map(predicted).collect::<Vec<_>>())
        };
        let sure = [(log_3, 1.0), (log_3, 0.0), (-log_3, 1.0)];
        let of = assess(&sure);
        assert!((of.accuracy.unwrap() - 1.0 / 3.0).abs() < 1e-6);
        assert!((of.calibration.unwrap() - (0.75 - 1.0 / 3.0)).abs() < 1e-6, "one bin: 3/4 against 1/3");
        // A second bin: no difference, confidence ½, and a tie: nothing to be wrong about.
        // The first bin now weighs 3/4: 3/4 · 5/12.
        let of = assess(&[&sure[..], &[(0.0, 0.5)]].concat());
        assert!((of.accuracy.unwrap() - 1.0 / 3.0).abs() < 1e-6);
        assert!((of.calibration.unwrap() - 0.75 * 5.0 / 12.0).abs() < 1e-6);
        // Soft labels: a confidence of 3/4 in what wins 3/4 of the time is calibrated.
        let of = assess(&[(log_3, 0.75), (-log_3, 0.25)]);
        assert!(of.accuracy == Some(1.0) && of.calibration.unwrap() < 1e-6);
        assert_eq!(assess(&[]), Assessment::default());
        assert_eq!(assess(&[(1e9, 0.5)]).accuracy, None);
    }
}
