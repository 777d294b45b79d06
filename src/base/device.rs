//! The devices that a learner can compute on: their names, and opening one of them at run time.

#[cfg_attr(not(feature = "wgpu"), path = "device/no_adapters.rs")]
mod adapters;
#[cfg(feature = "burn")]
pub(crate) mod burn;

/// Names that `--device` takes: the host, then Burn's backends.
pub const NAMES: [&str; 4] = ["cpu", "flex", "ndarray", "wgpu"];

/// Where a learner computes.
#[derive(Clone, Debug)]
pub enum Device {
    /// The host, by loops made for small networks.
    Cpu,
    /// A backend of Burn.
    #[cfg(feature = "burn")]
    Burn(::burn::tensor::Device),
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
    if name == NAMES[0] {
        return Ok(Device::Cpu);
    }
    let index = name.strip_prefix("wgpu:").and_then(|index| index.parse::<usize>().ok());
    let backend = if index.is_some() { "wgpu" } else { name };
    let Some(known) = NAMES.iter().find(|known| **known == backend) else {
        return Err(DeviceError::Unknown(name.to_string()));
    };
    #[cfg(feature = "burn")]
    if is_built(known) {
        return burn::open(known, index).map(Device::Burn);
    }
    Err(DeviceError::NotBuilt(known))
}

/// The adapters that wgpu finds, by index; of a binary without wgpu none.
pub fn adapters() -> Vec<Adapter> {
    adapters::list()
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
