//! Convolution that sees its edges repeated (spec section 5.14).

use super::conv2d::macs;
use super::operation::{FracBits, Operands, Operation};
use crate::network::tensor_spec::{NodeId, TensorId, TensorSpec};

/// Stride-1 convolution to the same size; beyond its edges the input repeats them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeConv {
    /// Node read.
    pub input: NodeId,
    /// Tensor of shape `[out, in, kernel, kernel]`.
    pub weight: TensorId,
    /// Tensor of shape `[out, 1, 1, 1]`, if there is a bias.
    pub bias: Option<TensorId>,
    /// Fraction bits of the output; coded if none are given.
    pub fraction: Option<u8>,
}

impl Operation for EdgeConv {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], tensors: &[TensorSpec]) -> [usize; 3] {
        let [_, rows, columns] = inputs[0];
        [tensors[self.weight].shape[0], rows, columns]
    }

    fn frac_bits(&self) -> FracBits {
        self.fraction.map_or(FracBits::Coded, FracBits::Fixed)
    }

    fn macs(&self, shape: [usize; 3], tensors: &[TensorSpec]) -> u64 {
        macs(&tensors[self.weight], shape)
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let kernel = operands.kernel.as_ref().expect("a convolution has one");
        let input = &operands.inputs[0];
        let [_, h, w] = input.shape;
        let [cout, cin, kh, kw] = kernel.shape;
        let inside =
            |o: usize, tap: usize, k: usize, n: usize| (o + tap).saturating_sub(k / 2).min(n - 1);
        let mut out = Vec::with_capacity(cout * h * w);
        for co in 0..cout {
            for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                let mut sum = 0;
                let mut weights = kernel.weights[co * cin * kh * kw..].iter();
                for plane in input.values.chunks_exact(h * w).take(cin) {
                    for i in 0..kh {
                        let row = &plane[inside(y, i, kh, h) * w..][..w];
                        for (j, weight) in (0..kw).zip(&mut weights) {
                            sum += i64::from(*weight) * i64::from(row[inside(x, j, kw, w)]);
                        }
                    }
                }
                out.push(kernel.requant.apply(sum, co));
            }
        }
        out
    }
}
