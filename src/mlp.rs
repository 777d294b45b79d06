//! A multilayer perceptron over one flat vector of weights: layer sizes, initial weights, host forward pass.
//!
//! The layout is layer by layer `weight [in, out]` row-major, then `bias [out]`. Hidden layers are tanh, the
//! last is linear.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// Layer sizes, inputs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mlp {
    sizes: Vec<usize>,
}

impl Mlp {
    /// A network `inputs → hidden… → outputs`.
    pub fn new(inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        let mut sizes = vec![inputs];
        sizes.extend_from_slice(hidden);
        sizes.push(outputs);
        Self { sizes }
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.sizes[0]
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    /// (inputs, outputs) of each layer.
    pub fn layers(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.sizes.windows(2).map(|pair| (pair[0], pair[1]))
    }

    /// Length of the flat weight vector.
    pub fn params(&self) -> usize {
        self.layers().map(|(i, o)| i * o + o).sum()
    }

    /// Orthogonal weights and zero biases: gain √2 in hidden layers, `gain` in the last
    /// (Andrychowicz et al. 2021, "What matters in on-policy RL", section 3.2; CleanRL's `ppo_continuous_action`).
    pub fn init(&self, gain: f32, rng: &mut dyn Rng) -> Vec<f32> {
        let last = self.sizes.len() - 2;
        let mut params = Vec::with_capacity(self.params());
        for (layer, (inputs, outputs)) in self.layers().enumerate() {
            let gain = if layer == last { gain } else { 2f32.sqrt() };
            params.extend(orthogonal(inputs, outputs, rng).into_iter().map(|w| gain * w));
            params.extend(std::iter::repeat_n(0.0, outputs));
        }
        params
    }

    /// Two buffers as wide as the widest layer.
    pub fn scratch(&self) -> [Vec<f32>; 2] {
        let width = self.sizes.iter().copied().max().unwrap_or(0);
        [vec![0.0; width], vec![0.0; width]]
    }

    /// The output `[outputs]` for one input `[inputs]`.
    pub fn forward<'s>(&self, params: &[f32], input: &[f32], scratch: &'s mut [Vec<f32>; 2]) -> &'s [f32] {
        let [from, to] = scratch;
        from[..input.len()].copy_from_slice(input);
        let last = self.sizes.len() - 2;
        let mut rest = params;
        for (layer, (inputs, outputs)) in self.layers().enumerate() {
            let (weight, tail) = rest.split_at(inputs * outputs);
            let (bias, tail) = tail.split_at(outputs);
            rest = tail;
            let out = &mut to[..outputs];
            out.copy_from_slice(bias);
            for (x, row) in from[..inputs].iter().zip(weight.chunks_exact(outputs)) {
                for (o, w) in out.iter_mut().zip(row) {
                    *o += x * w;
                }
            }
            if layer < last {
                out.iter_mut().for_each(|o| *o = o.tanh());
            }
            std::mem::swap(from, to);
        }
        &from[..self.outputs()]
    }
}

/// A matrix `[rows, cols]` with orthonormal rows or columns, whichever are fewer: Gram–Schmidt on Gaussians.
fn orthogonal(rows: usize, cols: usize, rng: &mut dyn Rng) -> Vec<f32> {
    let (count, length) = (rows.min(cols), rows.max(cols));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut v: Vec<f64> = (0..length).map(|_| rng.sample(StandardNormal)).collect();
        // Twice: one pass loses orthogonality to rounding in near-square matrices.
        for _ in 0..2 {
            for b in &basis {
                let dot: f64 = v.iter().zip(b).map(|(x, y)| x * y).sum();
                v.iter_mut().zip(b).for_each(|(x, y)| *x -= dot * y);
            }
        }
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter_mut().for_each(|x| *x /= norm);
        basis.push(v);
    }
    (0..rows * cols)
        .map(|at| {
            let (r, c) = (at / cols, at % cols);
            if rows <= cols { basis[r][c] as f32 } else { basis[c][r] as f32 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn forward_by_hand() {
        // 2 → 1 hidden → 1: h = tanh(0.5·1 − 0.25·2 + 0.1) = tanh(0.1), y = 3·h + 1.
        let mlp = Mlp::new(2, &[1], 1);
        let params = [0.5, -0.25, 0.1, 3.0, 1.0];
        assert_eq!(mlp.params(), params.len());
        let y = mlp.forward(&params, &[1.0, 2.0], &mut mlp.scratch())[0];
        assert!((y - (3.0 * 0.1f32.tanh() + 1.0)).abs() < 1e-6);
    }

    #[test]
    fn initial_weights_are_orthogonal_with_gain() {
        let mlp = Mlp::new(3, &[8], 2);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let params = mlp.init(0.01, &mut rng);
        // First layer [3, 8]: rows are orthogonal with squared norm 2.
        for a in 0..3 {
            for b in 0..3 {
                let dot: f32 = (0..8).map(|c| params[a * 8 + c] * params[b * 8 + c]).sum();
                assert!((dot - if a == b { 2.0 } else { 0.0 }).abs() < 1e-5);
            }
        }
        // Second layer [8, 2]: columns are orthogonal with squared norm 0.01².
        let w = &params[3 * 8 + 8..];
        let dot = |a: usize, b: usize| (0..8).map(|r| w[r * 2 + a] * w[r * 2 + b]).sum::<f32>();
        assert!((dot(0, 0) - 1e-4).abs() < 1e-8 && dot(0, 1).abs() < 1e-8);
    }
}
