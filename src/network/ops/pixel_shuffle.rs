//! Blocks of channels become squares of samples (spec section 5.4).

use super::operation::{FracBits, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// `out[c][y*r + i][x*r + j] = in[c*r*r + i*r + j][y][x]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelShuffle {
    /// Node read.
    pub input: NodeId,
    /// Upsampling factor r.
    pub factor: usize,
}

impl Operation for PixelShuffle {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        let ([c, h, w], r) = (inputs[0], self.factor);
        debug_assert_eq!(c % (r * r), 0);
        [c / (r * r), h * r, w * r]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Input
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let (input, [c, h, w], r) = (&operands.inputs[0], operands.shape, self.factor);
        let [_, ih, iw] = input.shape;
        let mut out = vec![0; c * h * w];
        for ch in 0..c {
            for y in 0..h {
                for x in 0..w {
                    let from = ch * r * r + (y % r) * r + x % r;
                    out[(ch * h + y) * w + x] = input.values[(from * ih + y / r) * iw + x / r];
                }
            }
        }
        out
    }
}
