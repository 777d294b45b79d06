//! The tasks, one a file.

mod acrobot;
mod cartpole;
mod lqr;
mod mountain_car;
mod options;
mod pendulum;
mod point;
mod reacher;

pub use acrobot::Acrobot;
pub use cartpole::CartPoleSwingUp;
pub use lqr::{Lqr, optimal_action, optimal_return};
pub use mountain_car::MountainCar;
pub use options::Options;
pub use pendulum::Pendulum;
pub use point::Point;
pub use reacher::Reacher;

use crate::env::{EnvError, Spec};

/// The `N` numbers of a state to restore.
fn state_of<const N: usize>(spec: &Spec, state: &[f64], names: &str) -> Result<[f64; N], EnvError> {
    let wrong = || EnvError::State { id: spec.id.clone(), want: format!("{N} finite numbers: {names}") };
    let state: [f64; N] = state.try_into().map_err(|_| wrong())?;
    if state.iter().all(|x| x.is_finite()) { Ok(state) } else { Err(wrong()) }
}

/// One classical Runge–Kutta step of y' = f(y) over `dt`.
fn rk4<const N: usize>(y: [f64; N], dt: f64, f: impl Fn([f64; N]) -> [f64; N]) -> [f64; N] {
    let along = |k: [f64; N], h: f64| std::array::from_fn(|i| y[i] + h * k[i]);
    let k1 = f(y);
    let k2 = f(along(k1, dt / 2.0));
    let k3 = f(along(k2, dt / 2.0));
    let k4 = f(along(k3, dt));
    std::array::from_fn(|i| y[i] + dt / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]))
}

/// An angle in [−π, π), as Gymnasium's `angle_normalize`.
fn wrap(angle: f64) -> f64 {
    use std::f64::consts::PI;
    (angle + PI).rem_euclid(2.0 * PI) - PI
}
