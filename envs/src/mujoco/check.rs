//! Checks that the installed library works.

use super::install::{Found, LIBRARY_SUM, find, sha256};
use super::native::version_of;
use super::{MujocoError, env_error, gym};
use crate::checked::Checked;
use crate::env::EnvError;
use crate::registry::make;

/// A library that works.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it is.
    pub found: Found,
    /// The version that it reports.
    pub version: String,
    /// Its sha256.
    pub sum: String,
    /// Whether `sum` is that of the library that `spo mujoco install` installs.
    pub published: bool,
    /// The task that was stepped to test it.
    pub stepped: &'static str,
}

/// Finds the library, opens it and makes one step of a task.
///
/// # Errors
/// [`EnvError::Mujoco`] with what is wrong and how to fix it.
pub fn check() -> Result<Report, EnvError> {
    let stepped = gym::TASKS[0].id;
    let env_error = env_error(stepped);
    let found = find().map_err(&env_error)?;
    let mut env = Checked::new(make(stepped)?);
    let mut obs = vec![0.0; env.spec().obs_dim];
    let (qpos, qvel, actions) = ([0.0; 9], [0.0; 9], [0.5; 6]);
    env.restore(&[qpos, qvel].concat(), &mut obs)?;
    env.step(&actions, &mut obs)?;
    let version = version_of(&found.path).map_err(&env_error)?;
    let bytes = std::fs::read(&found.path);
    let bytes =
        bytes.map_err(|why| env_error(MujocoError::Io { what: "read", path: found.path.clone(), why }))?;
    let sum = sha256(&bytes);
    Ok(Report { published: sum == LIBRARY_SUM, found, version, sum, stepped })
}
