//! Finger: a two-link finger that spins a body on a hinge, or turns it to a target.

use std::f64::consts::PI;

use rand::{Rng, RngExt};

use super::{Scene, Target, Task, View, norm, randomize_joints};
use crate::mujoco::native::Simulation;
use crate::mujoco::observation::Observation;

/// Clockwise angular velocity in rad/s above which the body counts as spinning.
const SPINNING: f64 = 15.0;
/// Position of the hinge in the model (x, z), m.
const HINGE: [f64; 2] = [0.2, 0.4];
/// Distance from the hinge to the body's tip in m: the sum of the three sizes of its first cap, 0.04 + 0.09 + 0.
const REACH: f64 = 0.13;

/// A sensor position relative to the hinge (x, z), m.
fn from_hinge(scene: &Scene, [x, z]: [f64; 2]) -> [f64; 2] {
    let hinge = scene.sim.sensor("spinner");
    [x - hinge[0], z - hinge[2]]
}

fn tip(scene: &Scene) -> [f64; 2] {
    let tip = scene.sim.sensor("tip");
    from_hinge(scene, [tip[0], tip[2]])
}

/// Distance from the body's tip to the target's surface, m; negative inside.
fn distance(scene: &Scene) -> f64 {
    let (tip, target) = (tip(scene), from_hinge(scene, scene.target));
    norm(&[target[0] - tip[0], target[1] - tip[1]]) - scene.goal
}

fn observe(scene: &Scene, seen: &mut Observation) {
    let read = |name| scene.sim.sensor(name)[0];
    let [x, z] = tip(scene);
    seen.part("position", [read("proximal"), read("distal"), x, z]);
    seen.part("velocity", ["proximal_velocity", "distal_velocity", "hinge_velocity"].map(read));
    seen.part("touch", ["touchtop", "touchbottom"].map(|side| read(side).ln_1p()));
}

/// Draws random joint angles until nothing touches.
fn begin(sim: &mut Simulation, rng: &mut dyn Rng) -> Result<(), &'static str> {
    for _ in 0..1000 {
        randomize_joints(sim, rng);
        sim.forward_unactuated();
        if sim.contacts() == 0 {
            return Ok(());
        }
    }
    Err("found no joint angles without contact")
}

const MODEL: (&str, &str) = ("finger.xml", include_str!("../../../models/dm_control/finger.xml"));

pub(super) const SPIN: Task = Task {
    id: "dmc:finger-spin",
    about: "spin a body on its hinge with a finger; DM Control's",
    model: MODEL,
    damping: Some(("hinge", 0.03)),
    substeps: 2,
    goal: 0.0,
    begin: |sim, rng| begin(sim, rng).map(|()| [0.0; 2]),
    observe,
    reward: |scene| f64::from(u8::from(scene.sim.sensor("hinge_velocity")[0] <= -SPINNING)),
    target: Target::Model,
    view: View::Side,
};

/// A task with a target of this `radius` in m.
const fn turn(id: &'static str, about: &'static str, radius: f64) -> Task {
    Task {
        id,
        about,
        model: MODEL,
        damping: None,
        substeps: 2,
        goal: radius,
        begin: |sim, rng| {
            let angle: f64 = rng.random_range(-PI..PI);
            begin(sim, rng)?;
            Ok([HINGE[0] + REACH * angle.sin(), HINGE[1] + REACH * angle.cos()])
        },
        observe: |scene, seen| {
            observe(scene, seen);
            seen.part("target_position", from_hinge(scene, scene.target));
            seen.part("dist_to_target", [distance(scene)]);
        },
        reward: |scene| f64::from(u8::from(distance(scene) <= 0.0)),
        target: Target::Drawn { initial: [0.0, 0.4], to_world: |[x, z]| [x, 0.0, z] },
        view: View::Side,
    }
}

pub(super) const TURN_EASY: Task =
    turn("dmc:finger-turn_easy", "turn a body to a large target with a finger; DM Control's", 0.07);
pub(super) const TURN_HARD: Task =
    turn("dmc:finger-turn_hard", "turn a body to a small target with a finger; DM Control's", 0.03);
