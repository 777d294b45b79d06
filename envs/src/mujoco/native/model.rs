//! A compiled model.

use std::ffi::{CStr, CString};
use std::ops::Range;

use super::bindings::{Api, mjModel, mjVFS};
use super::library::library;
use crate::mujoco::MujocoError;

/// A file of a model: the name under which other files include it, and its text.
pub(crate) type File = (&'static str, &'static str);

/// The source of a model.
pub(crate) struct Source {
    /// The main file.
    pub file: File,
    /// The files that it includes.
    pub others: &'static [File],
    /// A joint and the damping in N·m·s/rad that replaces the one in the file.
    pub damping: Option<(&'static str, f64)>,
}

/// How a joint moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum JointKind {
    Free,
    Ball,
    Slide,
    Hinge,
}

/// A joint.
#[derive(Clone, Debug)]
pub(crate) struct Joint {
    pub name: String,
    pub kind: JointKind,
    /// Bounds of its position in m or rad, if it has bounds.
    pub range: Option<[f64; 2]>,
    /// Index of its first number in qpos.
    pub qpos: usize,
    /// Index of its first number in qvel.
    pub qvel: usize,
}

/// The shape of a geom. MuJoCo's other shapes are not drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum GeomKind {
    Sphere,
    /// Capsules and cylinders: radius, half length along z.
    Rod,
    /// Boxes and ellipsoids: half extents.
    Block,
    Other,
}

/// A geom.
#[derive(Clone, Debug)]
pub(crate) struct Geom {
    pub name: String,
    pub kind: GeomKind,
    /// Its sizes in m; their meaning depends on the kind.
    pub size: [f64; 3],
}

/// A compiled model and its constants.
pub(crate) struct Model {
    pub(super) api: &'static Api,
    pub(super) pointer: *mut mjModel,
    /// The same model with its actuators off.
    pub(super) unactuated: *mut mjModel,
    /// Name of its main file.
    pub name: &'static str,
    /// Numbers of positions, velocities, controls and activations.
    pub nq: usize,
    pub nv: usize,
    pub nu: usize,
    pub na: usize,
    /// Seconds per physics step.
    pub timestep: f64,
    /// Whether the integrator is Runge-Kutta.
    pub rk4: bool,
    /// Bounds of each control.
    pub control: Vec<[f64; 2]>,
    pub joints: Vec<Joint>,
    pub geoms: Vec<Geom>,
    pub bodies: Vec<String>,
    /// Masses of the bodies, kg.
    pub masses: Vec<f64>,
    pub sites: Vec<String>,
    /// Radii of the sites, m.
    pub site_radii: Vec<f64>,
    /// Names of the sensors and their ranges in the sensor data.
    pub sensors: Vec<(String, Range<usize>)>,
}

// SAFETY: MuJoCo only reads a model through `const mjModel*`, and this code never writes one after `compile`.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: this library made both, and they are dropped once.
        unsafe {
            self.api.mj_deleteModel(self.pointer);
            self.api.mj_deleteModel(self.unactuated);
        }
    }
}

const DISABLE_ACTUATION: i32 = 1 << 11; // mjDSBL_ACTUATION
const RK4: i32 = 1; // mjINT_RK4
// mjOBJ_*
const BODY: i32 = 1;
const JOINT: i32 = 3;
const GEOM: i32 = 5;
const SITE: i32 = 6;
const SENSOR: i32 = 20;

impl Model {
    /// Compiles a model.
    ///
    /// # Errors
    /// [`MujocoError`] if the library cannot be opened; [`MujocoError::Model`] with MuJoCo's message.
    pub fn compile(source: &Source) -> Result<Self, MujocoError> {
        let api = library()?;
        let name = source.file.0;
        let wrong = |why: String| MujocoError::Model { name: name.into(), why };
        let pointer = load(api, source).map_err(wrong)?;
        if let Some((joint, damping)) = source.damping {
            // SAFETY: the model is not shared yet; `joint` is below `njnt`, its degree of freedom below `nv`.
            unsafe {
                let joint = names(api, pointer, JOINT, (*pointer).njnt).iter().position(|n| n == joint);
                if let Some(joint) = joint {
                    *(*pointer).dof_damping.add(*(*pointer).jnt_dofadr.add(joint) as usize) = damping;
                }
            }
        }
        // SAFETY: a null destination makes a new model.
        let unactuated = unsafe { api.mj_copyModel(std::ptr::null_mut(), pointer) };
        if unactuated.is_null() {
            // SAFETY: made above, and not used again.
            unsafe { api.mj_deleteModel(pointer) };
            return Err(MujocoError::Memory { name: name.into() });
        }
        // SAFETY: a model that MuJoCo compiled: its arrays have the lengths that mjmodel.h says.
        unsafe {
            (*unactuated).opt.disableflags |= DISABLE_ACTUATION;
            Ok(read_constants(api, pointer, unactuated, name))
        }
    }
}

/// Loads the main file and the files that it includes.
fn load(api: &'static Api, source: &Source) -> Result<*mut mjModel, String> {
    let mut vfs = mjVFS { impl_: std::ptr::null_mut() };
    let mut message = [0; 1024];
    // SAFETY: this block fills and deletes the file system; names end with a zero, buffers have the given lengths.
    let model = unsafe {
        api.mj_defaultVFS(&mut vfs);
        for (name, text) in std::iter::once(&source.file).chain(source.others) {
            let name = CString::new(*name).map_err(|e| e.to_string())?;
            api.mj_addBufferVFS(&mut vfs, name.as_ptr(), text.as_ptr().cast(), text.len() as i32);
        }
        let name = CString::new(source.file.0).map_err(|e| e.to_string())?;
        let model = api.mj_loadXML(name.as_ptr(), &vfs, message.as_mut_ptr(), message.len() as i32);
        api.mj_deleteVFS(&mut vfs);
        model
    };
    if model.is_null() {
        // SAFETY: MuJoCo ends its message with a zero within the buffer, which began as zeros.
        return Err(unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy().trim().replace('\n', ", "));
    }
    Ok(model)
}

/// The names of all `count` objects of a kind; "" for an object without a name.
///
/// # Safety
/// `model` is a compiled model.
unsafe fn names(api: &Api, model: *const mjModel, kind: i32, count: i64) -> Vec<String> {
    (0..count as i32)
        .map(|id| {
            // SAFETY: the name, if there is one, lives in the model and ends with a zero.
            let name = unsafe { api.mj_id2name(model, kind, id) };
            if name.is_null() {
                return String::new();
            }
            // SAFETY: as above.
            unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
        })
        .collect()
}

/// Reads the model's constants.
///
/// # Safety
/// `pointer` is a compiled model and `unactuated` a copy of it.
unsafe fn read_constants(
    api: &'static Api,
    pointer: *mut mjModel,
    unactuated: *mut mjModel,
    name: &'static str,
) -> Model {
    // SAFETY: by the caller; array lengths are mjmodel.h's.
    let (m, joints, geoms, bodies, sites, sensors) = unsafe {
        let m = &*pointer;
        let names = |kind, count| names(api, pointer, kind, count);
        let [joints, geoms] = [names(JOINT, m.njnt), names(GEOM, m.ngeom)];
        (m, joints, geoms, names(BODY, m.nbody), names(SITE, m.nsite), names(SENSOR, m.nsensor))
    };
    // SAFETY: as above.
    let triple = |from: *const f64, i: usize| unsafe {
        [*from.add(3 * i), *from.add(3 * i + 1), *from.add(3 * i + 2)]
    };
    // SAFETY: as above.
    let pair = |from: *const f64, i: usize| unsafe { [*from.add(2 * i), *from.add(2 * i + 1)] };
    // SAFETY: as above.
    let at = |from: *const i32, i: usize| unsafe { *from.add(i) };
    let joint = |(i, name)| Joint {
        name,
        kind: [JointKind::Free, JointKind::Ball, JointKind::Slide, JointKind::Hinge]
            [at(m.jnt_type, i) as usize],
        // SAFETY: as above.
        range: unsafe { *m.jnt_limited.add(i) }.then(|| pair(m.jnt_range, i)),
        qpos: at(m.jnt_qposadr, i) as usize,
        qvel: at(m.jnt_dofadr, i) as usize,
    };
    let geom = |(i, name)| Geom {
        name,
        kind: match at(m.geom_type, i) {
            2 => GeomKind::Sphere,
            3 | 5 => GeomKind::Rod,
            4 | 6 => GeomKind::Block,
            _ => GeomKind::Other,
        },
        size: triple(m.geom_size, i),
    };
    let sensor = |(i, name)| {
        let from = at(m.sensor_adr, i) as usize;
        (name, from..from + at(m.sensor_dim, i) as usize)
    };
    Model {
        api,
        pointer,
        unactuated,
        name,
        nq: m.nq as usize,
        nv: m.nv as usize,
        nu: m.nu as usize,
        na: m.na as usize,
        timestep: m.opt.timestep,
        rk4: m.opt.integrator == RK4,
        control: (0..m.nu as usize).map(|i| pair(m.actuator_ctrlrange, i)).collect(),
        joints: joints.into_iter().enumerate().map(joint).collect(),
        geoms: geoms.into_iter().enumerate().map(geom).collect(),
        // SAFETY: as above.
        masses: (0..bodies.len()).map(|i| unsafe { *m.body_mass.add(i) }).collect(),
        bodies,
        site_radii: (0..sites.len()).map(|i| triple(m.site_size, i)[0]).collect(),
        sites,
        sensors: sensors.into_iter().enumerate().map(sensor).collect(),
    }
}
