//! A multilayer perceptron on one flat vector of weights: layer sizes, initial weights, forward and backward passes.
//!
//! The vector holds, layer by layer, `weight [in, out]` row-major and `bias [out]`. The last layer is linear.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::base::simd::{self, Matrix, multiply_add};

/// The activation function of the hidden layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// tanh y
    #[default]
    Tanh,
    /// max(y, 0)
    Relu,
}

/// The shape of a network: layer sizes and activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mlp {
    sizes: Vec<usize>,
    activation: Activation,
}

/// Outputs of the forward pass that the backward pass needs, and its buffers. They keep their memory between calls.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// The output of each layer, `[rows, out]`.
    layers: Vec<Vec<f32>>,
    /// ∂L/∂output of the current layer and of the one before it.
    deltas: [Vec<f32>; 2],
    packed: Vec<f32>,
}

impl Mlp {
    /// A network `inputs → hidden… → outputs`.
    pub fn new(inputs: usize, hidden: &[usize], outputs: usize, activation: Activation) -> Self {
        let mut sizes = vec![inputs];
        sizes.extend_from_slice(hidden);
        sizes.push(outputs);
        Self { sizes, activation }
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.sizes[0]
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    /// The activation function of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// (inputs, outputs) of each layer.
    pub fn layers(&self) -> impl DoubleEndedIterator<Item = (usize, usize)> + ExactSizeIterator + '_ {
        self.sizes.windows(2).map(|pair| (pair[0], pair[1]))
    }

    /// Length of the flat weight vector.
    pub fn params(&self) -> usize {
        self.layers().map(|(i, o)| i * o + o).sum()
    }

    /// Orthogonal weights and zero biases, with gain √2 in hidden layers and `gain` in the last one
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

    /// Weights and biases uniform within ±1/√in: the default of PyTorch's `Linear`, which CleanRL and SB3 use in SAC.
    pub fn init_uniform(&self, rng: &mut dyn Rng) -> Vec<f32> {
        let mut params = Vec::with_capacity(self.params());
        for (inputs, outputs) in self.layers() {
            let bound = 1.0 / (inputs as f32).sqrt();
            params.extend((0..(inputs + 1) * outputs).map(|_| rng.random_range(-bound..bound)));
        }
        params
    }

    /// The outputs `[rows, outputs]` for inputs `x` `[rows, inputs]`.
    ///
    /// # Panics
    /// If `params` is not as long as [`params`](Self::params) says.
    pub fn forward<'t>(&self, params: &[f32], x: &[f32], tape: &'t mut Tape) -> &'t [f32] {
        let rows = x.len() / self.inputs();
        let count = self.layers().len();
        tape.layers.resize(count, Vec::new());
        let mut rest = params;
        for (layer, (inputs, outputs)) in self.layers().enumerate() {
            let (weight, tail) = rest.split_at(inputs * outputs);
            let (bias, tail) = tail.split_at(outputs);
            rest = tail;
            let (before, after) = tape.layers.split_at_mut(layer);
            let (from, to) = (before.last().map_or(x, Vec::as_slice), &mut after[0]);
            to.resize(rows * outputs, 0.0);
            to.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
            let (a, b) = (Matrix::new(from, inputs), Matrix::new(weight, outputs));
            multiply_add(a, b, to, inputs, outputs, &mut tape.packed);
            if layer + 1 < count {
                match self.activation {
                    Activation::Tanh => simd::tanh(to),
                    Activation::Relu => to.iter_mut().for_each(|y| *y = y.max(0.0)),
                }
            }
        }
        &tape.layers[count - 1]
    }

    /// Backpropagation. Call it after [`forward`](Self::forward) with the same `params`, `x` and `tape`.
    ///
    /// `d_output` is ∂L/∂output `[rows, outputs]`. Adds ∂L/∂params to `gradient` if one is given. Returns
    /// ∂L/∂x `[rows, inputs]` if `to_input`, else an empty slice.
    ///
    /// # Panics
    /// If a slice has the wrong length.
    pub fn backward<'t>(
        &self,
        params: &[f32],
        x: &[f32],
        d_output: &[f32],
        tape: &'t mut Tape,
        mut gradient: Option<&mut [f32]>,
        to_input: bool,
    ) -> &'t [f32] {
        let rows = x.len() / self.inputs();
        let Tape { layers, deltas: [delta, next], packed } = tape;
        delta.clear();
        delta.extend_from_slice(d_output);
        let mut end = self.params();
        for (layer, (inputs, outputs)) in self.layers().enumerate().rev() {
            let start = end - inputs * outputs - outputs;
            if let Some(gradient) = gradient.as_deref_mut() {
                let (d_weight, d_bias) = gradient[start..end].split_at_mut(inputs * outputs);
                let from = if layer == 0 { x } else { &layers[layer - 1] };
                let a = Matrix::new(from, inputs).transposed();
                multiply_add(a, Matrix::new(delta, outputs), d_weight, rows, outputs, packed);
                for row in delta.chunks_exact(outputs) {
                    d_bias.iter_mut().zip(row).for_each(|(sum, d)| *sum += d);
                }
            }
            if layer == 0 && !to_input {
                return &[];
            }
            next.clear();
            next.resize(rows * inputs, 0.0);
            let b = Matrix::new(&params[start..start + inputs * outputs], outputs).transposed();
            multiply_add(Matrix::new(delta, outputs), b, next, outputs, inputs, packed);
            if layer > 0 {
                let outputs = next.iter_mut().zip(&layers[layer - 1]);
                match self.activation {
                    Activation::Tanh => outputs.for_each(|(d, y)| *d *= 1.0 - y * y),
                    Activation::Relu => outputs.for_each(|(d, y)| *d = if *y > 0.0 { *d } else { 0.0 }),
                }
            }
            std::mem::swap(delta, next);
            end = start;
        }
        delta
    }
}

/// A matrix `[rows, cols]` whose rows or columns, whichever are fewer, are orthonormal: Gram–Schmidt on Gaussian vectors.
fn orthogonal(rows: usize, cols: usize, rng: &mut dyn Rng) -> Vec<f32> {
    let (count, length) = (rows.min(cols), rows.max(cols));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut v: Vec<f64> = (0..length).map(|_| rng.sample(StandardNormal)).collect();
        // Two passes, because with one pass rounding destroys orthogonality in nearly square matrices.
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
        let mlp = Mlp::new(2, &[1], 1, Activation::Tanh);
        let params = [0.5, -0.25, 0.1, 3.0, 1.0];
        assert_eq!(mlp.params(), params.len());
        let y = mlp.forward(&params, &[1.0, 2.0], &mut Tape::default())[0];
        assert!((y - (3.0 * 0.1f32.tanh() + 1.0)).abs() < 1e-6);
        // The same with max(·, 0), on two rows: h = 0.1 and max(0.5·(−1) − 0.25·2 + 0.1, 0) = 0.
        let mlp = Mlp::new(2, &[1], 1, Activation::Relu);
        let mut tape = Tape::default();
        let y = mlp.forward(&params, &[1.0, 2.0, -1.0, 2.0], &mut tape);
        assert!((y[0] - 1.3).abs() < 1e-6 && y[1] == 1.0);
    }

    #[test]
    fn backward_is_the_derivative_of_forward() {
        for activation in [Activation::Tanh, Activation::Relu] {
            let mlp = Mlp::new(3, &[20, 7], 2, activation);
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
            let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-0.7..0.7)).collect::<Vec<f32>>();
            let (params, x, d_output) = (draw(mlp.params()), draw(5 * 3), draw(5 * 2));
            let loss = |params: &[f32], x: &[f32]| -> f64 {
                let mut tape = Tape::default();
                let y = mlp.forward(params, x, &mut tape);
                y.iter().zip(&d_output).map(|(y, d)| f64::from(*y) * f64::from(*d)).sum()
            };
            let mut tape = Tape::default();
            mlp.forward(&params, &x, &mut tape);
            let mut gradient = vec![0.0; mlp.params()];
            let d_x = mlp.backward(&params, &x, &d_output, &mut tape, Some(&mut gradient), true).to_vec();
            let h = 1e-2;
            let slope = |at: &[f32], i: usize, loss: &dyn Fn(&[f32]) -> f64| {
                let by = |step: f32| {
                    let mut shifted = at.to_vec();
                    shifted[i] += step;
                    loss(&shifted)
                };
                (8.0 * (by(h) - by(-h)) - (by(2.0 * h) - by(-2.0 * h))) / (12.0 * f64::from(h))
            };
            // A kink of max(·, 0) within the step changes one or two differences.
            let mut bent = 0;
            let mut compare = |difference: f64, exact: f32| {
                bent += usize::from((difference - f64::from(exact)).abs() > 1e-3);
            };
            for (i, &g) in gradient.iter().enumerate() {
                compare(slope(&params, i, &|p| loss(p, &x)), g);
            }
            for (i, &d) in d_x.iter().enumerate() {
                compare(slope(&x, i, &|x| loss(&params, x)), d);
            }
            let allowed = if activation == Activation::Relu { params.len() / 20 } else { 0 };
            assert!(bent <= allowed, "{activation:?}: {bent} slopes disagree");
        }
    }

    #[test]
    fn initial_weights_are_orthogonal_with_gain() {
        let mlp = Mlp::new(3, &[8], 2, Activation::Tanh);
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
