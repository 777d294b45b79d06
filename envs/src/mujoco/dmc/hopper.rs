//! Hopper: a planar one-legged body that stands or hops.

use super::{Scene, Sigmoid, Target, Task, View, randomize_joints, tolerance};

/// Bounds of the torso's height above the foot, in m, within which it stands.
const STANDING: [f64; 2] = [0.6, 2.0];

fn standing(scene: &Scene) -> f64 {
    let height = scene.sim.centre("torso")[2] - scene.sim.centre("foot")[2];
    tolerance(height, STANDING, 0.0, Sigmoid::Gaussian, 0.0)
}

const fn task(id: &'static str, about: &'static str, speed: f64, reward: fn(&Scene) -> f64) -> Task {
    Task {
        id,
        about,
        model: ("hopper.xml", include_str!("../../../models/dm_control/hopper.xml")),
        damping: None,
        substeps: 4,
        goal: speed,
        begin: |sim, rng| {
            randomize_joints(sim, rng);
            Ok([0.0; 2])
        },
        observe: |scene, seen| {
            let sim = scene.sim;
            // All positions except x.
            seen.part("position", sim.qpos()[1..].iter().copied());
            seen.part("velocity", sim.qvel().iter().copied());
            seen.part("touch", ["touch_toe", "touch_heel"].map(|toe| sim.sensor(toe)[0].ln_1p()));
        },
        reward,
        target: Target::Model,
        view: View::Side,
    }
}

pub(super) const STAND: Task =
    task("dmc:hopper-stand", "stand up on one leg in the plane; DM Control's", 0.0, |scene| {
        standing(scene) * (scene.small_control() + 4.0) / 5.0
    });
pub(super) const HOP: Task =
    task("dmc:hopper-hop", "hop at 2 m/s on one leg in the plane; DM Control's", 2.0, |scene| {
        let speed = scene.sim.sensor("torso_subtreelinvel")[0];
        standing(scene)
            * tolerance(speed, [scene.goal, f64::INFINITY], scene.goal / 2.0, Sigmoid::Linear, 0.5)
    });
