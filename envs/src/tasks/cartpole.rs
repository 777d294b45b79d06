//! CartPole swing-up: the cart and pole of Barto, Sutton & Anderson (1983), with a continuous force and a hanging start.

use std::f64::consts::PI;

use crate::dynamics::{Draw, Dynamics, Real, Transition, rk4};
use crate::env::{ActionSpace, Frame, Shape, Spec};

const GRAVITY: f64 = 9.8; // m/s²
const CART: f64 = 1.0; // kg
const POLE: f64 = 0.1; // kg
const HALF_LENGTH: f64 = 0.5; // m, from the joint to the pole's centre
const FORCE: f64 = 10.0; // N at action 1
const RAIL: f64 = 2.4; // m each way
const DT: f64 = 0.02; // s

/// A pole that hangs from a cart. Observation: x (m), cos θ, sin θ, ẋ, θ̇, with θ = 0 upright. Action: force / 10 N.
///
/// Reward in [0, 1]: ½ (1 + cos θ) · (1 − ½ (x / rail)²). At the end of the rail the cart stops.
pub struct CartPoleSwingUp;

/// Time derivative of (x, θ, ẋ, θ̇) under a force in N (Florian 2007, without friction).
fn derivative<R: Real>([_, theta, x_dot, theta_dot]: [R; 4], force: R) -> [R; 4] {
    let (sin, cos) = (theta.clone().sin(), theta.cos());
    let total = CART + POLE;
    let push = (force + theta_dot.clone().square() * (POLE * HALF_LENGTH) * sin.clone()) / total;
    let inertia = (-(cos.clone().square() * POLE / total) + 4.0 / 3.0) * HALF_LENGTH;
    let theta_acc = (sin * GRAVITY - cos.clone() * push.clone()) / inertia;
    let x_acc = push - theta_acc.clone() * (POLE * HALF_LENGTH) * cos / total;
    [x_dot, theta_dot, x_acc, theta_acc]
}

impl Dynamics<4, 1, 5> for CartPoleSwingUp {
    const STATE: &'static str = "4 finite numbers: x (m), angle (rad), and their rates";

    fn spec(&self) -> Spec {
        Spec {
            id: "cartpole_swing_up".into(),
            obs_dim: 5,
            action: ActionSpace::uniform(1, -1.0, 1.0),
            horizon: 500,
            dt: DT as f32,
        }
    }

    fn start<R: Real>(&self, draw: &mut impl Draw<R>) -> [R; 4] {
        [0.0, PI, 0.0, 0.0].map(|at| draw.within(-0.05, 0.05) + at)
    }

    fn observe<R: Real>(&self, [x, theta, x_dot, theta_dot]: &[R; 4]) -> [R; 5] {
        [x.clone(), theta.clone().cos(), theta.clone().sin(), x_dot.clone(), theta_dot.clone()]
    }

    fn step<R: Real>(&self, state: [R; 4], [u]: [R; 1]) -> Transition<R, 4> {
        let force = u.clamp(-1.0, 1.0) * FORCE;
        let [x, theta, x_dot, theta_dot] = rk4(state, DT, |y| derivative(y, force.clone()));
        let ended = x.clone().abs().above(RAIL);
        let cos = theta.clone().cos();
        // The stop absorbs the cart's momentum. The pole keeps its angular momentum about the joint:
        // m cos θ ẋ + (4/3) m l θ̇ before the stop equals (4/3) m l θ̇ after it.
        let after_stop = theta_dot.clone() + cos.clone() * x_dot.clone() / (4.0 / 3.0 * HALF_LENGTH);
        let theta_dot = ended.clone().choose(after_stop, theta_dot);
        let x_dot = ended.choose(x_dot.clone() * 0.0, x_dot);
        let x = x.clamp(-RAIL, RAIL);
        let upright = (cos + 1.0) * 0.5;
        let centred = -((x.clone() / RAIL).square() * 0.5) + 1.0;
        Transition::new([x, theta.unwind(), x_dot, theta_dot], upright * centred)
    }

    fn frame(&self, &[x, theta, ..]: &[f64; 4]) -> Frame {
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
        let start = [2.399, 0.3, 0.5, -20.0];
        let Transition { state, .. } = CartPoleSwingUp.step(start, [0.0]);
        assert_eq!(state[0], RAIL);
        assert!(energy(state) < energy(start));
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
