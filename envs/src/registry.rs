//! The tasks by name.

use crate::env::{Env, EnvError};
use crate::tasks::{Acrobot, CartPoleSwingUp, Lqr, MountainCar, Options, Pendulum, Point, Reacher};

/// A task of the registry.
pub struct Entry {
    /// Its name.
    pub id: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Makes one.
    pub make: fn() -> Box<dyn Env>,
}

const ENTRIES: &[Entry] = &[
    Entry {
        id: "pendulum",
        about: "swing a pendulum up and hold it; Gymnasium's Pendulum-v1",
        make: || Box::new(Pendulum::default()),
    },
    Entry {
        id: "mountain_car",
        about: "drive an underpowered car up a hill; Gymnasium's MountainCarContinuous-v0",
        make: || Box::new(MountainCar::default()),
    },
    Entry {
        id: "cartpole_swing_up",
        about: "swing a pole up by pushing its cart, and stay near the middle",
        make: || Box::new(CartPoleSwingUp::default()),
    },
    Entry {
        id: "acrobot",
        about: "swing a two-link arm's tip above its bar by the elbow's torque",
        make: || Box::new(Acrobot::default()),
    },
    Entry {
        id: "reacher",
        about: "bring the tip of a two-link arm to a target in the plane",
        make: || Box::new(Reacher::default()),
    },
    Entry {
        id: "point",
        about: "drive a point in the plane outwards; a hazard disc costs; for rings and regions",
        make: || Box::new(Point::default()),
    },
    Entry {
        id: "lqr",
        about: "bring a scalar to zero at quadratic cost; the optimal policy is known",
        make: || Box::new(Lqr::default()),
    },
    Entry {
        id: "options-3",
        about: "choose one of 3 options, once (any options-N): preference games",
        make: || Box::new(Options::new(3)),
    },
];

/// Every task.
pub fn registry() -> &'static [Entry] {
    ENTRIES
}

/// Makes the task named `id`; Gymnasium's names of the same tasks work too, and `options-N` for N from 2 to 1000.
///
/// # Errors
/// [`EnvError::Unknown`] with the nearest name.
pub fn make(id: &str) -> Result<Box<dyn Env>, EnvError> {
    let id = match id {
        "Pendulum-v1" => "pendulum",
        "MountainCarContinuous-v0" => "mountain_car",
        other => other,
    };
    if let Some(entry) = ENTRIES.iter().find(|e| e.id == id) {
        return Ok((entry.make)());
    }
    let options = id.strip_prefix("options-").and_then(|n| n.parse().ok());
    if let Some(n @ 2..=1000) = options {
        return Ok(Box::new(Options::new(n)));
    }
    let nearest = (ENTRIES.iter())
        .map(|e| (strsim::jaro_winkler(id, e.id), e.id))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_string());
    Err(EnvError::Unknown { id: id.into(), nearest })
}
