//! Channels of a single position become a map (spec section 5.4).

use super::operation::{FracBits, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// `out[c][y][x] = in[(c * rows + y) * columns + x][0][0]` of a single position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reshape {
    /// Node read, of one row and column.
    pub input: NodeId,
    /// Rows of the output.
    pub rows: usize,
    /// Columns of the output.
    pub columns: usize,
}

impl Operation for Reshape {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        let [c, h, w] = inputs[0];
        debug_assert_eq!((h, w, c % (self.rows * self.columns)), (1, 1, 0));
        [c / (self.rows * self.columns), self.rows, self.columns]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Input
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        operands.inputs[0].values.to_vec()
    }
}
