//! The tasks by name.

use std::sync::LazyLock;

use crate::dynamics::{Dynamics, HostEnv};
use crate::env::{Env, EnvError, Spec};
use crate::horizon::{MOST_STEPS, WithHorizon};
use crate::tasks::{Acrobot, CartPoleSwingUp, Lqr, MountainCar, Options, Pendulum, Point, Reacher};

/// A task of the registry.
#[derive(Clone)]
pub struct Entry {
    /// Its name.
    pub id: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    maker: Maker,
}

/// How to make a task.
#[derive(Clone)]
enum Maker {
    /// See [`with_dynamics`].
    Equations,
    Options(usize),
    Gym(&'static crate::mujoco::gym::Task),
    Dmc(&'static crate::mujoco::dmc::Task),
}

impl Entry {
    /// Makes the task.
    ///
    /// # Errors
    /// [`EnvError::Mujoco`] if the task needs MuJoCo and the library cannot be opened.
    pub fn make(&self) -> Result<Box<dyn Env>, EnvError> {
        let env_error = crate::mujoco::env_error(self.id);
        match self.maker {
            Maker::Equations => {
                Ok(with_dynamics(self.id, Simulate).expect("every entry of EQUATIONS has equations"))
            }
            Maker::Options(n) => Ok(Box::new(Options::new(n))),
            Maker::Gym(task) => Ok(Box::new(crate::mujoco::gym::Gym::open(task).map_err(env_error)?)),
            Maker::Dmc(task) => Ok(Box::new(crate::mujoco::dmc::Suite::open(task).map_err(env_error)?)),
        }
    }

    /// Whether it needs the MuJoCo library; see [`EnvError::Mujoco`].
    pub fn needs_mujoco(&self) -> bool {
        !matches!(self.maker, Maker::Equations | Maker::Options(_))
    }
}

const EQUATIONS: &[Entry] = &[
    Entry {
        id: "pendulum",
        about: "swing a pendulum up and hold it; Gymnasium's Pendulum-v1",
        maker: Maker::Equations,
    },
    Entry {
        id: "mountain_car",
        about: "drive an underpowered car up a hill; Gymnasium's MountainCarContinuous-v0",
        maker: Maker::Equations,
    },
    Entry {
        id: "cartpole_swing_up",
        about: "swing a pole up by pushing its cart, and stay near the middle",
        maker: Maker::Equations,
    },
    Entry {
        id: "acrobot",
        about: "swing the tip of a two-link arm above its bar with a torque at the elbow",
        maker: Maker::Equations,
    },
    Entry {
        id: "reacher",
        about: "bring the tip of a two-link arm to a target in the plane",
        maker: Maker::Equations,
    },
    Entry {
        id: "point",
        about: "drive a point in the plane outwards; a hazard disc costs; for ring and region oracles",
        maker: Maker::Equations,
    },
    Entry {
        id: "point_goal",
        about: "drive a point in the plane to a goal; a hazard disc on the shortest path costs",
        maker: Maker::Equations,
    },
    Entry {
        id: "lqr",
        about: "bring a number to zero at quadratic cost; the optimal policy is known",
        maker: Maker::Equations,
    },
    Entry {
        id: "options-3",
        about: "choose one of 3 options, once (or any options-N); for preference games",
        maker: Maker::Options(3),
    },
];

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    use crate::mujoco::{dmc, gym};
    let gym = gym::TASKS.iter().map(|t| Entry { id: t.id, about: t.about, maker: Maker::Gym(t) });
    let dmc = dmc::TASKS.iter().map(|t| Entry { id: t.id, about: t.about, maker: Maker::Dmc(t) });
    EQUATIONS.iter().cloned().chain(gym).chain(dmc).collect()
});

/// All tasks. Those of MuJoCo are listed even if the library is missing.
pub fn registry() -> &'static [Entry] {
    &ENTRIES
}

/// A generic function over a task's equations, for [`with_dynamics`].
pub trait WithDynamics {
    /// The result.
    type Output;

    /// Computes the result. `spec` has the horizon from the task's id.
    fn with<D: Dynamics<S, A, O> + 'static, const S: usize, const A: usize, const O: usize>(
        self,
        dynamics: D,
        spec: Spec,
    ) -> Self::Output;
}

/// Makes a task on the host.
struct Simulate;

impl WithDynamics for Simulate {
    type Output = Box<dyn Env>;

    fn with<D: Dynamics<S, A, O> + 'static, const S: usize, const A: usize, const O: usize>(
        self,
        dynamics: D,
        _: Spec,
    ) -> Box<dyn Env> {
        Box::new(HostEnv::new(dynamics))
    }
}

/// Calls `taker` with the equations of the task named `id`; `None` if the task is not given by equations.
pub fn with_dynamics<T: WithDynamics>(id: &str, taker: T) -> Option<T::Output> {
    let (base, horizon) = split_horizon(id).ok()?;
    let with = |spec: Spec| match horizon {
        Some(horizon) => Spec { id: id.into(), horizon, ..spec },
        None => spec,
    };
    Some(match base {
        "pendulum" | "Pendulum-v1" => taker.with(Pendulum, with(Pendulum.spec())),
        "mountain_car" | "MountainCarContinuous-v0" => taker.with(MountainCar, with(MountainCar.spec())),
        "cartpole_swing_up" => taker.with(CartPoleSwingUp, with(CartPoleSwingUp.spec())),
        "acrobot" => taker.with(Acrobot, with(Acrobot.spec())),
        "reacher" => taker.with(Reacher, with(Reacher.spec())),
        "point" => taker.with(Point::default(), with(Point::default().spec())),
        "point_goal" => taker.with(Point::to_goal(), with(Point::to_goal().spec())),
        "lqr" => taker.with(Lqr, with(Lqr.spec())),
        _ => return None,
    })
}

/// Splits `name@N` into the name and N.
fn split_horizon(id: &str) -> Result<(&str, Option<usize>), EnvError> {
    let Some((base, steps)) = id.split_once('@') else { return Ok((id, None)) };
    let horizon = steps.parse().ok().filter(|steps| (1..=MOST_STEPS).contains(steps));
    let horizon = horizon.ok_or_else(|| EnvError::Horizon { id: id.into(), most: MOST_STEPS })?;
    Ok((base, Some(horizon)))
}

/// Makes the task named `id`. Gymnasium's names of the same tasks work too, and `options-N` for N from 2 to 1000.
///
/// `id@N` is the same task with episodes of N steps.
///
/// # Errors
/// [`EnvError::Unknown`] with the nearest name if no task has this name, [`EnvError::Horizon`] if N is not valid,
/// [`EnvError::Mujoco`] if the task needs MuJoCo and the library cannot be opened.
pub fn make(id: &str) -> Result<Box<dyn Env>, EnvError> {
    let (base, horizon) = split_horizon(id)?;
    let env = make_default_horizon(base)?;
    Ok(match horizon {
        Some(horizon) => Box::new(WithHorizon::new(env, horizon)),
        None => env,
    })
}

fn make_default_horizon(id: &str) -> Result<Box<dyn Env>, EnvError> {
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
