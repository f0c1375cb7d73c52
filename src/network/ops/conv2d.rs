//! Convolution (spec section 5.3).

use super::operation::{Kernel, Operand, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorId, TensorSpec};

/// Stride-1 convolution with zero padding to the same size, plus bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Node read.
    pub input: NodeId,
    /// Tensor of shape `[out, in, kernel, kernel]`.
    pub weight: TensorId,
    /// Tensor of shape `[out, 1, 1, 1]`.
    pub bias: TensorId,
}

impl Operation for Conv2d {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], tensors: &[TensorSpec]) -> [usize; 3] {
        let [_, rows, columns] = inputs[0];
        [tensors[self.weight].shape[0], rows, columns]
    }

    fn macs(&self, shape: [usize; 3], tensors: &[TensorSpec]) -> u64 {
        macs(&tensors[self.weight], shape)
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let kernel = operands.kernel.as_ref().expect("a convolution has one");
        convolve(&operands.inputs[0], kernel, |_| 0)
    }
}

/// Multiply-accumulates of a convolution by `weights` whose output has `shape`.
pub(super) fn macs(weights: &TensorSpec, [_, rows, columns]: [usize; 3]) -> u64 {
    let taps = weights.shape.map(|d| d as u64).iter().product::<u64>();
    taps.saturating_mul(rows as u64)
        .saturating_mul(columns as u64)
}

/// The convolution's arithmetic; output channel `c` reads input channels from `first(c)` on.
pub(super) fn convolve(
    input: &Operand<'_>,
    kernel: &Kernel<'_>,
    first: impl Fn(usize) -> usize,
) -> Vec<i16> {
    let [_, h, w] = input.shape;
    let [cout, cin, kh, kw] = kernel.shape;
    let mut out = Vec::with_capacity(cout * h * w);
    for co in 0..cout {
        let first = first(co);
        for y in 0..h {
            for x in 0..w {
                let mut sum = 0i64;
                for ci in 0..cin {
                    for i in 0..kh {
                        for j in 0..kw {
                            let sy = (y + i).wrapping_sub(kh / 2);
                            let sx = (x + j).wrapping_sub(kw / 2);
                            if sy < h && sx < w {
                                let weight = kernel.weights[((co * cin + ci) * kh + i) * kw + j];
                                let value = input.values[((first + ci) * h + sy) * w + sx];
                                sum += i64::from(weight) * i64::from(value);
                            }
                        }
                    }
                }
                out.push(kernel.requant.apply(sum, co));
            }
        }
    }
    out
}
