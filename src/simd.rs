//! The learner's inner loops, many lanes at a time: matrix product, tanh, Adam.
//!
//! One generic body each, compiled for AVX-512, for AVX2 with FMA, and for whatever else; the widest that the
//! processor has is taken at run time. All unsafe code of the crate is here. The order of sums depends on the
//! lanes, so two kinds of processor agree to rounding, and one kind to the bit.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// A register of `N` floats.
///
/// # Safety
/// The processor must have the register's instructions; pointers must be good for `N` floats.
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

/// Four floats that the compiler may put into a register of SSE or NEON.
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

/// Defines a safe function that runs `$body` with the widest lanes, and with the rows and registers of the tile that
/// then fits the register file.
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

/// A matrix in a slice: element (i, j) is at `i · row + j · column`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub column: usize,
}

impl<'a> Matrix<'a> {
    /// Row-major with `columns` columns.
    pub fn new(data: &'a [f32], columns: usize) -> Self {
        Self { data, row: columns, column: 1 }
    }

    /// The same numbers, rows and columns exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }
}

dispatched! {
    /// C += A B: A `[m, k]`, B `[k, n]`, C `[m, n]` row-major, m from the length of `c`.
    ///
    /// `packed` is a buffer that keeps its memory between calls.
    ///
    /// # Panics
    /// Where the slices are too short for the shapes.
    multiply_add = multiply_add_by(a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], k: usize, n: usize, packed: &mut Vec<f32>)
}

#[inline(always)]
unsafe fn multiply_add_by<V: Lanes, const ROWS: usize, const VECTORS: usize>(
    a: Matrix<'_>,
    b: Matrix<'_>,
    c: &mut [f32],
    k: usize,
    n: usize,
    packed: &mut Vec<f32>,
) {
    let m = c.len() / n;
    let last = |x: Matrix<'_>, rows: usize, columns: usize| (rows - 1) * x.row + (columns - 1) * x.column;
    if m == 0 || k == 0 {
        return;
    }
    assert!(
        c.len() == m * n && last(a, m, k) < a.data.len() && last(b, k, n) < b.data.len(),
        "shapes disagree"
    );
    // Narrow outputs take a panel one register wide. A row or few take a wide one: sums that wait for nobody else.
    if n <= V::N {
        unsafe { panels::<V, ROWS, 1>(a, b, c, (m, k, n), packed) }
    } else if m < 4 && n > 2 * V::N {
        unsafe { panels::<V, 4, 4>(a, b, c, (m, k, n), packed) }
    } else {
        unsafe { panels::<V, ROWS, VECTORS>(a, b, c, (m, k, n), packed) }
    }
}

#[inline(always)]
unsafe fn panels<V: Lanes, const ROWS: usize, const VECTORS: usize>(
    a: Matrix<'_>,
    b: Matrix<'_>,
    c: &mut [f32],
    (m, k, n): (usize, usize, usize),
    packed: &mut Vec<f32>,
) {
    let width = VECTORS * V::N;
    for from in (0..n).step_by(width) {
        let columns = width.min(n - from);
        // Packing a panel pays only where several rows use it.
        let panel = if m < 4 && b.column == 1 && columns == width {
            Panel { from: &b.data[from..], row: b.row, depth: k }
        } else {
            pack(b, from, columns, width, k, packed);
            Panel { from: packed, row: width, depth: k }
        };
        let mut i = 0;
        while i < m {
            let to = &mut c[i * n + from..];
            let rest = Matrix { data: &a.data[i * a.row..], ..a };
            i += unsafe {
                match m - i {
                    r if r >= ROWS => tile::<V, ROWS, VECTORS>(rest, panel, to, n, columns),
                    r if r >= 4 => tile::<V, 4, VECTORS>(rest, panel, to, n, columns),
                    2 | 3 => tile::<V, 2, VECTORS>(rest, panel, to, n, columns),
                    _ => tile::<V, 1, VECTORS>(rest, panel, to, n, columns),
                }
            };
        }
    }
}

/// `depth` rows of a few registers each, `row` floats apart.
#[derive(Clone, Copy)]
struct Panel<'a> {
    from: &'a [f32],
    row: usize,
    depth: usize,
}

/// Copies `columns` columns of `b` side by side, filled up with zeros to `width`.
#[inline(always)]
fn pack(b: Matrix<'_>, from: usize, columns: usize, width: usize, k: usize, packed: &mut Vec<f32>) {
    packed.resize(k * width, 0.0);
    for (p, row) in packed.chunks_exact_mut(width).enumerate() {
        let start = p * b.row + from * b.column;
        if b.column == 1 && columns == width {
            // A length that the compiler knows: a few registers and no call.
            row.copy_from_slice(&b.data[start..start + width]);
        } else if b.column == 1 {
            row[..columns].copy_from_slice(&b.data[start..start + columns]);
        } else {
            row[..columns].iter_mut().enumerate().for_each(|(j, x)| *x = b.data[start + j * b.column]);
        }
        row[columns..].fill(0.0);
    }
}

/// `ROWS` rows of C += A · panel, held in registers; returns `ROWS`.
#[inline(always)]
unsafe fn tile<V: Lanes, const ROWS: usize, const VECTORS: usize>(
    a: Matrix<'_>,
    panel: Panel<'_>,
    c: &mut [f32],
    stride: usize,
    columns: usize,
) -> usize {
    unsafe {
        let mut sums = [[V::splat(0.0); VECTORS]; ROWS];
        let (mut x, mut y) = (a.data.as_ptr(), panel.from.as_ptr());
        for _ in 0..panel.depth {
            let b: [V; VECTORS] = std::array::from_fn(|v| V::load(y.wrapping_add(v * V::N)));
            for (i, row) in sums.iter_mut().enumerate() {
                let x = V::splat(*x.wrapping_add(i * a.row));
                for (sum, b) in row.iter_mut().zip(b) {
                    *sum = x.mul_add(b, *sum);
                }
            }
            x = x.wrapping_add(a.column);
            y = y.wrapping_add(panel.row);
        }
        for (i, row) in sums.into_iter().enumerate() {
            if columns == VECTORS * V::N {
                for (v, sum) in row.into_iter().enumerate() {
                    let to = c[i * stride + v * V::N..][..V::N].as_mut_ptr();
                    V::load(to).add(sum).store(to);
                }
            } else {
                // 64 floats: four of the widest registers.
                let mut whole = [0.0f32; 64];
                for (v, sum) in row.into_iter().enumerate() {
                    sum.store(whole[v * V::N..][..V::N].as_mut_ptr());
                }
                c[i * stride..][..columns].iter_mut().zip(&whole).for_each(|(c, s)| *c += s);
            }
        }
    }
    ROWS
}

dispatched! {
    /// tanh of every element in place, within 4e-7: the rational approximation of Eigen (`ptanh_float`).
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
    /// Beyond it tanh rounds to ±1.
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

dispatched! {
    /// Σ x².
    sum_of_squares = sum_of_squares_by(x: &[f32]) -> f32
}

#[inline(always)]
unsafe fn sum_of_squares_by<V: Lanes, const ROWS: usize, const VECTORS: usize>(x: &[f32]) -> f32 {
    // Four sums at once, so that none waits for the one before it.
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

/// Adam's constants and where it stands (Kingma & Ba 2015, algorithm 1).
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// The gradient is multiplied by it first: 1, or less where its norm is clipped.
    pub scale: f32,
    /// α √(1 − β₂ᵗ) / (1 − β₁ᵗ).
    pub rate: f32,
    /// ε √(1 − β₂ᵗ): ε is added to the corrected root, as in PyTorch and Burn.
    pub epsilon: f32,
}

/// β₁
pub const BETA_1: f32 = 0.9;
/// β₂
pub const BETA_2: f32 = 0.999;

impl AdamStep {
    /// The `time`-th step, from 1, at step size `learning_rate`.
    pub fn new(time: u64, learning_rate: f64, epsilon: f64, scale: f32) -> Self {
        let power = |beta: f32| 1.0 - f64::from(beta).powf(time as f64);
        let root = power(BETA_2).sqrt();
        Self { scale, rate: (learning_rate * root / power(BETA_1)) as f32, epsilon: (epsilon * root) as f32 }
    }
}

dispatched! {
    /// One step of Adam, in place; all slices of one length.
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
    use rand::{RngExt, SeedableRng};

    fn numbers(n: usize, seed: u64) -> Vec<f32> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    /// Every implementation that this processor can run.
    macro_rules! each {
        ($body:ident($($arg:expr),*)) => {
            unsafe { $body::<Four, 4, 2>($($arg),*) };
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                unsafe { $body::<__m256, 6, 2>($($arg),*) };
            }
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx512f") {
                unsafe { $body::<__m512, 8, 2>($($arg),*) };
            }
        };
    }

    #[test]
    fn products_of_every_shape_and_order_are_those_of_the_definition() {
        for (m, k, n) in
            [(1, 1, 1), (1, 17, 64), (3, 5, 7), (8, 64, 32), (13, 9, 33), (64, 3, 6), (70, 65, 40)]
        {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            let turned = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..columns * rows).map(|at| x[(at % rows) * columns + at / rows]).collect()
            };
            let (at, bt) = (turned(&a, m, k), turned(&b, k, n));
            let exact: Vec<f64> = (0..m * n)
                .map(|at| {
                    let (i, j) = (at / n, at % n);
                    (0..k).map(|p| f64::from(a[i * k + p]) * f64::from(b[p * n + j])).sum()
                })
                .collect();
            for (a, b) in [
                (Matrix::new(&a, k), Matrix::new(&b, n)),
                (Matrix::new(&at, m).transposed(), Matrix::new(&b, n)),
                (Matrix::new(&a, k), Matrix::new(&bt, k).transposed()),
            ] {
                let check = |c: &[f32]| {
                    for (x, y) in c.iter().zip(&exact) {
                        assert!((f64::from(*x) - 1.0 - y).abs() < 1e-5, "{m} {k} {n}: {x} against 1 + {y}");
                    }
                };
                let one = || vec![1.0; m * n];
                let (mut packed, mut c) = (Vec::new(), one());
                multiply_add(a, b, &mut c, k, n, &mut packed);
                check(&c);
                let mut sums = vec![0.0; m * n];
                each!(multiply_add_by(a, b, &mut sums, k, n, &mut packed));
                let times = (sums[0] as f64 / exact[0]).round();
                assert!((1.0..=3.0).contains(&times), "each implementation added the product once");
                sums.iter_mut().for_each(|s| *s = *s / times as f32 + 1.0);
                check(&sums);
            }
        }
    }

    #[test]
    #[should_panic(expected = "shapes disagree")]
    fn short_slices_are_refused() {
        multiply_add(
            Matrix::new(&[1.0; 5], 3),
            Matrix::new(&[1.0; 6], 2),
            &mut [0.0; 4],
            3,
            2,
            &mut Vec::new(),
        );
    }

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
