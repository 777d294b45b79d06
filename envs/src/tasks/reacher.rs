//! A two-link arm in the plane, from its equations of motion. Not Gymnasium's Reacher, which is a MuJoCo model.

use std::f64::consts::PI;

use rand::{Rng, RngExt};

use super::{rk4, state_of};
use crate::env::{ActionSpace, Env, EnvError, Frame, Shape, Spec, Step};

const LENGTH: f64 = 0.1; // m, of each link
const MASS: f64 = 0.05; // kg, a point at each link's end
const DAMPING: f64 = 0.002; // N·m·s/rad, of each joint
const TORQUE: f64 = 0.01; // N·m at action 1
const DT: f64 = 0.02; // s

/// An arm without gravity. Observation: cos and sin of both angles, both rates, target (x, y), tip − target. Action:
/// two torques / 0.01 N·m.
///
/// Reward: −|tip − target| (m) − 0.001 |u|².
pub struct Reacher {
    spec: Spec,
    /// θ₁, θ₂ (relative), θ̇₁, θ̇₂
    state: [f64; 4],
    target: [f64; 2],
}

impl Default for Reacher {
    fn default() -> Self {
        let spec = Spec {
            id: "reacher".into(),
            obs_dim: 10,
            action: ActionSpace::uniform(2, -1.0, 1.0),
            horizon: 100,
            dt: DT as f32,
        };
        Self { spec, state: [0.0; 4], target: [LENGTH, LENGTH] }
    }
}

/// Time derivative of the state: M(θ₂) θ̈ = τ − c(θ, θ̇) − damping (Spong et al. 2006, section 7.3, with point masses).
fn derivative([_, theta2, w1, w2]: [f64; 4], torque: [f64; 2]) -> [f64; 4] {
    let ml2 = MASS * LENGTH * LENGTH;
    let (sin, cos) = theta2.sin_cos();
    let (m11, m12, m22) = (ml2 * (3.0 + 2.0 * cos), ml2 * (1.0 + cos), ml2);
    let h = ml2 * sin;
    let f1 = torque[0] + h * (2.0 * w1 * w2 + w2 * w2) - DAMPING * w1;
    let f2 = torque[1] - h * w1 * w1 - DAMPING * w2;
    let det = m11 * m22 - m12 * m12;
    [w1, w2, (m22 * f1 - m12 * f2) / det, (m11 * f2 - m12 * f1) / det]
}

impl Reacher {
    fn joints(&self) -> [[f64; 2]; 2] {
        let [t1, t2, ..] = self.state;
        let elbow = [LENGTH * t1.cos(), LENGTH * t1.sin()];
        [elbow, [elbow[0] + LENGTH * (t1 + t2).cos(), elbow[1] + LENGTH * (t1 + t2).sin()]]
    }

    fn observe(&self, obs: &mut [f32]) {
        let [t1, t2, w1, w2] = self.state;
        let ([_, tip], [x, y]) = (self.joints(), self.target);
        let row = [t1.cos(), t1.sin(), t2.cos(), t2.sin(), w1, w2, x, y, tip[0] - x, tip[1] - y];
        obs.copy_from_slice(&row.map(|v| v as f32));
    }
}

impl Env for Reacher {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.state = [rng.random_range(-PI..PI), rng.random_range(-2.0..2.0), 0.0, 0.0];
        // Uniform over the disc that the arm reaches comfortably.
        let (radius, angle) = (1.8 * LENGTH * rng.random::<f64>().sqrt(), rng.random_range(-PI..PI));
        self.target = [radius * angle.cos(), radius * angle.sin()];
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        let [t1, t2, w1, w2, x, y] =
            state_of(&self.spec, state, "two angles (rad), their rates, target x and y (m)")?;
        (self.state, self.target) = ([t1, t2, w1, w2], [x, y]);
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let u = [0, 1].map(|i| f64::from(action[i].clamp(-1.0, 1.0)));
        self.state = rk4(self.state, DT, |y| derivative(y, u.map(|u| TORQUE * u)));
        self.observe(obs);
        let ([_, tip], [x, y]) = (self.joints(), self.target);
        let distance = (tip[0] - x).hypot(tip[1] - y);
        let effort = u[0].powi(2) + u[1].powi(2);
        Step { reward: (-distance - 0.001 * effort) as f32, ..Step::default() }
    }

    fn frame(&self) -> Frame {
        let [elbow, tip] = self.joints().map(|p| p.map(|v| v as f32));
        Frame {
            shapes: vec![
                Shape::Circle { centre: self.target.map(|v| v as f32), radius: 0.01 },
                Shape::Line { from: [0.0, 0.0], to: elbow, width: 0.015 },
                Shape::Line { from: elbow, to: tip, width: 0.015 },
                Shape::Circle { centre: [0.0, 0.0], radius: 0.01 },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damping_and_torque_balance_the_energy() {
        // d/dt ½ θ̇ᵀ M θ̇ = τ·θ̇ − damping |θ̇|²: checked by a finite difference along the motion.
        let energy = |[_, t2, w1, w2]: [f64; 4]| {
            let ml2 = MASS * LENGTH * LENGTH;
            ml2 * (0.5 * (3.0 + 2.0 * t2.cos()) * w1 * w1 + (1.0 + t2.cos()) * w1 * w2 + 0.5 * w2 * w2)
        };
        let (y, torque) = ([0.3, 0.9, 2.0, -1.0], [0.004, -0.002]);
        let dt = 1e-5;
        let slope = (energy(rk4(y, dt, |y| derivative(y, torque))) - energy(y)) / dt;
        let power = torque[0] * y[2] + torque[1] * y[3] - DAMPING * (y[2] * y[2] + y[3] * y[3]);
        assert!((slope - power).abs() < 1e-5 * power.abs().max(1.0), "{slope} against {power}");
    }
}
