//! MountainCarContinuous-v0; every step equals Gymnasium's `classic_control/continuous_mountain_car.py`.

use crate::dynamics::{Draw, Dynamics, Real, Transition};
use crate::env::{ActionSpace, Frame, Shape, Spec};

const POWER: f64 = 0.0015;
const GRAVITY: f64 = 0.0025;
const MAX_SPEED: f64 = 0.07;
const MIN_POSITION: f64 = -1.2;
const MAX_POSITION: f64 = 0.6;
const GOAL: f64 = 0.45;

/// A car in a valley. Observation: position, velocity (in the task's own units). Action: force in [−1, 1].
pub struct MountainCar;

impl Dynamics<2, 1, 2> for MountainCar {
    const STATE: &'static str = "2 finite numbers: position, velocity";

    fn spec(&self) -> Spec {
        Spec {
            id: "mountain_car".into(),
            obs_dim: 2,
            action: ActionSpace::uniform(1, -1.0, 1.0),
            horizon: 999,
            dt: 0.0,
        }
    }

    fn start<R: Real>(&self, draw: &mut impl Draw<R>) -> [R; 2] {
        [draw.within(-0.6, -0.4), draw.fixed(0.0)]
    }

    fn observe<R: Real>(&self, state: &[R; 2]) -> [R; 2] {
        state.clone()
    }

    fn step<R: Real>(&self, [position, velocity]: [R; 2], [requested]: [R; 1]) -> Transition<R, 2> {
        let force = requested.clone().clamp(-1.0, 1.0);
        let velocity = velocity + (force * POWER - (position.clone() * 3.0).cos() * GRAVITY);
        let velocity = velocity.clamp(-MAX_SPEED, MAX_SPEED);
        let position = (position + velocity.clone()).clamp(MIN_POSITION, MAX_POSITION);
        // The wall on the left stops the car.
        let stopped = velocity.clone().clamp(0.0, MAX_SPEED);
        let velocity = position.clone().above(MIN_POSITION).choose(velocity, stopped);
        let short = position.clone().below(GOAL) + velocity.clone().below(0.0);
        let terminated = short.below(0.5);
        // Gymnasium computes the cost from the requested action, before clipping.
        let reward = terminated.clone() * 100.0 - requested.square() * 0.1;
        Transition { state: [position, velocity], reward, cost: None, terminated: Some(terminated) }
    }

    fn frame(&self, [position, _]: &[f64; 2]) -> Frame {
        let height = |x: f64| ((3.0 * x).sin() * 0.45 + 0.55) as f32;
        let at = |i: usize| MIN_POSITION + (MAX_POSITION - MIN_POSITION) * i as f64 / 40.0;
        let mut shapes: Vec<Shape> = (0..40)
            .map(|i| Shape::Line {
                from: [at(i) as f32, height(at(i))],
                to: [at(i + 1) as f32, height(at(i + 1))],
                width: 0.01,
            })
            .collect();
        let flag = [GOAL as f32, height(GOAL) + 0.2];
        shapes.push(Shape::Line { from: [flag[0], height(GOAL)], to: flag, width: 0.01 });
        shapes.push(Shape::Circle { centre: flag, radius: 0.03 });
        shapes.push(Shape::Circle { centre: [*position as f32, height(*position) + 0.05], radius: 0.05 });
        Frame { shapes }
    }
}
