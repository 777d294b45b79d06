//! Pendulum-v1; every step equals Gymnasium's `classic_control/pendulum.py`.

use std::f64::consts::PI;

use crate::dynamics::{Draw, Dynamics, Real, Transition};
use crate::env::{ActionSpace, Frame, Shape, Spec};

const GRAVITY: f64 = 10.0; // m/s²
const MASS: f64 = 1.0; // kg
const LENGTH: f64 = 1.0; // m
const DT: f64 = 0.05; // s
const MAX_TORQUE: f64 = 2.0; // N·m
const MAX_SPEED: f64 = 8.0; // rad/s

/// A pendulum with a weak motor. Observation: cos θ, sin θ, θ̇, with θ = 0 upright. Action: torque in N·m.
pub struct Pendulum;

impl Dynamics<2, 1, 3> for Pendulum {
    const STATE: &'static str = "2 finite numbers: angle (rad), angular velocity (rad/s)";

    fn spec(&self) -> Spec {
        Spec {
            id: "pendulum".into(),
            obs_dim: 3,
            action: ActionSpace::uniform(1, -MAX_TORQUE as f32, MAX_TORQUE as f32),
            horizon: 200,
            dt: DT as f32,
        }
    }

    fn start<R: Real>(&self, draw: &mut impl Draw<R>) -> [R; 2] {
        [draw.within(-PI, PI), draw.within(-1.0, 1.0)]
    }

    fn observe<R: Real>(&self, [theta, theta_dot]: &[R; 2]) -> [R; 3] {
        [theta.clone().cos(), theta.clone().sin(), theta_dot.clone()]
    }

    fn step<R: Real>(&self, [theta, theta_dot]: [R; 2], [u]: [R; 1]) -> Transition<R, 2> {
        let u = u.clamp(-MAX_TORQUE, MAX_TORQUE);
        let cost =
            theta.clone().wrap().square() + theta_dot.clone().square() * 0.1 + u.clone().square() * 0.001;
        let acceleration =
            theta.clone().sin() * (3.0 * GRAVITY / (2.0 * LENGTH)) + u * (3.0 / (MASS * LENGTH.powi(2)));
        let theta_dot = (theta_dot + acceleration * DT).clamp(-MAX_SPEED, MAX_SPEED);
        let theta = theta + theta_dot.clone() * DT;
        Transition::new([theta.unwind(), theta_dot], -cost)
    }

    fn frame(&self, [theta, _]: &[f64; 2]) -> Frame {
        let tip = [theta.sin() as f32, theta.cos() as f32];
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
    use crate::dynamics::HostEnv;
    use crate::env::Env;

    #[test]
    fn one_step_by_hand() {
        let mut env = HostEnv::new(Pendulum);
        let mut obs = [0.0; 3];
        env.restore(&[PI / 2.0, 1.0], &mut obs).unwrap();
        // Torque 3 is clipped to 2: cost (π/2)² + 0.1 + 0.004, θ̈ = 15 + 6 = 21, θ̇ = 1 + 1.05.
        let step = env.step(&[3.0], &mut obs);
        assert!((f64::from(step.reward) + (PI / 2.0).powi(2) + 0.104).abs() < 1e-6);
        assert!((obs[2] - 2.05).abs() < 1e-6);
    }
}
