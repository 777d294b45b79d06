//! The same update on every backend that is built in.
//!
//! Tolerance: weights within 1e-4 after 40 minibatches, figures within 1e-3 of one another. Device generators are
//! never used and the first weights are drawn on the host, so what remains is the order of float32 sums.

use spo::learner::{Learner, Losses, Moment, Steps, ppo::Ppo};
use spo::policy::Acting;
use spo::prelude::*;
use spo::rollout::{Phase, Request, collect};
use spo::train::registered;

fn update(device: &str) -> (Vec<f32>, Losses) {
    let factory = registered("pendulum").unwrap();
    let config = Config { hidden: vec![32, 32], epochs: 4, minibatch: 160, ..Config::default() };
    let spec = factory().unwrap().spec().clone();
    let mut ppo = Ppo::new(&spec, config.ppo(false), spo::device::open(device).unwrap(), 5);
    let request = Request {
        seed: 5,
        phase: Phase::Train,
        iteration: 0,
        states: 4,
        per_state: 2,
        acting: Acting::Sample,
    };
    let rollout = collect(&[ppo.policy()], &factory, &request).unwrap();
    let scores: Vec<f32> = rollout.episodes.iter().flat_map(|e| &e.rewards).map(|r| r * 0.01).collect();
    let moment = Moment { seed: 5, iteration: 0, progress: 0.0 };
    let losses = ppo.update(&Steps::from(&rollout), &scores, moment);
    (ppo.save().tensors["params"].clone(), losses)
}

#[cfg(feature = "burn")]
fn agrees_with_the_host(device: &str) {
    let ((ours, a), (theirs, b)) = (update("cpu"), update(device));
    let gap = ours.iter().zip(&theirs).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    println!("{device}: largest difference of a weight {gap:e}; {a:?}");
    assert!(gap < 1e-4, "{device}: {gap}");
    for (x, y) in [
        (a.policy_loss, b.policy_loss),
        (a.value_loss, b.value_loss),
        (a.entropy, b.entropy),
        (a.approx_kl, b.approx_kl),
        (a.clip_fraction, b.clip_fraction),
        (a.grad_norm, b.grad_norm),
    ] {
        assert!((x - y).abs() < 1e-3 * x.abs().max(1.0), "{device}: {x} against {y}");
    }
    assert!(a.approx_kl > 0.0, "the update moved the policy");
}

#[test]
fn every_host_device_repeats_itself_bit_for_bit() {
    assert_eq!(update("cpu").0, update("cpu").0);
    #[cfg(feature = "flex")]
    assert_eq!(update("flex").0, update("flex").0);
}

#[cfg(feature = "flex")]
#[test]
fn flex_agrees() {
    agrees_with_the_host("flex");
}

#[cfg(feature = "ndarray")]
#[test]
fn ndarray_agrees() {
    agrees_with_the_host("ndarray");
}

#[cfg(feature = "wgpu")]
#[test]
fn wgpu_agrees() {
    if let Err(why) = spo::device::open("wgpu") {
        assert!(std::env::var_os("SPO_REQUIRE_WGPU").is_none(), "{why}");
        println!("SKIPPED: {why}");
        return;
    }
    agrees_with_the_host("wgpu");
}

#[test]
fn an_unknown_device_is_refused() {
    let message = spo::device::open("cuda").unwrap_err().to_string();
    assert!(message.contains("expected one of cpu, flex, ndarray, wgpu"), "{message}");
}
