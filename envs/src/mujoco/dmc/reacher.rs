//! Reacher: reach a target with a two-link arm in the plane.

use std::f64::consts::TAU;

use rand::RngExt;

use super::{Scene, Sigmoid, Target, Task, View, norm, randomize_joints, tolerance};

/// Vector from the finger to the target (x, y), m.
fn to_target(scene: &Scene) -> [f64; 2] {
    let finger = scene.sim.geom("finger");
    [0, 1].map(|axis| scene.target[axis] - finger[axis])
}

/// A task with a target of this `radius` in m.
const fn task(id: &'static str, about: &'static str, radius: f64) -> Task {
    Task {
        id,
        about,
        model: ("reacher.xml", include_str!("../../../models/dm_control/reacher.xml")),
        damping: None,
        substeps: 1,
        goal: radius,
        begin: |sim, rng| {
            randomize_joints(sim, rng);
            let (angle, distance) = (rng.random_range(0.0..TAU), rng.random_range(0.05..=0.2));
            Ok([distance * angle.sin(), distance * angle.cos()])
        },
        observe: |scene, seen| {
            seen.part("position", scene.sim.qpos().iter().copied());
            seen.part("to_target", to_target(scene));
            seen.part("velocity", scene.sim.qvel().iter().copied());
        },
        reward: |scene| {
            let radii = scene.goal + scene.sim.geom_radius("finger");
            tolerance(norm(&to_target(scene)), [0.0, radii], 0.0, Sigmoid::Gaussian, 0.0)
        },
        target: Target::Drawn { initial: [0.0, 0.0], to_world: |[x, y]| [x, y, 0.01] },
        view: View::Top,
    }
}

pub(super) const EASY: Task =
    task("dmc:reacher-easy", "reach a large target with a two-link arm; DM Control's", 0.05);
pub(super) const HARD: Task =
    task("dmc:reacher-hard", "reach a small target with a two-link arm; DM Control's", 0.015);
