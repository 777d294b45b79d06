//! The tasks in pure Rust, one per file.

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
