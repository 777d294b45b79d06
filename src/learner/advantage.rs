//! Advantages from scores: pure functions on slices.

/// Generalised advantage estimation over one episode (Schulman et al. 2016, equation 16).
///
/// δ_t = s_t + γ V(x_{t+1}) − V(x_t),  A_t = Σ_k (γλ)^k δ_{t+k}
///
/// `values` `[T]` are V(x_0..x_{T−1}); `final_value` is V(x_T). It counts if the episode ended by its time limit, and not if it
/// `terminated`. Returns A, `[T]`; the value targets are A + V.
pub fn gae(
    scores: &[f32],
    values: &[f32],
    final_value: f32,
    terminated: bool,
    gamma: f32,
    lambda: f32,
) -> Vec<f32> {
    let mut advantages = vec![0.0; scores.len()];
    let mut next_value = if terminated { 0.0 } else { final_value };
    let mut advantage = 0.0;
    for t in (0..scores.len()).rev() {
        let delta = scores[t] + gamma * next_value - values[t];
        advantage = delta + gamma * lambda * advantage;
        advantages[t] = advantage;
        next_value = values[t];
    }
    advantages
}

/// Each trajectory's total score against its group: (w − mean) / spread, or w − mean without `normalize`.
///
/// `totals` `[S · K]` has the groups of `per_state` trajectories one after the other. The spread is the population standard
/// deviation. If all scores of a group are equal, their advantage is 0.
pub fn group(totals: &[f32], per_state: usize, normalize: bool) -> Vec<f32> {
    totals
        .chunks(per_state)
        .flat_map(|g| {
            let mean = g.iter().sum::<f32>() / g.len() as f32;
            let var = g.iter().map(|w| (w - mean).powi(2)).sum::<f32>() / g.len() as f32;
            let scale = if normalize { 1.0 / (var.sqrt() + 1e-6) } else { 1.0 };
            g.iter().map(move |w| (w - mean) * scale)
        })
        .collect()
}

/// Shifts to mean 0 and scales to spread 1, in place. Equal numbers become 0.
pub fn standardize(values: &mut [f32]) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let var = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    let scale = 1.0 / (var.sqrt() + 1e-8);
    values.iter_mut().for_each(|v| *v = ((f64::from(*v) - mean) * scale) as f32);
}

/// (A_R − λ A_C) / (1 + λ), with A_R the advantages of the reward `[N]`, A_C those of the cost, and λ the `multiplier` (Dai et al.
/// 2023, section 3.3; omnisafe's PPO-Lagrangian). Overwrites `rewards`.
pub fn price(rewards: &mut [f32], costs: &[f32], multiplier: f32) {
    rewards.iter_mut().zip(costs).for_each(|(r, c)| *r = (*r - multiplier * c) / (1.0 + multiplier));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reward_and_cost_by_hand() {
        let mut a = [1.0, -0.5, 0.0];
        price(&mut a, &[0.5, -1.0, 2.0], 3.0);
        // (1 − 1.5) / 4, (−0.5 + 3) / 4, −6 / 4
        assert_eq!(a, [-0.125, 0.625, -1.5]);
        price(&mut a, &[9.0; 3], 0.0);
        assert_eq!(a, [-0.125, 0.625, -1.5], "λ = 0 changes nothing");
    }

    #[test]
    fn gae_by_hand() {
        // γ = 0.5, λ = 0.5, ended by the time limit with V(x_2) = 4:
        // δ_1 = 2 + 0.5·4 − 1 = 3,  δ_0 = 1 + 0.5·1 − 2 = −0.5,  A_0 = −0.5 + 0.25·3 = 0.25.
        assert_eq!(gae(&[1.0, 2.0], &[2.0, 1.0], 4.0, false, 0.5, 0.5), [0.25, 3.0]);
        // Terminated: δ_1 = 2 − 1 = 1,  A_0 = −0.5 + 0.25 = −0.25. The final value does not count.
        assert_eq!(gae(&[1.0, 2.0], &[2.0, 1.0], 4.0, true, 0.5, 0.5), [-0.25, 1.0]);
    }

    #[test]
    fn undiscounted_monte_carlo_is_return_minus_value() {
        let a = gae(&[1.0, 2.0, 3.0], &[0.5, 0.0, 1.0], 9.0, true, 1.0, 1.0);
        assert_eq!(a, [6.0 - 0.5, 5.0, 3.0 - 1.0]);
    }

    #[test]
    fn group_centres_and_scales_each_group_alone() {
        // Group 1: mean 0.5, spread 0.5. Group 2: all equal.
        let a = group(&[0.0, 1.0, 0.7, 0.7], 2, true);
        assert!((a[0] + 1.0).abs() < 1e-5 && (a[1] - 1.0).abs() < 1e-5);
        assert_eq!(&a[2..], [0.0, 0.0]);
        assert_eq!(group(&[0.0, 1.0], 2, false), [-0.5, 0.5]);
    }

    #[test]
    fn standardize_by_hand() {
        let mut v = [1.0, 3.0];
        standardize(&mut v);
        assert!((v[0] + 1.0).abs() < 1e-6 && (v[1] - 1.0).abs() < 1e-6);
        let mut equal = [2.0, 2.0];
        standardize(&mut equal);
        assert_eq!(equal, [0.0, 0.0]);
    }
}
