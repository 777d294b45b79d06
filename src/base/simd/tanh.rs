//! tanh of a slice.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};

use super::{Four, Lanes};

dispatched! {
    /// tanh of every element, in place, with an error below 4e-7: the rational approximation of Eigen (`ptanh_float`).
    tanh = tanh_by(x: &mut [f32])
}

#[inline(always)]
unsafe fn tanh_by<V: Lanes, const ROWS: usize, const VECTORS: usize>(x: &mut [f32]) {
    let mut chunks = x.chunks_exact_mut(V::N);
    for chunk in &mut chunks {
        unsafe { tanh_lanes(V::load(chunk.as_ptr())).store(chunk.as_mut_ptr()) }
    }
    for x in chunks.into_remainder() {
        let mut four = [*x; 4];
        unsafe { tanh_lanes(Four(four)).store(four.as_mut_ptr()) };
        *x = four[0];
    }
}

#[inline(always)]
unsafe fn tanh_lanes<V: Lanes>(x: V) -> V {
    /// Beyond this bound tanh rounds to ±1.
    const BOUND: f32 = 7.905_311;
    const ODD: [f32; 7] = [
        -2.760_768_5e-16,
        2.000_188e-13,
        -8.604_672e-11,
        5.122_297e-8,
        1.485_722_4e-5,
        6.372_619_3e-4,
        4.893_524_6e-3,
    ];
    const EVEN: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
    unsafe {
        let x = x.min(V::splat(BOUND)).max(V::splat(-BOUND));
        let square = x.mul(x);
        let mut p = V::splat(ODD[0]);
        for &c in &ODD[1..] {
            p = p.mul_add(square, V::splat(c));
        }
        let mut q = V::splat(EVEN[0]);
        for &c in &EVEN[1..] {
            q = q.mul_add(square, V::splat(c));
        }
        x.mul(p).div(q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_that_of_double_precision() {
        let x: Vec<f32> = (-100_003..=100_003).map(|i| i as f32 * 1e-4).collect();
        let mut y = x.clone();
        tanh(&mut y);
        for (x, y) in x.iter().zip(&y) {
            assert!((f64::from(*y) - f64::from(*x).tanh()).abs() < 4e-7, "tanh {x} is {y} here");
        }
        let mut far = [f32::MAX, f32::MIN, 1e-30];
        tanh(&mut far);
        assert!((far[0] - 1.0).abs() < 4e-7 && (far[1] + 1.0).abs() < 4e-7 && far[2].abs() < 1e-29);
    }
}
