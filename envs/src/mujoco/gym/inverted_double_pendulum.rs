//! InvertedDoublePendulum-v5: keep two linked poles upright by pushing their cart.

use super::{Noise, Outcome, Start, Task, View};

pub(super) const TASK: Task = Task {
    id: "InvertedDoublePendulum-v5",
    about: "keep two linked poles upright on a cart, until they fall; Gymnasium's on MuJoCo",
    model: (
        "inverted_double_pendulum.xml",
        include_str!("../../../models/gymnasium/inverted_double_pendulum.xml"),
    ),
    frame_skip: 5,
    horizon: 1000,
    start: Start { qpos: 0.1, qvel: Noise::Normal(0.1), also: None },
    contact_forces: false,
    // x, sin θ, cos θ, velocities and the cart's constraint force, the last two clipped to ±10
    observe: |sim, seen| {
        let within = |x: &f64| x.clamp(-10.0, 10.0);
        let qpos = sim.qpos();
        seen.put(&[qpos[0], qpos[1].sin(), qpos[2].sin(), qpos[1].cos(), qpos[2].cos()]);
        seen.put(&sim.qvel().iter().map(within).collect::<Vec<_>>());
        seen.put(&[within(&sim.qfrc_constraint()[0])]);
    },
    position: |_| [0.0, 0.0],
    outcome: |m| {
        let [x, _, height] = m.sim.site("tip");
        let [_, v1, v2] = [0, 1, 2].map(|i| m.sim.qvel()[i]);
        let terminated = height <= 1.0;
        let alive = 10.0 * f64::from(u8::from(!terminated));
        let off = 0.01 * x.powi(2) + (height - 2.0).powi(2);
        let fast = 1e-3 * v1.powi(2) + 5e-3 * v2.powi(2);
        Outcome { reward: alive - off - fast, terminated }
    },
    limit: None,
    view: View::Side,
};
