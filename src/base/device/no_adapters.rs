//! What a binary without wgpu knows of adapters: there are none.

// Only Burn's devices ask for more than the list.
#![allow(dead_code)]

use super::{Adapter, DeviceError};

/// Fails: there is no wgpu.
pub(super) fn open<D>(_: Option<usize>) -> Result<D, DeviceError> {
    Err(DeviceError::NotBuilt("wgpu"))
}

/// No device is one of wgpu.
pub(super) fn adapter_of<D>(_: &D) -> Option<Adapter> {
    None
}

/// None.
pub fn list() -> Vec<Adapter> {
    Vec::new()
}
