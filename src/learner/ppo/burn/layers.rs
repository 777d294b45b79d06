//! A multilayer perceptron on Burn tensors.

use burn::tensor::{Tensor, activation};

use crate::policy::mlp::{Activation, Mlp};

/// The layers of a network, views of one flat vector of weights.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    /// Weights `[inputs, outputs]` and biases `[1, outputs]`.
    layers: Vec<(Tensor<2>, Tensor<2>)>,
    activation: Activation,
    native_tanh: bool,
}

impl Layers {
    /// The network whose weights begin at `offset` of `params`. Burn's own tanh is one kernel, but slow on the host.
    pub fn new(mlp: &Mlp, params: &Tensor<1>, mut offset: usize, native_tanh: bool) -> Self {
        let mut take = |n: usize| {
            offset += n;
            params.clone().slice(offset - n..offset)
        };
        let layer = |(inputs, outputs): (usize, usize)| {
            (take(inputs * outputs).reshape([inputs, outputs]), take(outputs).reshape([1, outputs]))
        };
        Self { layers: mlp.layers().map(layer).collect(), activation: mlp.activation(), native_tanh }
    }

    /// The outputs `[rows, outputs]` for `x` `[rows, inputs]`.
    pub fn apply(&self, x: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().fold(x, |x, (layer, (weight, bias))| {
            let y = x.matmul(weight.clone()) + bias.clone();
            match self.activation {
                _ if layer == last => y,
                Activation::Tanh if self.native_tanh => y.tanh(),
                Activation::Tanh => tanh(y),
                Activation::Relu => activation::relu(y),
            }
        })
    }
}

/// tanh y = 2 σ(2 y) − 1: on Burn's CPU backends `tanh` itself takes more time than all the rest of an update.
fn tanh(y: Tensor<2>) -> Tensor<2> {
    activation::sigmoid(y.mul_scalar(2.0)).mul_scalar(2.0).sub_scalar(1.0)
}
