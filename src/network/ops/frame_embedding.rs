//! A constant that tells frames of a pass apart (spec section 5.9).

use super::integer::{round_shift, saturate, sine};
use super::operation::{Operands, Operation};
use crate::network::tables::FRAME_TURNS;
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// Adds to each channel a constant that tells frame `frame` of the pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameEmbedding {
    /// Node read.
    pub input: NodeId,
    /// Frame of the pass.
    pub frame: usize,
}

impl Operation for FrameEmbedding {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        inputs[0]
    }

    fn stands_alone(&self) -> bool {
        true
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let input = &operands.inputs[0];
        let [_, h, w] = input.shape;
        let mut out = Vec::with_capacity(input.values.len());
        for (c, values) in input.values.chunks_exact(h * w).enumerate() {
            let code = frame_embedding(self.frame, c);
            let sums = values
                .iter()
                .map(|&v| embed(v, input.frac_bits, code, operands.frac_bits));
            out.extend(sums);
        }
        out
    }
}

/// What is added to channel `channel`, in units of 2^-20.
pub fn frame_embedding(frame: usize, channel: usize) -> i64 {
    let turns = FRAME_TURNS
        .get(channel / 2)
        .copied()
        .unwrap_or(0)
        .wrapping_mul(frame as u32);
    sine(i64::from(turns >> 12) + ((channel as i64 & 1) << 18)) << 5
}

/// An activation plus a number in units of 2^-20.
#[inline(always)]
pub fn embed(v: i16, f_in: u32, code: i64, f_out: u32) -> i16 {
    saturate(round_shift(
        (i64::from(v) << (20 - f_in)) + code,
        20 - f_out,
    ))
}

#[cfg(test)]
#[allow(clippy::float_arithmetic)]
mod tests {
    use super::*;

    #[test]
    fn values_are_close_to_the_real_ones() {
        for (frame, channel) in [(0, 0), (0, 1), (1, 0), (2, 1), (5, 2), (7, 31)] {
            let angle = frame as f64 * 100f64.powi(-(channel as i32 / 2));
            let exact = if channel % 2 == 0 {
                angle.sin()
            } else {
                angle.cos()
            };
            let got = frame_embedding(frame, channel) as f64 / f64::from(1 << 20);
            assert!((got - exact).abs() < 1e-4);
        }
    }
}
