//! Opens the library.

use std::ffi::CStr;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use super::bindings::{Api, mjLogMessage};
use crate::mujoco::install::{LIBRARY_SUM, find, sum};
use crate::mujoco::{LIBRARY, MujocoError, VERSION};

/// What `mj_version` gives for [`VERSION`].
const NUMBER: i32 = 3_017_000;
/// `mjLOG_ERROR`
const ERROR: i32 = 3;

/// The library, opened at the first call and for the rest of the process.
///
/// # Errors
/// [`MujocoError`]: missing, damaged, of another version. A later call tries again.
pub(super) fn library() -> Result<&'static Api, MujocoError> {
    static OPENED: Mutex<Option<&'static Api>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(api) = *opened {
        return Ok(api);
    }
    let found = find()?;
    let api: &'static Api = Box::leak(Box::new(open(&found.path, found.chosen)?));
    // SAFETY: the handler has the C signature, lives as long as the process and never unwinds.
    unsafe { api.mju_setLogHandler(Some(quiet)) };
    *opened = Some(api);
    Ok(api)
}

/// The version that the library at `path` says it is, such as "3.17.0".
///
/// # Errors
/// [`MujocoError::Open`], [`MujocoError::Io`].
pub(in crate::mujoco) fn version_of(path: &Path) -> Result<String, MujocoError> {
    Ok(name_of(load(path)?.1))
}

fn open(path: &Path, chosen: bool) -> Result<Api, MujocoError> {
    if !chosen {
        // What was installed is known to the byte, and a damaged library ends the process rather than fail to open.
        let bytes =
            std::fs::read(path).map_err(|why| MujocoError::Io { what: "read", path: path.into(), why })?;
        let got = sum(&bytes);
        if got != LIBRARY_SUM {
            let (what, mend) = ("MuJoCo's library", "run `spo mujoco install` again");
            return Err(MujocoError::Sum { path: path.into(), what, got, want: LIBRARY_SUM, mend });
        }
    }
    let (library, number) = load(path)?;
    if number != NUMBER {
        return Err(MujocoError::Version { path: path.into(), found: name_of(number), chosen });
    }
    // SAFETY: the bindings are of this very version.
    unsafe { Api::from_library(library) }.map_err(|e| failed(path, &e))
}

fn load(path: &Path) -> Result<(libloading::Library, i32), MujocoError> {
    whole(path)?;
    // SAFETY: MuJoCo's initialisers only fill tables; the user chose or installed this file.
    let library = unsafe { libloading::Library::new(path) }.map_err(|e| failed(path, &e))?;
    // SAFETY: `int mj_version(void)` in every release of MuJoCo.
    let number =
        unsafe { library.get::<unsafe extern "C" fn() -> i32>(b"mj_version\0").map(|version| version()) };
    let number = number.map_err(|e| failed(path, &e))?;
    Ok((library, number))
}

/// Refuses an ELF file whose end is missing: the loader would map it and the process die at its first read.
fn whole(path: &Path) -> Result<(), MujocoError> {
    let bytes =
        std::fs::read(path).map_err(|why| MujocoError::Io { what: "read", path: path.into(), why })?;
    if bytes.starts_with(b"\x7fELF\x02\x01") {
        // e_shoff at 0x28 (8 bytes), e_shentsize at 0x3A and e_shnum at 0x3C (2 bytes each): the section headers
        // come last in the file.
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

fn failed(path: &Path, error: &dyn std::fmt::Display) -> MujocoError {
    MujocoError::Open { path: path.into(), why: error.to_string() }
}

/// 3017000 → "3.17.0"; releases before 3.5 counted in hundreds: 334 → "3.3.4".
fn name_of(number: i32) -> String {
    let base = if number < 10_000 { 10 } else { 1000 };
    format!("{}.{}.{}", number / (base * base), number / base % base, number % base)
}

/// Takes MuJoCo's messages, so that it writes no log file and nothing to the terminal.
///
/// Warnings are counted in the state, where [`Simulation::fault`](super::Simulation::fault) finds those that matter.
/// After an error MuJoCo ends the process: its words are all that the user will get.
unsafe extern "C" fn quiet(message: *const mjLogMessage) {
    // SAFETY: MuJoCo passes a message that lives through the call; its subject ends with a zero.
    let (level, subject) = unsafe { ((*message).level, CStr::from_ptr((*message).subject.as_ptr())) };
    if level >= ERROR {
        let text = subject.to_string_lossy();
        let _ = writeln!(std::io::stderr(), "error: MuJoCo {VERSION} ({LIBRARY}) cannot go on: {text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_names() {
        assert_eq!((name_of(NUMBER), name_of(334)), (VERSION.to_string(), "3.3.4".to_string()));
    }

    #[test]
    fn a_file_that_is_no_library_is_an_error_and_not_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LIBRARY);
        // The head of a real library, cut: its section headers lie past the end.
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
