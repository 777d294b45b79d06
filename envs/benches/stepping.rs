//! Steps per second of HalfCheetah-v5, compared with a bare `mj_step` loop on the same model with the same actions.
//!
//! Time is the CPU time of each thread, so that other work on the machine matters less.
//!
//! `cargo bench -p spo-envs --bench stepping`; `gymnasium_stepping.py` beside it prints Gymnasium's figure.

use std::sync::OnceLock;
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spo_envs::mujoco::BareSimulation;
use spo_envs::{Checked, EnvError, make};

const ID: &str = "HalfCheetah-v5";
const EPISODE: usize = 1000;
/// Episodes of each loop. The two loops alternate, so that other work on the machine slows both equally.
const ROUNDS: usize = 50;

/// CPU seconds of this thread on Linux; wall-clock seconds on other systems.
fn seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent =
        spent.and_then(|s| s.split(' ').next()?.parse::<f64>().ok()).map(|nanoseconds| nanoseconds / 1e9);
    spent.unwrap_or_else(|| START.get_or_init(Instant::now).elapsed().as_secs_f64())
}

fn main() {
    // `cargo test --benches` runs this too: one round is enough to check that it works.
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
        let mut rates = [0.0; 2];
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| alternate(&actions, rounds))).collect();
            for worker in workers {
                let times = worker.join().expect("a worker does not panic")?;
                for (rate, time) in rates.iter_mut().zip(times) {
                    *rate += (rounds * EPISODE) as f64 / time;
                }
            }
            Ok::<(), EnvError>(())
        })?;
        let [task, bare] = rates;
        println!(
            "{ID}, {threads} thread(s): task {task:.0} steps/s, bare mj_step loop {bare:.0} steps/s, ratio {:.3}",
            task / bare,
        );
    }
    Ok(())
}

/// CPU seconds of the task and of the bare loop.
fn alternate(actions: &[[f32; 6]], rounds: usize) -> Result<[f64; 2], EnvError> {
    let mut env = Checked::new(make(ID)?);
    let mut bare = BareSimulation::open(ID)?;
    let mut obs = vec![0.0; env.spec().obs_dim];
    let rest = [0.0; 18];
    let mut times = [0.0; 2];
    for _ in 0..rounds {
        env.restore(&rest, &mut obs)?;
        let begun = seconds();
        for action in actions {
            env.step(action, &mut obs)?;
        }
        times[0] += seconds() - begun;
        bare.reset();
        let begun = seconds();
        for action in actions {
            bare.step(action);
        }
        times[1] += seconds() - begun;
    }
    Ok(times)
}
