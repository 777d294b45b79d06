//! Errors of the MuJoCo library, its installation and its models.

use std::path::PathBuf;

use super::VERSION;

/// An error of MuJoCo. Each message says how to fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MujocoError {
    /// The library is not installed.
    #[error(
        "MuJoCo {VERSION} is not installed (looked for {}); run `spo mujoco install`, or set SPO_MUJOCO to the path of its library",
        looked.display()
    )]
    Missing {
        /// The path where it should be.
        looked: PathBuf,
    },
    /// `SPO_MUJOCO` names a file that does not exist.
    #[error("SPO_MUJOCO is {}, but there is no library there; set it to the path of libmujoco.so.{VERSION} or unset it", path.display())]
    NotThere {
        /// The value of the variable.
        path: PathBuf,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set, so the user's cache folder is unknown.
    #[error(
        "no folder to install MuJoCo in; set HOME or XDG_CACHE_HOME, or set SPO_MUJOCO to the path of its library"
    )]
    NoHome,
    /// `spo mujoco install` does not support this machine.
    #[error(
        "`spo mujoco install` supports x86-64 Linux only; install MuJoCo {VERSION} yourself and set SPO_MUJOCO to its library"
    )]
    Platform,
    /// The system's loader cannot load the file.
    #[error("{} cannot be opened as MuJoCo's library: {why}; run `spo mujoco install` again", path.display())]
    Open {
        /// The library.
        path: PathBuf,
        /// The loader's message.
        why: String,
    },
    /// The library has another version, whose structures have another layout.
    #[error(
        "{} is MuJoCo {found}, but spo needs {VERSION}, which gives the same trajectories everywhere; run `spo mujoco install`{}",
        path.display(), unset(*from_variable)
    )]
    Version {
        /// The library.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Whether `SPO_MUJOCO` named it.
        from_variable: bool,
    },
    /// A file differs from the published one.
    #[error("{} is damaged or not {what}: its sha256 is {got}, expected {want}; {fix}", path.display())]
    Sum {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Its sha256.
        got: String,
        /// The published sha256.
        want: &'static str,
        /// What to do.
        fix: &'static str,
    },
    /// The wheel cannot be unpacked.
    #[error("{} cannot be unpacked: {why}; download it again", path.display())]
    Wheel {
        /// The wheel.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no pip to download the wheel.
    #[error(
        "cannot download MuJoCo without python3 and pip ({why}); install them (Debian: `apt install python3-pip`), \
         or download the wheel mujoco=={VERSION} on another machine and run `spo mujoco install --from FILE.whl`"
    )]
    NoPip {
        /// What failed.
        why: String,
    },
    /// Pip could not download the wheel.
    #[error(
        "pip could not download mujoco=={VERSION}: {why}; check the network, \
         or download the wheel on another machine and run `spo mujoco install --from FILE.whl`"
    )]
    Fetch {
        /// Pip's message.
        why: String,
    },
    /// A file or folder that cannot be read or written.
    #[error("cannot {what} {}: {why}{}", path.display(), other_folder(what))]
    Io {
        /// "read", "write" or "create".
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// MuJoCo cannot compile a model.
    #[error("MuJoCo cannot compile the model {name}: {why}")]
    Model {
        /// Its file.
        name: String,
        /// MuJoCo's message.
        why: String,
    },
    /// There is not enough memory for another copy of a state.
    #[error(
        "MuJoCo could not allocate memory for the state of {name}; close other programs or step fewer environments at once"
    )]
    Memory {
        /// The model.
        name: String,
    },
}

fn unset(from_variable: bool) -> &'static str {
    if from_variable { " and unset SPO_MUJOCO" } else { "" }
}

fn other_folder(what: &str) -> &'static str {
    if what == "read" { "" } else { "; set XDG_CACHE_HOME to a folder that you can write to" }
}
