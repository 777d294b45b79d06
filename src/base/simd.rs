//! The learner's inner loops in SIMD: matrix product, tanh, the optimiser's step.
//!
//! Each loop has one generic body, compiled for AVX-512, for AVX2 with FMA, and for other processors. The widest version
//! that the processor supports is chosen at run time. All unsafe code of the crate is here. The order of sums depends on
//! the register width: two kinds of processor agree up to rounding, one kind agrees to the bit.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

pub use adam::{AdamStep, adam, sum_of_squares};
pub use product::{Matrix, multiply_add};
pub use tanh::tanh;

/// A register of `N` floats.
///
/// # Safety
/// The processor must support the register's instructions; pointers must be valid for `N` floats.
trait Lanes: Copy {
    const N: usize;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn mul(self, b: Self) -> Self;
    unsafe fn div(self, b: Self) -> Self;
    unsafe fn min(self, b: Self) -> Self;
    unsafe fn max(self, b: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    /// self · b + c
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
}

macro_rules! lanes_by_intrinsics {
    ($register:ty, $n:literal, $splat:ident, $load:ident, $store:ident, $sqrt:ident, $fma:ident,
     $($name:ident $intrinsic:ident),*) => {
        #[cfg(target_arch = "x86_64")]
        impl Lanes for $register {
            const N: usize = $n;
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn sqrt(self) -> Self {
                unsafe { $sqrt(self) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                unsafe { $fma(self, b, c) }
            }
            $(#[inline(always)]
            unsafe fn $name(self, b: Self) -> Self {
                unsafe { $intrinsic(self, b) }
            })*
        }
    };
}

lanes_by_intrinsics!(__m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_sqrt_ps, _mm512_fmadd_ps,
    add _mm512_add_ps, mul _mm512_mul_ps, div _mm512_div_ps, min _mm512_min_ps, max _mm512_max_ps);
lanes_by_intrinsics!(__m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_sqrt_ps, _mm256_fmadd_ps,
    add _mm256_add_ps, mul _mm256_mul_ps, div _mm256_div_ps, min _mm256_min_ps, max _mm256_max_ps);

/// Four floats that the compiler may put into an SSE or NEON register.
#[derive(Clone, Copy)]
struct Four([f32; 4]);

impl Four {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

impl Lanes for Four {
    const N: usize = 4;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        self.zip(b, |x, y| x + y)
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        self.zip(b, |x, y| x * y)
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        self.zip(b, |x, y| x / y)
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        self.zip(b, |x, y| if x < y { x } else { y })
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        self.zip(b, |x, y| if x > y { x } else { y })
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        unsafe { self.mul(b).add(c) }
    }
}

/// Defines a safe function that runs `$body` with the widest registers, and with a tile of rows and registers that fits
/// the register file.
macro_rules! dispatched {
    ($(#[$doc:meta])* $name:ident = $body:ident($($arg:ident: $type:ty),*) $(-> $result:ty)?) => {
        $(#[$doc])*
        pub fn $name($($arg: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn wide($($arg: $type),*) $(-> $result)? {
                    unsafe { $body::<__m512, 8, 2>($($arg),*) }
                }
                #[target_feature(enable = "avx2,fma")]
                fn narrow($($arg: $type),*) $(-> $result)? {
                    unsafe { $body::<__m256, 6, 2>($($arg),*) }
                }
                if is_x86_feature_detected!("avx512f") {
                    return unsafe { wide($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    return unsafe { narrow($($arg),*) };
                }
            }
            unsafe { $body::<Four, 4, 2>($($arg),*) }
        }
    };
}

mod adam;
mod product;
mod tanh;

/// Random numbers in [−1, 1).
#[cfg(test)]
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}
