//! Safe types around MuJoCo's C interface. All unsafe code of the crate is in this folder.
//!
//! - `bindings.rs`: functions and structures of the only accepted version, generated.
//! - [`library`]: opens the library and checks its version.
//! - [`Model`]: a compiled model. It never changes, so threads share it.
//! - [`Simulation`]: one state of a model and its steps.
#![allow(unsafe_code)]

#[rustfmt::skip]
#[allow(clippy::all, dead_code, missing_docs, non_camel_case_types, non_snake_case, unsafe_op_in_unsafe_fn)]
mod bindings;
mod library;
mod model;
mod simulation;

pub(super) use library::version_of;
pub(crate) use model::{File, GeomKind, JointKind, Model, Source};
pub(crate) use simulation::Simulation;
