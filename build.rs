//! Tells the program which commit it is built from, so that results can say it.

use std::path::Path;
use std::process::Command;

/// What is compiled; a change elsewhere does not make a program of another commit.
const SOURCES: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "build.rs",
    "cli/Cargo.toml",
    "cli/src",
    "envs/Cargo.toml",
    "envs/src",
    "src",
];

fn main() {
    for path in SOURCES.iter().filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
    // Each commit and each switch of branches adds a line to this log.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    // A checkout of something else may lie around a packaged copy.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    if git(&["rev-parse", "--show-toplevel"]).is_none_or(|top| Path::new(&top) != Path::new(&here)) {
        return;
    }
    let status = git(&[&["status", "--porcelain", "--"][..], &SOURCES].concat());
    if let (Some(commit), Some(changed)) = (git(&["rev-parse", "--short=7", "HEAD"]), status) {
        let dirty = if changed.is_empty() { "" } else { "-dirty" };
        println!("cargo::rustc-env=SPO_COMMIT={commit}{dirty}");
    }
}

/// What git says, if it is there and succeeds.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}
