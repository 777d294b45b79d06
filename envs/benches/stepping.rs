//! Steps a second of HalfCheetah-v5: the task, and a bare `mj_step` loop on the same model under the same actions.
//!
//! `cargo bench -p spo-envs --bench stepping`; `gymnasium_stepping.py` beside it prints Gymnasium's figure.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spo_envs::mujoco::Bare;
use spo_envs::{Checked, EnvError, make};

const ID: &str = "HalfCheetah-v5";
const EPISODE: usize = 1000;
/// Episodes of each kind, taken in turns so that what else the machine does falls on both alike.
const ROUNDS: usize = 20;

fn main() {
    // `cargo test --benches` runs this too: once through is enough to see that it works.
    let rounds = if std::env::args().any(|arg| arg == "--bench") { ROUNDS } else { 1 };
    if let Err(e) = compare(rounds) {
        eprintln!("SKIPPED {e}");
    }
}

fn compare(rounds: usize) -> Result<(), EnvError> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let actions: Vec<[f32; 6]> =
        (0..EPISODE).map(|_| rng.random::<[f32; 6]>().map(|u| 2.0 * u - 1.0)).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
        let run = |_| {
            std::thread::spawn({
                let actions = actions.clone();
                move || alternate(&actions, rounds)
            })
        };
        let workers: Vec<_> = (0..threads).map(run).collect();
        let mut rates = [0.0; 2];
        let mut ratios = Vec::new();
        for worker in workers {
            let (times, each) = worker.join().expect("the worker only steps")?;
            for (rate, time) in rates.iter_mut().zip(times) {
                *rate += (rounds * EPISODE) as f64 / time.as_secs_f64();
            }
            ratios.extend(each);
        }
        ratios.sort_by(f64::total_cmp);
        println!(
            "{ID}, {threads} thread(s): task {:.0} steps/s, bare mj_step loop {:.0} steps/s, ratio {:.3} (median of {})",
            rates[0],
            rates[1],
            ratios[ratios.len() / 2],
            ratios.len(),
        );
    }
    Ok(())
}

/// Time of the task and of the bare loop, and the ratio of their rates in each round.
fn alternate(actions: &[[f32; 6]], rounds: usize) -> Result<([Duration; 2], Vec<f64>), EnvError> {
    let mut env = Checked::new(make(ID)?);
    let mut bare = Bare::open(ID)?;
    let mut obs = vec![0.0; env.spec().obs_dim];
    let rest = [0.0; 18];
    let (mut times, mut ratios) = ([Duration::ZERO; 2], Vec::new());
    for _ in 0..rounds {
        env.restore(&rest, &mut obs)?;
        let begun = Instant::now();
        for action in actions {
            env.step(action, &mut obs)?;
        }
        let task = begun.elapsed();
        bare.reset();
        let begun = Instant::now();
        for action in actions {
            bare.step(action);
        }
        let loop_ = begun.elapsed();
        times[0] += task;
        times[1] += loop_;
        ratios.push(loop_.as_secs_f64() / task.as_secs_f64());
    }
    Ok((times, ratios))
}
