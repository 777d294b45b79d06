//! Held-out comparisons in bins: how often the predicted side wins, and how often the model expects it to win.

use spo::base::stats;
use spo::scorer::HeldOut;
use spo::scorer::reward_model::model::Predicted;
use spo::scorer::reward_model::model::assess::{correct, share_won, sigmoid};

/// A share of the comparisons, equally many in each bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// From 1, by rising `key`.
    pub place: usize,
    /// Comparisons in it, of all runs.
    pub count: usize,
    /// The mean of the number that sorts comparisons into bins.
    pub key: f64,
    /// Mean of 1 / (1 + e^−|Δ|), Δ the difference of the two summed rewards: how often the predicted side should win.
    pub expected: f64,
    /// How often the predicted side won.
    pub observed: f64,
    /// Lower end of the 95 % interval of `observed`: Wilson's of a single run's comparisons, Student's t over several runs.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// A comparison that goes into a bin.
struct Item {
    key: f64,
    expected: f64,
    observed: f64,
}

/// Bins by |Δ|. A tie is half a win for either side (Bai et al. 2022, section 3.3).
pub fn by_gap(runs: &[Vec<HeldOut>], count: usize) -> Vec<Bin> {
    let item = |c: Predicted| {
        let gap = c.gap();
        Some(Item { key: gap.abs(), expected: sigmoid(gap.abs()), observed: share_won(gap, c.p) })
    };
    bins(runs, count, item)
}

/// Bins by the lower of the two scores. Ties are left out, since no side wins them.
pub fn by_lower_score(runs: &[Vec<HeldOut>], count: usize) -> Vec<Bin> {
    let item = |c: Predicted| {
        let right = correct(c.gap(), c.p)?;
        let key = c.score_a.min(c.score_b);
        Some(Item { key, expected: sigmoid(c.gap().abs()), observed: f64::from(u8::from(right)) })
    };
    bins(runs, count, item)
}

/// The scores of each run have their own scale and zero, so each run's comparisons are put into bins separately. Then the first
/// bins of all runs are merged, and so on.
fn bins(runs: &[Vec<HeldOut>], count: usize, item: impl Fn(Predicted) -> Option<Item>) -> Vec<Bin> {
    let sorted: Vec<Vec<Item>> = (runs.iter())
        .map(|rows| {
            let mut items: Vec<Item> = rows.iter().filter_map(|row| item(row.into())).collect();
            items.sort_by(|a, b| a.key.total_cmp(&b.key));
            items
        })
        .collect();
    (0..count).filter_map(|place| bin(place, count, &sorted)).collect()
}

fn bin(place: usize, of: usize, runs: &[Vec<Item>]) -> Option<Bin> {
    let own = |items: &Vec<Item>| items.len() * place / of..items.len() * (place + 1) / of;
    let parts: Vec<&[Item]> =
        runs.iter().map(|items| &items[own(items)]).filter(|part| !part.is_empty()).collect();
    let each = |number: fn(&Item) -> f64| -> Vec<f64> {
        parts.iter().map(|part| stats::mean(&part.iter().map(number).collect::<Vec<_>>())).collect()
    };
    let (observed, count) = (each(|i| i.observed), parts.iter().map(|part| part.len()).sum());
    let mean = stats::mean(&observed);
    let (low, high) = match parts.len() {
        0 => return None,
        1 => {
            let interval = stats::wilson(mean * count as f64, count as f64);
            (interval.low, interval.high)
        }
        _ => {
            let half = stats::ci95(&observed);
            ((mean - half).max(0.0), (mean + half).min(1.0))
        }
    };
    let [key, expected] = [each(|i| i.key), each(|i| i.expected)].map(|values| stats::mean(&values));
    Some(Bin { place: place + 1, count, key, expected, observed: mean, low, high })
}

/// The expected calibration error, Σ n_b/n |expected_b − observed_b| (Guo et al. 2017, equation 3); none without bins.
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let count: usize = bins.iter().map(|b| b.count).sum();
    let error: f64 = bins.iter().map(|b| b.count as f64 * (b.expected - b.observed).abs()).sum();
    (count > 0).then(|| error / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use spo::base::random::{Stream, stream};

    fn row(score_a: f64, score_b: f64, p_a_wins: f32) -> HeldOut {
        HeldOut { round: 1, score_a, score_b, p_a_wins }
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn two_bins_by_hand() {
        let log_3 = 3f64.ln();
        // |Δ| of 0, 0, log 3, log 3. The first two: a tie and a win of the side that is not behind.
        let run =
            vec![row(5.0 + log_3, 5.0, 1.0), row(2.0, 2.0, 0.5), row(0.0, log_3, 1.0), row(1.0, 1.0, 1.0)];
        let of = by_gap(std::slice::from_ref(&run), 2);
        assert!(near(of[0].expected, 0.5) && near(of[0].observed, 0.75) && near(of[0].key, 0.0), "{of:?}");
        // Confidence ¾ twice, of which one was right: Wilson's interval of 1 in 2.
        assert!(near(of[1].expected, 0.75) && near(of[1].observed, 0.5) && near(of[1].key, log_3));
        let interval = stats::wilson(1.0, 2.0);
        assert_eq!((of[1].low, of[1].high, of[1].count), (interval.low, interval.high, 2));
        // (2 · ¼ + 2 · ¼) / 4
        assert!(near(calibration_error(&of).unwrap(), 0.25));

        // By the lower score 0, 1, 5, the tie left out: wrong, undecided and so wrong, right.
        let of = by_lower_score(std::slice::from_ref(&run), 3);
        let shown: Vec<(f64, f64, usize)> = of.iter().map(|b| (b.key, b.observed, b.count)).collect();
        assert_eq!(shown, [(0.0, 0.0, 1), (1.0, 0.0, 1), (5.0, 1.0, 1)]);

        // A second run, whose upper bin is all right: ½ and 1, with Student's t of one degree over them.
        let second = vec![row(1.0, 0.0, 1.0), row(0.0, 0.0, 0.0), row(3.0, 0.0, 1.0), row(0.0, 4.0, 0.0)];
        let of = by_gap(&[run, second], 2);
        assert!(near(of[1].observed, 0.75) && of[1].count == 4, "{of:?}");
        assert_eq!((of[1].low, of[1].high), (0.0, 1.0), "0.75 ± 12.7 · 0.354 / √2, cut");
        assert!(near(of[1].key, 0.5 * (log_3 + 3.5)));
    }

    #[test]
    fn a_bradley_terry_teacher_is_on_the_diagonal() {
        // Scores are the teacher's own worths: it says what the model predicts.
        let mut rng = stream(3, Stream("test"), 0, 0);
        let run: Vec<HeldOut> = (0..40_000)
            .map(|_| {
                let [a, b] = [(); 2].map(|()| rng.random_range(-2.0..2.0));
                row(a, b, f32::from(u8::from(rng.random_bool(sigmoid(a - b)))))
            })
            .collect();
        let of = by_gap(std::slice::from_ref(&run), 10);
        assert!(of.iter().all(|b| b.count == 4000 && (b.observed - b.expected).abs() < 0.025), "{of:?}");
        assert!(of[0].expected < 0.53 && of[9].expected > 0.93);
        // An overconfident model, of twice the worths, is below it where it is sure.
        let twice: Vec<HeldOut> =
            run.iter().map(|r| row(2.0 * r.score_a, 2.0 * r.score_b, r.p_a_wins)).collect();
        let of = by_gap(&[twice], 10);
        assert!(of[5].high < of[5].expected && calibration_error(&of).unwrap() > 0.05, "{of:?}");
    }

    #[test]
    fn few_comparisons_fill_few_bins() {
        assert!(by_gap(&[], 10).is_empty() && by_gap(&[Vec::new()], 10).is_empty());
        assert_eq!(calibration_error(&[]), None);
        let of = by_gap(&[vec![row(1.0, 0.0, 1.0), row(2.0, 0.0, 1.0)]], 10);
        assert_eq!(of.iter().map(|b| b.place).collect::<Vec<_>>(), [5, 10]);
    }
}
