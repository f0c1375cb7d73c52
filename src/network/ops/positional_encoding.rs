//! Code of a frame's place in its group (spec section 5.2).

use super::integer::{SOURCE_FRACTION, round_shift, sine};
use super::operation::{FracBits, Operation};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// Source: sines and cosines of a frame's place among the group's, `[2 * levels, 1, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionalEncoding {
    /// Frequencies, each with a sine and a cosine.
    pub levels: usize,
    /// Frames of the group.
    pub frames: usize,
}

impl Operation for PositionalEncoding {
    fn inputs(&self) -> &[NodeId] {
        &[]
    }

    fn shape(&self, _: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        [2 * self.levels, 1, 1]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Fixed(SOURCE_FRACTION)
    }

    fn constant(&self, pass: usize) -> Option<Vec<i16>> {
        Some((0..2 * self.levels).map(|c| self.value(pass, c)).collect())
    }
}

impl PositionalEncoding {
    /// Channel `channel` of the code of frame `frame`.
    pub fn value(&self, frame: usize, channel: usize) -> i16 {
        // 5^39 * 65535 stays below 2^107
        let level = (channel / 2) as u32;
        let turn = (self.frames.max(1) as u128) << (2 * level + 1);
        let turns = (((5u128.pow(level) * frame as u128) % turn) << 20) / turn;
        round_shift(sine(turns as i64 + ((channel as i64 & 1) << 18)), 1) as i16
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic)]
mod tests {
    use super::*;

    #[test]
    fn values_are_close_to_the_real_ones() {
        for (frame, frames, channel) in [
            (0, 1, 0),
            (1, 3, 1),
            (47, 48, 30),
            (131, 132, 79),
            (65534, 65535, 41),
        ] {
            let turns = 1.25f64.powi(channel as i32 / 2) * frame as f64 / frames as f64;
            let angle = turns * std::f64::consts::PI;
            let exact = if channel % 2 == 0 {
                angle.sin()
            } else {
                angle.cos()
            };
            let code = PositionalEncoding { levels: 40, frames };
            let got = f64::from(code.value(frame, channel)) / 16384.0;
            assert!(
                (got - exact).abs() < 1e-4,
                "{frame} of {frames}, channel {channel}"
            );
        }
    }
}
