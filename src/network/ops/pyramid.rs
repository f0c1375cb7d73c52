//! Latent grids of halving resolution (spec section 5.10).

use super::integer::saturate;
use super::operation::{FracBits, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// Source: grids of integers, one after another, the finest first. A grid has half the rows and
/// columns of the one before, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pyramid {
    /// Grids.
    pub grids: usize,
    /// Rows of the finest.
    pub rows: usize,
    /// Columns of the finest.
    pub columns: usize,
    /// Largest magnitude of an integer.
    pub reach: u16,
}

impl Pyramid {
    /// Rows and columns of grid `level`.
    pub fn size(&self, level: usize) -> [usize; 2] {
        [self.rows, self.columns].map(|n| n.div_ceil(1 << level))
    }

    /// Where grid `level` starts in the source.
    pub fn offset(&self, level: usize) -> usize {
        (0..level)
            .map(|l| self.size(l).iter().product::<usize>())
            .sum()
    }

    /// Activations that must be there at once: the grids, and for each level but the finest what
    /// all coarser ones are at its resolution.
    pub fn held(&self) -> u64 {
        let planes = |l: usize| (self.size(l)[0] * self.size(l)[1] * (self.grids - 1 - l)) as u64;
        self.offset(self.grids) as u64 + (1..self.grids).map(planes).sum::<u64>()
    }

    /// Fraction bits of activations that are integers up to the reach.
    pub fn fraction(&self) -> u8 {
        (self.reach.leading_zeros() - 1).min(8) as u8
    }

    /// Activation of integer `q`.
    #[inline(always)]
    pub fn activation(&self, q: i16) -> i16 {
        saturate(i64::from(q) << self.fraction())
    }
}

impl Operation for Pyramid {
    fn inputs(&self) -> &[NodeId] {
        &[]
    }

    fn shape(&self, _: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        [1, 1, self.offset(self.grids)]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Fixed(self.fraction())
    }
}

/// One grid of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatentGrid {
    /// The source.
    pub input: NodeId,
    /// Where it starts in it.
    pub offset: usize,
    /// Rows and columns.
    pub size: [usize; 2],
}

impl Operation for LatentGrid {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, _: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        [1, self.size[0], self.size[1]]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Input
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let len = self.size[0] * self.size[1];
        operands.inputs[0].values[self.offset..][..len].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_halve_and_their_integers_fit() {
        let p = |reach| Pyramid {
            grids: 4,
            rows: 5,
            columns: 9,
            reach,
        };
        let sizes: Vec<_> = (0..4).map(|l| p(1).size(l)).collect();
        assert_eq!(sizes, [[5, 9], [3, 5], [2, 3], [1, 2]]);
        assert_eq!(p(1).offset(4), 45 + 15 + 6 + 2);
        assert_eq!(p(1).held(), 45 + 15 + 6 + 2 + 2 * 15 + 6);
        for (reach, fraction) in [(1, 8), (127, 8), (128, 7), (255, 7), (256, 6), (2047, 4)] {
            let p = p(reach);
            assert_eq!(p.fraction(), fraction, "{reach}");
            assert_eq!(
                i32::from(p.activation(-(reach as i16))),
                -(i32::from(reach) << fraction)
            );
        }
    }
}
