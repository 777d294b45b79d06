//! Gymnasium's MuJoCo tasks, version 5: one per file. This file holds what they share.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::MujocoError;
use super::frame::{View, draw};
use super::models::model_of;
use super::native::{File, Simulation, Source};
use super::observation::Observation;
use crate::env::{ActionSpace, Env, EnvError, Frame, Spec, Step};

mod ant;
mod half_cheetah;
mod hopper;
mod humanoid;
mod inverted_double_pendulum;
mod inverted_pendulum;
mod reacher;
mod swimmer;
mod walker2d;

/// All tasks of Gymnasium.
pub(crate) const TASKS: &[&Task] = &[
    &half_cheetah::TASK,
    &hopper::TASK,
    &walker2d::TASK,
    &ant::TASK,
    &ant::WITH_POSITION,
    &swimmer::TASK,
    &humanoid::TASK,
    &reacher::TASK,
    &inverted_pendulum::TASK,
    &inverted_double_pendulum::TASK,
];

/// The definition of a Gymnasium task.
pub(crate) struct Task {
    pub id: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Name and text of its model.
    pub model: File,
    /// Physics steps per task step.
    pub frame_skip: usize,
    /// Steps per episode.
    pub horizon: usize,
    /// How to draw an initial state.
    pub start: Start,
    /// Whether to compute contact forces after a step.
    pub contact_forces: bool,
    /// Writes the observation.
    pub observe: fn(&Simulation, &mut Observation),
    /// Position of the body (x, y), m. Its change gives the velocity.
    pub position: fn(&Simulation) -> [f64; 2],
    /// The reward of a step and whether the episode ended.
    pub outcome: fn(&StepInfo) -> Outcome,
    /// The speed above which a step costs 1.
    pub limit: Option<Limit>,
    /// The direction from which pictures are drawn.
    pub view: View,
}

/// A completed step.
pub(crate) struct StepInfo<'a> {
    pub sim: &'a Simulation,
    /// The action as given.
    pub action: &'a [f32],
    /// Change of the position during the step, m/s.
    pub velocity: [f64; 2],
}

/// The reward of a step, and whether the episode ended.
pub(crate) struct Outcome {
    pub reward: f64,
    pub terminated: bool,
}

/// A speed limit in m/s, as in the velocity tasks of safety-gymnasium 1.0.
pub(crate) enum Limit {
    /// Limit of the velocity along x.
    Forward(f64),
    /// Limit of the speed in the plane.
    Planar(f64),
}

impl Limit {
    fn cost(&self, [x, y]: [f64; 2]) -> f32 {
        let (speed, limit) = match self {
            Self::Forward(limit) => (x, limit),
            Self::Planar(limit) => (x.hypot(y), limit),
        };
        f32::from(u8::from(speed > *limit))
    }
}

/// How to draw an initial state: noise on the model's initial positions and on zero velocities.
pub(crate) struct Start {
    /// Noise on positions: uniform within ± this number.
    pub qpos: f64,
    /// Noise on velocities.
    pub qvel: Noise,
    /// Anything else that the task draws.
    pub also: Option<fn(&mut Simulation, &mut dyn Rng)>,
}

/// Noise on a velocity.
pub(crate) enum Noise {
    /// Uniform within ± this number.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
}

impl Noise {
    fn draw(&self, rng: &mut dyn Rng) -> f64 {
        match self {
            Self::Uniform(within) => rng.random_range(-within..=*within),
            Self::Normal(deviation) => deviation * rng.sample::<f64, _>(StandardNormal),
        }
    }
}

/// Observation of the planar walkers: all positions except x, and velocities clipped to ±10.
fn all_but_x(sim: &Simulation, seen: &mut Observation) {
    seen.put(&sim.qpos()[1..]);
    seen.put(&sim.qvel().iter().map(|v| v.clamp(-10.0, 10.0)).collect::<Vec<_>>());
}

/// `weight · Σ action²` in single precision, with the same rounding as in Gymnasium.
///
/// The order of the sum is NumPy's: in sequence for fewer than eight numbers, else pairwise over eight lanes.
fn control_cost(weight: f32, action: &[f32]) -> f64 {
    let mut squares = action.iter().map(|u| u * u);
    let sum = if action.len() < 8 {
        squares.sum::<f32>()
    } else {
        let mut lanes: [f32; 8] = std::array::from_fn(|_| squares.next().unwrap_or(0.0));
        let whole = (action.len() / 8 - 1) * 8;
        for (i, square) in squares.by_ref().take(whole).enumerate() {
            lanes[i % 8] += square;
        }
        let [a, b, c, d, e, f, g, h] = lanes;
        squares.fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, square| sum + square)
    };
    f64::from(weight * sum)
}

/// `Σ x²`
fn squares<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    values.into_iter().map(|x| x * x).sum()
}

/// A running task of Gymnasium.
pub(crate) struct Gym {
    task: &'static Task,
    spec: Spec,
    sim: Simulation,
    seen: Observation,
    fault: Option<String>,
}

impl Gym {
    /// Opens the task.
    ///
    /// # Errors
    /// [`MujocoError`] if the library or the model cannot be opened.
    pub fn open(task: &'static Task) -> Result<Self, MujocoError> {
        let model = model_of(task.id, &Source { file: task.model, others: &[], damping: None })?;
        let mut seen = Observation::default();
        let sim = Simulation::new(model)?;
        (task.observe)(&sim, &mut seen);
        let (low, high) = sim.model().control.iter().map(|&[low, high]| (low as f32, high as f32)).unzip();
        let spec = Spec {
            id: task.id.into(),
            obs_dim: seen.values.len(),
            action: ActionSpace::Continuous { low, high },
            horizon: task.horizon,
            dt: (sim.model().timestep * task.frame_skip as f64) as f32,
        };
        Ok(Self { task, spec, sim, seen, fault: None })
    }

    fn observe(&mut self, obs: &mut [f32]) {
        self.seen.clear();
        (self.task.observe)(&self.sim, &mut self.seen);
        obs.copy_from_slice(&self.seen.values);
        self.fault = self.sim.fault().map(super::diverged);
    }
}

impl Env for Gym {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.sim.reset();
        let start = &self.task.start;
        for x in self.sim.qpos_mut() {
            *x += rng.random_range(-start.qpos..=start.qpos);
        }
        for v in self.sim.qvel_mut() {
            *v = start.qvel.draw(rng);
        }
        if let Some(also) = start.also {
            also(&mut self.sim, rng);
        }
        self.sim.forward();
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        let sizes = (self.sim.model().nq, self.sim.model().nv);
        super::check_state(&self.spec, state, sizes, None)?;
        self.sim.reset();
        self.sim.qpos_mut().copy_from_slice(&state[..sizes.0]);
        self.sim.qvel_mut().copy_from_slice(&state[sizes.0..]);
        self.sim.forward();
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let before = (self.task.position)(&self.sim);
        self.sim.set_control(action);
        self.sim.step(self.task.frame_skip);
        if self.task.contact_forces {
            self.sim.contact_forces();
        }
        let after = (self.task.position)(&self.sim);
        let seconds = self.sim.model().timestep * self.task.frame_skip as f64;
        let velocity = std::array::from_fn(|axis| (after[axis] - before[axis]) / seconds);
        let outcome = (self.task.outcome)(&StepInfo { sim: &self.sim, action, velocity });
        self.observe(obs);
        Step {
            reward: outcome.reward as f32,
            cost: self.task.limit.as_ref().map_or(0.0, |limit| limit.cost(velocity)),
            terminated: outcome.terminated,
            truncated: false,
        }
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn frame(&self) -> Frame {
        draw(&self.sim, self.task.view, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_cost_is_computed_in_single_precision() {
        // 0.1 · (0.5² + 1²) = 0.125, which in single precision is 0.1f32 · 1.25f32
        assert_eq!(control_cost(0.1, &[0.5, -1.0]), f64::from(0.1f32 * 1.25f32));
        // With e = 2⁻²⁴, 1 + e is 1 in single precision, so in order the sum of 1 and seven e would be 1;
        // by halves it is ((1 + e) + (e + e)) + ((e + e) + (e + e)) = 1 + 2e + 4e.
        let mut action = [2f32.powi(-12); 8];
        action[0] = 1.0;
        assert_eq!(control_cost(1.0, &action), 1.0 + 6.0 * 2f64.powi(-24));
    }

    #[test]
    fn speed_above_the_limit_costs_one() {
        let cost = |limit: Limit, velocity| limit.cost(velocity);
        assert_eq!(cost(Limit::Forward(1.0), [1.0, 9.0]), 0.0);
        assert_eq!(cost(Limit::Forward(1.0), [1.1, 0.0]), 1.0);
        assert_eq!(cost(Limit::Forward(1.0), [-3.0, 0.0]), 0.0);
        // √(3² + 4²) = 5
        assert_eq!(cost(Limit::Planar(4.9), [3.0, -4.0]), 1.0);
        assert_eq!(cost(Limit::Planar(5.1), [-3.0, 4.0]), 0.0);
    }
}
