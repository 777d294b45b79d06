//! The MuJoCo tasks of Gymnasium and DM Control. Every step equals theirs.
//!
//! The library is not part of the build: it is loaded when the first of these tasks is made. [`find`] looks for it,
//! [`install()`] installs it, [`check()`] tests it. Only version 3.17.0 is accepted, because the structures and the last
//! digits of the trajectories differ between versions.
//!
//! The tasks of Gymnasium 1.4.0 (`HalfCheetah-v5`, …) also give the velocity cost of safety-gymnasium as `cost`. The
//! tasks of DM Control 1.0.50 are named `dmc:walker-walk`, …; their observations have the suite's parts in the suite's
//! order. Initial states come from the original distributions, but not from NumPy's random numbers.
//!
//! Pictures ([`Env::frame`](crate::Env::frame)) are in world coordinates in metres. Planar bodies are seen from the side
//! (x, z), with a line for the floor; Swimmer, point mass and the reachers from above (x, y); Ant, Humanoid and quadruped
//! in cabinet projection, (x + y/2 · cos 45°, z + y/2 · sin 45°), with a square of the floor around the body.

mod bare;
mod check;
pub(crate) mod dmc;
mod error;
mod frame;
pub(crate) mod gym;
mod install;
mod models;
mod native;
mod observation;
mod view;

use crate::env::{EnvError, Spec};

pub use bare::BareSimulation;
pub use check::{Report, check};
pub use error::MujocoError;
pub use install::{Found, find, install};

/// The only accepted version.
pub const VERSION: &str = "3.17.0";
/// The library's file name.
const LIBRARY: &str = "libmujoco.so.3.17.0";

/// Converts an error of MuJoCo into an error of the task `id`.
pub(crate) fn env_error(id: &'static str) -> impl Fn(MujocoError) -> EnvError {
    move |why| EnvError::Mujoco { id: id.into(), why: Box::new(why) }
}

/// The message for a simulation whose `what` became invalid.
fn diverged(what: &'static str) -> String {
    format!("the simulation diverged (invalid {what}) and MuJoCo reset it; try smaller actions")
}

/// Checks that `state` holds `nq` positions and `nv` velocities, all finite, and optionally the numbers of `more`.
fn check_state(
    spec: &Spec,
    state: &[f64],
    (nq, nv): (usize, usize),
    more: Option<(&str, usize)>,
) -> Result<(), EnvError> {
    let lengths = [nq + nv, nq + nv + more.map_or(0, |(_, len)| len)];
    if lengths.contains(&state.len()) && state.iter().all(|x| x.is_finite()) {
        return Ok(());
    }
    let more = more.map(|(name, len)| format!(", and optionally {name} ({len})")).unwrap_or_default();
    let want = format!("{} finite numbers: qpos ({nq}), qvel ({nv}){more}", lengths[0]);
    Err(EnvError::State { id: spec.id.clone(), want })
}
