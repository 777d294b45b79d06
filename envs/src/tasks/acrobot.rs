//! Acrobot with a real torque: the dynamics of Gymnasium's `classic_control/acrobot.py` ("book" form, Sutton & Barto
//! 2018, equation of example 11.1), whose action is one of three torques.

use std::f64::consts::PI;

use rand::{Rng, RngExt};

use super::{rk4, state_of, wrap};
use crate::env::{ActionSpace, Env, EnvError, Frame, Shape, Spec, Step};

const GRAVITY: f64 = 9.8; // m/s²
const LENGTH: f64 = 1.0; // m, of each link
const MASS: f64 = 1.0; // kg, of each link
const CENTRE: f64 = 0.5; // m, from a joint to its link's centre of mass
const INERTIA: f64 = 1.0; // kg·m², of each link
const MAX_SPEED: [f64; 2] = [4.0 * PI, 9.0 * PI]; // rad/s
const DT: f64 = 0.2; // s

/// Two links that hang from a bar. Observation: cos θ₁, sin θ₁, cos θ₂, sin θ₂, θ̇₁, θ̇₂, with θ₁ = 0 hanging and θ₂
/// relative. Action: torque at the elbow in N·m, in [−1, 1].
///
/// Reward −1 a step until the tip is a link's length above the bar, which terminates.
pub struct Acrobot {
    spec: Spec,
    /// θ₁, θ₂, θ̇₁, θ̇₂
    state: [f64; 4],
}

impl Default for Acrobot {
    fn default() -> Self {
        let spec = Spec {
            id: "acrobot".into(),
            obs_dim: 6,
            action: ActionSpace::uniform(1, -1.0, 1.0),
            horizon: 500,
            dt: DT as f32,
        };
        Self { spec, state: [0.0; 4] }
    }
}

/// Time derivative of (θ₁, θ₂, θ̇₁, θ̇₂) under a torque in N·m.
fn derivative([theta1, theta2, dtheta1, dtheta2]: [f64; 4], torque: f64) -> [f64; 4] {
    let (m, l1, lc, i, g) = (MASS, LENGTH, CENTRE, INERTIA, GRAVITY);
    let (sin2, cos2) = theta2.sin_cos();
    let d1 = m * lc.powi(2) + m * (l1.powi(2) + lc.powi(2) + 2.0 * l1 * lc * cos2) + 2.0 * i;
    let d2 = m * (lc.powi(2) + l1 * lc * cos2) + i;
    let phi2 = m * lc * g * (theta1 + theta2 - PI / 2.0).cos();
    let phi1 = -m * l1 * lc * dtheta2.powi(2) * sin2 - 2.0 * m * l1 * lc * dtheta2 * dtheta1 * sin2
        + (m * lc + m * l1) * g * (theta1 - PI / 2.0).cos()
        + phi2;
    let ddtheta2 = (torque + d2 / d1 * phi1 - m * l1 * lc * dtheta1.powi(2) * sin2 - phi2)
        / (m * lc.powi(2) + i - d2.powi(2) / d1);
    let ddtheta1 = -(d2 * ddtheta2 + phi1) / d1;
    [dtheta1, dtheta2, ddtheta1, ddtheta2]
}

impl Acrobot {
    fn observe(&self, obs: &mut [f32]) {
        let [t1, t2, d1, d2] = self.state;
        obs.copy_from_slice(&[t1.cos(), t1.sin(), t2.cos(), t2.sin(), d1, d2].map(|v| v as f32));
    }
}

impl Env for Acrobot {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.state = std::array::from_fn(|_| rng.random_range(-0.1..0.1));
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        self.state = state_of(&self.spec, state, "two angles (rad), and their rates")?;
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let torque = f64::from(action[0].clamp(-1.0, 1.0));
        let [t1, t2, d1, d2] = rk4(self.state, DT, |y| derivative(y, torque));
        let [max1, max2] = MAX_SPEED;
        self.state = [wrap(t1), wrap(t2), d1.clamp(-max1, max1), d2.clamp(-max2, max2)];
        self.observe(obs);
        let [t1, t2, ..] = self.state;
        let terminated = -t1.cos() - (t1 + t2).cos() > 1.0;
        Step { reward: if terminated { 0.0 } else { -1.0 }, terminated, ..Step::default() }
    }

    fn frame(&self) -> Frame {
        let [t1, t2, ..] = self.state;
        let elbow = [t1.sin() as f32, -t1.cos() as f32];
        let tip = [elbow[0] + (t1 + t2).sin() as f32, elbow[1] - (t1 + t2).cos() as f32];
        Frame {
            shapes: vec![
                Shape::Line { from: [-2.0, 1.0], to: [2.0, 1.0], width: 0.03 },
                Shape::Line { from: [0.0, 0.0], to: elbow, width: 0.15 },
                Shape::Line { from: elbow, to: tip, width: 0.15 },
                Shape::Circle { centre: elbow, radius: 0.1 },
                Shape::Circle { centre: [0.0, 0.0], radius: 0.1 },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinetic ½ (d1 θ̇₁² + 2 d2 θ̇₁ θ̇₂ + (m lc² + I) θ̇₂²), potential of the two centres.
    fn energy([t1, t2, w1, w2]: [f64; 4]) -> f64 {
        let (m, lc) = (MASS, CENTRE);
        let d1 = m * lc * lc + m * (1.0 + lc * lc + 2.0 * lc * t2.cos()) + 2.0 * INERTIA;
        let d2 = m * (lc * lc + lc * t2.cos()) + INERTIA;
        let kinetic = 0.5 * (d1 * w1 * w1 + 2.0 * d2 * w1 * w2 + (m * lc * lc + INERTIA) * w2 * w2);
        kinetic - m * GRAVITY * (lc * t1.cos() + t1.cos() + lc * (t1 + t2).cos())
    }

    #[test]
    fn energy_is_kept_without_torque() {
        let mut y = [0.5, -0.3, 0.2, 0.4];
        let before = energy(y);
        for _ in 0..2000 {
            y = rk4(y, 0.005, |y| derivative(y, 0.0));
        }
        assert!((energy(y) - before).abs() < 1e-5 * before.abs(), "{before} became {}", energy(y));
    }
}
