//! The same update on every backend that is built in.
//!
//! Tolerance: weights within 1e-4 after 40 minibatches, figures within 1e-3 of one another. Device generators are
//! never used and the first weights are drawn on the host, so what remains is the order of float32 sums.

use spo::learner::ppo::{Ppo, PpoConfig, ScoreTraits};
use spo::learner::{Learner, LearnerBatch, UpdateContext, UpdateInput, UpdateMetrics};
use spo::policy::Acting;
use spo::rollout::{Phase, Request, collect};
use spo::train::registered;

fn update(device: &str) -> (Vec<f32>, UpdateMetrics) {
    let factory = registered("pendulum").unwrap();
    let config =
        PpoConfig { hidden_sizes: vec![32, 32], epochs: 4, minibatch_size: 160, ..PpoConfig::default() };
    let scores = ScoreTraits { known_scale: true, costs: false };
    let spec = factory().unwrap().spec().clone();
    let mut ppo = Ppo::new(&spec, config, scores, spo::device::open(device).unwrap(), 5);
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
    let context = UpdateContext { seed: 5, iteration: 0, progress: 0.0 };
    let losses = ppo.update(UpdateInput::new(&LearnerBatch::from(&rollout), &scores, context));
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

/// Runs whose environments are on a device.
#[cfg(feature = "flex")]
mod on_device {
    use std::ops::ControlFlow;

    use super::*;
    use spo::learner::ppo::NormalizeScores;
    use spo::prelude::*;
    use spo::train::config::EnvDevice;
    use spo::train::run::{Run, files};
    use spo::train::{Record, TrainError};

    fn config(scorer: &str) -> Config {
        let scorer = format!("scorer={scorer}");
        let keys = [
            "env=point@20",
            "device=flex",
            "env_device=device",
            "total_steps=4000",
            "rollout.num_states=5",
            "rollout.trajectories_per_state=4",
            "ppo.minibatch_size=100",
            "checkpoint_every=2",
            "eval_episodes=4",
            &scorer,
        ];
        Config::gather(None, &keys.map(String::from)).unwrap().0
    }

    /// Trains in `dir`, until `stop_after` iterations.
    fn train(dir: &std::path::Path, config: &Config, stop_after: u64) -> Vec<Record> {
        let (factory, oracle) = (registered(&config.env).unwrap(), config.oracle.build().unwrap());
        let mut run = match dir.join(files::CONFIG).exists() {
            true => Run::resume(dir, factory, oracle).unwrap(),
            false => Run::create(dir, config.clone(), factory, oracle).unwrap(),
        };
        let mut records = Vec::new();
        run.train(&mut |record, _| {
            records.push(*record);
            if record.iteration == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        records
    }

    #[test]
    fn a_run_goes_on_with_the_same_bytes_and_then_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
        let config = config("self_play");
        let records = train(&whole, &config, 0);
        // 5 · 4 · 20 steps an iteration; 5 groups of 6 pairs of 2 windows.
        assert_eq!(records.len(), 10);
        assert_eq!((records[9].env_steps, records[9].queries), (4_000, 600));
        assert!(records.iter().all(|r| (r.score_mean - 0.5).abs() < 1e-5 && r.kl_to_init >= 0.0));
        train(&parts, &config, 3);
        train(&parts, &config, 0);
        let read = |dir: &std::path::Path| std::fs::read(dir.join(files::METRICS)).unwrap();
        assert!(read(&whole) == read(&parts), "the resumed run differs");
        // From the device to the host, on the host's own environments.
        let moved = folder.path().join("moved");
        train(&moved, &config, 6);
        Run::prepare(&moved, &Config { device: "cpu".into(), env_device: EnvDevice::Auto, ..config.clone() })
            .unwrap();
        let rest = train(&moved, &config, 0);
        assert_eq!((rest[0].iteration, rest.last().unwrap().env_steps), (7, 4_000));
        // And a run of the host on the device.
        let host = Config { device: "cpu".into(), env_device: EnvDevice::Host, ..config.clone() };
        let moved = folder.path().join("back");
        train(&moved, &host, 6);
        Run::prepare(&moved, &config).unwrap();
        assert_eq!(train(&moved, &config, 0)[0].iteration, 7);
    }

    #[test]
    fn scorers_of_the_host_and_of_the_device_learn_alike() {
        let last = |config: Config| -> Record {
            let dir = tempfile::tempdir().unwrap();
            *train(&dir.path().join("run"), &config, 0).last().unwrap()
        };
        let long = |config: Config| Config { total_steps: 40_000, ..config };
        let mut queue = config("self_play");
        queue.self_play.opponents = "queue=20".parse().unwrap();
        queue.self_play.window = 0;
        // A log wants every comparison, so the host makes them: of the same trajectories, the same.
        let logged = Config { log_comparisons: true, ..config("self_play") };
        let (device, host) = (last(config("self_play")), last(logged));
        assert_eq!((device.queries, device.tied), (host.queries, host.tied));
        assert!((device.return_mean - host.return_mean).abs() < 1e-3, "{device:?} {host:?}");
        let model = Config { budget: 3_000, ..config("reward_model") };
        let mut skyline = config("task_reward");
        skyline.ppo.normalize_scores = NormalizeScores::On;
        for config in [config("self_play"), queue, model, skyline] {
            let what = format!("{} {}", config.scorer, config.self_play.opponents);
            let record = last(long(config));
            // The point gets 0.4 m far at random and 1.9 m by the straightest way.
            assert!(record.return_mean > 1.2, "{what}: {record:?}");
        }
    }

    #[test]
    fn what_cannot_be_on_a_device_says_why() {
        let why = |change: &[&str]| {
            let mut config = config("self_play");
            change.iter().for_each(|assignment| config.set(assignment).unwrap());
            let oracle = config.oracle.build().unwrap();
            match spo::train::Trainer::new(config.clone(), registered(&config.env).unwrap(), oracle, None) {
                Err(error @ (TrainError::Config(_) | TrainError::EnvDevice(_))) => error.to_string(),
                Err(other) => panic!("{other}"),
                Ok(_) => panic!("{change:?} is taken"),
            }
        };
        for (change, word) in [
            (&["env=options-3", "oracle=game:cycle", "self_play.window=0"][..], "categorical"),
            (&["ppo.baseline=group", "self_play.window=0"], "baseline=group"),
            (&["kl_coef=0.1"], "kl_coef"),
            (&["self_play.mixture_coef=0.1"], "self_play.mixture_coef"),
            (&["safety.oracle=cost=2"], "safety oracle"),
            (&["device=cpu"], "device=cpu"),
        ] {
            let said = why(change);
            assert!(said.contains("env_device") && said.contains(word), "{said}");
        }
    }

    #[test]
    fn a_task_of_one_s_own_is_not_taken_for_one_of_equations() {
        struct Mine(Box<dyn Env>);
        impl Env for Mine {
            fn spec(&self) -> &spo_envs::Spec {
                self.0.spec()
            }
            fn reset(&mut self, rng: &mut dyn rand::Rng, obs: &mut [f32]) {
                self.0.reset(rng, obs);
            }
            fn step(&mut self, action: &[f32], obs: &mut [f32]) -> spo_envs::Step {
                self.0.step(action, obs)
            }
        }
        let run = Spo::with(config("self_play")).env(|| Mine(spo_envs::make("point@20").unwrap()));
        let error = run.train().err().unwrap().to_string();
        assert!(error.contains("equations"), "{error}");
    }
}
