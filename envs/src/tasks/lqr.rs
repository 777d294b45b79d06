//! A scalar linear-quadratic regulator: a task whose optimal policy is known.

use crate::dynamics::{Draw, Dynamics, Real, Transition};
use crate::env::{ActionSpace, Frame, Shape, Spec};

const HORIZON: usize = 10;

/// x' = x + u, reward −(x² + u²), 10 steps, x₀ uniform in [−1, 1]. Observation: x, and the share of steps left.
pub struct Lqr;

/// The cost-to-go P_n of n steps: P_0 = 0, P_n = 1 + P_{n−1} / (1 + P_{n−1}) (Bertsekas 2017, section 3.1, with all
/// coefficients 1).
fn cost_to_go(steps_left: usize) -> f64 {
    (0..steps_left).fold(0.0, |p, _| 1.0 + p / (1.0 + p))
}

/// The optimal action in `x` with `steps_left` steps to go: u = −P_{n−1} / (1 + P_{n−1}) · x.
///
/// It is within the bounds for every |x| ≤ 1.
pub fn optimal_action(x: f64, steps_left: usize) -> f64 {
    let p = cost_to_go(steps_left.saturating_sub(1));
    -p / (1.0 + p) * x
}

/// The return of the optimal policy from `x`: −P_10 x².
pub fn optimal_return(x: f64) -> f64 {
    -cost_to_go(HORIZON) * x * x
}

/// The state is x and the steps left.
impl Dynamics<2, 1, 2> for Lqr {
    const STATE: &'static str = "1 finite number: x";

    fn spec(&self) -> Spec {
        Spec {
            id: "lqr".into(),
            obs_dim: 2,
            action: ActionSpace::uniform(1, -1.0, 1.0),
            horizon: HORIZON,
            dt: 0.0,
        }
    }

    fn start<R: Real>(&self, draw: &mut impl Draw<R>) -> [R; 2] {
        [draw.within(-1.0, 1.0), draw.fixed(HORIZON as f64)]
    }

    fn state_from(&self, numbers: &[f64]) -> Option<[f64; 2]> {
        let &[x] = numbers else { return None };
        Some([x, HORIZON as f64])
    }

    fn observe<R: Real>(&self, [x, steps_left]: &[R; 2]) -> [R; 2] {
        [x.clone(), steps_left.clone() / HORIZON as f64]
    }

    fn step<R: Real>(&self, [x, steps_left]: [R; 2], [u]: [R; 1]) -> Transition<R, 2> {
        let u = u.clamp(-1.0, 1.0);
        let reward = -(x.clone() * x.clone() + u.clone() * u.clone());
        Transition::new([x + u, (steps_left - 1.0).clamp(0.0, HORIZON as f64)], reward)
    }

    fn frame(&self, [x, _]: &[f64; 2]) -> Frame {
        Frame {
            shapes: vec![
                Shape::Line { from: [-2.0, 0.0], to: [2.0, 0.0], width: 0.02 },
                Shape::Line { from: [0.0, -0.2], to: [0.0, 0.2], width: 0.02 },
                Shape::Circle { centre: [*x as f32, 0.0], radius: 0.1 },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::HostEnv;
    use crate::env::Env;

    fn play(x0: f64, gain: f64) -> f64 {
        let (mut env, mut obs) = (HostEnv::new(Lqr), [0.0; 2]);
        env.restore(&[x0], &mut obs).unwrap();
        (0..HORIZON)
            .map(|t| {
                let u = gain * optimal_action(f64::from(obs[0]), HORIZON - t);
                f64::from(env.step(&[u as f32], &mut obs).reward)
            })
            .sum()
    }

    #[test]
    fn the_optimal_policy_has_the_closed_return_and_no_gain_beats_it() {
        for x0 in [-1.0, -0.3, 0.8] {
            assert!((play(x0, 1.0) - optimal_return(x0)).abs() < 1e-5);
            for gain in [0.0, 0.8, 1.2] {
                assert!(play(x0, gain) < play(x0, 1.0) - 1e-4);
            }
        }
    }

    #[test]
    fn two_steps_by_hand() {
        // P_1 = 1, P_2 = 1 + 1/2: with two steps left u = −x/2, cost 1.5 x²; with one left u = 0.
        assert_eq!(optimal_action(1.0, 2), -0.5);
        assert_eq!(optimal_action(1.0, 1), 0.0);
        assert_eq!(cost_to_go(2), 1.5);
    }
}
