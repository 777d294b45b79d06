//! Checks that the environments fit into a device's memory.

use spo_envs::{ActionSpace, Spec};

use super::scores::AT_ONCE;
use crate::base::device::{Adapter, DeviceError};

/// Checks that the largest tensor of a rollout fits into one of the device's buffers: `states` × `per_state` trajectories, by
/// networks whose widest hidden layer is `widest`.
///
/// # Errors
/// [`DeviceError::TooMany`], with the number of trajectories that fit.
pub(crate) fn check_memory(
    (states, per_state): (usize, usize),
    widest: usize,
    spec: &Spec,
    adapter: &Adapter,
) -> Result<(), DeviceError> {
    let ActionSpace::Continuous { low, .. } = &spec.action else { return Ok(()) };
    let steps = spec.horizon;
    let numbers = (steps * spec.obs_dim.max(low.len())).max(widest).max(steps * AT_ONCE.min(per_state));
    let (asked, each) = (states * per_state, 4 * numbers as u64);
    // Rows are counted by int32.
    let countable = (i32::MAX as usize / steps) as u64;
    let fit = (adapter.largest_buffer / each).min(countable) as usize / per_state * per_state;
    if asked <= fit {
        return Ok(());
    }
    Err(DeviceError::TooMany {
        asked,
        needs: asked as u64 * each,
        adapter: adapter.name.clone(),
        largest: adapter.largest_buffer,
        fit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_environments_are_refused_with_how_many_fit() {
        let adapter = Adapter {
            name: "small".into(),
            kind: "GPU",
            api: "Vulkan".into(),
            driver: String::new(),
            largest_buffer: 4 * 50 * 4 * 100,
            workgroup: 1,
        };
        let spec = spo_envs::make("point").unwrap().spec().clone();
        // 50 steps of 4 numbers: 100 trajectories fill the buffer, 33 whole groups of 3.
        check_memory((33, 3), 64, &spec, &adapter).unwrap();
        let error = check_memory((34, 3), 64, &spec, &adapter).unwrap_err();
        assert!(matches!(error, DeviceError::TooMany { asked: 102, fit: 99, .. }), "{error}");
    }
}
