//! One PPO update and one rollout of the default experiment, by backend.
//!
//! `cargo bench --features ndarray`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use spo::Config;
use spo::learner::{Learner, Moment, Steps, ppo::Ppo};
use spo::policy::Acting;
use spo::rollout::{Phase, Request, collect};
use spo::train::registered;

fn update(c: &mut Criterion) {
    let factory = registered("pendulum").expect("a registered task");
    let spec = factory().expect("the task").spec().clone();
    let request = Request {
        seed: 0,
        phase: Phase::Train,
        iteration: 0,
        states: 4,
        per_state: 8,
        acting: Acting::Sample,
    };
    let mut group = c.benchmark_group("pendulum, 6400 steps");
    group.sample_size(10);
    for device in spo::device::NAMES {
        // A backend that is not built in, or wgpu without an adapter, is left out.
        let Ok(opened) = spo::device::open(device) else { continue };
        let config = Config { epochs: 1, ..Config::default() };
        let mut ppo = Ppo::new(&spec, config.ppo(false), opened, 0);
        let rollout = collect(&[ppo.policy()], &factory, &request).expect("a rollout");
        let scores = vec![1.0 / 200.0; rollout.steps()];
        group.bench_function(format!("one epoch of 25 minibatches of 256 rows, {device}"), |b| {
            b.iter(|| {
                let moment = Moment { seed: 0, iteration: 0, progress: 0.0 };
                black_box(ppo.update(&Steps::from(&rollout), &scores, moment))
            });
        });
    }
    let ppo = Ppo::new(&spec, Config::default().ppo(false), spo::device::open("flex").expect("flex"), 0);
    let policy = [ppo.policy()];
    group.bench_function("rollout of 4 states x 8", |b| {
        b.iter(|| black_box(collect(&policy, &factory, &request)));
    });
    group.finish();
}

criterion_group!(benches, update);
criterion_main!(benches);
