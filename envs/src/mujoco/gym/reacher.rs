//! Reacher-v5: bring the tip of a two-link arm to a target in the plane.

use rand::{Rng, RngExt};

use super::{Noise, Outcome, Start, Task, View, control_cost};
use crate::mujoco::native::Simulation;

/// Vector from the target to the fingertip, m.
fn target_to_tip(sim: &Simulation) -> [f64; 3] {
    let (tip, target) = (sim.body("fingertip"), sim.body("target"));
    std::array::from_fn(|axis| tip[axis] - target[axis])
}

/// Draws a resting target, uniformly in a disc of radius 0.2 m.
fn place_target(sim: &mut Simulation, rng: &mut dyn Rng) {
    let target = loop {
        let [x, y] = [(); 2].map(|()| rng.random_range(-0.2..=0.2));
        if f64::hypot(x, y) < 0.2 {
            break [x, y];
        }
    };
    sim.qpos_mut()[2..].copy_from_slice(&target);
    sim.qvel_mut()[2..].fill(0.0);
}

pub(super) const TASK: Task = Task {
    id: "Reacher-v5",
    about: "bring the tip of a two-link arm to a target; Gymnasium's on MuJoCo",
    model: ("reacher.xml", include_str!("../../../models/gymnasium/reacher.xml")),
    frame_skip: 2,
    horizon: 50,
    start: Start { qpos: 0.1, qvel: Noise::Uniform(0.005), also: Some(place_target) },
    contact_forces: false,
    // cos θ, sin θ, target (x, y), θ̇, tip − target (x, y)
    observe: |sim, seen| {
        let angles = &sim.qpos()[..2];
        seen.put(&[angles[0].cos(), angles[1].cos(), angles[0].sin(), angles[1].sin()]);
        seen.put(&sim.qpos()[2..]);
        seen.put(&sim.qvel()[..2]);
        seen.put(&target_to_tip(sim)[..2]);
    },
    position: |_| [0.0, 0.0],
    outcome: |m| {
        let distance = target_to_tip(m.sim).iter().map(|x| x * x).sum::<f64>().sqrt();
        Outcome { reward: -distance - control_cost(1.0, m.action), terminated: false }
    },
    limit: None,
    view: View::Top,
};
