//! Finding and installing the MuJoCo library.
//!
//! The library comes from the PyPI wheel `mujoco==3.17.0` for x86-64 Linux, which pip downloads. The sha256 sums of
//! wheel and library are checked before anything is installed.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::{LIBRARY, MujocoError, VERSION};

/// sha256 of `mujoco-3.17.0-*-manylinux_2_28_x86_64.whl`.
const WHEEL_SUM: &str = "d66928d86a2d1b601bbaa4dc11db50214d17d5301bb8afd84721313b67ff0874";
/// sha256 of `mujoco/libmujoco.so.3.17.0` in it.
pub(super) const LIBRARY_SUM: &str = "23496b023ee80fb61ab71167e94bc649f9941710fde96b18bb8204fb332523ad";
const WHEEL: &str = "the wheel mujoco==3.17.0 for x86-64 Linux";

/// Where a library was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The library.
    pub path: PathBuf,
    /// Whether its path comes from `SPO_MUJOCO`; otherwise it is the installed one.
    pub from_variable: bool,
}

/// Finds the library.
///
/// If `SPO_MUJOCO` is set, it is the library's path or folder. Otherwise the path is
/// `$XDG_CACHE_HOME/spo/mujoco/3.17.0/libmujoco.so.3.17.0`, with `~/.cache` if `XDG_CACHE_HOME` is not set.
///
/// # Errors
/// [`MujocoError::NotThere`] if `SPO_MUJOCO` names no library, [`MujocoError::Missing`] if none is installed,
/// [`MujocoError::NoHome`] if the cache folder is unknown.
pub fn find() -> Result<Found, MujocoError> {
    if let Some(named) = std::env::var_os("SPO_MUJOCO").filter(|v| !v.is_empty()) {
        let named = PathBuf::from(named);
        let path = if named.is_dir() { named.join(LIBRARY) } else { named };
        return if path.is_file() {
            Ok(Found { path, from_variable: true })
        } else {
            Err(MujocoError::NotThere { path })
        };
    }
    let path = installed_path()?;
    if path.is_file() {
        Ok(Found { path, from_variable: false })
    } else {
        Err(MujocoError::Missing { looked: path })
    }
}

/// Installs the library into the user's cache and returns its path. It comes from the wheel `from`, or from one that
/// pip downloads. An intact installed library is kept.
///
/// # Errors
/// [`MujocoError`]: there is no pip or no network, the wheel is wrong or corrupt, or the cache cannot be written.
pub fn install(from: Option<&Path>) -> Result<PathBuf, MujocoError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(MujocoError::Platform);
    }
    let path = installed_path()?;
    if from.is_none() && std::fs::read(&path).is_ok_and(|bytes| sha256(&bytes) == LIBRARY_SUM) {
        return Ok(path);
    }
    let folder = path.parent().expect("the library is in a folder");
    std::fs::create_dir_all(folder).map_err(io("create", folder))?;
    let library = match from {
        Some(wheel) => unpack(wheel)?,
        None => {
            let scratch = folder.join(format!("fetch-{}", std::process::id()));
            std::fs::create_dir_all(&scratch).map_err(io("create", &scratch))?;
            let library = fetch(&scratch).and_then(|wheel| unpack(&wheel));
            let _ = std::fs::remove_dir_all(&scratch);
            library?
        }
    };
    write_atomically(&path, &library)?;
    Ok(path)
}

/// The sha256 of `bytes` in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The library's path in the user's cache.
fn installed_path() -> Result<PathBuf, MujocoError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    Ok(cache.ok_or(MujocoError::NoHome)?.join("spo/mujoco").join(VERSION).join(LIBRARY))
}

/// Downloads the wheel into `folder` with pip.
fn fetch(folder: &Path) -> Result<PathBuf, MujocoError> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"])
        .args([
            "--only-binary=:all:",
            "--python-version",
            "3.11",
            "--platform",
            "manylinux_2_28_x86_64",
            "-d",
        ])
        .arg(folder)
        .arg(format!("mujoco=={VERSION}"));
    let output = pip.output().map_err(|e| MujocoError::NoPip { why: format!("python3: {e}") })?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        let why = last.trim().trim_start_matches("ERROR: ").to_string();
        return Err(if stderr.contains("No module named pip") {
            MujocoError::NoPip { why }
        } else {
            MujocoError::Fetch { why }
        });
    }
    let files = std::fs::read_dir(folder).map_err(io("read", folder))?;
    (files.filter_map(|file| Some(file.ok()?.path())))
        .find(|path| path.extension().is_some_and(|e| e == "whl"))
        .ok_or_else(|| MujocoError::Fetch { why: "pip downloaded no wheel".into() })
}

/// Checks the wheel's sha256, unpacks the library and checks its sha256. Returns the library's bytes.
fn unpack(wheel: &Path) -> Result<Vec<u8>, MujocoError> {
    let bytes = std::fs::read(wheel).map_err(io("read", wheel))?;
    let checked = |bytes: &[u8], what, want| match sha256(bytes) {
        got if got == want => Ok(()),
        got => Err(MujocoError::Sum { path: wheel.into(), what, got, want, fix: "download it again" }),
    };
    checked(&bytes, WHEEL, WHEEL_SUM)?;
    let bad = |e: &dyn std::fmt::Display| MujocoError::Wheel { path: wheel.into(), why: e.to_string() };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    let mut member = archive.by_name(&format!("mujoco/{LIBRARY}")).map_err(|e| bad(&e))?;
    let mut library = Vec::new();
    member.read_to_end(&mut library).map_err(|e| bad(&e))?;
    checked(&library, "one that holds MuJoCo's library", LIBRARY_SUM)?;
    Ok(library)
}

/// Writes a temporary file in the same folder, then renames it: a reader never sees half a library.
fn write_atomically(path: &Path, library: &[u8]) -> Result<(), MujocoError> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let write = || {
        let mut file = std::fs::File::create(&part)?;
        file.write_all(library)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|why| {
        let _ = std::fs::remove_file(&part);
        MujocoError::Io { what: "write", path: path.into(), why }
    })
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> MujocoError {
    move |why| MujocoError::Io { what, path: path.into(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_sha256() {
        // FIPS 180-2, appendix B.1
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_wheel_that_is_not_the_published_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("mujoco.whl");
        std::fs::write(&wheel, b"PK not a wheel").unwrap();
        let message = unpack(&wheel).unwrap_err().to_string();
        assert!(message.contains("mujoco.whl is damaged or not the wheel mujoco==3.17.0"), "{message}");
        assert!(message.contains(WHEEL_SUM) && message.ends_with("download it again"), "{message}");
        let message = unpack(&folder.path().join("none.whl")).unwrap_err().to_string();
        assert!(message.starts_with("cannot read") && message.contains("none.whl"), "{message}");
    }

    #[test]
    fn a_library_is_kept_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LIBRARY);
        write_atomically(&path, b"library").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"library");
        let message =
            write_atomically(&folder.path().join("none").join(LIBRARY), b"library").unwrap_err().to_string();
        assert!(message.contains("cannot write") && message.contains("set XDG_CACHE_HOME"), "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
