//! What every operation tells of itself.

use super::requant::Requant;
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// Where the fraction bits of a node's activations come from (spec section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FracBits {
    /// The stream has them.
    Coded,
    /// Those of the node read.
    Input,
    /// Always as many.
    Fixed(u8),
}

/// Activations of one node, `[channels][rows][columns]`.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// The values, -32767..=32767.
    pub values: &'a [i16],
    /// `[channels, rows, columns]`.
    pub shape: [usize; 3],
    /// Their fraction bits.
    pub frac_bits: u32,
}

/// Weights of a convolution, and how its sums become activations.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<'a> {
    /// The integers, in the order of `shape`.
    pub weights: &'a [i16],
    /// `[out, in, rows, columns]`.
    pub shape: [usize; 4],
    /// From sums to activations.
    pub requant: &'a Requant,
}

/// What an operation computes from, and what it shall give.
#[derive(Clone, Copy, Debug)]
pub struct Operands<'a> {
    /// One for each node read.
    pub inputs: &'a [Operand<'a>],
    /// That of a convolution.
    pub kernel: Option<Kernel<'a>>,
    /// `[channels, rows, columns]` of the output.
    pub shape: [usize; 3],
    /// Fraction bits of the output.
    pub frac_bits: u32,
}

/// What every operation tells of itself.
pub trait Operation {
    /// The nodes read.
    fn inputs(&self) -> &[NodeId];

    /// `[channels, rows, columns]` of the output, from those of the nodes read.
    fn shape(&self, inputs: &[[usize; 3]], tensors: &[TensorSpec]) -> [usize; 3];

    /// Where its fraction bits come from.
    fn frac_bits(&self) -> FracBits {
        FracBits::Coded
    }

    /// Multiply-accumulates of an output of `shape`; saturates.
    fn macs(&self, _shape: [usize; 3], _tensors: &[TensorSpec]) -> u64 {
        0
    }

    /// Whether executors take it by itself, not as a part of a [`FusedConv`](crate::network::FusedConv).
    fn stands_alone(&self) -> bool {
        false
    }

    /// Values in pass `pass` of a source that is not coded.
    fn constant(&self, _pass: usize) -> Option<Vec<i16>> {
        None
    }

    /// The output. Sources compute nothing: theirs are [`Operation::constant`] or coded.
    fn evaluate(&self, _operands: &Operands<'_>) -> Vec<i16> {
        Vec::new()
    }
}
