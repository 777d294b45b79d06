//! HalfCheetah-v5: run forward on two legs in the plane.

use super::{Limit, Noise, Outcome, Start, Task, View, control_cost};

pub(super) const TASK: Task = Task {
    id: "HalfCheetah-v5",
    about: "run forward in the plane on two legs; Gymnasium's on MuJoCo",
    model: ("half_cheetah.xml", include_str!("../../../models/gymnasium/half_cheetah.xml")),
    frame_skip: 5,
    horizon: 1000,
    start: Start { qpos: 0.1, qvel: Noise::Normal(0.1), also: None },
    contact_forces: false,
    // All positions except x.
    observe: |sim, seen| {
        seen.put(&sim.qpos()[1..]);
        seen.put(sim.qvel());
    },
    position: |sim| [sim.qpos()[0], 0.0],
    outcome: |m| Outcome { reward: m.velocity[0] - control_cost(0.1, m.action), terminated: false },
    limit: Some(Limit::Forward(3.2096)),
    view: View::Side,
};
