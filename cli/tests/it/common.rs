//! Running the command.

// Each test binary has its own use for some of these.
#![allow(dead_code)]

use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::Duration;

/// The `spo` command, in `dir`.
pub fn spo(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spo"));
    command.current_dir(dir).args(args);
    command
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs to success and returns what it printed.
#[track_caller]
pub fn ok(dir: &Path, args: &[&str]) -> String {
    let output = spo(dir, args).output().unwrap();
    assert!(output.status.success(), "spo {args:?}: {}", stderr(&output));
    stdout(&output)
}

/// Runs to a failure that is an error and no panic, and returns its message.
#[track_caller]
pub fn fails(dir: &Path, args: &[&str]) -> String {
    let output = spo(dir, args).output().unwrap();
    let message = stderr(&output);
    assert!(matches!(output.status.code(), Some(1 | 2)), "spo {args:?} gave {:?}: {message}", output.status);
    assert!(!message.contains("panicked"), "spo {args:?}: {message}");
    message
}

/// Waits until a file that a child writes has bytes; fails where the child ends without it.
#[track_caller]
pub fn wait_for_file(child: &mut Child, file: &Path) {
    let written = || file.metadata().is_ok_and(|m| m.len() > 0);
    while !written() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none() || written(), "{ended:?} without {}", file.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Starts a training, and kills it `after` so long from when `run` became a run's directory.
pub fn kill_midway(mut training: Command, run: &Path, after: Duration) {
    let mut child = training.spawn().unwrap();
    wait_for_file(&mut child, &run.join("config.toml"));
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}
