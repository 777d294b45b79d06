//! `spo mujoco`, and what the command says of a library that is missing, damaged or of another version.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{ok, spo, stderr};

/// Runs to a failure with the cache in `home` and these variables, and returns the message.
#[track_caller]
fn fails_with(home: &Path, args: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = spo(home, args);
    command.env_remove("SPO_MUJOCO").env("XDG_CACHE_HOME", home).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "spo {args:?}: {message}");
    assert!(!message.contains("panicked"), "spo {args:?}: {message}");
    message
}

/// A `python3` in `home` that fails with these words; `PATH` for it.
#[cfg(unix)]
fn python(home: &Path, words: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let file = home.join("python3");
    fs::write(&file, format!("#!/bin/sh\necho '{words}' >&2\nexit 1\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    home.display().to_string()
}

#[test]
fn a_missing_library_gives_a_clear_error() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    for args in [&["mujoco", "check"][..], &["train", "HalfCheetah-v5"], &["train", "dmc:walker-walk@50"]] {
        let message = fails_with(dir, args, &[]);
        assert!(
            message.contains("3.17.0") && message.matches("run `spo mujoco install`").count() == 1,
            "{message}"
        );
    }
    let message = fails_with(dir, &["mujoco", "check"], &[("SPO_MUJOCO", "/nowhere")]);
    assert!(message.contains("SPO_MUJOCO is /nowhere, but there is no library there"), "{message}");
    let list = spo(dir, &["envs"]).env_remove("SPO_MUJOCO").env("XDG_CACHE_HOME", dir).output().unwrap();
    let list = crate::common::stdout(&list);
    assert!(list.contains("HalfCheetah-v5") && list.contains("run `spo mujoco install`"), "{list}");
    // The tasks in pure Rust go on.
    assert!(list.lines().any(|line| line.starts_with("pendulum") && line.contains("200")), "{list}");
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn an_installation_that_fails_says_why_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let wheel = dir.join("mujoco.whl");
    fs::write(&wheel, b"half a wheel").unwrap();
    let message = fails_with(dir, &["mujoco", "install", "--from", "mujoco.whl"], &[]);
    assert!(message.contains("damaged or not the wheel") && message.contains("sha256"), "{message}");
    let message = fails_with(dir, &["mujoco", "install", "--from", "none.whl"], &[]);
    assert!(message.contains("cannot read none.whl"), "{message}");
    let message = fails_with(dir, &["mujoco", "install"], &[("PATH", "/nowhere")]);
    assert!(message.contains("without python3 and pip") && message.contains("--from FILE.whl"), "{message}");
    for (words, said) in [
        ("No module named pip", "without python3 and pip"),
        (
            "ERROR: no matching distribution",
            "pip could not download mujoco==3.17.0: no matching distribution; check the network",
        ),
    ] {
        let path = python(dir, words);
        let message = fails_with(dir, &["mujoco", "install"], &[("PATH", &path)]);
        assert!(message.contains(said), "{message}");
    }
    let message = fails_with(dir, &["mujoco", "install"], &[("XDG_CACHE_HOME", wheel.to_str().unwrap())]);
    assert!(
        message.contains("cannot create") && message.contains("set XDG_CACHE_HOME to a folder"),
        "{message}"
    );
    assert_eq!(fs::read_dir(dir.join("spo/mujoco/3.17.0")).unwrap().count(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_damaged_library_and_another_version_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let kept = dir.join("spo/mujoco/3.17.0");
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("libmujoco.so.3.17.0"), b"half a library").unwrap();
    let message = fails_with(dir, &["mujoco", "check"], &[]);
    assert!(message.contains("is damaged or not MuJoCo's library"), "{message}");
    // A library that says it is another release.
    fs::write(dir.join("old.rs"), "#[no_mangle] pub extern \"C\" fn mj_version() -> i32 { 3003004 }")
        .unwrap();
    let rustc = std::env::var("RUSTC").unwrap_or("rustc".into());
    let built = Command::new(rustc)
        .args(["--crate-type", "cdylib", "-o", "old.so", "old.rs"])
        .current_dir(dir)
        .status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED another version: no rustc to build its stand-in");
        return;
    }
    let old = dir.join("old.so");
    let message = fails_with(dir, &["mujoco", "check"], &[("SPO_MUJOCO", old.to_str().unwrap())]);
    assert!(message.contains("is MuJoCo 3.3.4, but spo needs 3.17.0"), "{message}");
    assert!(message.contains("unset SPO_MUJOCO"), "{message}");
}

#[test]
fn a_wrong_word_is_refused() {
    let home = tempfile::tempdir().unwrap();
    assert!(crate::common::fails(home.path(), &["mujoco", "instal"]).contains("install"));
    let message = crate::common::fails(home.path(), &["train", "HalfCheetah-v5@0"]);
    assert!(message.contains("number of steps of an episode"), "{message}");
}

#[test]
fn the_command_traces_a_task_and_leaves_no_log() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    if !spo(dir, &["mujoco", "check"]).output().unwrap().status.success() {
        assert!(
            std::env::var_os("SPO_REQUIRE_MUJOCO").is_none(),
            "SPO_REQUIRE_MUJOCO is set, but there is no MuJoCo"
        );
        eprintln!("SKIPPED the tasks of MuJoCo: `spo mujoco install` has not run");
        return;
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../envs/tests/trajectories/dmc-walker-walk.json");
    let theirs: serde_json::Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let ours: serde_json::Value = serde_json::from_str(&ok(dir, &["envs", "trace", file])).unwrap();
    for step in [0, 39] {
        let number = |of: &serde_json::Value| of["obs"][step]["orientations"][3].as_f64().unwrap();
        assert!((number(&theirs) - number(&ours)).abs() < 1e-6);
    }
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0, "something was left behind");
}
