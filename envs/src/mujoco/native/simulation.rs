//! One state of a model and its steps.

use std::sync::Arc;

use super::bindings::mjData;
use super::model::Model;
use crate::mujoco::MujocoError;

/// A state of a model: MuJoCo's `mjData`.
pub(crate) struct Simulation {
    model: Arc<Model>,
    data: *mut mjData,
}

// SAFETY: only this value owns the state, and MuJoCo stores nothing about it per thread.
unsafe impl Send for Simulation {}

impl Drop for Simulation {
    fn drop(&mut self) {
        // SAFETY: this library made it, and it is dropped once.
        unsafe { self.model.api.mj_deleteData(self.data) };
    }
}

/// Read-only views of the state's arrays of numbers.
macro_rules! views {
    ($($(#[$doc:meta])* $name:ident: $len:expr;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> &[f64] {
            let len: usize = $len(&self.model);
            if len == 0 {
                return &[];
            }
            // SAFETY: MuJoCo keeps `len` numbers there (mjdata.h) for as long as the state lives; writes need `&mut`.
            unsafe { std::slice::from_raw_parts((*self.data).$name, len) }
        })*
    };
}

impl Simulation {
    /// A state of `model` at its initial positions.
    ///
    /// # Errors
    /// [`MujocoError::Memory`] if there is not enough memory.
    pub fn new(model: Arc<Model>) -> Result<Self, MujocoError> {
        // SAFETY: the model is compiled.
        let data = unsafe { (model.api.mj_makeData)(model.pointer) };
        if data.is_null() {
            Err(MujocoError::Memory { name: model.name.into() })
        } else {
            Ok(Self { model, data })
        }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    views! {
        /// Positions, `[nq]`.
        qpos: |m: &Model| m.nq;
        /// Velocities, `[nv]`.
        qvel: |m: &Model| m.nv;
        /// Activations of the actuators, `[na]`.
        act: |m: &Model| m.na;
        /// Controls, `[nu]`.
        ctrl: |m: &Model| m.nu;
        /// Readings of the sensors.
        sensordata: |m: &Model| m.sensors.last().map_or(0, |(_, range)| range.end);
        /// Positions of the bodies, `[nbody, 3]`.
        xpos: |m: &Model| 3 * m.bodies.len();
        /// Orientations of the bodies, `[nbody, 3, 3]`; the columns are their axes.
        xmat: |m: &Model| 9 * m.bodies.len();
        /// Centres of mass of the bodies, `[nbody, 3]`.
        xipos: |m: &Model| 3 * m.bodies.len();
        /// Positions of the geoms, `[ngeom, 3]`.
        geom_xpos: |m: &Model| 3 * m.geoms.len();
        /// Orientations of the geoms, `[ngeom, 3, 3]`.
        geom_xmat: |m: &Model| 9 * m.geoms.len();
        /// Positions of the sites, `[nsite, 3]`.
        site_xpos: |m: &Model| 3 * m.sites.len();
        /// Inertias of the bodies about the centre of mass, `[nbody, 10]`.
        cinert: |m: &Model| 10 * m.bodies.len();
        /// Velocities of the bodies about the centre of mass, `[nbody, 6]`.
        cvel: |m: &Model| 6 * m.bodies.len();
        /// External forces on the bodies, `[nbody, 6]`; see [`Self::contact_forces`].
        cfrc_ext: |m: &Model| 6 * m.bodies.len();
        /// Forces of the actuators, `[nv]`.
        qfrc_actuator: |m: &Model| m.nv;
        /// Forces of the constraints, `[nv]`.
        qfrc_constraint: |m: &Model| m.nv;
    }

    /// Number of contacts.
    pub fn contacts(&self) -> usize {
        // SAFETY: the state is valid.
        unsafe { (*self.data).ncon as usize }
    }

    /// Resets to the model's initial state: no controls, no warm start, no warnings.
    pub fn reset(&mut self) {
        // SAFETY: the state is of this model, here and below.
        unsafe { self.model.api.mj_resetData(self.model.pointer, self.data) };
    }

    /// Writable positions, `[nq]`; call [`Self::forward`] after a change.
    pub fn qpos_mut(&mut self) -> &mut [f64] {
        // SAFETY: as in the views, with this value borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut((*self.data).qpos, self.model.nq) }
    }

    /// Writable velocities, `[nv]`; call [`Self::forward`] after a change.
    pub fn qvel_mut(&mut self) -> &mut [f64] {
        // SAFETY: as in the views, with this value borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut((*self.data).qvel, self.model.nv) }
    }

    /// Sets the controls, `[nu]`; MuJoCo clips them to their bounds.
    pub fn set_control(&mut self, action: &[f32]) {
        // SAFETY: as in the views, with this value borrowed mutably.
        let ctrl = unsafe { std::slice::from_raw_parts_mut((*self.data).ctrl, self.model.nu) };
        for (to, from) in ctrl.iter_mut().zip(action) {
            *to = f64::from(*from);
        }
    }

    /// Computes everything that depends on positions, velocities and controls.
    pub fn forward(&mut self) {
        // SAFETY: see `reset`.
        unsafe { self.model.api.mj_forward(self.model.pointer, self.data) };
    }

    /// Like [`Self::forward`], with the actuators off.
    pub fn forward_unactuated(&mut self) {
        // SAFETY: see `reset`; the unactuated model has the same sizes.
        unsafe { self.model.api.mj_forward(self.model.unactuated, self.data) };
    }

    /// Makes `count` physics steps.
    pub fn step(&mut self, count: usize) {
        for _ in 0..count {
            // SAFETY: see `reset`.
            unsafe { self.model.api.mj_step(self.model.pointer, self.data) };
        }
    }

    /// Makes `count` physics steps. Quantities that depend on positions and velocities must be up to date before, and are
    /// up to date after: DM Control's order (Tassa et al. 2020, <https://arxiv.org/abs/2006.12983>, page 6).
    pub fn step_in_sync(&mut self, count: usize) {
        if self.model.rk4 {
            self.step(count);
        } else {
            // SAFETY: see `reset`.
            unsafe { self.model.api.mj_step2(self.model.pointer, self.data) };
            self.step(count - 1);
        }
        // SAFETY: see `reset`.
        unsafe { self.model.api.mj_step1(self.model.pointer, self.data) };
    }

    /// Computes [`Self::cfrc_ext`].
    pub fn contact_forces(&mut self) {
        // SAFETY: see `reset`.
        unsafe { self.model.api.mj_rnePostConstraint(self.model.pointer, self.data) };
    }

    /// Which numbers became invalid, if any did. MuJoCo then counts a warning and silently resets the state.
    pub fn fault(&self) -> Option<&'static str> {
        // mjWARN_BADQPOS … mjWARN_BADCTRL
        const BAD: [(usize, &str); 4] =
            [(3, "positions"), (4, "velocities"), (5, "accelerations"), (6, "controls")];
        // SAFETY: the state is valid.
        let warnings = unsafe { &(*self.data).warning };
        BAD.iter().find(|(kind, _)| warnings[*kind].number > 0).map(|(_, what)| *what)
    }
}
