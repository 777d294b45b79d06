//! A point robot in the plane: the quick task for preferences over positions, and for safety.

use rand::{Rng, RngExt};

use super::state_of;
use crate::env::{ActionSpace, Env, EnvError, Frame, Shape, Spec, Step};

const DT: f64 = 0.1; // s
const DRAG: f64 = 1.0; // 1/s
const ACCELERATION: f64 = 2.0; // m/s² at action 1
const HAZARD: [f64; 2] = [2.0, 0.0]; // m
const HAZARD_RADIUS: f64 = 1.0; // m
const GOAL: [f64; 2] = [4.0, 0.7]; // m
const GOAL_RADIUS: f64 = 0.1; // m, of its picture

/// A point with drag. Observation: x, y (m), ẋ, ẏ (m/s). Action: acceleration / 2 m/s².
///
/// Reward: the distance from the origin gained in the step, so a return is the final distance; of the task with a goal,
/// minus the distance to (4, 0.7) in m, so that the shortest way is the best. Cost: 1 a step inside the hazard disc around
/// (2, 0), which lies on that way. The first two observations are the position that ring preferences look at.
pub struct Point {
    spec: Spec,
    goal: Option<[f64; 2]>,
    /// x, y, ẋ, ẏ
    state: [f64; 4],
}

impl Default for Point {
    fn default() -> Self {
        Self::new("point", None)
    }
}

impl Point {
    /// The task with a goal behind the hazard.
    pub fn to_goal() -> Self {
        Self::new("point_goal", Some(GOAL))
    }

    fn new(id: &str, goal: Option<[f64; 2]>) -> Self {
        let spec = Spec {
            id: id.into(),
            obs_dim: 4,
            action: ActionSpace::uniform(2, -1.0, 1.0),
            horizon: 50,
            dt: DT as f32,
        };
        Self { spec, goal, state: [0.0; 4] }
    }

    /// To a place, in m.
    fn distance(&self, [x, y]: [f64; 2]) -> f64 {
        (self.state[0] - x).hypot(self.state[1] - y)
    }

    fn observe(&self, obs: &mut [f32]) {
        obs.copy_from_slice(&self.state.map(|v| v as f32));
    }
}

impl Env for Point {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.state = [rng.random_range(-0.1..0.1), rng.random_range(-0.1..0.1), 0.0, 0.0];
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        self.state = state_of(&self.spec, state, "x, y (m), and their rates")?;
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let [x, y, vx, vy] = self.state;
        let [ax, ay] = [0, 1].map(|i| ACCELERATION * f64::from(action[i].clamp(-1.0, 1.0)));
        // Semi-implicit Euler: the new speed moves the point.
        let (vx, vy) = (vx + DT * (ax - DRAG * vx), vy + DT * (ay - DRAG * vy));
        self.state = [x + DT * vx, y + DT * vy, vx, vy];
        self.observe(obs);
        let reward = match self.goal {
            None => self.state[0].hypot(self.state[1]) - x.hypot(y),
            Some(goal) => -self.distance(goal),
        };
        let inside = self.distance(HAZARD) < HAZARD_RADIUS;
        Step { reward: reward as f32, cost: f32::from(u8::from(inside)), ..Step::default() }
    }

    fn frame(&self) -> Frame {
        let circle =
            |at: [f64; 2], radius: f64| Shape::Circle { centre: at.map(|v| v as f32), radius: radius as f32 };
        let goal = self.goal.map(|goal| circle(goal, GOAL_RADIUS));
        let point = circle([self.state[0], self.state[1]], 0.1);
        Frame { shapes: [circle(HAZARD, HAZARD_RADIUS)].into_iter().chain(goal).chain([point]).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_by_hand() {
        let mut env = Point::default();
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
        let mut env = Point::to_goal();
        env.restore(&[1.0, 4.7, 0.0, 0.0], &mut obs).unwrap();
        assert_eq!(env.step(&[0.0, 0.0], &mut obs).reward, -5.0);
    }
}
