//! What can go wrong with the simulator's library, its installation and its models.

use std::path::PathBuf;

use super::VERSION;

/// An error of MuJoCo, each with its mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MujocoError {
    /// The library is nowhere.
    #[error(
        "MuJoCo {VERSION} is not installed (looked for {}); run `spo mujoco install`, or set SPO_MUJOCO to its library",
        looked.display()
    )]
    Missing {
        /// Where it was looked for.
        looked: PathBuf,
    },
    /// `SPO_MUJOCO` names no file.
    #[error("SPO_MUJOCO is {}, where there is no library; set it to libmujoco.so.{VERSION} or unset it", path.display())]
    NotThere {
        /// What the variable says.
        path: PathBuf,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` says where the user's cache is.
    #[error("no folder to keep MuJoCo in: set HOME or XDG_CACHE_HOME, or set SPO_MUJOCO to its library")]
    NoHome,
    /// No library is known for this machine.
    #[error(
        "`spo mujoco install` knows MuJoCo for x86-64 Linux only; set SPO_MUJOCO to the library of its release {VERSION}"
    )]
    Platform,
    /// The system's loader refuses the file.
    #[error("{} cannot be opened as MuJoCo's library: {why}; run `spo mujoco install` again", path.display())]
    Open {
        /// The library.
        path: PathBuf,
        /// What the loader says.
        why: String,
    },
    /// Another version: its structures have another layout.
    #[error(
        "{} is MuJoCo {found}, but only {VERSION} gives the same trajectories; run `spo mujoco install`{}",
        path.display(), unset(*chosen)
    )]
    Version {
        /// The library.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Whether `SPO_MUJOCO` named it.
        chosen: bool,
    },
    /// The bytes of a file are not those that were published.
    #[error("{} is damaged or not {what}: its sha256 is {got}, expected {want}; {mend}", path.display())]
    Sum {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Its sum.
        got: String,
        /// The published sum.
        want: &'static str,
        /// What to do.
        mend: &'static str,
    },
    /// The wheel cannot be unpacked.
    #[error("{} cannot be unpacked: {why}; fetch it again", path.display())]
    Wheel {
        /// The wheel.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no pip to fetch the wheel with.
    #[error(
        "python3 with pip is needed to fetch MuJoCo ({why}); install them (Debian: `apt install python3-pip`), \
         or fetch the wheel mujoco=={VERSION} elsewhere and run `spo mujoco install --from FILE.whl`"
    )]
    NoPip {
        /// What failed.
        why: String,
    },
    /// Pip could not fetch the wheel.
    #[error(
        "pip could not fetch mujoco=={VERSION}: {why}; check the network, \
         or fetch the wheel elsewhere and run `spo mujoco install --from FILE.whl`"
    )]
    Fetch {
        /// Pip's own words.
        why: String,
    },
    /// A file or folder that cannot be read or written.
    #[error("cannot {what} {}: {why}{}", path.display(), elsewhere(what))]
    Io {
        /// "read", "write" or "create".
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// A model that MuJoCo does not compile.
    #[error("MuJoCo does not compile the model {name}: {why}")]
    Model {
        /// Its file.
        name: String,
        /// MuJoCo's own words.
        why: String,
    },
    /// The simulator has no memory for another copy of a state.
    #[error("MuJoCo could not allocate the state of {name}: close something, or step fewer copies at once")]
    Memory {
        /// The model.
        name: String,
    },
}

fn unset(chosen: bool) -> &'static str {
    if chosen { " and unset SPO_MUJOCO" } else { "" }
}

fn elsewhere(what: &str) -> &'static str {
    if what == "read" { "" } else { "; set XDG_CACHE_HOME to a folder that can be written" }
}
