//! Walker: a planar walker that stands, walks or runs.

use super::tolerance::AT_MARGIN;
use super::{Scene, Sigmoid, Target, Task, View, randomize_joints, tolerance};

/// Height of the torso in m at which standing earns the full reward.
const STAND_HEIGHT: f64 = 1.2;

/// High if the body is upright and high enough, and moves at the goal's speed if that is not 0.
fn reward(scene: &Scene) -> f64 {
    let sim = scene.sim;
    let height = sim.body("torso")[2];
    let standing =
        tolerance(height, [STAND_HEIGHT, f64::INFINITY], STAND_HEIGHT / 2.0, Sigmoid::Gaussian, AT_MARGIN);
    let upright = (1.0 + sim.body_axes("torso")[8]) / 2.0;
    let stand = (3.0 * standing + upright) / 4.0;
    if scene.goal == 0.0 {
        return stand;
    }
    let speed = sim.sensor("torso_subtreelinvel")[0];
    let moving = tolerance(speed, [scene.goal, f64::INFINITY], scene.goal / 2.0, Sigmoid::Linear, 0.5);
    stand * (5.0 * moving + 1.0) / 6.0
}

const fn task(id: &'static str, about: &'static str, speed: f64) -> Task {
    Task {
        id,
        about,
        model: ("walker.xml", include_str!("../../../models/dm_control/walker.xml")),
        damping: None,
        substeps: 10,
        goal: speed,
        begin: |sim, rng| {
            randomize_joints(sim, rng);
            Ok([0.0; 2])
        },
        observe: |scene, seen| {
            let sim = scene.sim;
            // The x components of each body's x and z axes.
            seen.part("orientations", sim.xmat()[9..].chunks(9).flat_map(|axes| [axes[0], axes[2]]));
            seen.part("height", [sim.body("torso")[2]]);
            seen.part("velocity", sim.qvel().iter().copied());
        },
        reward,
        target: Target::Model,
        view: View::Side,
    }
}

pub(super) const STAND: Task =
    task("dmc:walker-stand", "stand up on two legs in the plane; DM Control's", 0.0);
pub(super) const WALK: Task =
    task("dmc:walker-walk", "walk at 1 m/s on two legs in the plane; DM Control's", 1.0);
pub(super) const RUN: Task =
    task("dmc:walker-run", "run at 8 m/s on two legs in the plane; DM Control's", 8.0);
