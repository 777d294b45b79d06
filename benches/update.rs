//! One gradient update of PPO and of SAC on one minibatch, by network, rows and device, with 17 observations and 6
//! actions.
//!
//! `cargo bench --bench update`; with `--features flex,ndarray,wgpu` also Burn's backends.

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use spo::learner::ppo::{Ppo, PpoConfig, ScoreTraits};
use spo::learner::sac::{Sac, SacConfig};
use spo::learner::{Experience, Learner, LearnerBatch, UpdateContext, UpdateInput};
use spo_envs::{ActionSpace, Spec};

const OBS: usize = 17;
const ACTIONS: usize = 6;
const CONTEXT: UpdateContext = UpdateContext { seed: 0, iteration: 0, progress: 0.0 };
/// Steps in SAC's replay.
const STEPS: usize = 10_000;

fn ppo(c: &mut Criterion) {
    for device in spo::device::NAMES {
        // A backend that is not built in, or wgpu without an adapter, is left out.
        let Ok(opened) = spo::device::open(device) else { continue };
        let name = if device == "cpu" { "ppo update".into() } else { format!("ppo update, {device}") };
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        for (width, rows) in [(64, 64), (64, 256), (64, 2048), (256, 64), (256, 256), (256, 2048)] {
            let id = BenchmarkId::new(format!("{width}x{width}"), rows);
            group.bench_function(id, |b| {
                // All steps are epochs of one update, so that preparing it is spread thin.
                b.iter_custom(|epochs| {
                    let mut ppo = ppo_learner(width, rows, epochs as usize, opened.clone());
                    let (obs, latents, log_probs, scores) = columns(rows);
                    let episode = Experience {
                        obs: &obs,
                        final_obs: &obs[..OBS],
                        latents: &latents,
                        log_probs: &log_probs,
                        terminated: true,
                    };
                    let batch = LearnerBatch { episodes: vec![episode], per_state: 1 };
                    let start = Instant::now();
                    black_box(ppo.update(UpdateInput::new(&batch, &scores, CONTEXT)));
                    start.elapsed()
                });
            });
        }
        group.finish();
    }
}

fn ppo_learner(width: usize, rows: usize, epochs: usize, device: spo::device::Device) -> Ppo {
    let spec = spec(rows);
    let config =
        PpoConfig { hidden_sizes: vec![width, width], minibatch_size: rows, epochs, ..PpoConfig::default() };
    let scores = ScoreTraits { known_scale: true, costs: false };
    Ppo::new(&spec, config, scores, device, 0)
}

fn spec(horizon: usize) -> Spec {
    let action = ActionSpace::uniform(ACTIONS, -1.0, 1.0);
    Spec { id: "bench".into(), obs_dim: OBS, action, horizon, dt: 0.0 }
}

fn columns(rows: usize) -> (Vec<f32>, Vec<f32>, Vec<f32>, Vec<f32>) {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    (draw(rows * OBS), draw(rows * ACTIONS), vec![-6.0; rows], draw(rows))
}

fn sac(c: &mut Criterion) {
    let mut group = c.benchmark_group("sac update");
    group.sample_size(10);
    for (width, rows) in [(64, 256), (256, 256), (256, 1024)] {
        let mut sac = sac_learner(width, rows);
        group.bench_function(BenchmarkId::new(format!("{width}x{width}"), rows), |b| {
            b.iter_custom(|updates| {
                let start = Instant::now();
                black_box(sac.learn(updates, CONTEXT));
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// A learner with a full replay buffer, before its first update.
fn sac_learner(width: usize, rows: usize) -> Sac {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    let (obs, latents, scores) = (draw(STEPS * OBS), draw(STEPS * ACTIONS), draw(STEPS));
    let spec = spec(STEPS);
    let config = SacConfig {
        hidden_sizes: vec![width, width],
        minibatch_size: rows,
        learning_starts: STEPS as u64 + 1,
        ..SacConfig::default()
    };
    let mut sac = Sac::new(&spec, config, 0);
    let episode = Experience {
        obs: &obs,
        final_obs: &obs[..OBS],
        latents: &latents,
        log_probs: &scores,
        terminated: false,
    };
    let batch = LearnerBatch { episodes: vec![episode], per_state: 1 };
    sac.update(UpdateInput::new(&batch, &scores, CONTEXT));
    sac
}

criterion_group!(benches, ppo, sac);
criterion_main!(benches);
