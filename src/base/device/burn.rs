//! Burn's devices, and what every use of their tensors needs.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{Adapter, DeviceError, adapters};

/// Opens the backend `name` that is built in; `index` picks an adapter of wgpu.
pub(super) fn open(name: &'static str, index: Option<usize>) -> Result<Device, DeviceError> {
    match name {
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        // Upstream prefers burn-flex; this backend stays for comparison.
        #[allow(deprecated)]
        "ndarray" => Ok(Device::ndarray()),
        "wgpu" => adapters::open(index),
        other => Err(DeviceError::NotBuilt(other)),
    }
}

/// The adapter of a wgpu device; `None` for Burn's other devices.
pub(crate) fn adapter(device: &Device) -> Option<Adapter> {
    adapters::adapter_of(device)
}

/// The result of `f`, or the message of its panic: the libraries below panic where a device is missing, full or lost.
pub(crate) fn catch_panic<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    std::panic::set_hook(hook);
    result.map_err(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()));
        let message = message.unwrap_or_else(|| "it panicked without a message".into());
        message.lines().next().unwrap_or_default().to_string()
    })
}

/// The numbers of a tensor on the host, row by row.
pub(crate) fn to_host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// A vector `[values]` on a device.
pub(crate) fn vector(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// A row `[1, values]` on a device.
pub(crate) fn row(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device)
}

/// The whole numbers from 0 on, `[count]`, as sums of two short rows from the host. Burn's `arange`, where it fuses, is a
/// running sum of ones whose every place adds up all before it.
pub(crate) fn arange(count: usize, device: &Device) -> Tensor<1, Int> {
    const WIDTH: usize = 4096;
    let (rows, width) = (count.div_ceil(WIDTH), count.min(WIDTH));
    let row = |n: usize, step: usize, shape: [usize; 2]| {
        let values: Vec<i32> = (0..n).map(|i| (i * step) as i32).collect();
        Tensor::<2, Int>::from_data(TensorData::new(values, shape), device)
    };
    let all = row(rows, WIDTH, [rows, 1]) + row(width, 1, [1, width]);
    all.reshape([rows * width]).narrow(0, 0, count)
}

/// The devices named `names` that are built in and there, for tests; with `SPO_REQUIRE_WGPU` set, wgpu must be there.
#[cfg(test)]
pub(crate) fn present(names: &[&str]) -> Vec<Device> {
    let open = |name: &&str| match super::open(name) {
        Ok(super::Device::Burn(device)) => Some(device),
        Ok(super::Device::Cpu) => None,
        Err(why) => {
            assert!(*name != "wgpu" || std::env::var_os("SPO_REQUIRE_WGPU").is_none(), "{why}");
            println!("SKIPPED {name}: {why}");
            None
        }
    };
    names.iter().filter_map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_continues_over_the_ends_of_rows() {
        for device in present(&["flex"]) {
            for count in [1, 7, 4096, 4097, 10_000] {
                let all: Vec<i64> = arange(count, &device).into_data().iter::<i64>().collect();
                assert_eq!(all, (0..count as i64).collect::<Vec<_>>());
            }
        }
    }
}
