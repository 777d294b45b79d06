//! The neural learner on the exact games: its average policy approaches the minimax winner.

use std::path::Path;

use spo::game::{BUILTIN, builtin};
use spo::prelude::*;

/// The mean over snapshots of the probabilities of the options: the mixture that `result = "average"` plays.
fn average(outcome: &Outcome, options: usize) -> Vec<f64> {
    let mut mean = vec![0.0; options];
    for policy in &outcome.policies {
        let probabilities = policy.probabilities(&[1.0]).unwrap();
        mean.iter_mut()
            .zip(probabilities)
            .for_each(|(m, p)| *m += f64::from(p) / outcome.policies.len() as f64);
    }
    mean
}

#[test]
fn the_average_policy_is_nearly_unexploitable_on_every_game() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/experiments/game.toml"));
    for name in BUILTIN {
        let game = builtin(name).unwrap();
        for seed in 0..3 {
            let mut config = Config::from_file(path).unwrap();
            config.oracle = format!("game:{name}");
            config.seed = seed;
            let outcome = Spo::with(config).train().unwrap();
            let policy = average(&outcome, game.len());
            let exploitability = game.exploitability(&policy);
            println!("{name}, seed {seed}: {policy:.3?}, exploitability {exploitability:.4}");
            // The uniform mixture, where the learner begins, is at 0.133 (cycle) and 0.267 (Condorcet).
            assert!(
                exploitability <= 0.05,
                "{name}, seed {seed}: {policy:?} is exploitable by {exploitability}"
            );
        }
    }
}
