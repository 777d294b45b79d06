//! Your own task: a thermostat that should hold 20 °C, trained from comparisons.
//!
//! `cargo run --release -p spo --example custom_env`

use rand::{Rng, RngExt};
use spo::prelude::*;

struct Thermostat {
    spec: Spec,
    celsius: f32,
}

impl Thermostat {
    fn new() -> Self {
        let action = ActionSpace::uniform(1, 0.0, 1.0);
        Self {
            spec: Spec { id: "thermostat".into(), obs_dim: 1, action, horizon: 60, dt: 60.0 },
            celsius: 15.0,
        }
    }
}

impl Env for Thermostat {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.celsius = rng.random_range(10.0..25.0);
        obs[0] = self.celsius;
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        // Heat from the radiator, loss to 5 °C outside.
        self.celsius += 2.0 * action[0].clamp(0.0, 1.0) - 0.05 * (self.celsius - 5.0);
        obs[0] = self.celsius;
        Step { reward: -(self.celsius - 20.0).abs(), ..Step::default() }
    }
}

fn main() -> Result<(), TrainError> {
    let warmer = |a: Trajectory, b: Trajectory| f32::from(u8::from(a.task_return() > b.task_return()));
    let steps = std::env::args().nth(1).unwrap_or_else(|| "60000".into());
    let run = Spo::on("thermostat")
        .env(Thermostat::new)
        .oracle(warmer)
        .config(&format!("total_steps={steps}"))?
        .train()?;
    let first = run.records.first().map_or(0.0, |r| r.return_mean);
    println!(
        "degrees off, summed over an hour: {:.0} before, {:.0} after",
        -first, -run.summary.eval_return_mean
    );
    Ok(())
}
