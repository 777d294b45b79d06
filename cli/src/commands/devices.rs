//! `spo devices`.

use std::process::ExitCode;

use spo::device::{self, NAMES};

const ABOUT: [&str; 4] = [
    "the host, with loops for small networks",
    "the host, with Burn's burn-flex",
    "the host, with Burn's burn-ndarray",
    "GPUs, with Burn through wgpu",
];

/// Lists the values of `--device` and the adapters of wgpu.
pub fn run() -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    for (name, about) in NAMES.iter().zip(ABOUT) {
        let built = match device::is_built(name) {
            true => String::new(),
            false => format!(" (not built in: cargo build --release --features {name})"),
        };
        text += &format!("{name:<9}{about}{built}\n");
    }
    if device::is_built("wgpu") {
        let adapters = device::adapters();
        if adapters.is_empty() {
            text += "\nwgpu finds no adapter; install a Vulkan driver (on Debian: mesa-vulkan-drivers, a software driver)\n";
        }
        for (index, a) in adapters.iter().enumerate() {
            text += &format!(
                "\nwgpu:{index}   {}, {}\n         {} by {}\n         tensors of at most {:.2} GiB, workgroups of {} threads\n",
                a.name,
                a.kind,
                a.api,
                a.driver,
                a.largest_buffer as f64 / (1u64 << 30) as f64,
                a.workgroup
            );
        }
    }
    super::print(&text)
}
