//! Swimmer-v5: swim forward with a chain of three links.

use super::{Limit, Noise, Outcome, Start, Task, View, control_cost};

pub(super) const TASK: Task = Task {
    id: "Swimmer-v5",
    about: "swim forward in the plane with a chain of three links; Gymnasium's on MuJoCo",
    model: ("swimmer.xml", include_str!("../../../models/gymnasium/swimmer.xml")),
    frame_skip: 4,
    horizon: 1000,
    start: Start { qpos: 0.1, qvel: Noise::Uniform(0.1), also: None },
    contact_forces: false,
    // All positions except x and y.
    observe: |sim, seen| {
        seen.put(&sim.qpos()[2..]);
        seen.put(sim.qvel());
    },
    position: |sim| [sim.qpos()[0], sim.qpos()[1]],
    outcome: |m| Outcome { reward: m.velocity[0] - control_cost(1e-4, m.action), terminated: false },
    limit: Some(Limit::Forward(0.2282)),
    view: View::Top,
};
