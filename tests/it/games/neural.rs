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

/// The configuration of `configs/game.toml` on a game, with `keys`.
fn config(name: &str, seed: u64, keys: &[&str]) -> Config {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/game.toml"));
    let mut config = Config::from_file(path).unwrap();
    keys.iter().for_each(|key| config.set(key).unwrap());
    config.oracle = format!("game:{name}").parse().unwrap();
    config.seed = seed;
    config
}

#[test]
fn regressions_to_win_rates_end_near_the_minimax_winner_on_average_too() {
    for (loss, eta) in [("sppo", "eta=1"), ("rebel", "eta=0.25")] {
        for name in BUILTIN {
            let game = builtin(name).unwrap();
            let outcome = Spo::with(config(name, 0, &[&format!("policy_loss={loss}"), eta])).train().unwrap();
            let policy = average(&outcome, game.len());
            let exploitability = game.exploitability(&policy);
            println!("{loss}, {name}: {policy:.3?}, exploitability {exploitability:.4}");
            assert!(exploitability <= 0.05, "{loss}, {name}: {policy:?} is exploitable by {exploitability}");
        }
    }
}

/// Its equilibrium is exploitable by about 0.02; self-play without an anchor circles, by about 0.15.
#[test]
fn nash_mds_last_policy_stays_near_the_minimax_winner_of_a_cycle() {
    let game = builtin("cycle").unwrap();
    let keys = ["mixture_coef=0.1", "kl_coef=0.02", "entropy_coef=0", "result=last", "total_steps=160000"];
    for seed in 0..2 {
        let outcome = Spo::with(config("cycle", seed, &keys)).train().unwrap();
        let policy = average(&outcome, 3);
        let exploitability = game.exploitability(&policy);
        println!("seed {seed}: {policy:.3?}, exploitability {exploitability:.4}");
        assert!(exploitability <= 0.08, "seed {seed}: {policy:?} is exploitable by {exploitability}");
    }
}

/// SPPO's steps are Hedge's, whose last iterate converges with optimism and with extragradient and goes to the edge without.
#[test]
fn the_last_policy_of_a_cycle_ends_near_the_minimax_winner_with_optimism_or_extragradient() {
    let game = builtin("cycle").unwrap();
    let keys = ["policy_loss=sppo", "epochs=10", "learning_rate=0.002", "entropy_coef=0", "result=last"];
    let exploitability = |seed, with: Option<&str>| {
        let keys: Vec<&str> = keys.into_iter().chain(["total_steps=160000"]).chain(with).collect();
        let policy = average(&Spo::with(config("cycle", seed, &keys)).train().unwrap(), 3);
        println!("{with:?}, seed {seed}: {policy:.3?}, exploitability {:.4}", game.exploitability(&policy));
        game.exploitability(&policy)
    };
    for seed in 0..2 {
        for with in ["optimism=true", "extragradient=true"] {
            assert!(exploitability(seed, Some(with)) <= 0.08, "{with}, seed {seed}");
        }
        assert!(exploitability(seed, None) > 0.15, "seed {seed}");
    }
}

#[test]
fn the_average_policy_is_nearly_unexploitable_on_every_game() {
    for name in BUILTIN {
        let game = builtin(name).unwrap();
        for seed in 0..3 {
            let outcome = Spo::with(config(name, seed, &[])).train().unwrap();
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
