//! An episode that ends early is no better off, and no worse, for its length alone: on Hopper, which falls.

use spo::base::stats;
use spo::learner::Learner;
use spo::learner::ppo::{Ppo, PpoConfig, ScoreTraits};
use spo::oracle::MeteredOracle;
use spo::policy::Acting;
use spo::prelude::*;
use spo::rollout::{Phase, Request, Rollout, collect};
use spo::scorer::opponents::Opponents;
use spo::scorer::self_play::{Placement, SelfPlay};
use spo::scorer::{Batch, Scorer};
use spo::train::registered;

/// Falls of an untrained policy; `None` where MuJoCo is not installed.
fn falls() -> Option<Rollout> {
    let factory = match registered("Hopper-v5@200") {
        Ok(factory) => factory,
        Err(why) => {
            assert!(std::env::var_os("SPO_REQUIRE_MUJOCO").is_none(), "{why}");
            println!("SKIPPED: {why}");
            return None;
        }
    };
    let spec = factory().unwrap().spec().clone();
    let policy =
        Ppo::new(&spec, PpoConfig::default(), ScoreTraits::default(), spo::device::open("cpu").unwrap(), 0)
            .policy();
    let request = Request {
        seed: 0,
        phase: Phase::Train,
        iteration: 0,
        states: 8,
        per_state: 32,
        acting: Acting::Sample,
    };
    Some(collect(&[policy], &factory, &request).unwrap())
}

/// The sum of each episode's scores by an oracle that cannot see lengths.
fn totals(
    rollout: &Rollout,
    oracle: impl Oracle + 'static,
    opponents: Opponents,
    window: Option<usize>,
) -> Vec<f64> {
    let mut scorer =
        SelfPlay::new(MeteredOracle::new(Box::new(oracle), None), opponents, Placement::Spread, window);
    let scores = scorer.score(&Batch::training(rollout, 0, 0)).unwrap().scores;
    rollout.totals(&scores)
}

#[test]
fn length_alone_earns_nothing() {
    let Some(rollout) = falls() else { return };
    let lengths: Vec<f64> = rollout.episodes.iter().map(|e| e.len() as f64).collect();
    assert!(rollout.episodes.iter().all(|e| e.terminated), "untrained, all fall within 200 steps");
    let (shortest, longest) =
        lengths.iter().fold((f64::MAX, 0.0f64), |(low, high), &l| (low.min(l), high.max(l)));
    assert!(longest > 2.0 * shortest, "lengths from {shortest} to {longest}");

    for opponents in [Opponents::Group, Opponents::Sampled(4), Opponents::Queue(64)] {
        for window in [None, Some(10)] {
            // Everything ties: every episode sums to ½, the shortest as the longest.
            for total in totals(&rollout, |_: Trajectory, _: Trajectory| 0.5, opponents, window) {
                assert!((total - 0.5).abs() < 1e-5, "{opponents}, {window:?}: {total}");
            }
            // A coin for each question: totals differ, and lean to no length.
            let mut toss = 1u64;
            let coin = move |_: Trajectory, _: Trajectory| {
                toss = toss.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (toss >> 63) as f32
            };
            let totals = totals(&rollout, coin, opponents, window);
            let (n, spread) = (totals.len() as f64, stats::std_dev(&totals) * stats::std_dev(&lengths));
            let (total, length) = (stats::mean(&totals), stats::mean(&lengths));
            let covariance: f64 =
                totals.iter().zip(&lengths).map(|(t, l)| (t - total) * (l - length)).sum::<f64>() / n;
            // A correlation of independent numbers has a standard error of 1/√n; four of them.
            let correlation = covariance / spread;
            println!("{opponents}, {window:?}: correlation with length {correlation:.3}");
            assert!(correlation.abs() < 4.0 / n.sqrt(), "{opponents}, {window:?}: {correlation}");
        }
    }
}
