//! Where a learner computes, picked at run time.

#[cfg(feature = "wgpu")]
mod adapters;
#[cfg(feature = "burn")]
pub mod rollout;

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

/// A graphics adapter, or a driver that computes on the processor.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// As its driver names it.
    pub name: String,
    /// Discrete, integrated or virtual GPU, or CPU.
    pub kind: &'static str,
    /// Vulkan, Metal, …
    pub api: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Largest tensor, in bytes.
    pub largest_buffer: u64,
    /// Most threads of a workgroup.
    pub workgroup: u32,
}

/// What a device of wgpu is; `None` of Burn's other devices.
#[cfg(feature = "burn")]
pub(crate) fn adapter(device: &burn::tensor::Device) -> Option<Adapter> {
    #[cfg(feature = "wgpu")]
    return adapters::of_device(device);
    #[cfg(not(feature = "wgpu"))]
    {
        let _ = device;
        None
    }
}

/// What can go wrong with a device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No device of that name.
    #[error(
        "no device `{0}`; expected one of cpu, flex, ndarray, wgpu, or wgpu:N for the adapter N of `spo devices`"
    )]
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
    /// No adapter at an index.
    #[error("wgpu has no adapter {index}; `spo devices` lists them: {seen}")]
    NoIndex {
        /// The index.
        index: usize,
        /// What it lists.
        seen: String,
    },
    /// More environments than the device's memory takes.
    #[error(
        "{asked} trajectories an iteration (states x trajectories_per_state) need a tensor of {needs} bytes, and \
         {adapter} takes {largest} at most: {fit} fit; lower rollout.num_states, or use env_device=host"
    )]
    TooMany {
        /// Trajectories an iteration.
        asked: usize,
        /// Bytes of their largest tensor.
        needs: u64,
        /// The adapter's name.
        adapter: String,
        /// Bytes of the largest tensor it takes.
        largest: u64,
        /// Trajectories whose largest tensor is no larger, whole groups.
        fit: usize,
    },
}

/// The device named `cpu`, `flex`, `ndarray` or `wgpu`; `wgpu:1` is the second adapter of [`adapters`].
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
        other => {
            let index = other.strip_prefix("wgpu:").and_then(|index| index.parse::<usize>().ok());
            let name = if index.is_some() { "wgpu" } else { other };
            match NAMES.iter().find(|known| **known == name) {
                #[cfg(feature = "wgpu")]
                Some(&"wgpu") => adapters::open(index).map(Device::Burn),
                Some(known) => Err(DeviceError::NotBuilt(known)),
                None => Err(DeviceError::Unknown(other.to_string())),
            }
        }
    }
}

/// The adapters that wgpu finds, by index; of a binary without wgpu none.
pub fn adapters() -> Vec<Adapter> {
    #[cfg(feature = "wgpu")]
    return adapters::list();
    #[cfg(not(feature = "wgpu"))]
    Vec::new()
}

/// Whether this binary was built with the backend `name`.
pub fn is_built(name: &str) -> bool {
    match name {
        "cpu" => true,
        "flex" => cfg!(feature = "flex"),
        "ndarray" => cfg!(feature = "ndarray"),
        _ => cfg!(feature = "wgpu"),
    }
}

/// What `f` gives, or what it panicked with: a device that is missing, full or lost panics in the libraries below.
#[cfg(feature = "burn")]
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    std::panic::set_hook(hook);
    result.map_err(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_string()));
        let words = words.unwrap_or_else(|| "it panicked without a word".into());
        words.lines().next().unwrap_or_default().to_string()
    })
}
