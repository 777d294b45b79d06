//! The tasks by name.

use std::sync::LazyLock;

use crate::env::{Env, EnvError};
use crate::horizon::{MOST_STEPS, WithHorizon};
use crate::tasks::{Acrobot, CartPoleSwingUp, Lqr, MountainCar, Options, Pendulum, Point, Reacher};

/// A task of the registry.
#[derive(Clone)]
pub struct Entry {
    /// Its name.
    pub id: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    maker: Maker,
}

/// How a task is made.
#[derive(Clone)]
enum Maker {
    Closed(fn() -> Box<dyn Env>),
    #[cfg(feature = "mujoco")]
    Gym(&'static crate::mujoco::gym::Task),
    #[cfg(feature = "mujoco")]
    Dmc(&'static crate::mujoco::dmc::Task),
}

impl Entry {
    /// Makes one.
    ///
    /// # Errors
    /// [`EnvError::Mujoco`] where the task needs MuJoCo and it cannot be opened.
    pub fn make(&self) -> Result<Box<dyn Env>, EnvError> {
        #[cfg(feature = "mujoco")]
        let failed = crate::mujoco::failed(self.id);
        match self.maker {
            Maker::Closed(make) => Ok(make()),
            #[cfg(feature = "mujoco")]
            Maker::Gym(task) => Ok(Box::new(crate::mujoco::gym::Gym::open(task).map_err(failed)?)),
            #[cfg(feature = "mujoco")]
            Maker::Dmc(task) => Ok(Box::new(crate::mujoco::dmc::Suite::open(task).map_err(failed)?)),
        }
    }

    /// Whether it needs MuJoCo's library; see [`EnvError::Mujoco`].
    pub fn needs_mujoco(&self) -> bool {
        !matches!(self.maker, Maker::Closed(_))
    }
}

const CLOSED: &[Entry] = &[
    Entry {
        id: "pendulum",
        about: "swing a pendulum up and hold it; Gymnasium's Pendulum-v1",
        maker: Maker::Closed(|| Box::new(Pendulum::default())),
    },
    Entry {
        id: "mountain_car",
        about: "drive an underpowered car up a hill; Gymnasium's MountainCarContinuous-v0",
        maker: Maker::Closed(|| Box::new(MountainCar::default())),
    },
    Entry {
        id: "cartpole_swing_up",
        about: "swing a pole up by pushing its cart, and stay near the middle",
        maker: Maker::Closed(|| Box::new(CartPoleSwingUp::default())),
    },
    Entry {
        id: "acrobot",
        about: "swing a two-link arm's tip above its bar by the elbow's torque",
        maker: Maker::Closed(|| Box::new(Acrobot::default())),
    },
    Entry {
        id: "reacher",
        about: "bring the tip of a two-link arm to a target in the plane",
        maker: Maker::Closed(|| Box::new(Reacher::default())),
    },
    Entry {
        id: "point",
        about: "drive a point in the plane outwards; a hazard disc costs; for rings and regions",
        maker: Maker::Closed(|| Box::new(Point::default())),
    },
    Entry {
        id: "point_goal",
        about: "drive a point in the plane to a goal; a hazard disc on the shortest way costs",
        maker: Maker::Closed(|| Box::new(Point::to_goal())),
    },
    Entry {
        id: "lqr",
        about: "bring a scalar to zero at quadratic cost; the optimal policy is known",
        maker: Maker::Closed(|| Box::new(Lqr::default())),
    },
    Entry {
        id: "options-3",
        about: "choose one of 3 options, once (any options-N): preference games",
        maker: Maker::Closed(|| Box::new(Options::new(3))),
    },
];

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let closed = CLOSED.iter().cloned();
    #[cfg(feature = "mujoco")]
    let closed = {
        use crate::mujoco::{dmc, gym};
        let gym = gym::TASKS.iter().map(|t| Entry { id: t.id, about: t.about, maker: Maker::Gym(t) });
        let dmc = dmc::TASKS.iter().map(|t| Entry { id: t.id, about: t.about, maker: Maker::Dmc(t) });
        closed.chain(gym).chain(dmc)
    };
    closed.collect()
});

/// Every task, those of MuJoCo included whether or not its library is there.
pub fn registry() -> &'static [Entry] {
    &ENTRIES
}

/// Makes the task named `id`; Gymnasium's names of the same tasks work too, and `options-N` for N from 2 to 1000.
///
/// `id@N` is the same task with episodes of N steps.
///
/// # Errors
/// [`EnvError::Unknown`] with the nearest name, [`EnvError::Horizon`], [`EnvError::Mujoco`].
pub fn make(id: &str) -> Result<Box<dyn Env>, EnvError> {
    let Some((base, steps)) = id.split_once('@') else { return make_whole(id) };
    let horizon = steps.parse().ok().filter(|steps| (1..=MOST_STEPS).contains(steps));
    let horizon = horizon.ok_or_else(|| EnvError::Horizon { id: id.into(), most: MOST_STEPS })?;
    Ok(Box::new(WithHorizon::new(make_whole(base)?, horizon)))
}

fn make_whole(id: &str) -> Result<Box<dyn Env>, EnvError> {
    let id = match id {
        "Pendulum-v1" => "pendulum",
        "MountainCarContinuous-v0" => "mountain_car",
        other => other,
    };
    if let Some(entry) = ENTRIES.iter().find(|e| e.id == id) {
        return entry.make();
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
