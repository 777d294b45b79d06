//! Humanoid-v5: walk forward with a human-like body.

use super::{Limit, Noise, Outcome, Start, Task, View, squares};
use crate::mujoco::native::Simulation;

/// The centre of mass of all bodies (x, y), m.
fn centre_of_mass(sim: &Simulation) -> [f64; 2] {
    let masses = &sim.model().masses;
    let total: f64 = masses.iter().sum();
    let moment = |axis| masses.iter().zip(sim.xipos().chunks(3)).map(|(m, at)| m * at[axis]).sum::<f64>();
    [moment(0) / total, moment(1) / total]
}

pub(super) const TASK: Task = Task {
    id: "Humanoid-v5",
    about: "walk forward with a human-like body, until a fall; Gymnasium's on MuJoCo",
    model: ("humanoid.xml", include_str!("../../../models/gymnasium/humanoid.xml")),
    frame_skip: 5,
    horizon: 1000,
    start: Start { qpos: 0.01, qvel: Noise::Uniform(0.01), also: None },
    contact_forces: true,
    // All positions except x and y, all velocities; inertias, velocities and forces of all bodies except the world; the
    // actuator forces of the joints.
    observe: |sim, seen| {
        seen.put(&sim.qpos()[2..]);
        seen.put(sim.qvel());
        seen.put(&sim.cinert()[10..]);
        seen.put(&sim.cvel()[6..]);
        seen.put(&sim.qfrc_actuator()[6..]);
        seen.put(&sim.cfrc_ext()[6..]);
    },
    position: centre_of_mass,
    outcome: |m| {
        let height = m.sim.qpos()[2];
        let healthy = 1.0 < height && height < 2.0;
        let alive = 5.0 * f64::from(u8::from(healthy));
        // Gymnasium computes this in double precision, and clips the contact cost at 10.
        let costs = 0.1 * squares(m.sim.ctrl()) + (5e-7 * squares(m.sim.cfrc_ext())).min(10.0);
        Outcome { reward: 1.25 * m.velocity[0] + alive - costs, terminated: !healthy }
    },
    limit: Some(Limit::Planar(1.4149)),
    view: View::Oblique,
};
