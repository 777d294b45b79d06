//! Cart-pole: keep a pole upright on a cart, or swing it up first.

use std::f64::consts::PI;

use rand::{Rng, RngExt};

use super::tolerance::AT_MARGIN;
use super::{Scene, Sigmoid, Target, Task, View, normal, tolerance};
use crate::mujoco::native::Simulation;

/// High if the pole is upright, the cart in the middle, and control and angular velocity small.
fn reward(scene: &Scene) -> f64 {
    let sim = scene.sim;
    let upright = (sim.body_axes("pole_1")[8] + 1.0) / 2.0;
    let centred = (1.0 + tolerance(sim.qpos()[0], [0.0; 2], 2.0, Sigmoid::Gaussian, AT_MARGIN)) / 2.0;
    let small_control = (4.0 + scene.small_control()) / 5.0;
    let slow = (1.0 + tolerance(sim.qvel()[1], [0.0; 2], 5.0, Sigmoid::Gaussian, AT_MARGIN)) / 2.0;
    upright * small_control * slow * centred
}

type Begin = fn(&mut Simulation, &mut dyn Rng) -> Result<[f64; 2], &'static str>;

const fn task(id: &'static str, about: &'static str, begin: Begin) -> Task {
    Task {
        id,
        about,
        model: ("cartpole.xml", include_str!("../../../models/dm_control/cartpole.xml")),
        damping: None,
        substeps: 1,
        goal: 0.0,
        begin,
        observe: |scene, seen| {
            // Cosine and sine of the pole's angle.
            let axes = scene.sim.body_axes("pole_1");
            seen.part("position", [scene.sim.qpos()[0], axes[8], axes[2]]);
            seen.part("velocity", scene.sim.qvel().iter().copied());
        },
        reward,
        target: Target::Model,
        view: View::Side,
    }
}

fn nudge(sim: &mut Simulation, rng: &mut dyn Rng) {
    for v in sim.qvel_mut() {
        *v = 0.01 * normal(rng);
    }
}

pub(super) const BALANCE: Task =
    task("dmc:cartpole-balance", "keep a pole upright on a cart; DM Control's", |sim, rng| {
        sim.qpos_mut().copy_from_slice(&[rng.random_range(-0.1..=0.1), rng.random_range(-0.034..=0.034)]);
        nudge(sim, rng);
        Ok([0.0; 2])
    });
pub(super) const SWINGUP: Task =
    task("dmc:cartpole-swingup", "swing a pole up with its cart and hold it; DM Control's", |sim, rng| {
        sim.qpos_mut().copy_from_slice(&[0.01 * normal(rng), PI + 0.01 * normal(rng)]);
        nudge(sim, rng);
        Ok([0.0; 2])
    });
