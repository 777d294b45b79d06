//! Your own preference: of two pendulum swings that end upright, the one with less effort is better.
//!
//! `cargo run --release -p spo --example custom_oracle`

use spo::prelude::*;

fn main() -> Result<(), TrainError> {
    // Observation: cos θ, sin θ, θ̇, with cos θ = 1 upright.
    let upright = |t: Trajectory| t.obs.chunks_exact(3).map(|o| o[0]).sum::<f32>();
    let effort = |t: Trajectory| t.actions.iter().map(|u| u * u).sum::<f32>();
    let worth = move |t: Trajectory| upright(t) - 0.02 * effort(t);
    // P(a ≻ b) can be any function of two trajectories; it does not need to come from a score.
    let gentle = move |a: Trajectory, b: Trajectory| f32::from(u8::from(worth(a) > worth(b)));

    let steps = std::env::args().nth(1).unwrap_or_else(|| "200000".into());
    let run = Spo::on("pendulum").oracle(gentle).seed(0).config(&format!("total_steps={steps}"))?.train()?;
    let s = run.summary;
    println!(
        "task return {:.0} ± {:.0} after {} comparisons",
        s.eval_return_mean, s.eval_return_ci95, s.queries
    );
    Ok(())
}
