//! A point robot in the plane: a fast task for preferences over positions and for safety.

use crate::dynamics::{Draw, Dynamics, Real, Transition};
use crate::env::{ActionSpace, Frame, Shape, Spec};

const DT: f64 = 0.1; // s
const DRAG: f64 = 1.0; // 1/s
const ACCELERATION: f64 = 2.0; // m/s² at action 1
const HAZARD: [f64; 2] = [2.0, 0.0]; // m
const HAZARD_RADIUS: f64 = 1.0; // m
const GOAL: [f64; 2] = [4.0, 0.7]; // m
const GOAL_RADIUS: f64 = 0.1; // m, of its picture

/// A point with drag. Observation: x, y (m), ẋ, ẏ (m/s). Action: acceleration / 2 m/s².
///
/// Reward of `point`: how much the distance from the origin grew in this step, so the return is the final distance.
/// Reward of `point_goal`: minus the distance to (4, 0.7) in m, so the shortest path is the best. Cost: 1 per step inside
/// the hazard disc around (2, 0), which lies on that path. The first two observations are the position; ring oracles
/// compare it.
#[derive(Default)]
pub struct Point {
    goal: Option<[f64; 2]>,
}

/// Distance from the state's position to `place`, in m.
fn distance<R: Real>([x, y, ..]: &[R; 4], place: [f64; 2]) -> R {
    (x.clone() - place[0]).hypot(y.clone() - place[1])
}

impl Point {
    /// The task `point_goal`, with a goal behind the hazard.
    pub fn to_goal() -> Self {
        Self { goal: Some(GOAL) }
    }
}

/// The state is x, y, ẋ, ẏ.
impl Dynamics<4, 2, 4> for Point {
    const STATE: &'static str = "4 finite numbers: x, y (m), and their rates";

    fn spec(&self) -> Spec {
        Spec {
            id: if self.goal.is_some() { "point_goal" } else { "point" }.into(),
            obs_dim: 4,
            action: ActionSpace::uniform(2, -1.0, 1.0),
            horizon: 50,
            dt: DT as f32,
        }
    }

    fn start<R: Real>(&self, draw: &mut impl Draw<R>) -> [R; 4] {
        [draw.within(-0.1, 0.1), draw.within(-0.1, 0.1), draw.fixed(0.0), draw.fixed(0.0)]
    }

    fn observe<R: Real>(&self, state: &[R; 4]) -> [R; 4] {
        state.clone()
    }

    fn step<R: Real>(&self, before: [R; 4], action: [R; 2]) -> Transition<R, 4> {
        let [x, y, vx, vy] = before.clone();
        let [ax, ay] = action.map(|u| u.clamp(-1.0, 1.0) * ACCELERATION);
        // Semi-implicit Euler: the new velocity moves the point.
        let vx = vx.clone() + (ax - vx * DRAG) * DT;
        let vy = vy.clone() + (ay - vy * DRAG) * DT;
        let state = [x + vx.clone() * DT, y + vy.clone() * DT, vx, vy];
        let reward = match self.goal {
            None => distance(&state, [0.0; 2]) - distance(&before, [0.0; 2]),
            Some(goal) => -distance(&state, goal),
        };
        let cost = distance(&state, HAZARD).below(HAZARD_RADIUS);
        Transition { state, reward, cost: Some(cost), terminated: None }
    }

    fn frame(&self, state: &[f64; 4]) -> Frame {
        let circle =
            |at: [f64; 2], radius: f64| Shape::Circle { centre: at.map(|v| v as f32), radius: radius as f32 };
        let goal = self.goal.map(|goal| circle(goal, GOAL_RADIUS));
        let point = circle([state[0], state[1]], 0.1);
        Frame { shapes: [circle(HAZARD, HAZARD_RADIUS)].into_iter().chain(goal).chain([point]).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::HostEnv;
    use crate::env::Env;

    #[test]
    fn one_step_by_hand() {
        let mut env = HostEnv::new(Point::default());
        let mut obs = [0.0; 4];
        env.restore(&[3.0, 4.0, 1.0, 0.0], &mut obs).unwrap();
        // ẋ = 1 + 0.1 (2 − 1) = 1.1, x = 3.11; ẏ = 0, y = 4. Gained √(3.11² + 16) − 5.
        let step = env.step(&[1.0, 0.0], &mut obs);
        assert!((obs[0] - 3.11).abs() < 1e-6 && (obs[2] - 1.1).abs() < 1e-6);
        assert!((f64::from(step.reward) - (3.11f64.hypot(4.0) - 5.0)).abs() < 1e-6);
        assert_eq!(step.cost, 0.0);
        env.restore(&[2.0, 0.5, 0.0, 0.0], &mut obs).unwrap();
        assert_eq!(env.step(&[0.0, 0.0], &mut obs).cost, 1.0);
        // From (1, 4.7) at rest, 3-4-5 from the goal.
        let mut env = HostEnv::new(Point::to_goal());
        env.restore(&[1.0, 4.7, 0.0, 0.0], &mut obs).unwrap();
        assert_eq!(env.step(&[0.0, 0.0], &mut obs).reward, -5.0);
    }
}
