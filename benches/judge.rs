//! What a comparison by a program costs: batches of 1,000 pairs, by lines and by the shared file.
//!
//! `cargo bench --bench judge`; needs `python3`. The time of one iteration is that of 1,000 comparisons: milliseconds
//! read as microseconds a comparison.

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spo::oracle::pairs::all_pairs;
use spo::oracle::{OracleEvents, Pair, parse};
use spo::rollout::Episode;

const PAIRS: usize = 1000;

/// Pendulum's shapes.
fn episodes(count: usize, steps: usize) -> Vec<Episode> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    (0..count)
        .map(|_| Episode {
            obs: draw(3 * steps),
            final_obs: draw(3),
            actions: draw(steps),
            rewards: draw(steps),
            costs: vec![0.0; steps],
            ..Episode::default()
        })
        .collect()
}

fn comparisons(c: &mut Criterion) {
    let mut group = c.benchmark_group("1,000 comparisons");
    group.sample_size(20).throughput(Throughput::Elements(PAIRS as u64));
    for (judge, options, steps) in [
        ("return.py", "", 10),
        ("return.py", "", 50),
        ("upright.py", "", 10),
        ("upright.py", "(data=file)", 10),
        ("upright.py", "", 200),
        ("upright.py", "(data=file)", 200),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/judges").join(judge);
        let mut oracle = parse(&format!("exec{options}:python3 '{}'", path.display())).expect("a command");
        let env = spo_envs::make("pendulum").expect("a task");
        oracle.prepare(env.spec(), &OracleEvents::default()).expect("python3 and its judge");
        // Groups of four as in training, and at worst two trajectories that no other pair has.
        let fours: Vec<(usize, usize)> = (0..PAIRS.div_ceil(6))
            .flat_map(|g| all_pairs(&[4 * g, 4 * g + 1, 4 * g + 2, 4 * g + 3]))
            .collect();
        let apart: Vec<(usize, usize)> = (0..PAIRS).map(|i| (2 * i, 2 * i + 1)).collect();
        for (name, met) in [("groups of 4", &fours[..PAIRS]), ("all apart", &apart)] {
            let episodes = episodes(2 * PAIRS, steps);
            let pairs: Vec<Pair<'_>> = (met.iter())
                .map(|&(i, j)| Pair { a: episodes[i].trajectory(), b: episodes[j].trajectory() })
                .collect();
            let id = BenchmarkId::new(format!("{judge}{options}, {name}"), format!("{steps} steps"));
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            group.bench_function(id, |b| {
                b.iter(|| black_box(oracle.compare(&pairs, &mut rng).expect("answers")));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, comparisons);
criterion_main!(benches);
