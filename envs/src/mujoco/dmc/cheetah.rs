//! Cheetah: a planar two-legged body that runs.

use rand::RngExt;

use super::{Sigmoid, Target, Task, View, tolerance};

pub(super) const RUN: Task = Task {
    id: "dmc:cheetah-run",
    about: "run at 10 m/s in the plane; DM Control's",
    model: ("cheetah.xml", include_str!("../../../models/dm_control/cheetah.xml")),
    damping: None,
    substeps: 1,
    goal: 10.0,
    // Random angles for all limited joints, then 200 physics steps to settle.
    begin: |sim, rng| {
        for i in 0..sim.model().joints.len() {
            let joint = &sim.model().joints[i];
            if let (at, Some([low, high])) = (joint.qpos, joint.range) {
                sim.qpos_mut()[at] = rng.random_range(low..=high);
            }
        }
        sim.forward_unactuated();
        sim.step_in_sync(200);
        Ok([0.0; 2])
    },
    observe: |scene, seen| {
        // All positions except x.
        seen.part("position", scene.sim.qpos()[1..].iter().copied());
        seen.part("velocity", scene.sim.qvel().iter().copied());
    },
    reward: |scene| {
        let speed = scene.sim.sensor("torso_subtreelinvel")[0];
        tolerance(speed, [scene.goal, f64::INFINITY], scene.goal, Sigmoid::Linear, 0.0)
    },
    target: Target::Model,
    view: View::Side,
};
