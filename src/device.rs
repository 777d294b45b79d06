//! Where a learner computes, picked at run time.

/// Names that `--device` takes: the host, then Burn's backends.
pub const NAMES: [&str; 4] = ["cpu", "flex", "ndarray", "wgpu"];

/// Where a learner computes.
#[derive(Clone, Debug)]
pub enum Device {
    /// The host, by loops made for small networks.
    Cpu,
    /// A backend of Burn.
    #[cfg(feature = "burn")]
    Burn(burn::tensor::Device),
}

/// What can go wrong with a device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No device of that name.
    #[error("no device `{0}`; expected one of cpu, flex, ndarray, wgpu")]
    Unknown(String),
    /// A device that this binary was built without.
    #[error("this binary was built without `{0}`; rebuild with `cargo build --release --features {0}`")]
    NotBuilt(&'static str),
    /// wgpu found no adapter to compute on.
    #[error(
        "wgpu found no adapter to compute on ({why}); adapters seen: {seen}. Install a Vulkan driver (on Debian \
             `mesa-vulkan-drivers`, a software one), or use `--device cpu`"
    )]
    NoAdapter {
        /// What wgpu said.
        why: String,
        /// What it lists.
        seen: String,
    },
}

/// The device named `cpu`, `flex`, `ndarray` or `wgpu`.
///
/// # Errors
/// [`DeviceError`]: an unknown name, a backend that was not built in, no adapter.
pub fn open(name: &str) -> Result<Device, DeviceError> {
    match name {
        "cpu" => Ok(Device::Cpu),
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::Burn(burn::tensor::Device::flex())),
        #[cfg(feature = "ndarray")]
        // Upstream prefers burn-flex; this backend stays for comparison.
        #[allow(deprecated)]
        "ndarray" => Ok(Device::Burn(burn::tensor::Device::ndarray())),
        #[cfg(feature = "wgpu")]
        "wgpu" => wgpu().map(Device::Burn),
        other => Err(match NAMES.iter().find(|n| **n == other) {
            Some(known) => DeviceError::NotBuilt(known),
            None => DeviceError::Unknown(other.to_string()),
        }),
    }
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Result<burn::tensor::Device, DeviceError> {
    use burn::tensor::{Device, Tensor, TensorData};

    // The constructor is lazy and a missing adapter panics at first use: try it here, once, with the panic held.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let tried = std::panic::catch_unwind(|| {
        let device = Device::wgpu(Default::default());
        let one = Tensor::<1>::from_data(TensorData::new(vec![1.0f32], [1]), &device);
        one.add_scalar(1.0).into_data().iter::<f32>().next().map(|two| (two, device))
    });
    std::panic::set_hook(hook);
    match tried {
        Ok(Some((2.0, device))) => Ok(device),
        Ok(_) => Err(DeviceError::NoAdapter { why: "1 + 1 was not 2 on it".into(), seen: adapters() }),
        Err(panic) => {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".into());
            let why = why.lines().next().unwrap_or_default().to_string();
            Err(DeviceError::NoAdapter { why, seen: adapters() })
        }
    }
}

/// The adapters that wgpu lists, or "none".
#[cfg(feature = "wgpu")]
fn adapters() -> String {
    let devices =
        std::panic::catch_unwind(|| burn::tensor::Device::enumerate(burn::tensor::DeviceType::Wgpu));
    let seen: Vec<String> =
        devices.map(|d| d.into_iter().map(|d| format!("{d:?}")).collect()).unwrap_or_default();
    if seen.is_empty() { "none".into() } else { seen.join(", ") }
}
