//! InvertedPendulum-v5: keep a pole upright by pushing its cart.

use super::{Noise, Outcome, Start, Task, View};

pub(super) const TASK: Task = Task {
    id: "InvertedPendulum-v5",
    about: "keep a pole upright on a cart, until it leans; Gymnasium's on MuJoCo",
    model: ("inverted_pendulum.xml", include_str!("../../../models/gymnasium/inverted_pendulum.xml")),
    frame_skip: 2,
    horizon: 1000,
    start: Start { qpos: 0.01, qvel: Noise::Uniform(0.01), also: None },
    contact_forces: false,
    observe: |sim, seen| {
        seen.put(sim.qpos());
        seen.put(sim.qvel());
    },
    position: |_| [0.0, 0.0],
    outcome: |m| {
        let (qpos, qvel) = (m.sim.qpos(), m.sim.qvel());
        let terminated = !qpos.iter().chain(qvel).all(|x| x.is_finite()) || qpos[1].abs() > 0.2;
        Outcome { reward: f64::from(u8::from(!terminated)), terminated }
    },
    limit: None,
    view: View::Side,
};
