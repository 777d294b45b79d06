//! The policy losses of SPPO and REBEL. They fit log ratios of whole trajectories to win proportions, without a critic.
//!
//! The log ratio of a trajectory is the sum over its steps, L = Σ_t log π(a_t) − log π_old(a_t), so a minibatch holds
//! whole groups. In the exact game both are in [`game::regression`](crate::game::regression).

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The policy's part of the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyLoss {
    /// PPO's clipped surrogate of advantages.
    #[default]
    Ppo,
    /// The squared error between a trajectory's log ratio and η (w − ½), where w is its win proportion (SPPO: Wu et al. 2024,
    /// Algorithm 1).
    Sppo,
    /// For all pairs of a group, the squared error between the difference of their log ratios, divided by η, and the difference of
    /// their scores (REBEL: Gao et al. 2024, Algorithm 1).
    Rebel,
}

/// An iteration's trajectories, for the losses of whole trajectories.
#[derive(Clone, Debug, Default)]
pub struct Trajectories {
    /// The trajectory of each row, `[N]`; K trajectories from one initial state follow each other.
    pub of_row: Vec<usize>,
    /// Total scores, `[S · K]`.
    pub scores: Vec<f32>,
    /// K
    pub per_state: usize,
}

impl Trajectories {
    /// The rows of each group, whose rows and trajectories are in order.
    pub fn groups(&self) -> Vec<Range<usize>> {
        let mut groups: Vec<Range<usize>> = vec![0..0; self.scores.len() / self.per_state.max(1)];
        for (row, trajectory) in self.of_row.iter().enumerate() {
            let group = &mut groups[trajectory / self.per_state];
            *group = if group.end == 0 { row..row + 1 } else { group.start..row + 1 };
        }
        groups
    }

    /// The trajectories of the rows in `order`, each once, and for each row the index of its trajectory among them.
    pub fn within(&self, order: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let (mut members, mut places): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        for &row in order {
            let trajectory = self.of_row[row];
            if members.last() != Some(&trajectory) {
                members.push(trajectory);
            }
            places.push(members.len() - 1);
        }
        (members, places)
    }
}

/// The loss of a minibatch, a mean over trajectories (SPPO) or pairs (REBEL), and its slope in each trajectory's log
/// ratio.
///
/// `ratios` `[M]` are log ratios L of whole groups of `per_state` K, `scores` `[M]` their total scores:
///
/// - SPPO: (L − η (w − ½))²
/// - REBEL: ((L_i − L_j) / η − (w_i − w_j))², whose mean over a group's pairs is 2 / (K − 1) Σ_i (u_i − ū)² with
///   u = L / η − w.
pub(super) fn loss(
    kind: PolicyLoss,
    ratios: &[f64],
    scores: &[f32],
    per_state: usize,
    eta: f64,
) -> (f64, Vec<f64>) {
    let count = ratios.len() as f64;
    if kind == PolicyLoss::Sppo {
        let errors: Vec<f64> =
            ratios.iter().zip(scores).map(|(l, w)| l - eta * (f64::from(*w) - 0.5)).collect();
        let loss = errors.iter().map(|e| e * e).sum::<f64>() / count;
        return (loss, errors.into_iter().map(|e| 2.0 * e / count).collect());
    }
    // A group's share of the mean over groups, of K / M, times the 2 / (K − 1) of its pairs.
    let weight = 2.0 * per_state as f64 / (count * (per_state as f64 - 1.0));
    let gaps: Vec<f64> = ratios.iter().zip(scores).map(|(l, w)| l / eta - f64::from(*w)).collect();
    let errors = gaps.chunks(per_state).flat_map(|group| {
        let mean = group.iter().sum::<f64>() / group.len() as f64;
        group.iter().map(move |u| u - mean)
    });
    let mut loss = 0.0;
    let slopes = errors.map(|e| {
        loss += weight * e * e;
        // The mean's own slope drops out: the errors of a group sum to 0.
        2.0 * weight * e / eta
    });
    let slopes = slopes.collect();
    (loss, slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sppo_by_hand() {
        // η = 2; targets 2 (1 − ½) = 1, 2 (0.25 − ½) = −0.5. Errors 0.4 − 1 = −0.6 and 0 + 0.5 = 0.5.
        let (loss, slopes) = loss(PolicyLoss::Sppo, &[0.4, 0.0], &[1.0, 0.25], 2, 2.0);
        assert!((loss - (0.36 + 0.25) / 2.0).abs() < 1e-12);
        assert!((slopes[0] + 0.6).abs() < 1e-12 && (slopes[1] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn rebel_by_hand() {
        // One group of three, η = 2: u = (0.4, 0, −0.2) / 2 − (1, 0.5, 0) = (−0.8, −0.5, −0.1).
        // Pairs: (−0.3)², (−0.7)², (−0.4)²; their mean is (0.09 + 0.49 + 0.16) / 3.
        let (one, slopes) = loss(PolicyLoss::Rebel, &[0.4, 0.0, -0.2], &[1.0, 0.5, 0.0], 3, 2.0);
        assert!((one - 0.74 / 3.0).abs() < 1e-7, "{one}");
        // ∂/∂L_1 = (2 (−0.3) + 2 (−0.7)) / 3 / η
        assert!((slopes[0] + 2.0 / 3.0 / 2.0).abs() < 1e-7, "{slopes:?}");
        assert!(slopes.iter().sum::<f64>().abs() < 1e-12);
        // Two groups: the mean of their losses. Equal differences have a loss of 0.
        let ratios = [0.4, 0.0, -0.2, 3.0, 3.0, 3.0];
        let (two, _) = loss(PolicyLoss::Rebel, &ratios, &[1.0, 0.5, 0.0, 0.7, 0.7, 0.7], 3, 2.0);
        assert!((two - 0.37 / 3.0).abs() < 1e-7, "{two}");
    }

    #[test]
    fn slopes_are_those_of_finite_differences() {
        let (at, scores) = ([0.3, -0.2, 0.1, 0.7, -0.4, 0.0], [0.9, 0.1, 0.5, 0.2, 0.6, 0.7]);
        for kind in [PolicyLoss::Sppo, PolicyLoss::Rebel] {
            let value = |ratios: &[f64]| loss(kind, ratios, &scores, 3, 0.7).0;
            for (i, slope) in loss(kind, &at, &scores, 3, 0.7).1.into_iter().enumerate() {
                let moved = |by: f64| {
                    let mut ratios = at;
                    ratios[i] += by;
                    value(&ratios)
                };
                let difference = (moved(1e-4) - moved(-1e-4)) / 2e-4;
                assert!((difference - slope).abs() < 1e-8, "{kind:?} {i}: {difference} against {slope}");
            }
        }
    }

    #[test]
    fn rows_find_their_trajectories_and_groups() {
        // Trajectories of 2, 1, 3 and 1 steps, two from each state.
        let t = Trajectories { of_row: vec![0, 0, 1, 2, 2, 2, 3], scores: vec![0.0; 4], per_state: 2 };
        assert_eq!(t.groups(), [0..3, 3..7]);
        assert_eq!(t.within(&[3, 4, 5, 6, 0, 1, 2]), (vec![2, 3, 0, 1], vec![0, 0, 0, 1, 2, 2, 3]));
    }
}
