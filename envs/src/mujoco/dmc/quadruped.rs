//! Quadruped: a four-legged body that walks or runs.

use std::ops::Range;

use super::{Sigmoid, Target, Task, View, norm, normal, tolerance};
use crate::mujoco::native::{JointKind, Simulation};

/// A random orientation, at the lowest height (in steps of 1 cm) without contact.
fn begin(sim: &mut Simulation, rng: &mut dyn rand::Rng) -> Result<[f64; 2], &'static str> {
    let turn = [(); 4].map(|()| normal(rng));
    let length = norm(&turn);
    for centimetres in 0..10_000 {
        sim.reset();
        sim.set_joint("root", &[0.0, 0.0, 0.01 * f64::from(centimetres)]);
        sim.qpos_mut()[3..7].copy_from_slice(&turn.map(|x| x / length));
        sim.forward_unactuated();
        if sim.contacts() == 0 {
            return Ok([0.0; 2]);
        }
    }
    Err("found no height without contact")
}

/// Ranges of the hinges in qpos and qvel: all numbers after those of the root.
fn hinges(sim: &Simulation) -> (Range<usize>, Range<usize>) {
    let first =
        sim.model().joints.iter().find(|j| j.kind == JointKind::Hinge).expect("the quadruped has hinges");
    (first.qpos..sim.model().nq, first.qvel..sim.model().nv)
}

/// Readings of the sensors whose names begin with one of `prefixes`, in the model's order.
fn readings<'a>(sim: &'a Simulation, prefixes: &'a [&str]) -> impl Iterator<Item = f64> + 'a {
    let sensors = sim.model().sensors.iter();
    sensors
        .filter(|(name, _)| prefixes.iter().any(|b| name.starts_with(b)))
        .flat_map(|(_, range)| sim.sensordata()[range.clone()].iter().copied())
}

const fn task(id: &'static str, about: &'static str, speed: f64) -> Task {
    Task {
        id,
        about,
        model: ("quadruped.xml", include_str!("../../../models/dm_control/quadruped.xml")),
        damping: None,
        substeps: 4,
        goal: speed,
        begin,
        observe: |scene, seen| {
            let sim = scene.sim;
            let (qpos, qvel) = hinges(sim);
            let state = sim.qpos()[qpos].iter().chain(&sim.qvel()[qvel]).chain(sim.act());
            seen.part("egocentric_state", state.copied());
            seen.part("torso_velocity", sim.sensor("velocimeter").iter().copied());
            seen.part("torso_upright", [sim.body_axes("torso")[8]]);
            seen.part("imu", readings(sim, &["imu_gyro", "imu_accel"]));
            seen.part("force_torque", readings(sim, &["force_toe", "torque_toe"]).map(f64::asinh));
        },
        // Upright, and moving along the torso's own x axis.
        reward: |scene| {
            let upright =
                tolerance(scene.sim.body_axes("torso")[8], [1.0, f64::INFINITY], 2.0, Sigmoid::Linear, 0.0);
            let speed = scene.sim.sensor("velocimeter")[0];
            upright * tolerance(speed, [scene.goal, f64::INFINITY], scene.goal, Sigmoid::Linear, 0.5)
        },
        target: Target::Model,
        view: View::Oblique,
    }
}

pub(super) const WALK: Task = task("dmc:quadruped-walk", "walk at 0.5 m/s on four legs; DM Control's", 0.5);
pub(super) const RUN: Task = task("dmc:quadruped-run", "run at 5 m/s on four legs; DM Control's", 5.0);
