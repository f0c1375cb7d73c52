//! Sum of two nodes (spec section 5.7).

use super::integer::{round_shift, saturate};
use super::operation::{FracBits, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// Sum of two nodes of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Add {
    /// Nodes read.
    pub inputs: [NodeId; 2],
    /// Fraction bits of the sum; coded if none are given.
    pub fraction: Option<u8>,
}

impl Operation for Add {
    fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        debug_assert_eq!(inputs[0], inputs[1]);
        inputs[0]
    }

    fn frac_bits(&self) -> FracBits {
        self.fraction.map_or(FracBits::Coded, FracBits::Fixed)
    }

    fn stands_alone(&self) -> bool {
        true
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let [a, b] = [&operands.inputs[0], &operands.inputs[1]];
        let f = [a.frac_bits, b.frac_bits];
        let pairs = a.values.iter().zip(b.values);
        pairs
            .map(|(&a, &b)| sum([a, b], f, operands.frac_bits))
            .collect()
    }
}

/// Sum of two activations of `f` fraction bits each, to `f_out`; all are at most 19.
#[inline(always)]
pub fn sum(v: [i16; 2], f: [u32; 2], f_out: u32) -> i16 {
    let [a, b] = [0, 1].map(|i| i64::from(v[i]) << (20 - f[i]));
    saturate(round_shift(a + b, 20 - f_out))
}
