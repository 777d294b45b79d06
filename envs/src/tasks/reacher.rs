//! A two-link arm in the plane, from its equations of motion. This is not Gymnasium's Reacher, which is a MuJoCo model.

use std::f64::consts::PI;

use crate::dynamics::{Draw, Dynamics, Real, Transition, rk4};
use crate::env::{ActionSpace, Frame, Shape, Spec};

const LENGTH: f64 = 0.1; // m, of each link
const MASS: f64 = 0.05; // kg, a point at each link's end
const DAMPING: f64 = 0.002; // N·m·s/rad, of each joint
const TORQUE: f64 = 0.01; // N·m at action 1
const DT: f64 = 0.02; // s

/// An arm without gravity. Observation: cos and sin of both angles, both rates, target (x, y), tip − target. Action:
/// two torques / 0.01 N·m.
///
/// Reward: −|tip − target| (m) − 0.001 |u|².
pub struct Reacher;

/// Time derivative of the arm: M(θ₂) θ̈ = τ − c(θ, θ̇) − damping (Spong et al. 2006, section 7.3, with point masses).
fn derivative<R: Real>([_, theta2, w1, w2]: [R; 4], [torque1, torque2]: [R; 2]) -> [R; 4] {
    let ml2 = MASS * LENGTH * LENGTH;
    let (sin, cos) = (theta2.clone().sin(), theta2.cos());
    let (m11, m12, m22) = ((cos.clone() * 2.0 + 3.0) * ml2, (cos + 1.0) * ml2, ml2);
    let h = sin * ml2;
    let coriolis = h.clone() * (w1.clone() * 2.0 * w2.clone() + w2.clone() * w2.clone());
    let f1 = torque1 + coriolis - w1.clone() * DAMPING;
    let f2 = torque2 - h * w1.clone() * w1.clone() - w2.clone() * DAMPING;
    let det = m11.clone() * m22 - m12.clone() * m12.clone();
    let acc1 = (f1.clone() * m22 - m12.clone() * f2.clone()) / det.clone();
    [w1, w2, acc1, (m11 * f2 - m12 * f1) / det]
}

/// Positions of elbow and tip in a state, in m.
fn joints<R: Real>([t1, t2, ..]: &[R; 6]) -> [[R; 2]; 2] {
    let both = t1.clone() + t2.clone();
    let elbow = [t1.clone().cos() * LENGTH, t1.clone().sin() * LENGTH];
    let tip = [elbow[0].clone() + both.clone().cos() * LENGTH, elbow[1].clone() + both.sin() * LENGTH];
    [elbow, tip]
}

/// The state is θ₁, θ₂ (relative), θ̇₁, θ̇₂, and the target's x and y.
impl Dynamics<6, 2, 10> for Reacher {
    const STATE: &'static str = "6 finite numbers: two angles (rad), their rates, target x and y (m)";

    fn spec(&self) -> Spec {
        Spec {
            id: "reacher".into(),
            obs_dim: 10,
            action: ActionSpace::uniform(2, -1.0, 1.0),
            horizon: 100,
            dt: DT as f32,
        }
    }

    fn start<R: Real>(&self, draw: &mut impl Draw<R>) -> [R; 6] {
        let (t1, t2) = (draw.within(-PI, PI), draw.within(-2.0, 2.0));
        // Uniform over a disc that the arm can reach.
        let (radius, angle) = (draw.unit().sqrt() * (1.8 * LENGTH), draw.within(-PI, PI));
        let target = [radius.clone() * angle.clone().cos(), radius * angle.sin()];
        let [x, y] = target;
        [t1, t2, draw.fixed(0.0), draw.fixed(0.0), x, y]
    }

    fn observe<R: Real>(&self, state: &[R; 6]) -> [R; 10] {
        let [_, [tip_x, tip_y]] = joints(state);
        let [t1, t2, w1, w2, x, y] = state.clone();
        let (away_x, away_y) = (tip_x - x.clone(), tip_y - y.clone());
        [t1.clone().cos(), t1.sin(), t2.clone().cos(), t2.sin(), w1, w2, x, y, away_x, away_y]
    }

    fn step<R: Real>(&self, [t1, t2, w1, w2, x, y]: [R; 6], action: [R; 2]) -> Transition<R, 6> {
        let [u1, u2] = action.map(|u| u.clamp(-1.0, 1.0));
        let torque = [u1.clone() * TORQUE, u2.clone() * TORQUE];
        let [t1, t2, w1, w2] = rk4([t1, t2, w1, w2], DT, |y| derivative(y, torque.clone()));
        let state = [t1, t2, w1, w2, x.clone(), y.clone()];
        let [_, [tip_x, tip_y]] = joints(&state);
        let distance = (tip_x - x).hypot(tip_y - y);
        let effort = u1.square() + u2.square();
        Transition::new(state, -distance - effort * 0.001)
    }

    fn frame(&self, state: &[f64; 6]) -> Frame {
        let target = [state[4], state[5]];
        let [elbow, tip] = joints(state).map(|p| p.map(|v| v as f32));
        Frame {
            shapes: vec![
                Shape::Circle { centre: target.map(|v| v as f32), radius: 0.01 },
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
