//! Imports between the folders of `src/` point one way: each folder uses only those before it in [`ROOMS`].

use std::fs;
use std::path::{Path, PathBuf};

/// The folders of `src/`, lowest first.
const ROOMS: [&str; 9] =
    ["base", "game", "policy", "rollout", "oracle", "learner", "scorer", "device", "train"];

/// Most modules at the root of the library.
const MOST_AT_ROOT: usize = 14;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// The rooms that a text names as `crate::ROOM`, in `use` lines or elsewhere; comments apart.
fn named(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.flat_map(|(at, line)| {
        line.split("crate::").skip(1).map(move |rest| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (at + 1, &rest[..end])
        })
    })
}

#[test]
fn imports_point_down() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut upward = Vec::new();
    for (place, room) in ROOMS.iter().enumerate() {
        let all = files(&source.join(room));
        assert!(!all.is_empty(), "src/{room} has no file");
        for path in all {
            let text = fs::read_to_string(&path).unwrap();
            for (line, other) in named(&text) {
                let above = ROOMS[place + 1..].contains(&other);
                // What lib.rs re-exports has a room of its own.
                let through_root = matches!(other, "Config" | "Spo" | "Outcome" | "TrainError" | "prelude");
                if above || (through_root && *room != "train") {
                    let file = path.strip_prefix(source).unwrap().display();
                    upward.push(format!("src/{file}:{line} uses crate::{other}"));
                }
            }
        }
    }
    assert!(upward.is_empty(), "these imports point up; the order is {ROOMS:?}:\n{}", upward.join("\n"));
}

#[test]
fn the_root_of_the_library_is_its_folders() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let text = fs::read_to_string(source.join("lib.rs")).unwrap();
    let modules: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.split([';', ' ']).next())
        .collect();
    assert!(modules.len() <= MOST_AT_ROOT, "{modules:?}");
    assert!(ROOMS.iter().all(|room| modules.contains(room)), "{modules:?}");
    let at_root: Vec<PathBuf> = files(source).into_iter().filter(|p| p.parent() == Some(source)).collect();
    assert_eq!(at_root, [source.join("lib.rs")]);
}
