//! MuJoCo's tasks, step for step those of Gymnasium and of DM Control.
//!
//! The library is no part of the build: it is opened when the first of these tasks is made. [`find`] says where it is
//! looked for, [`install()`] puts it there, [`check()`] says what was found. Only version 3.17.0 is accepted, since its
//! structures and the last digits of its trajectories are its own.
//!
//! Tasks of Gymnasium 1.4.0 (`HalfCheetah-v5`, …) add the velocity cost of safety-gymnasium as `cost`. Tasks of DM
//! Control 1.0.50 are named `dmc:walker-walk`, …; their observations are the suite's parts in the suite's order.
//! Both begin episodes in the originals' distributions, though not with NumPy's numbers.
//!
//! Pictures ([`Env::frame`](crate::Env::frame)) are in world coordinates in metres: planar bodies from the side (x, z)
//! over a line for the floor; Swimmer, point mass and the reachers from above (x, y); Ant, Humanoid and quadruped in
//! cabinet projection, (x + y/2 · cos 45°, z + y/2 · sin 45°), over a square of the floor about the body.

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

pub use bare::Bare;
pub use check::{Report, check};
pub use error::MujocoError;
pub use install::{Found, find, install};

/// The one version that is accepted.
pub const VERSION: &str = "3.17.0";
/// The library's file name.
const LIBRARY: &str = "libmujoco.so.3.17.0";

/// An error of the library or a model, met in the task `id`.
pub(crate) fn failed(id: &'static str) -> impl Fn(MujocoError) -> EnvError {
    move |why| EnvError::Mujoco { id: id.into(), why: Box::new(why) }
}

/// What a simulator's fault in `what` is called.
fn diverged(what: &'static str) -> String {
    format!("the simulation diverged (bad {what}) and MuJoCo began afresh; smaller actions may help")
}

/// Whether `state` is finite positions and velocities, `(nq, nv)` of them, and perhaps the numbers of `more`.
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
    let more = more.map(|(name, len)| format!(", and at will {name} ({len})")).unwrap_or_default();
    let want = format!("{} finite numbers: qpos ({nq}), qvel ({nv}){more}", lengths[0]);
    Err(EnvError::State { id: spec.id.clone(), want })
}
