//! The adapters that wgpu finds, and opening one of them.

use std::sync::{Mutex, PoisonError};

use burn::BurnConfig;
use burn::tensor::Device;
use cubecl::config::RuntimeConfig;
use cubecl::wgpu::{
    AutoGraphicsApi, RuntimeOptions, WgpuDevice, WgpuDeviceKind as Kind, WgpuSetup, try_init_setup, wgpu,
};

use super::{Adapter, DeviceError};

/// An adapter that was opened: a process opens each once.
#[derive(Clone)]
struct Opened {
    selector: WgpuDevice,
    device: Device,
    adapter: Adapter,
}

static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

/// The adapter that wgpu prefers, or the one listed at `index`.
pub(super) fn open(index: Option<usize>) -> Result<Device, DeviceError> {
    let Some(index) = index else {
        let preferred = opened(&WgpuDevice::new(Kind::DefaultDevice));
        return preferred.map(|o| o.device).map_err(|why| DeviceError::NoAdapter { why, seen: seen() });
    };
    let found = all().into_iter().nth(index);
    found.map(|o| o.device).ok_or_else(|| DeviceError::NoIndex { index, seen: seen() })
}

/// The adapter of a wgpu device; `None` for Burn's other devices.
pub(super) fn adapter_of(device: &Device) -> Option<Adapter> {
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.iter().find(|o| o.device == *device).map(|o| o.adapter.clone())
}

/// All adapters, in the order of their indices. Opens each.
pub fn list() -> Vec<Adapter> {
    all().into_iter().map(|o| o.adapter).collect()
}

fn all() -> Vec<Opened> {
    let kinds: [fn(usize) -> Kind; 3] = [Kind::DiscreteGpu, Kind::IntegratedGpu, Kind::VirtualGpu];
    let gpus =
        kinds.into_iter().flat_map(|kind| (0..).map_while(move |i| opened(&WgpuDevice::new(kind(i))).ok()));
    gpus.chain(opened(&WgpuDevice::new(Kind::Cpu)).ok()).collect()
}

/// The adapter that a selector names, opened now unless it is open already.
fn opened(selector: &WgpuDevice) -> Result<Opened, String> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = opened.iter().find(|o| o.selector == *selector) {
        return Ok(known.clone());
    }
    fuse_in_order();
    let setup =
        super::burn::catch_panic(|| try_init_setup::<AutoGraphicsApi>(selector, RuntimeOptions::default()))?;
    let adapter = describe(&setup.map_err(|why| why.to_string())?);
    let device = Device::new(selector.clone());
    let new = Opened { selector: selector.clone(), device, adapter };
    opened.push(new.clone());
    Ok(new)
}

/// Sets how Burn fuses kernels, which it reads once in a process: a program that set it before keeps its own.
fn fuse_in_order() {
    // Kernels that follow one another. Of up to five rows of them at once, Burn's default, it often finds no order that all
    // can run in, and then fuses none: results/gpu has the launches counted both ways.
    let in_order = "[fusion.beam_search]\nmax_blocks = 1";
    BurnConfig::try_set(toml::from_str(in_order).expect("a table of Burn's configuration"));
}

fn describe(setup: &WgpuSetup) -> Adapter {
    let (info, limits) = (setup.adapter.get_info(), setup.device.limits());
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete GPU",
        wgpu::DeviceType::IntegratedGpu => "integrated GPU",
        wgpu::DeviceType::VirtualGpu => "virtual GPU",
        wgpu::DeviceType::Cpu => "CPU",
        wgpu::DeviceType::Other => "other",
    };
    Adapter {
        name: info.name,
        kind,
        api: info.backend.to_string(),
        driver: [info.driver, info.driver_info].join(" ").trim().to_string(),
        largest_buffer: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        workgroup: limits.max_compute_invocations_per_workgroup,
    }
}

/// The names of all adapters, or "none".
fn seen() -> String {
    let names: Vec<String> = list().into_iter().enumerate().map(|(i, a)| format!("{i} {}", a.name)).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
