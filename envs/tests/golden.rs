//! Trajectories of Gymnasium 1.4.0, stepped through here.

use spo_envs::trace::{Init, Trace, replay};

fn golden(name: &str) -> (Trace, Trace) {
    let path = format!("{}/tests/trajectories/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let theirs: Trace = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let ours = replay(&theirs).unwrap();
    (theirs, ours)
}

#[test]
fn gymnasium_agrees_step_for_step() {
    for name in ["Pendulum-v1", "MountainCarContinuous-v0"] {
        let (theirs, ours) = golden(name);
        assert_eq!(theirs.obs.len(), 40);
        assert_eq!(theirs.terminated, ours.terminated);
        for (step, (a, b)) in theirs.obs.iter().flatten().zip(ours.obs.iter().flatten()).enumerate() {
            assert!((a - b).abs() <= 1e-6 * a.abs().max(1.0), "{name}: observation {step}: {a} is {b} here");
        }
        for (step, (a, b)) in theirs.rewards.iter().zip(&ours.rewards).enumerate() {
            assert!((a - b).abs() <= 1e-6 * a.abs(), "{name}: reward {step}: {a} is {b} here");
        }
    }
}

#[test]
fn a_wrong_trace_is_refused_by_its_step() {
    let (theirs, _) = golden("Pendulum-v1");
    let mut long = theirs.clone();
    long.actions[7] = vec![0.0, 1.0];
    assert!(replay(&long).unwrap_err().to_string().starts_with("step 7: pendulum: action has 2 numbers"));
    let mut short = theirs.clone();
    short.init = Init::Joints { qpos: vec![0.1], qvel: vec![] };
    assert!(replay(&short).unwrap_err().to_string().contains("expected 2 finite numbers"));
    let far = Trace { init: Init::State { state: vec![1e300, 1e300] }, ..theirs.clone() };
    assert!(replay(&far).unwrap_err().to_string().contains("expected a finite number"));
    let unknown = Trace { env: "pendulom".into(), ..theirs };
    assert!(replay(&unknown).unwrap_err().to_string().contains("did you mean `pendulum`?"));
}
