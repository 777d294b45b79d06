//! Tasks of DM Control's suite: one domain per file. This file holds what they share.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::MujocoError;
use super::frame::{View, draw};
use super::models::model_of;
use super::native::{File, JointKind, Simulation, Source};
use super::observation::Observation;
use crate::env::{ActionSpace, Env, EnvError, Frame, Spec, Step};

mod acrobot;
mod cartpole;
mod cheetah;
mod finger;
mod hopper;
mod point_mass;
mod quadruped;
mod reacher;
mod tolerance;
mod walker;

use tolerance::{Sigmoid, tolerance};

/// All tasks of the suite that are implemented.
pub(crate) const TASKS: &[&Task] = &[
    &walker::STAND,
    &walker::WALK,
    &walker::RUN,
    &hopper::STAND,
    &hopper::HOP,
    &quadruped::WALK,
    &quadruped::RUN,
    &cheetah::RUN,
    &point_mass::EASY,
    &reacher::EASY,
    &reacher::HARD,
    &cartpole::BALANCE,
    &cartpole::SWINGUP,
    &acrobot::SWINGUP,
    &finger::SPIN,
    &finger::TURN_EASY,
    &finger::TURN_HARD,
];

/// Files that the suite's models include.
const COMMON: &[File] = &[
    ("./common/materials.xml", include_str!("../../../models/dm_control/common/materials.xml")),
    // The sky's texture is 11 MB and takes most of the time to compile a model. The physics does not use it.
    ("./common/skybox.xml", "<mujoco><asset/></mujoco>"),
    ("./common/visual.xml", include_str!("../../../models/dm_control/common/visual.xml")),
];

/// Steps per episode: the suite's time limits give this number in every implemented task.
const HORIZON: usize = 1000;

/// The definition of a task of the suite.
pub(crate) struct Task {
    pub id: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Name and text of its model.
    pub model: File,
    /// Joint and damping that the task sets.
    pub damping: Option<(&'static str, f64)>,
    /// Physics steps per task step.
    pub substeps: usize,
    /// The parameter in which tasks of one domain differ: a speed in m/s or a radius in m; 0 if there is none.
    pub goal: f64,
    /// Draws an initial state, and a target if the task has one. Fails if it finds no valid state.
    pub begin: fn(&mut Simulation, &mut dyn Rng) -> Result<[f64; 2], &'static str>,
    /// Writes the observation.
    pub observe: fn(&Scene, &mut Observation),
    /// The reward of the state and the controls, in [0, 1].
    pub reward: fn(&Scene) -> f64,
    /// Where the target is stored.
    pub target: Target,
    /// The direction from which pictures are drawn.
    pub view: View,
}

/// Where a task's target is stored.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// In the model, or there is none.
    Model,
    /// In the task, which draws it in each episode: two coordinates in a plane.
    Drawn {
        /// Its position in the model.
        initial: [f64; 2],
        /// Converts the two coordinates to a position in the world.
        to_world: fn([f64; 2]) -> [f64; 3],
    },
}

/// A state, as observations and rewards read it.
pub(crate) struct Scene<'a> {
    pub sim: &'a Simulation,
    /// The task's [`Task::goal`].
    pub goal: f64,
    /// The target, if the task stores one.
    pub target: [f64; 2],
}

impl Scene<'_> {
    /// 1 without control and 0 at full control: the mean over the actuators of 1 − u², not below 0.
    fn small_control(&self) -> f64 {
        let ctrl = self.sim.ctrl();
        let small = ctrl.iter().map(|u| tolerance(*u, [0.0, 0.0], 1.0, Sigmoid::Quadratic, 0.0));
        small.sum::<f64>() / ctrl.len() as f64
    }
}

/// Draws every limited joint uniformly within its bounds, other hinges within ±π, and the orientations of free
/// joints. The positions of free joints do not change.
fn randomize_joints(sim: &mut Simulation, rng: &mut dyn Rng) {
    use std::f64::consts::PI;
    for i in 0..sim.model().joints.len() {
        let joint = &sim.model().joints[i];
        let (at, kind, range) = (joint.qpos, joint.kind, joint.range);
        match (kind, range) {
            (JointKind::Hinge | JointKind::Slide, Some([low, high])) => {
                sim.qpos_mut()[at] = rng.random_range(low..=high);
            }
            (JointKind::Hinge, None) => sim.qpos_mut()[at] = rng.random_range(-PI..PI),
            // None of the tasks that use this has a free or a ball joint.
            _ => {}
        }
    }
}

fn normal(rng: &mut dyn Rng) -> f64 {
    rng.sample(StandardNormal)
}

/// √(Σ x²)
fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// A running task of the suite.
pub(crate) struct Suite {
    task: &'static Task,
    spec: Spec,
    sim: Simulation,
    target: [f64; 2],
    seen: Observation,
    fault: Option<String>,
}

impl Suite {
    /// Opens the task.
    ///
    /// # Errors
    /// [`MujocoError`] if the library or the model cannot be opened.
    pub fn open(task: &'static Task) -> Result<Self, MujocoError> {
        let source = Source { file: task.model, others: COMMON, damping: task.damping };
        let mut sim = Simulation::new(model_of(task.id, &source)?)?;
        sim.forward_unactuated();
        let target = initial_target(task);
        let mut seen = Observation::default();
        (task.observe)(&Scene { sim: &sim, goal: task.goal, target }, &mut seen);
        let (low, high) = sim.model().control.iter().map(|&[low, high]| (low as f32, high as f32)).unzip();
        let spec = Spec {
            id: task.id.into(),
            obs_dim: seen.values.len(),
            action: ActionSpace::Continuous { low, high },
            horizon: HORIZON,
            dt: (sim.model().timestep * task.substeps as f64) as f32,
        };
        Ok(Self { task, spec, sim, target, seen, fault: None })
    }

    fn observe(&mut self, obs: &mut [f32]) {
        self.seen.clear();
        let scene = Scene { sim: &self.sim, goal: self.task.goal, target: self.target };
        (self.task.observe)(&scene, &mut self.seen);
        obs.copy_from_slice(&self.seen.values);
        self.fault = self.sim.fault().map(super::diverged);
    }
}

/// The target before the first reset.
fn initial_target(task: &Task) -> [f64; 2] {
    match task.target {
        Target::Model => [0.0; 2],
        Target::Drawn { initial, .. } => initial,
    }
}

impl Env for Suite {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.sim.reset();
        self.sim.forward_unactuated();
        let begun = (self.task.begin)(&mut self.sim, rng);
        self.target = *begun.as_ref().unwrap_or(&[0.0; 2]);
        self.sim.forward_unactuated();
        self.observe(obs);
        if let Err(why) = begun {
            self.fault = Some(why.into());
        }
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        let (nq, nv) = (self.sim.model().nq, self.sim.model().nv);
        let more = matches!(self.task.target, Target::Drawn { .. }).then_some(("target", 2));
        super::check_state(&self.spec, state, (nq, nv), more)?;
        self.sim.reset();
        self.sim.qpos_mut().copy_from_slice(&state[..nq]);
        self.sim.qvel_mut().copy_from_slice(&state[nq..nq + nv]);
        self.target = state[nq + nv..].try_into().unwrap_or_else(|_| initial_target(self.task));
        self.sim.forward_unactuated();
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        self.sim.set_control(action);
        self.sim.step_in_sync(self.task.substeps);
        let scene = Scene { sim: &self.sim, goal: self.task.goal, target: self.target };
        let reward = (self.task.reward)(&scene);
        self.observe(obs);
        Step { reward: reward as f32, ..Step::default() }
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn parts(&self) -> &[(&'static str, usize)] {
        &self.seen.parts
    }

    fn frame(&self) -> Frame {
        let target = match self.task.target {
            Target::Model => None,
            Target::Drawn { to_world, .. } => Some((to_world(self.target), self.task.goal)),
        };
        draw(&self.sim, self.task.view, target)
    }
}
