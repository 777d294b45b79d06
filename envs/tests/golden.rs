//! Replays recorded trajectories of Gymnasium 1.4.0 and DM Control 1.0.50 and compares them.
//!
//! `tests/trajectories/README.md` explains how they were recorded.

use std::path::PathBuf;

use spo_envs::trace::{Init, Observation, Trace, replay};

mod common;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/trajectories")
}

fn read(name: &str) -> Trace {
    let text = std::fs::read_to_string(folder().join(name).with_extension("json")).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The largest differences in observations (relative if above 1) and in rewards (relative).
fn agree(name: &str, theirs: &Trace) -> (f64, f64) {
    let ours = replay(theirs).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(theirs.actions.len(), theirs.obs.len(), "{name}");
    if !theirs.terminated.is_empty() {
        assert_eq!(theirs.terminated, ours.terminated, "{name}");
    }
    let mut worst = (0.0f64, 0.0f64);
    let pairs = (theirs.obs0.iter().zip(&ours.obs0)).chain(theirs.obs.iter().zip(&ours.obs));
    for (step, (a, b)) in pairs.enumerate() {
        if let (Observation::Parts(a), Observation::Parts(b)) = (a, b) {
            let names = |parts: &[(String, Vec<f64>)]| {
                parts.iter().map(|(n, x)| (n.clone(), x.len())).collect::<Vec<_>>()
            };
            assert_eq!(names(a), names(b), "{name}");
        }
        let (a, b) = (a.numbers(), b.numbers());
        assert_eq!(a.len(), b.len(), "{name}");
        for (i, (a, b)) in a.iter().zip(&b).enumerate() {
            let off = (a - b).abs() / a.abs().max(1.0);
            assert!(off <= 1e-6, "{name}: observation {step}, number {i}: {a} is {b} here");
            worst.0 = worst.0.max(off);
        }
    }
    for (step, (a, b)) in theirs.rewards.iter().zip(&ours.rewards).enumerate() {
        let off = (a - b).abs() / a.abs().max(1e-6);
        assert!(off <= 1e-6, "{name}: reward {step}: {a} is {b} here");
        worst.1 = worst.1.max(off);
    }
    worst
}

#[test]
fn every_trajectory_agrees_step_for_step() {
    let mut names: Vec<_> = (std::fs::read_dir(folder()).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
        .collect();
    names.sort();
    assert!(names.len() > 2);
    for name in names.iter().filter(|name| common::available(&read(name).env)) {
        let (obs, reward) = agree(name, &read(name));
        println!("{name:<28} observations within {obs:.1e}, rewards within {reward:.1e}");
    }
}

#[test]
fn a_missing_target_is_read_from_the_first_observation() {
    for name in ["dmc-reacher-easy", "dmc-finger-turn_easy"] {
        let mut theirs = read(name);
        let Init::Joints { target, .. } = &mut theirs.init else { panic!("{name} has joints") };
        target.clear();
        if common::available(&theirs.env) {
            agree(name, &theirs);
        }
    }
}

#[test]
fn an_error_in_a_trace_names_its_step() {
    let theirs = read("Pendulum-v1");
    let mut long = theirs.clone();
    long.actions[7] = vec![0.0, 1.0];
    assert!(replay(&long).unwrap_err().to_string().starts_with("step 7: pendulum: action has 2 numbers"));
    let mut short = theirs.clone();
    short.init = Init::Joints { qpos: vec![0.1], qvel: vec![], target: vec![] };
    assert!(replay(&short).unwrap_err().to_string().contains("expected 2 finite numbers"));
    let far = Trace { init: Init::State { state: vec![1e300, 1e300] }, ..theirs.clone() };
    assert!(replay(&far).unwrap_err().to_string().contains("expected a finite number"));
    let unknown = Trace { env: "pendulom".into(), ..theirs };
    assert!(replay(&unknown).unwrap_err().to_string().contains("did you mean `pendulum`?"));
}
