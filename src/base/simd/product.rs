//! Matrix product: panels of B are packed, tiles of C stay in registers.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};

use super::{Four, Lanes};

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

    /// The transposed matrix, on the same numbers.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }
}

dispatched! {
    /// C += A B: A `[m, k]`, B `[k, n]`, C `[m, n]` row-major; m follows from the length of `c`.
    ///
    /// `packed` is a buffer that keeps its memory between calls.
    ///
    /// # Panics
    /// If the slices are too short for the shapes.
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
    // Narrow outputs use a panel one register wide. Few rows use a wide panel, whose sums are independent of each other.
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
        // Packing a panel is worth the time only if several rows use it.
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

/// Copies `columns` columns of `b` side by side and pads them with zeros to `width`.
#[inline(always)]
fn pack(b: Matrix<'_>, from: usize, columns: usize, width: usize, k: usize, packed: &mut Vec<f32>) {
    packed.resize(k * width, 0.0);
    for (p, row) in packed.chunks_exact_mut(width).enumerate() {
        let start = p * b.row + from * b.column;
        if b.column == 1 && columns == width {
            // The compiler knows this length, so the copy needs a few registers and no call.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::simd::numbers;

    /// All implementations that this processor can run.
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
}
