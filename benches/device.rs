//! The whole loop on a device: trained environment steps a second against the number of environments and the width of the
//! networks, where the time goes, how many kernels are launched, and the time to a return of −200 on Pendulum from comparisons.
//!
//! `cargo bench --features wgpu --bench device -- wgpu` prints Markdown; further arguments are numbers of environments
//! (default 256 to 65,536). Pendulum, groups of 16, windows of 10 steps, 4 epochs, minibatches of up to 32,768 rows.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use spo::learner::ppo::PpoConfig;
use spo::rollout::RolloutConfig;
use spo::train::config::{Config, EnvDevice};
use spo::train::{Timing, TrainError, Trainer, registered};

const GROUP: usize = 16;
const WIDTHS: [usize; 2] = [64, 256];
/// Iterations that are timed, after one that compiles kernels and fills pools.
const TIMED: u64 = 3;

fn config(device: &str, environments: usize, width: usize) -> Config {
    let rollout = RolloutConfig { num_states: environments.div_ceil(GROUP), trajectories_per_state: GROUP };
    let ppo = PpoConfig {
        hidden_sizes: vec![width, width],
        epochs: 4,
        minibatch_size: (environments * 200 / 8).clamp(1, 32_768),
        // Pendulum's defaults were chosen for 25 times as many updates.
        learning_rate: 1e-3,
        ..PpoConfig::default()
    };
    Config {
        device: device.into(),
        env_device: EnvDevice::Device,
        rollout,
        ppo,
        total_steps: u64::MAX >> 2,
        ..Config::default()
    }
}

fn trainer(config: Config) -> Result<Trainer, TrainError> {
    let oracle = config.oracle.build()?;
    Trainer::new(config.clone(), registered(&config.env)?, oracle, None)
}

fn step(trainer: &mut Trainer) -> Result<(f64, Timing), TrainError> {
    let (record, timing) = trainer.step()?.expect("there is no budget to end it");
    Ok((record.return_mean, timing))
}

/// When each kernel was launched.
#[derive(Default)]
struct Launches(Mutex<Vec<Instant>>);

#[cfg(feature = "wgpu")]
impl cubecl::logging::LaunchObserver for Launches {
    fn launched(&self, _: &'static str) {
        self.0.lock().expect("no launch panics").push(Instant::now());
    }
}

/// Kernels that one iteration launches for its rollout, scores and update; 0 where a device has none. What a part queued was
/// launched when it ends: each ends with a read.
fn launches(trainer: &mut Trainer) -> Result<[usize; 3], TrainError> {
    let launches = Arc::new(Launches::default());
    #[cfg(feature = "wgpu")]
    let _watched = cubecl::logging::LaunchObservation::new(launches.clone());
    let begun = Instant::now();
    let (_, Timing { rollout, score, .. }) = step(trainer)?;
    let all = launches.0.lock().expect("no launch panics");
    let by = |seconds: f64| all.iter().filter(|at| (**at - begun).as_secs_f64() < seconds).count();
    let (rolled_out, scored) = (by(rollout), by(rollout + score));
    Ok([rolled_out, scored - rolled_out, all.len() - scored])
}

fn row(device: &str, environments: usize, width: usize) -> Result<String, TrainError> {
    let mut trainer = trainer(config(device, environments, width))?;
    let begun = Instant::now();
    step(&mut trainer)?;
    let first = begun.elapsed().as_secs_f64();
    let (begun, before) = (Instant::now(), trainer.env_steps());
    let mut shares = [0.0; 3];
    for _ in 0..TIMED {
        let (_, Timing { rollout, score, update, .. }) = step(&mut trainer)?;
        shares.iter_mut().zip([rollout, score, update]).for_each(|(sum, part)| *sum += part);
    }
    let rate = (trainer.env_steps() - before) as f64 / begun.elapsed().as_secs_f64();
    let all: f64 = shares.iter().sum();
    let [rollout, score, update] = shares.map(|part| 100.0 * part / all);
    let launched = launches(&mut trainer)?.map(|n| n.to_string()).join(" + ");
    Ok(format!(
        "| {environments} | {width} | {rate:.0} | {rollout:.0} % | {score:.0} % | {update:.0} % | {first:.1} | {launched} |"
    ))
}

/// Seconds of training until the mean return of an iteration is −200, and its environment steps.
fn time_to_solve(device: &str, environments: usize) -> Result<String, TrainError> {
    let mut trainer = trainer(config(device, environments, 64))?;
    for iteration in 1..=1000 {
        let (mean, timing) = step(&mut trainer)?;
        if mean >= -200.0 {
            let (seconds, steps) = (timing.seconds, trainer.env_steps());
            return Ok(format!("{seconds:.1} s, {iteration} iterations, {steps} environment steps"));
        }
    }
    Ok("not within 1000 iterations".into())
}

fn main() -> Result<(), TrainError> {
    // cargo bench adds a flag of its own.
    let mut arguments = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let device = arguments.next().unwrap_or_else(|| "wgpu".into());
    let asked: Vec<usize> = arguments.filter_map(|n| n.parse().ok()).collect();
    let numbers = if asked.is_empty() { vec![256, 1024, 4096, 16_384, 65_536] } else { asked };
    println!("device `{device}`");
    for (index, adapter) in spo::device::adapters().iter().enumerate() {
        println!("adapter {index}: {}, {}, {}", adapter.name, adapter.api, adapter.driver);
    }
    println!(
        "\n| environments | width | steps/s | rollout | scores | update | first iteration, s | launches an iteration |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for width in WIDTHS {
        for &environments in &numbers {
            match row(&device, environments, width) {
                Ok(row) => println!("{row}"),
                Err(why) => println!("| {environments} | {width} | {why} | | | | | |"),
            }
        }
    }
    let environments = numbers[0];
    println!(
        "\nto -200 from comparisons with {environments} environments: {}",
        time_to_solve(&device, environments)?
    );
    Ok(())
}
