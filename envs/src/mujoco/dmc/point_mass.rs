//! Point mass: move a point in the plane to the middle and stop there.

use super::tolerance::AT_MARGIN;
use super::{Sigmoid, Target, Task, View, norm, randomize_joints, tolerance};

pub(super) const EASY: Task = Task {
    id: "dmc:point_mass-easy",
    about: "bring a point in the plane to the middle; DM Control's",
    model: ("point_mass.xml", include_str!("../../../models/dm_control/point_mass.xml")),
    damping: None,
    substeps: 1,
    goal: 0.0,
    begin: |sim, rng| {
        randomize_joints(sim, rng);
        Ok([0.0; 2])
    },
    observe: |scene, seen| {
        seen.part("position", scene.sim.qpos().iter().copied());
        seen.part("velocity", scene.sim.qvel().iter().copied());
    },
    reward: |scene| {
        let (target, mass) = (scene.sim.geom("target"), scene.sim.geom("pointmass"));
        let distance = norm(&[0, 1, 2].map(|axis| target[axis] - mass[axis]));
        let radius = scene.sim.geom_radius("target");
        let near = tolerance(distance, [0.0, radius], radius, Sigmoid::Gaussian, AT_MARGIN);
        near * (scene.small_control() + 4.0) / 5.0
    },
    target: Target::Model,
    view: View::Top,
};
