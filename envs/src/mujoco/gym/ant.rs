//! Ant-v5: run forward on four legs; also a variant that observes its position.

use super::{Limit, Noise, Outcome, Start, Task, View, control_cost, squares};
use crate::mujoco::native::Simulation;
use crate::mujoco::observation::Observation;

/// External forces on the bodies, each number clipped to ±1.
fn forces(sim: &Simulation) -> Vec<f64> {
    sim.cfrc_ext().iter().map(|f| f.clamp(-1.0, 1.0)).collect()
}

/// Observation: qpos from index `from`, qvel, and the forces on all bodies except the world.
fn observe(sim: &Simulation, seen: &mut Observation, from: usize) {
    seen.put(&sim.qpos()[from..]);
    seen.put(sim.qvel());
    seen.put(&forces(sim)[6..]);
}

pub(super) const TASK: Task = Task {
    id: "Ant-v5",
    about: "run forward on four legs, until a fall; Gymnasium's on MuJoCo",
    model: ("ant.xml", include_str!("../../../models/gymnasium/ant.xml")),
    frame_skip: 5,
    horizon: 1000,
    start: Start { qpos: 0.1, qvel: Noise::Normal(0.1), also: None },
    contact_forces: true,
    // All positions except x and y.
    observe: |sim, seen| observe(sim, seen, 2),
    position: |sim| {
        let [x, y, _] = sim.body("torso");
        [x, y]
    },
    outcome: |m| {
        let (qpos, qvel) = (m.sim.qpos(), m.sim.qvel());
        let healthy = qpos.iter().chain(qvel).all(|x| x.is_finite()) && (0.2..=1.0).contains(&qpos[2]);
        let alive = f64::from(u8::from(healthy));
        let costs = control_cost(0.5, m.action) + 5e-4 * squares(&forces(m.sim));
        Outcome { reward: m.velocity[0] + alive - costs, terminated: !healthy }
    },
    limit: Some(Limit::Planar(2.6222)),
    view: View::Oblique,
};

/// For preferences over positions, as in the paper: x and y come first.
pub(super) const WITH_POSITION: Task = Task {
    id: "Ant-v5-xy",
    about: "Ant-v5 that also observes its x and y: exclude_current_positions_from_observation=False",
    observe: |sim, seen| observe(sim, seen, 0),
    ..TASK
};
