//! A scalar linear-quadratic regulator: the task whose optimal policy is known.

use rand::{Rng, RngExt};

use super::state_of;
use crate::env::{ActionSpace, Env, EnvError, Frame, Shape, Spec, Step};

const HORIZON: usize = 10;

/// x' = x + u, reward −(x² + u²), 10 steps, x₀ uniform in [−1, 1]. Observation: x, and the share of steps left.
pub struct Lqr {
    spec: Spec,
    x: f64,
    steps_left: usize,
}

impl Default for Lqr {
    fn default() -> Self {
        let spec = Spec {
            id: "lqr".into(),
            obs_dim: 2,
            action: ActionSpace::uniform(1, -1.0, 1.0),
            horizon: HORIZON,
            dt: 0.0,
        };
        Self { spec, x: 0.0, steps_left: HORIZON }
    }
}

/// The cost-to-go P_n of n steps: P_0 = 0, P_n = 1 + P_{n−1} / (1 + P_{n−1}) (Bertsekas 2017, section 3.1, with all
/// coefficients 1).
fn cost_to_go(steps_left: usize) -> f64 {
    (0..steps_left).fold(0.0, |p, _| 1.0 + p / (1.0 + p))
}

/// The optimal action in `x` with `steps_left` steps to go: u = −P_{n−1} / (1 + P_{n−1}) · x.
///
/// It stays within the bounds wherever |x| ≤ 1.
pub fn optimal_action(x: f64, steps_left: usize) -> f64 {
    let p = cost_to_go(steps_left.saturating_sub(1));
    -p / (1.0 + p) * x
}

/// The return of the optimal policy from `x`: −P_10 x².
pub fn optimal_return(x: f64) -> f64 {
    -cost_to_go(HORIZON) * x * x
}

impl Lqr {
    fn observe(&self, obs: &mut [f32]) {
        obs.copy_from_slice(&[self.x as f32, self.steps_left as f32 / HORIZON as f32]);
    }
}

impl Env for Lqr {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.x = rng.random_range(-1.0..1.0);
        self.steps_left = HORIZON;
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        [self.x] = state_of(&self.spec, state, "x")?;
        self.steps_left = HORIZON;
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let u = f64::from(action[0].clamp(-1.0, 1.0));
        let reward = -(self.x * self.x + u * u);
        self.x += u;
        self.steps_left = self.steps_left.saturating_sub(1);
        self.observe(obs);
        Step { reward: reward as f32, ..Step::default() }
    }

    fn frame(&self) -> Frame {
        Frame {
            shapes: vec![
                Shape::Line { from: [-2.0, 0.0], to: [2.0, 0.0], width: 0.02 },
                Shape::Line { from: [0.0, -0.2], to: [0.0, 0.2], width: 0.02 },
                Shape::Circle { centre: [self.x as f32, 0.0], radius: 0.1 },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(x0: f64, gain: f64) -> f64 {
        let (mut env, mut obs) = (Lqr::default(), [0.0; 2]);
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
