//! Walker2d-v5: walk forward on two legs in the plane.

use super::{Limit, Noise, Outcome, Start, Task, View, all_but_x, control_cost};

pub(super) const TASK: Task = Task {
    id: "Walker2d-v5",
    about: "walk forward in the plane on two legs, until a fall; Gymnasium's on MuJoCo",
    model: ("walker2d_v5.xml", include_str!("../../../models/gymnasium/walker2d_v5.xml")),
    frame_skip: 4,
    horizon: 1000,
    start: Start { qpos: 0.005, qvel: Noise::Uniform(0.005), also: None },
    contact_forces: false,
    observe: all_but_x,
    position: |sim| [sim.qpos()[0], 0.0],
    outcome: |m| {
        let (height, pitch) = (m.sim.qpos()[1], m.sim.qpos()[2]);
        let healthy = 0.8 < height && height < 2.0 && pitch.abs() < 1.0;
        let alive = f64::from(u8::from(healthy));
        Outcome { reward: m.velocity[0] + alive - control_cost(1e-3, m.action), terminated: !healthy }
    },
    limit: Some(Limit::Forward(2.3415)),
    view: View::Side,
};
