//! Rewards before the reward model is fitted: the novelty of a state, its distance from the states seen so far (PEBBLE, Lee et
//! al. 2021, section 4.1).

use rayon::prelude::*;

/// k: the distance to the k-th nearest state counts (PEBBLE's appendix: 5).
const NEIGHBOUR: usize = 5;

/// The largest number of states that are searched, evenly spaced among all. The cost is this number times the number of new
/// states.
const REFERENCES: usize = 4096;

/// Smaller distances count as this one, in units of the observation: a state may be visited again, and 0 has no logarithm.
const NEAREST: f64 = 1e-4;

/// log ‖s − s⁽ᵏ⁾‖ for each of the last `new` states s of `states`, where s⁽ᵏ⁾ is the k-th nearest other state. Up to
/// constants, this is the share of s in a particle estimate of the states' entropy (PEBBLE, equation 5). 0 for a single state.
///
/// `states` is `[n, width]`, as the task gave them.
pub fn log_distances(states: &[&[f32]], new: usize) -> Vec<f32> {
    let stride = states.len().div_ceil(REFERENCES).max(1);
    (states.len() - new..states.len())
        .into_par_iter()
        .map(|own| {
            // Squared distances of the nearest states found so far, ascending.
            let mut nearest = [f64::INFINITY; NEIGHBOUR];
            for other in (0..states.len()).step_by(stride).filter(|&other| other != own) {
                let square: f64 = (states[own].iter().zip(states[other]))
                    .map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2))
                    .sum();
                let place = nearest.partition_point(|d| *d <= square);
                if place < NEIGHBOUR {
                    nearest[place..].rotate_right(1);
                    nearest[place] = square;
                }
            }
            // With fewer than k other states, the farthest counts.
            let farthest = nearest.iter().rev().find(|d| d.is_finite());
            farthest.map_or(0.0, |square| square.sqrt().max(NEAREST).ln() as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distances(states: &[f32], new: usize) -> Vec<f32> {
        log_distances(&states.chunks(1).collect::<Vec<_>>(), new)
    }

    #[test]
    fn the_fifth_neighbour_by_hand() {
        // From 10: 1, 2, 4, 7, 9 away, and 10. From 0: 1, 3, 6, 8, 10.
        let far = distances(&[11.0, 8.0, 6.0, 3.0, 1.0, 10.0, 0.0], 2);
        assert!((far[0] - 9f32.ln()).abs() < 1e-6 && (far[1] - 10f32.ln()).abs() < 1e-6, "{far:?}");
        // Three others only: the farthest. Visited again five times: the floor. Alone: 0.
        assert!((distances(&[1.0, 3.0, 7.0, 0.0], 1)[0] - 7f32.ln()).abs() < 1e-6);
        assert!((distances(&[2.0; 6], 1)[0] - 1e-4f32.ln()).abs() < 1e-5);
        assert_eq!(distances(&[5.0], 1), [0.0]);
    }

    #[test]
    fn distances_are_euclidean_and_many_states_are_thinned() {
        let states = [[0.0, 0.0], [3.0, 4.0]];
        let far = log_distances(&states.each_ref().map(|s| &s[..]), 2);
        assert!(far.iter().all(|d| (d - 5f32.ln()).abs() < 1e-6));
        // 8192 states: every second is looked at. Around 8000 these are 2, 2, 4, 4, 6 away.
        let line: Vec<f32> = (0..8192).map(|i| i as f32).collect();
        let far = distances(&line, 192);
        assert!((far[0] - 6f32.ln()).abs() < 1e-6, "{}", far[0]);
    }
}
