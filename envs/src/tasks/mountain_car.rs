//! MountainCarContinuous-v0, step for step as Gymnasium's `classic_control/continuous_mountain_car.py`.

use rand::{Rng, RngExt};

use super::state_of;
use crate::env::{ActionSpace, Env, EnvError, Frame, Shape, Spec, Step};

const POWER: f64 = 0.0015;
const GRAVITY: f64 = 0.0025;
const MAX_SPEED: f64 = 0.07;
const MIN_POSITION: f64 = -1.2;
const MAX_POSITION: f64 = 0.6;
const GOAL: f64 = 0.45;

/// A car in a valley. Observation: position, velocity (in the task's own units). Action: force in [−1, 1].
pub struct MountainCar {
    spec: Spec,
    position: f64,
    velocity: f64,
}

impl Default for MountainCar {
    fn default() -> Self {
        let spec = Spec {
            id: "mountain_car".into(),
            obs_dim: 2,
            action: ActionSpace::uniform(1, -1.0, 1.0),
            horizon: 999,
            dt: 0.0,
        };
        Self { spec, position: -0.5, velocity: 0.0 }
    }
}

impl MountainCar {
    fn observe(&self, obs: &mut [f32]) {
        obs.copy_from_slice(&[self.position as f32, self.velocity as f32]);
    }
}

impl Env for MountainCar {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.position = rng.random_range(-0.6..-0.4);
        self.velocity = 0.0;
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        [self.position, self.velocity] = state_of(&self.spec, state, "position, velocity")?;
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let asked = f64::from(action[0]);
        let force = asked.clamp(-1.0, 1.0);
        self.velocity += force * POWER - GRAVITY * (3.0 * self.position).cos();
        self.velocity = self.velocity.clamp(-MAX_SPEED, MAX_SPEED);
        self.position = (self.position + self.velocity).clamp(MIN_POSITION, MAX_POSITION);
        if self.position == MIN_POSITION && self.velocity < 0.0 {
            self.velocity = 0.0;
        }
        let terminated = self.position >= GOAL && self.velocity >= 0.0;
        self.observe(obs);
        // Gymnasium charges the action as it was asked for, before clipping.
        let reward = if terminated { 100.0 } else { 0.0 } - 0.1 * asked.powi(2);
        Step { reward: reward as f32, terminated, ..Step::default() }
    }

    fn frame(&self) -> Frame {
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
        shapes.push(Shape::Circle {
            centre: [self.position as f32, height(self.position) + 0.05],
            radius: 0.05,
        });
        Frame { shapes }
    }
}
