//! Channels of two nodes (spec section 5.12).

use super::operation::{FracBits, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// The channels of one node, then those of another of the same rows, columns and fraction bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concat {
    /// Nodes read.
    pub inputs: [NodeId; 2],
}

impl Operation for Concat {
    fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        debug_assert_eq!(inputs[0][1..], inputs[1][1..]);
        let [a, rows, columns] = inputs[0];
        [a + inputs[1][0], rows, columns]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Input
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        debug_assert_eq!(operands.inputs[0].frac_bits, operands.inputs[1].frac_bits);
        let values = operands.inputs.iter().map(|i| i.values);
        values.collect::<Vec<_>>().concat()
    }
}
