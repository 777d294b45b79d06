//! Whether the library that is found works.

use super::install::{Found, LIBRARY_SUM, find, sum};
use super::native::version_of;
use super::{MujocoError, failed, gym};
use crate::checked::Checked;
use crate::env::EnvError;
use crate::registry::make;

/// A library that was found and works.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where.
    pub found: Found,
    /// What it says it is.
    pub version: String,
    /// Its sha256.
    pub sum: String,
    /// Whether that is the sum of the library that `spo mujoco install` installs.
    pub published: bool,
    /// The task that was stepped with it.
    pub stepped: &'static str,
}

/// Finds the library, opens it and makes a step of a task with it.
///
/// # Errors
/// [`EnvError::Mujoco`] with what is wrong and the mend.
pub fn check() -> Result<Report, EnvError> {
    let stepped = gym::TASKS[0].id;
    let failed = failed(stepped);
    let found = find().map_err(&failed)?;
    let mut env = Checked::new(make(stepped)?);
    let mut obs = vec![0.0; env.spec().obs_dim];
    let (qpos, qvel, actions) = ([0.0; 9], [0.0; 9], [0.5; 6]);
    env.restore(&[qpos, qvel].concat(), &mut obs)?;
    env.step(&actions, &mut obs)?;
    let version = version_of(&found.path).map_err(&failed)?;
    let bytes = std::fs::read(&found.path);
    let bytes =
        bytes.map_err(|why| failed(MujocoError::Io { what: "read", path: found.path.clone(), why }))?;
    let sum = sum(&bytes);
    Ok(Report { published: sum == LIBRARY_SUM, found, version, sum, stepped })
}
