//! Operations that stand alone between convolutions, in floating point.

use burn::tensor::{Tensor, TensorData};

use super::{FastOps, add, bilinear};
use nvc::network::Op;
use nvc::network::ops::frame_embedding;

/// What `op` makes of the nodes that it reads.
pub fn apply<B: FastOps>(op: Op, inputs: Vec<Tensor<B, 4>>) -> Tensor<B, 4> {
    let mut inputs = inputs.into_iter();
    let mut next = || inputs.next().expect("one for each node read");
    match op {
        Op::Add(_) => add(next(), next()),
        Op::Bilinear(b) => bilinear(next(), b.factor),
        Op::FrameEmbedding(e) => {
            let x = next();
            let channels = x.dims()[1];
            let unit = (-20f64).exp2();
            let code = (0..channels).map(|c| (frame_embedding(e.frame, c) as f64 * unit) as f32);
            let data = TensorData::new(code.collect(), [1, channels, 1, 1]);
            let code = Tensor::<B, 4>::from_data(data, &x.device());
            x.clone() + code.cast(x.dtype())
        }
        op => unreachable!("{op:?} does not stand alone"),
    }
}
