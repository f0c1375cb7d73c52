//! Learned upsampling by two (spec section 5.11).

use super::operation::{FracBits, Kernel, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorId, TensorSpec};

/// Separable upsampling by two: eight symmetric taps, four of which meet an output sample. Edges
/// repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upsample {
    /// Node read.
    pub input: NodeId,
    /// Tensor of shape `[1, 1, 1, 4]`: the taps at distances 1.75, 1.25, 0.75 and 0.25 of an input
    /// sample.
    pub taps: TensorId,
    /// Rows and columns of the output: at most twice those of the input.
    pub size: [usize; 2],
}

/// Inputs of output sample `o`, as distances from input `o / 2`, and which tap each has.
#[inline(always)]
pub fn upsample_at(o: usize) -> [(isize, usize); 4] {
    if o.is_multiple_of(2) {
        [(-2, 0), (-1, 2), (0, 3), (1, 1)]
    } else {
        [(-1, 1), (0, 3), (1, 2), (2, 0)]
    }
}

impl Operation for Upsample {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        [inputs[0][0], self.size[0], self.size[1]]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Input
    }

    fn macs(&self, [c, h, w]: [usize; 3], _: &[TensorSpec]) -> u64 {
        // four taps down columns of half the width, four along rows
        6 * [c, h, w]
            .iter()
            .fold(1u64, |a, &d| a.saturating_mul(d as u64))
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let kernel = operands.kernel.as_ref().expect("an upsampling has one");
        let (input, [c, h, w]) = (&operands.inputs[0], operands.shape);
        let [_, ih, iw] = input.shape;
        let mut out = Vec::with_capacity(c * h * w);
        for channel in input.values.chunks_exact(ih * iw).take(c) {
            let down: Vec<i16> = (0..h)
                .flat_map(|y| (0..iw).map(move |x| (y, x)))
                .map(|(y, x)| one(kernel, y, ih, |i| channel[i * iw + x]))
                .collect();
            for row in down.chunks_exact(iw) {
                out.extend((0..w).map(|x| one(kernel, x, iw, |i| row[i])));
            }
        }
        out
    }
}

/// Output sample `o` along a direction of `n` input samples `value`.
fn one(kernel: &Kernel<'_>, o: usize, n: usize, value: impl Fn(usize) -> i16) -> i16 {
    let mut sum = 0;
    for (d, tap) in upsample_at(o) {
        let i = ((o / 2) as isize + d).clamp(0, n as isize - 1) as usize;
        sum += i64::from(kernel.weights[tap]) * i64::from(value(i));
    }
    kernel.requant.apply(sum, 0)
}
