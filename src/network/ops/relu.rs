//! Rectified linear unit (spec section 5.13).

use super::operation::{FracBits, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// `max(x, 0)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relu {
    /// Node read.
    pub input: NodeId,
}

impl Operation for Relu {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        inputs[0]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Input
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        operands.inputs[0]
            .values
            .iter()
            .map(|&v| v.max(0))
            .collect()
    }
}
