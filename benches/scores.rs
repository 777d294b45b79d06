//! Win proportions of K trajectories of 50 steps: all pairs, sampled pairs, a queue.
//!
//! `cargo bench --bench scores`. The return oracle declares the number that it compares, so that all pairs can be computed by
//! sorting. A closure is called for each of the K (K − 1) / 2 pairs.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use spo::oracle::{MeteredOracle, Oracle, returns::TaskReturn};
use spo::rollout::{Episode, Rollout, Trajectory};
use spo::scorer::opponents::Opponents;
use spo::scorer::self_play::{Placement, SelfPlay};
use spo::scorer::{Batch, Scorer};

fn rollout(k: usize) -> Rollout {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let episodes = (0..k)
        .map(|_| Episode {
            obs: vec![0.0; 50],
            final_obs: vec![0.0],
            actions: vec![0.0; 50],
            latents: vec![0.0; 50],
            log_probs: vec![0.0; 50],
            rewards: (0..50).map(|_| rng.random_range(-1.0..1.0)).collect(),
            costs: vec![0.0; 50],
            terminated: false,
            start: None,
        })
        .collect();
    Rollout { episodes, per_state: k }
}

fn win_proportions(c: &mut Criterion) {
    let closure = |a: Trajectory<'_>, b: Trajectory<'_>| f32::from(u8::from(a.rewards[0] > b.rewards[0]));
    let mut group = c.benchmark_group("win proportions");
    group.sample_size(10);
    for k in [8, 64, 256, 1024, 4096] {
        let rollout = rollout(k);
        let batch = Batch::training(&rollout, 0, 0);
        let mut time = |name: &str, oracle: Box<dyn Oracle>, opponents: Opponents| {
            let mut scorer =
                SelfPlay::new(MeteredOracle::new(oracle, None), opponents, Placement::Spread, None);
            group.bench_function(BenchmarkId::new(name, k), |b| {
                b.iter(|| black_box(scorer.score(&batch).expect("an oracle that answers")));
            });
        };
        time("group, return", Box::new(TaskReturn), Opponents::Group);
        time("queue of 128, return", Box::new(TaskReturn), Opponents::Queue(128));
        time("sampled 4, closure", Box::new(closure), Opponents::Sampled(4));
        if k <= 1024 {
            time("group, closure", Box::new(closure), Opponents::Group);
        }
    }
    group.finish();
}

criterion_group!(benches, win_proportions);
criterion_main!(benches);
