//! CartPole swing-up: Barto, Sutton & Anderson's cart and pole (1983), from hanging, with a real force.

use std::f64::consts::PI;

use rand::{Rng, RngExt};

use super::{rk4, state_of};
use crate::env::{ActionSpace, Env, EnvError, Frame, Shape, Spec, Step};

const GRAVITY: f64 = 9.8; // m/s²
const CART: f64 = 1.0; // kg
const POLE: f64 = 0.1; // kg
const HALF_LENGTH: f64 = 0.5; // m, from the joint to the pole's centre
const FORCE: f64 = 10.0; // N at action 1
const RAIL: f64 = 2.4; // m each way
const DT: f64 = 0.02; // s

/// A pole that hangs from a cart. Observation: x (m), cos θ, sin θ, ẋ, θ̇, with θ = 0 upright. Action: force / 10 N.
///
/// Reward in [0, 1]: ½ (1 + cos θ) · (1 − ½ (x / rail)²). At the rail's end the cart stops dead.
pub struct CartPoleSwingUp {
    spec: Spec,
    /// x, θ, ẋ, θ̇
    state: [f64; 4],
}

impl Default for CartPoleSwingUp {
    fn default() -> Self {
        let spec = Spec {
            id: "cartpole_swing_up".into(),
            obs_dim: 5,
            action: ActionSpace::uniform(1, -1.0, 1.0),
            horizon: 500,
            dt: DT as f32,
        };
        Self { spec, state: [0.0, PI, 0.0, 0.0] }
    }
}

/// Time derivative of (x, θ, ẋ, θ̇) under a force in N (Florian 2007, without friction).
fn derivative([_, theta, x_dot, theta_dot]: [f64; 4], force: f64) -> [f64; 4] {
    let (sin, cos) = theta.sin_cos();
    let total = CART + POLE;
    let push = (force + POLE * HALF_LENGTH * theta_dot.powi(2) * sin) / total;
    let theta_acc = (GRAVITY * sin - cos * push) / (HALF_LENGTH * (4.0 / 3.0 - POLE * cos.powi(2) / total));
    let x_acc = push - POLE * HALF_LENGTH * theta_acc * cos / total;
    [x_dot, theta_dot, x_acc, theta_acc]
}

impl CartPoleSwingUp {
    fn observe(&self, obs: &mut [f32]) {
        let [x, theta, x_dot, theta_dot] = self.state;
        obs.copy_from_slice(&[x, theta.cos(), theta.sin(), x_dot, theta_dot].map(|v| v as f32));
    }
}

impl Env for CartPoleSwingUp {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.state = [0.0, PI, 0.0, 0.0].map(|at| at + rng.random_range(-0.05..0.05));
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        self.state = state_of(&self.spec, state, "x (m), angle (rad), and their rates")?;
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let force = FORCE * f64::from(action[0].clamp(-1.0, 1.0));
        self.state = rk4(self.state, DT, |y| derivative(y, force));
        if self.state[0].abs() > RAIL {
            self.state[0] = self.state[0].clamp(-RAIL, RAIL);
            // The stop takes the cart's momentum; the pole keeps its own about the joint:
            // m cos θ ẋ + (4/3) m l θ̇ before is (4/3) m l θ̇ after.
            let [_, theta, x_dot, _] = self.state;
            self.state[3] += theta.cos() * x_dot / (4.0 / 3.0 * HALF_LENGTH);
            self.state[2] = 0.0;
        }
        self.observe(obs);
        let upright = 0.5 * (1.0 + self.state[1].cos());
        let centred = 1.0 - 0.5 * (self.state[0] / RAIL).powi(2);
        Step { reward: (upright * centred) as f32, ..Step::default() }
    }

    fn frame(&self) -> Frame {
        let [x, theta, ..] = self.state;
        let tip = [(x + 2.0 * HALF_LENGTH * theta.sin()) as f32, (2.0 * HALF_LENGTH * theta.cos()) as f32];
        let (x, rail) = (x as f32, RAIL as f32);
        Frame {
            shapes: vec![
                Shape::Line { from: [-rail, 0.0], to: [rail, 0.0], width: 0.02 },
                Shape::Line { from: [x - 0.2, 0.0], to: [x + 0.2, 0.0], width: 0.2 },
                Shape::Line { from: [x, 0.0], to: tip, width: 0.08 },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ½ M ẋ² + m ẋ l θ̇ cos θ + ½ (4/3) m l² θ̇² + m g l cos θ
    fn energy([_, theta, x_dot, theta_dot]: [f64; 4]) -> f64 {
        let ml = POLE * HALF_LENGTH;
        0.5 * (CART + POLE) * x_dot.powi(2)
            + ml * x_dot * theta_dot * theta.cos()
            + 2.0 / 3.0 * ml * HALF_LENGTH * theta_dot.powi(2)
            + ml * GRAVITY * theta.cos()
    }

    #[test]
    fn the_stop_at_the_rail_makes_no_energy() {
        let mut env = CartPoleSwingUp::default();
        let (start, mut obs) = ([2.399, 0.3, 0.5, -20.0], [0.0; 5]);
        env.restore(&start, &mut obs).unwrap();
        env.step(&[0.0], &mut obs);
        assert_eq!(env.state[0], RAIL);
        assert!(energy(env.state) < energy(start));
    }

    #[test]
    fn energy_is_kept_without_force() {
        let mut y = [0.0, 1.0, 0.3, -0.5];
        let before = energy(y);
        for _ in 0..500 {
            y = rk4(y, DT, |y| derivative(y, 0.0));
        }
        assert!((energy(y) - before).abs() < 1e-4 * before.abs(), "{before} became {}", energy(y));
    }
}
