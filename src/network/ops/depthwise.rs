//! Convolution of each channel by itself (spec section 5.3).

use super::conv2d::{convolve, macs};
use super::operation::{Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorId, TensorSpec};

/// As [`Conv2d`](super::Conv2d), each channel by a kernel of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depthwise {
    /// Node read.
    pub input: NodeId,
    /// Tensor of shape `[channels, 1, kernel, kernel]`.
    pub weight: TensorId,
    /// Tensor of shape `[channels, 1, 1, 1]`.
    pub bias: TensorId,
}

impl Operation for Depthwise {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        inputs[0]
    }

    fn macs(&self, shape: [usize; 3], tensors: &[TensorSpec]) -> u64 {
        macs(&tensors[self.weight], shape)
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let kernel = operands.kernel.as_ref().expect("a convolution has one");
        convolve(&operands.inputs[0], kernel, |c| c)
    }
}
