//! Bilinear upsampling (spec section 5.8).

use super::operation::{FracBits, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// Bilinear upsampling, edges repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bilinear {
    /// Node read.
    pub input: NodeId,
    /// Upsampling factor.
    pub factor: usize,
}

impl Operation for Bilinear {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        let [c, h, w] = inputs[0];
        [c, h * self.factor, w * self.factor]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Input
    }

    fn stands_alone(&self) -> bool {
        true
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let (input, [c, h, w], factor) = (&operands.inputs[0], operands.shape, self.factor);
        let [_, ih, iw] = input.shape;
        let mut out = Vec::with_capacity(c * h * w);
        for channel in input.values.chunks_exact(ih * iw).take(c) {
            for y in 0..h {
                let (rows, sy) = bilinear_at(y, factor, ih);
                for x in 0..w {
                    let (columns, sx) = bilinear_at(x, factor, iw);
                    let at = |i: usize, j: usize| channel[rows[i] * iw + columns[j]];
                    let corners = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
                    out.push(bilinear(corners, [sy, sx], factor));
                }
            }
        }
        out
    }
}

/// Where output `o` of an upsampling by `factor` lies between two of `n` inputs: their indices, and
/// the second's share in units of `1 / (2 factor)`.
#[inline(always)]
pub fn bilinear_at(o: usize, factor: usize, n: usize) -> ([usize; 2], i64) {
    let at = 2 * o as i64 + 1 - factor as i64;
    let (left, share) = (
        at.div_euclid(2 * factor as i64),
        at.rem_euclid(2 * factor as i64),
    );
    (
        [left, left + 1].map(|i| i.clamp(0, n as i64 - 1) as usize),
        share,
    )
}

/// Mean of four activations with the shares `[rows, columns]` of [`bilinear_at`], rounded, halves
/// up.
fn bilinear([a, b, c, d]: [i16; 4], [y, x]: [i64; 2], factor: usize) -> i16 {
    let whole = 2 * factor as i64;
    let [a, b, c, d] = [a, b, c, d].map(i64::from);
    let sum = (a * (whole - x) + b * x) * (whole - y) + (c * (whole - x) + d * x) * y;
    (sum + whole * whole / 2).div_euclid(whole * whole) as i16
}

#[cfg(test)]
#[allow(clippy::float_arithmetic)]
mod tests {
    use super::*;

    #[test]
    fn constants_stay_and_known_values_are_met() {
        for factor in 1..=16 {
            for o in 0..3 * factor {
                let (i, share) = bilinear_at(o, factor, 3);
                let exact = ((o as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, 2.0);
                let part = (i[1] - i[0]) as f64 * share as f64 / (2 * factor) as f64;
                let got = i[0] as f64 + part;
                assert!(
                    (got - exact).abs() < 1e-9,
                    "{o} of factor {factor}: {got}, exactly {exact}"
                );
                assert_eq!(bilinear([-7; 4], [share, share], factor), -7);
            }
        }
        assert_eq!(bilinear([0, 3, 0, 3], [1, 1], 1), 2);
        assert_eq!(bilinear([0, -3, 0, -3], [1, 1], 1), -1);
    }
}
