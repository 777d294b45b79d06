//! The optimiser's loops: the gradient's norm and Adam's step.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};

use super::{Four, Lanes};

dispatched! {
    /// Σ x².
    sum_of_squares = sum_of_squares_by(x: &[f32]) -> f32
}

#[inline(always)]
unsafe fn sum_of_squares_by<V: Lanes, const ROWS: usize, const VECTORS: usize>(x: &[f32]) -> f32 {
    // Four independent sums, so that the processor can add them in parallel.
    let mut sums = unsafe { [V::splat(0.0); 4] };
    let mut chunks = x.chunks_exact(4 * V::N);
    for chunk in &mut chunks {
        for (v, sum) in sums.iter_mut().enumerate() {
            let x = unsafe { V::load(chunk[v * V::N..][..V::N].as_ptr()) };
            *sum = unsafe { x.mul_add(x, *sum) };
        }
    }
    let mut lanes = [0.0; 16];
    unsafe { sums[0].add(sums[1]).add(sums[2].add(sums[3])).store(lanes.as_mut_ptr()) };
    lanes.iter().sum::<f32>() + chunks.remainder().iter().map(|x| x * x).sum::<f32>()
}

/// Adam's constants at one step (Kingma & Ba 2015, algorithm 1).
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Factor on the gradient: 1, or less if its norm is clipped.
    pub scale: f32,
    /// α √(1 − β₂ᵗ) / (1 − β₁ᵗ).
    pub rate: f32,
    /// ε √(1 − β₂ᵗ): ε is added to the bias-corrected root, as in PyTorch and Burn.
    pub epsilon: f32,
}

/// β₁
const BETA_1: f32 = 0.9;
/// β₂
const BETA_2: f32 = 0.999;

impl AdamStep {
    /// The `time`-th step, counted from 1, with step size `learning_rate`.
    pub fn new(time: u64, learning_rate: f64, epsilon: f64, scale: f32) -> Self {
        let power = |beta: f32| 1.0 - f64::from(beta).powf(time as f64);
        let root = power(BETA_2).sqrt();
        Self { scale, rate: (learning_rate * root / power(BETA_1)) as f32, epsilon: (epsilon * root) as f32 }
    }
}

dispatched! {
    /// One step of Adam, in place. All slices have the same length.
    adam = adam_by(step: AdamStep, gradient: &[f32], moment_1: &mut [f32], moment_2: &mut [f32], params: &mut [f32])
}

#[inline(always)]
unsafe fn adam_by<V: Lanes, const ROWS: usize, const VECTORS: usize>(
    step: AdamStep,
    gradient: &[f32],
    moment_1: &mut [f32],
    moment_2: &mut [f32],
    params: &mut [f32],
) {
    let n = params.len();
    assert!(gradient.len() == n && moment_1.len() == n && moment_2.len() == n, "lengths disagree");
    let whole = n - n % V::N;
    for at in (0..whole).step_by(V::N) {
        let (g, m1, m2, p) = (&gradient[at..], &mut moment_1[at..], &mut moment_2[at..], &mut params[at..]);
        unsafe { adam_lanes::<V>(step, g.as_ptr(), m1.as_mut_ptr(), m2.as_mut_ptr(), p.as_mut_ptr()) }
    }
    for at in whole..n {
        let one = |x: f32| [x; 4];
        let (g, mut m1, mut m2, mut p) =
            (one(gradient[at]), one(moment_1[at]), one(moment_2[at]), one(params[at]));
        unsafe {
            adam_lanes::<Four>(step, g.as_ptr(), m1.as_mut_ptr(), m2.as_mut_ptr(), p.as_mut_ptr());
        }
        (moment_1[at], moment_2[at], params[at]) = (m1[0], m2[0], p[0]);
    }
}

#[inline(always)]
unsafe fn adam_lanes<V: Lanes>(step: AdamStep, g: *const f32, m1: *mut f32, m2: *mut f32, p: *mut f32) {
    unsafe {
        let gradient = V::load(g).mul(V::splat(step.scale));
        let first = V::load(m1).mul_add(V::splat(BETA_1), gradient.mul(V::splat(1.0 - BETA_1)));
        let square = gradient.mul(gradient);
        let second = V::load(m2).mul_add(V::splat(BETA_2), square.mul(V::splat(1.0 - BETA_2)));
        first.store(m1);
        second.store(m2);
        let change = first.div(second.sqrt().add(V::splat(step.epsilon)));
        change.mul_add(V::splat(-step.rate), V::load(p)).store(p);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::simd::numbers;

    #[test]
    fn squares_of_every_length_add_up() {
        for n in [0, 1, 15, 64, 65, 1003] {
            let x = numbers(n, 3);
            let exact: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
            assert!((f64::from(sum_of_squares(&x)) - exact).abs() < 1e-4 * exact.max(1.0));
        }
    }

    #[test]
    fn the_first_step_of_adam_by_hand() {
        // t = 1: m̂ = g, v̂ = g², so every weight moves by α g / (|g| + ε): 0.1 · 3 / (3 + 1) = 0.075 with ε = 1.
        let n = 19;
        let (mut m1, mut m2, mut p) = (vec![0.0; n], vec![0.0; n], vec![2.0; n]);
        adam(AdamStep::new(1, 0.1, 1.0, 0.5), &vec![6.0; n], &mut m1, &mut m2, &mut p);
        for ((m1, m2), p) in m1.iter().zip(&m2).zip(&p) {
            assert!((m1 - 0.3).abs() < 1e-6 && (m2 - 0.009).abs() < 1e-6 && (p - 1.925).abs() < 1e-6);
        }
    }
}
