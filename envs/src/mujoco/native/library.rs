//! Opens the MuJoCo library.

use std::ffi::CStr;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use super::bindings::{Api, mjLogMessage};
use crate::mujoco::install::{LIBRARY_SUM, find, sha256};
use crate::mujoco::{LIBRARY, MujocoError, VERSION};

/// The result of `mj_version` for [`VERSION`].
const NUMBER: i32 = 3_017_000;
/// `mjLOG_ERROR`
const ERROR: i32 = 3;

/// The library. The first call opens it for the rest of the process.
///
/// # Errors
/// [`MujocoError`] if it is missing, damaged or has another version. A later call tries again.
pub(super) fn library() -> Result<&'static Api, MujocoError> {
    static OPENED: Mutex<Option<&'static Api>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(api) = *opened {
        return Ok(api);
    }
    let found = find()?;
    let api: &'static Api = Box::leak(Box::new(open(&found.path, found.from_variable)?));
    // SAFETY: the handler has the C signature, lives as long as the process and never unwinds.
    unsafe { api.mju_setLogHandler(Some(handle_log)) };
    *opened = Some(api);
    Ok(api)
}

/// The version that the library at `path` reports, such as "3.17.0".
///
/// # Errors
/// [`MujocoError::Open`] if it is not a library, [`MujocoError::Io`] if it cannot be read.
pub(in crate::mujoco) fn version_of(path: &Path) -> Result<String, MujocoError> {
    Ok(version_name(load(path)?.1))
}

fn open(path: &Path, from_variable: bool) -> Result<Api, MujocoError> {
    if !from_variable {
        // Check the sum of the installed library first: opening a damaged one can kill the process.
        let bytes =
            std::fs::read(path).map_err(|why| MujocoError::Io { what: "read", path: path.into(), why })?;
        let got = sha256(&bytes);
        if got != LIBRARY_SUM {
            let (what, fix) = ("MuJoCo's library", "run `spo mujoco install` again");
            return Err(MujocoError::Sum { path: path.into(), what, got, want: LIBRARY_SUM, fix });
        }
    }
    let (library, number) = load(path)?;
    if number != NUMBER {
        return Err(MujocoError::Version { path: path.into(), found: version_name(number), from_variable });
    }
    // SAFETY: the bindings were generated from this version.
    unsafe { Api::from_library(library) }.map_err(|e| open_error(path, &e))
}

fn load(path: &Path) -> Result<(libloading::Library, i32), MujocoError> {
    check_complete(path)?;
    // SAFETY: MuJoCo's initialisers only fill tables; the user chose or installed this file.
    let library = unsafe { libloading::Library::new(path) }.map_err(|e| open_error(path, &e))?;
    // SAFETY: `int mj_version(void)` in every release of MuJoCo.
    let number =
        unsafe { library.get::<unsafe extern "C" fn() -> i32>(b"mj_version\0").map(|version| version()) };
    let number = number.map_err(|e| open_error(path, &e))?;
    Ok((library, number))
}

/// Refuses an ELF file whose end is missing. The loader would map it, and the first read would kill the process.
fn check_complete(path: &Path) -> Result<(), MujocoError> {
    let bytes =
        std::fs::read(path).map_err(|why| MujocoError::Io { what: "read", path: path.into(), why })?;
    if bytes.starts_with(b"\x7fELF\x02\x01") {
        // The section headers are at the end of the file. Their offset, size and number: e_shoff at 0x28 (8 bytes),
        // e_shentsize at 0x3A and e_shnum at 0x3C (2 bytes each).
        let number = |at: usize, len: usize| {
            bytes.get(at..at + len).map(|b| b.iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte)))
        };
        let end = (|| Some(number(0x28, 8)?.saturating_add(number(0x3A, 2)? * number(0x3C, 2)?)))();
        if end.is_none_or(|end| end > bytes.len() as u64) {
            return Err(MujocoError::Open { path: path.into(), why: "its end is missing".into() });
        }
    }
    Ok(())
}

fn open_error(path: &Path, error: &dyn std::fmt::Display) -> MujocoError {
    MujocoError::Open { path: path.into(), why: error.to_string() }
}

/// 3017000 → "3.17.0"; releases before 3.5 have short numbers: 334 → "3.3.4".
fn version_name(number: i32) -> String {
    let base = if number < 10_000 { 10 } else { 1000 };
    format!("{}.{}.{}", number / (base * base), number / base % base, number % base)
}

/// Receives MuJoCo's messages, so that MuJoCo itself writes no log file and nothing to the terminal.
///
/// The state counts warnings; [`Simulation::fault`](super::Simulation::fault) returns those that matter. After an error
/// MuJoCo ends the process, so its message is printed here.
unsafe extern "C" fn handle_log(message: *const mjLogMessage) {
    // SAFETY: MuJoCo passes a message that lives during the call; its subject ends with a zero.
    let (level, subject) = unsafe { ((*message).level, CStr::from_ptr((*message).subject.as_ptr())) };
    if level >= ERROR {
        let text = subject.to_string_lossy();
        let _ =
            writeln!(std::io::stderr(), "error: MuJoCo {VERSION} ({LIBRARY}) stopped the program: {text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_names() {
        assert_eq!((version_name(NUMBER), version_name(334)), (VERSION.to_string(), "3.3.4".to_string()));
    }

    #[test]
    fn a_file_that_is_no_library_is_an_error_and_not_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LIBRARY);
        // The first half of a real library: its section headers are missing.
        let mut cut = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        cut.truncate(cut.len() / 2);
        for bytes in [&b"no library"[..], &cut] {
            std::fs::write(&path, bytes).unwrap();
            let message = version_of(&path).unwrap_err().to_string();
            assert!(message.contains("cannot be opened as MuJoCo's library"), "{message}");
            let message = open(&path, false).err().unwrap().to_string();
            assert!(
                message.contains("sha256") && message.ends_with("run `spo mujoco install` again"),
                "{message}"
            );
        }
    }
}
