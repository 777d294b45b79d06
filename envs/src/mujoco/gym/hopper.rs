//! Hopper-v5: hop forward on one leg in the plane.

use super::{Limit, Noise, Outcome, Start, Task, View, all_but_x, control_cost};

pub(super) const TASK: Task = Task {
    id: "Hopper-v5",
    about: "hop forward in the plane on one leg, until a fall; Gymnasium's on MuJoCo",
    model: ("hopper.xml", include_str!("../../../models/gymnasium/hopper.xml")),
    frame_skip: 4,
    horizon: 1000,
    start: Start { qpos: 0.005, qvel: Noise::Uniform(0.005), also: None },
    contact_forces: false,
    observe: all_but_x,
    position: |sim| [sim.qpos()[0], 0.0],
    outcome: |m| {
        let (qpos, qvel) = (m.sim.qpos(), m.sim.qvel());
        let (height, pitch) = (qpos[1], qpos[2]);
        let healthy =
            qpos[2..].iter().chain(qvel).all(|x| x.abs() < 100.0) && height > 0.7 && pitch.abs() < 0.2;
        let alive = f64::from(u8::from(healthy));
        Outcome { reward: m.velocity[0] + alive - control_cost(1e-3, m.action), terminated: !healthy }
    },
    limit: Some(Limit::Forward(0.7402)),
    view: View::Side,
};
