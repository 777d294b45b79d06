//! Acrobot with a continuous torque. The dynamics are those of Gymnasium's `classic_control/acrobot.py` ("book" form,
//! Sutton & Barto 2018, example 11.1), where the action is one of three torques.

use std::f64::consts::PI;

use crate::dynamics::{Draw, Dynamics, Real, Transition, rk4};
use crate::env::{ActionSpace, Frame, Shape, Spec};

const GRAVITY: f64 = 9.8; // m/s²
const LENGTH: f64 = 1.0; // m, of each link
const MASS: f64 = 1.0; // kg, of each link
const CENTRE: f64 = 0.5; // m, from a joint to its link's centre of mass
const INERTIA: f64 = 1.0; // kg·m², of each link
const MAX_SPEED: [f64; 2] = [4.0 * PI, 9.0 * PI]; // rad/s
const DT: f64 = 0.2; // s

/// Two links that hang from a bar. Observation: cos θ₁, sin θ₁, cos θ₂, sin θ₂, θ̇₁, θ̇₂. θ₁ = 0 hangs down; θ₂ is
/// relative to the first link. Action: torque at the elbow in N·m, in [−1, 1].
///
/// The reward is −1 per step. The episode terminates when the tip is one link length above the bar.
pub struct Acrobot;

/// Time derivative of (θ₁, θ₂, θ̇₁, θ̇₂) under a torque in N·m.
fn derivative<R: Real>([theta1, theta2, dtheta1, dtheta2]: [R; 4], torque: R) -> [R; 4] {
    let (m, l1, lc, i, g) = (MASS, LENGTH, CENTRE, INERTIA, GRAVITY);
    let (sin2, cos2) = (theta2.clone().sin(), theta2.clone().cos());
    let d1 = (cos2.clone() * (2.0 * l1 * lc) + (l1.powi(2) + lc.powi(2))) * m + m * lc.powi(2) + 2.0 * i;
    let d2 = (cos2 * (l1 * lc) + lc.powi(2)) * m + i;
    let phi2 = (theta1.clone() + theta2 - PI / 2.0).cos() * (m * lc * g);
    let phi1 = dtheta2.clone().square() * (-m * l1 * lc) * sin2.clone()
        - dtheta2.clone() * (2.0 * m * l1 * lc) * dtheta1.clone() * sin2.clone()
        + (theta1 - PI / 2.0).cos() * ((m * lc + m * l1) * g)
        + phi2.clone();
    let ddtheta2 = (torque + d2.clone() / d1.clone() * phi1.clone()
        - dtheta1.clone().square() * (m * l1 * lc) * sin2
        - phi2)
        / (-(d2.clone().square() / d1.clone()) + (m * lc.powi(2) + i));
    let ddtheta1 = -(d2 * ddtheta2.clone() + phi1) / d1;
    [dtheta1, dtheta2, ddtheta1, ddtheta2]
}

impl Dynamics<4, 1, 6> for Acrobot {
    const STATE: &'static str = "4 finite numbers: two angles (rad), and their rates";

    fn spec(&self) -> Spec {
        Spec {
            id: "acrobot".into(),
            obs_dim: 6,
            action: ActionSpace::uniform(1, -1.0, 1.0),
            horizon: 500,
            dt: DT as f32,
        }
    }

    fn start<R: Real>(&self, draw: &mut impl Draw<R>) -> [R; 4] {
        std::array::from_fn(|_| draw.within(-0.1, 0.1))
    }

    fn observe<R: Real>(&self, [t1, t2, d1, d2]: &[R; 4]) -> [R; 6] {
        let turned = |t: &R| [t.clone().cos(), t.clone().sin()];
        let ([cos1, sin1], [cos2, sin2]) = (turned(t1), turned(t2));
        [cos1, sin1, cos2, sin2, d1.clone(), d2.clone()]
    }

    fn step<R: Real>(&self, state: [R; 4], [u]: [R; 1]) -> Transition<R, 4> {
        let torque = u.clamp(-1.0, 1.0);
        let [t1, t2, d1, d2] = rk4(state, DT, |y| derivative(y, torque.clone()));
        let [max1, max2] = MAX_SPEED;
        let (t1, t2) = (t1.wrap(), t2.wrap());
        let height = -t1.clone().cos() - (t1.clone() + t2.clone()).cos();
        let terminated = height.above(1.0);
        let state = [t1, t2, d1.clamp(-max1, max1), d2.clamp(-max2, max2)];
        Transition { state, reward: terminated.clone() - 1.0, cost: None, terminated: Some(terminated) }
    }

    fn frame(&self, &[t1, t2, ..]: &[f64; 4]) -> Frame {
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
