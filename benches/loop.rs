//! The rest of an iteration: environments, policy, rollout, checkpoint, and the whole of it.
//!
//! `cargo bench --bench loop`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::SeedableRng;
use spo::Config;
use spo::policy::Acting;
use spo::policy::mlp::{Activation, Mlp, Tape};
use spo::rollout::{Phase, Request, collect};
use spo::train::{Trainer, registered};
use spo_envs::{ActionSpace, Checked};

fn environments(c: &mut Criterion) {
    let mut group = c.benchmark_group("environment step");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for entry in spo_envs::registry() {
        // MuJoCo's tasks are left out where its library is not installed.
        let Ok(env) = entry.make() else { continue };
        let mut env = Checked::new(env);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let action = match &env.spec().action {
            ActionSpace::Continuous { high, .. } => high.iter().map(|h| 0.1 * h).collect(),
            ActionSpace::Discrete(_) => vec![0.0],
        };
        let mut obs = vec![0.0; env.spec().obs_dim];
        let mut over = true;
        group.bench_function(entry.id, |b| {
            b.iter(|| {
                if over {
                    env.reset(&mut rng, &mut obs).expect("a reset");
                }
                let step = env.step(&action, &mut obs).expect("a step");
                over = step.terminated || step.truncated;
            });
        });
    }
    group.finish();
}

fn inference(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy inference");
    group.sample_size(10);
    for width in [64, 256] {
        let mlp = Mlp::new(17, &[width, width], 6, Activation::Tanh);
        let params = mlp.init(1.0, &mut rand_chacha::ChaCha8Rng::seed_from_u64(0));
        for rows in [1, 8, 64, 1024] {
            let (obs, mut tape) = (vec![0.1; rows * 17], Tape::default());
            group.bench_function(BenchmarkId::new(format!("{width}x{width}"), rows), |b| {
                b.iter(|| black_box(mlp.forward(&params, black_box(&obs), &mut tape)[0]));
            });
        }
    }
    group.finish();
}

fn trainer(config: Config) -> Trainer {
    let oracle = config.oracle.build().expect("an oracle");
    Trainer::new(config, registered("pendulum").expect("a task"), oracle, None).expect("a trainer")
}

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("iteration");
    group.sample_size(10);
    let factory = registered("pendulum").expect("a task");
    let policy = [trainer(Config::default()).policy()];
    let request = Request {
        seed: 0,
        phase: Phase::Train,
        iteration: 0,
        states: 4,
        per_state: 8,
        acting: Acting::Sample,
    };
    group.bench_function("rollout of 6400 steps", |b| {
        b.iter(|| black_box(collect(&policy, &factory, &request)));
    });
    let mut training = trainer(Config { total_steps: u64::MAX, ..Config::default() });
    group.bench_function("whole, 6400 steps, 10 epochs of 256 rows", |b| {
        b.iter(|| black_box(training.step().expect("an iteration")));
    });
    let home = tempfile::tempdir().expect("a folder");
    let checkpoint = training.checkpoint().expect("a checkpoint");
    group.bench_function("checkpoint write", |b| {
        b.iter(|| checkpoint.save(&home.path().join("checkpoint.safetensors")).expect("a write"));
    });
    group.finish();
}

criterion_group!(benches, environments, inference, whole);
criterion_main!(benches);
