//! One gradient update of SAC on one minibatch, with 17 observations and 6 actions.
//!
//! `cargo bench --bench sac`

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use spo::config::{Config, LearnerKind};
use spo::learner::sac::Sac;
use spo::learner::{Experience, Learner, Moment, Steps};
use spo_envs::{ActionSpace, Spec};

const OBS: usize = 17;
const ACTIONS: usize = 6;
/// Steps in replay.
const STEPS: usize = 10_000;

fn sac(c: &mut Criterion) {
    let mut group = c.benchmark_group("sac update");
    group.sample_size(10);
    for (width, rows) in [(64, 256), (256, 256), (256, 1024)] {
        let mut sac = learner(width, rows);
        let moment = Moment { seed: 0, iteration: 0, progress: 0.0 };
        group.bench_function(BenchmarkId::new(format!("{width}x{width}"), rows), |b| {
            b.iter_custom(|updates| {
                let start = Instant::now();
                black_box(sac.learn(updates, moment));
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// A learner with a replay and no update made.
fn learner(width: usize, rows: usize) -> Sac {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    let (obs, latents, scores) = (draw(STEPS * OBS), draw(STEPS * ACTIONS), draw(STEPS));
    let action = ActionSpace::uniform(ACTIONS, -1.0, 1.0);
    let spec = Spec { id: "bench".into(), obs_dim: OBS, action, horizon: STEPS, dt: 0.0 };
    let config = Config {
        hidden: vec![width, width],
        minibatch: rows,
        learning_starts: STEPS as u64 + 1,
        ..Config::of(LearnerKind::Sac)
    };
    let mut sac = Sac::new(&spec, config.sac(), 0);
    let episode = Experience {
        obs: &obs,
        final_obs: &obs[..OBS],
        latents: &latents,
        log_probs: &scores,
        terminated: false,
    };
    let steps = Steps { episodes: vec![episode], per_state: 1 };
    sac.update(&steps, &scores, Moment { seed: 0, iteration: 0, progress: 0.0 });
    sac
}

criterion_group!(benches, sac);
criterion_main!(benches);
