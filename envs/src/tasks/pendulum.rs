//! Pendulum-v1, step for step as Gymnasium's `classic_control/pendulum.py`.

use std::f64::consts::PI;

use rand::{Rng, RngExt};

use super::{state_of, wrap};
use crate::env::{ActionSpace, Env, EnvError, Frame, Shape, Spec, Step};

const GRAVITY: f64 = 10.0; // m/s²
const MASS: f64 = 1.0; // kg
const LENGTH: f64 = 1.0; // m
const DT: f64 = 0.05; // s
const MAX_TORQUE: f32 = 2.0; // N·m
const MAX_SPEED: f64 = 8.0; // rad/s

/// A pendulum with too weak a motor. Observation: cos θ, sin θ, θ̇, with θ = 0 upright. Action: torque in N·m.
pub struct Pendulum {
    spec: Spec,
    theta: f64,
    theta_dot: f64,
}

impl Default for Pendulum {
    fn default() -> Self {
        let spec = Spec {
            id: "pendulum".into(),
            obs_dim: 3,
            action: ActionSpace::uniform(1, -MAX_TORQUE, MAX_TORQUE),
            horizon: 200,
            dt: DT as f32,
        };
        Self { spec, theta: PI, theta_dot: 0.0 }
    }
}

impl Pendulum {
    fn observe(&self, obs: &mut [f32]) {
        let (sin, cos) = self.theta.sin_cos();
        obs.copy_from_slice(&[cos as f32, sin as f32, self.theta_dot as f32]);
    }
}

impl Env for Pendulum {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.theta = rng.random_range(-PI..PI);
        self.theta_dot = rng.random_range(-1.0..1.0);
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        [self.theta, self.theta_dot] = state_of(&self.spec, state, "angle (rad), angular velocity (rad/s)")?;
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let u = f64::from(action[0].clamp(-MAX_TORQUE, MAX_TORQUE));
        let cost = wrap(self.theta).powi(2) + 0.1 * self.theta_dot.powi(2) + 0.001 * u.powi(2);
        let acceleration =
            3.0 * GRAVITY / (2.0 * LENGTH) * self.theta.sin() + 3.0 / (MASS * LENGTH.powi(2)) * u;
        self.theta_dot = (self.theta_dot + acceleration * DT).clamp(-MAX_SPEED, MAX_SPEED);
        self.theta += self.theta_dot * DT;
        self.observe(obs);
        Step { reward: -cost as f32, ..Step::default() }
    }

    fn frame(&self) -> Frame {
        let tip = [self.theta.sin() as f32, self.theta.cos() as f32];
        Frame {
            shapes: vec![
                Shape::Line { from: [0.0, 0.0], to: tip, width: 0.1 },
                Shape::Circle { centre: [0.0, 0.0], radius: 0.05 },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_by_hand() {
        let mut env = Pendulum::default();
        let mut obs = [0.0; 3];
        env.restore(&[PI / 2.0, 1.0], &mut obs).unwrap();
        // Torque 3 is clipped to 2: cost (π/2)² + 0.1 + 0.004, θ̈ = 15 + 6 = 21, θ̇ = 1 + 1.05.
        let step = env.step(&[3.0], &mut obs);
        assert!((f64::from(step.reward) + (PI / 2.0).powi(2) + 0.104).abs() < 1e-6);
        assert!((obs[2] - 2.05).abs() < 1e-6);
    }
}
