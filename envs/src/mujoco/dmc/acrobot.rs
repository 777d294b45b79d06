//! Acrobot: swing a two-link arm up with a torque at its elbow.

use std::f64::consts::PI;

use rand::RngExt;

use super::tolerance::AT_MARGIN;
use super::{Sigmoid, Target, Task, View, norm, tolerance};

const ARMS: [&str; 2] = ["upper_arm", "lower_arm"];

pub(super) const SWINGUP: Task = Task {
    id: "dmc:acrobot-swingup",
    about: "swing a two-link arm up with a torque at its elbow and hold it; DM Control's",
    model: ("acrobot.xml", include_str!("../../../models/dm_control/acrobot.xml")),
    damping: None,
    substeps: 1,
    goal: 0.0,
    begin: |sim, rng| {
        sim.qpos_mut().copy_from_slice(&[(); 2].map(|()| rng.random_range(-PI..PI)));
        Ok([0.0; 2])
    },
    observe: |scene, seen| {
        // The x, then the z, of both arms' z axes.
        let axes = ARMS.map(|arm| scene.sim.body_axes(arm));
        seen.part("orientations", [axes[0][2], axes[1][2], axes[0][8], axes[1][8]]);
        seen.part("velocity", scene.sim.qvel().iter().copied());
    },
    reward: |scene| {
        let (target, tip) = (scene.sim.site("target"), scene.sim.site("tip"));
        let distance = norm(&[0, 1, 2].map(|axis| target[axis] - tip[axis]));
        tolerance(distance, [0.0, scene.sim.site_radius("target")], 1.0, Sigmoid::Gaussian, AT_MARGIN)
    },
    target: Target::Model,
    view: View::Side,
};
