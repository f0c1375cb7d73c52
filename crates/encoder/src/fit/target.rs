//! Frames as the tensors that the network's heads are compared with, and the distortion.

use burn::tensor::Tensor;

use super::net::tensor;
use super::ops::{self, FastOps};
use super::quant::values;
use super::settings::Loss;
use nvc::error::Result;
use nvc::frame::{Chroma, Frame, VideoInfo};
use nvc::network::{Graph, NodeId, OutputRange};

/// One head of the network: the node and the planes that its channels are.
#[derive(Clone, Debug)]
pub struct Head {
    /// Node read.
    pub node: NodeId,
    /// Frame of the pass.
    pub frame: usize,
    /// Share of one frame in the distortion of a pass.
    pub share: f32,
    /// Whether its output 1 is the largest sample, see [`OutputRange`].
    pub full_range_output: bool,
    /// Planes, in channel order.
    pub planes: Vec<usize>,
    /// Width and height of the planes.
    pub size: (usize, usize),
}

/// Share of plane `p` in the distortion: luma counts 4 where each chroma plane counts 1, G, B and R
/// alike. Alpha counts half of what the others do together, as on white its error is theirs, and on
/// black it is none.
pub fn weight(chroma: Chroma, p: usize) -> f32 {
    match (chroma, p) {
        (Chroma::Gray, _) => 1.0,
        (Chroma::GrayAlpha, 1) | (Chroma::Rgba, 3) => 0.5,
        (Chroma::GrayAlpha, _) => 1.0,
        (Chroma::Rgb | Chroma::Rgba, _) => 1.0 / 3.0,
        (_, 0) => 4.0 / 6.0,
        _ => 1.0 / 6.0,
    }
}

/// The heads of a graph.
pub fn heads(graph: &Graph, info: &VideoInfo) -> Vec<Head> {
    let mut heads: Vec<Head> = Vec::new();
    let planes = info.format.chroma.planes();
    for (i, o) in graph.outputs.iter().enumerate() {
        let (frame, plane) = (i / planes, i % planes);
        match heads.last_mut() {
            Some(h) if h.node == o.node => h.planes.push(plane),
            _ => {
                let size = info.format.plane_size(plane, info.width, info.height);
                heads.push(Head {
                    node: o.node,
                    frame,
                    share: 1.0 / graph.frames as f32,
                    full_range_output: graph.output_range == OutputRange::Full,
                    planes: vec![plane],
                    size,
                });
            }
        }
    }
    heads
}

/// Samples that the network's output from -1 to 0 spans.
pub fn half_range(bit_depth: u8, full_range_output: bool) -> f64 {
    f64::from((1u32 << bit_depth) - u32::from(full_range_output)) / 2.0
}

/// A sample as the network's output: -1..1.
fn to_real(v: u16, bit_depth: u8, full_range_output: bool) -> f32 {
    (f64::from(v) / half_range(bit_depth, full_range_output) - 1.0) as f32
}

/// The planes of `frames` that `head` gives, `[batch, planes, rows, columns]` in -1..1.
pub fn target<B: FastOps>(
    head: &Head,
    frames: &[&Frame],
    info: &VideoInfo,
    device: &B::Device,
) -> Tensor<B, 4> {
    let (w, h) = head.size;
    let mut values = Vec::with_capacity(frames.len() * head.planes.len() * w * h);
    for f in frames {
        for &p in &head.planes {
            values.extend(
                f.planes[p]
                    .data
                    .iter()
                    .map(|&v| to_real(v, info.format.bit_depth, head.full_range_output)),
            );
        }
    }
    tensor(values, [frames.len(), head.planes.len(), h, w], device)
}

/// All planes of one frame at full resolution, padded to `rows` x `columns` by repeating the last
/// sample: what the embedding encoder sees.
pub fn encoder_input<B: FastOps>(
    frame: &Frame,
    info: &VideoInfo,
    rows: usize,
    columns: usize,
    device: &B::Device,
) -> Tensor<B, 4> {
    let mut values = Vec::with_capacity(frame.planes.len() * rows * columns);
    for p in &frame.planes {
        let shift = usize::from(p.width < info.width || p.height < info.height);
        for y in 0..rows {
            let row = p.row((y.min(info.height - 1) >> shift).min(p.height - 1));
            values.extend((0..columns).map(|x| {
                to_real(
                    row[(x.min(info.width - 1) >> shift).min(p.width - 1)],
                    info.format.bit_depth,
                    false,
                )
            }));
        }
    }
    tensor(values, [1, frame.planes.len(), rows, columns], device)
}

/// Weighted mean squared error of one head against its target, in units of the output's range
/// -1..1.
pub fn squared_error<B: FastOps>(
    head: &Head,
    output: Tensor<B, 4>,
    target: Tensor<B, 4>,
    chroma: Chroma,
) -> Tensor<B, 1> {
    let shares = shares(head, chroma);
    ops::squared_error(output, target, &shares)
}

/// Mean squared error of each plane of one head's output after rounding to samples, in squares of
/// samples: what a decoder of infinite precision would score.
pub fn plane_errors<B: FastOps>(
    head: &Head,
    output: Tensor<B, 4>,
    frame: &Frame,
    info: &VideoInfo,
) -> Result<Vec<(usize, f64)>> {
    let (w, h) = head.size;
    let values = values(crop(head, output))?;
    let half = half_range(info.format.bit_depth, head.full_range_output) as f32;
    let most = f32::from(info.format.max_value());
    let mean = |(&p, plane): (&usize, &[f32])| {
        let error = |(&v, &s): (&f32, &u16)| {
            f64::from((((v + 1.0) * half).round().clamp(0.0, most) - f32::from(s)).powi(2))
        };
        (
            p,
            plane
                .iter()
                .zip(&frame.planes[p].data)
                .map(error)
                .sum::<f64>()
                / (w * h) as f64,
        )
    };
    Ok(head
        .planes
        .iter()
        .zip(values.chunks_exact(w * h))
        .map(mean)
        .collect())
}

/// The distortion that is minimised.
pub fn distortion<B: FastOps>(
    loss: Loss,
    head: &Head,
    output: Tensor<B, 4>,
    target: Tensor<B, 4>,
    chroma: Chroma,
) -> Tensor<B, 1> {
    match loss {
        Loss::L2 => squared_error(head, output, target, chroma),
        Loss::Fusion6 => {
            let output = crop(head, output);
            let l1 = weighted(head, (output.clone() - target.clone()).abs(), chroma);
            let s = weighted(head, ssim(output, target), chroma);
            // frames are -1..1 here and 0..1 in the publication
            l1 * 0.35 + s.neg().add_scalar(1.0) * 0.3
        }
    }
}

/// Shares of a head's planes in the distortion of a pass.
fn shares(head: &Head, chroma: Chroma) -> Vec<f32> {
    head.planes
        .iter()
        .map(|&p| weight(chroma, p) * head.share)
        .collect()
}

fn crop<B: FastOps>(head: &Head, output: Tensor<B, 4>) -> Tensor<B, 4> {
    let [b, c, h, w] = output.dims();
    if (w, h) == head.size {
        output
    } else {
        output.slice([0..b, 0..c, 0..head.size.1, 0..head.size.0])
    }
}

/// Mean over each plane, weighted by the plane's share.
fn weighted<B: FastOps>(head: &Head, e: Tensor<B, 4>, chroma: Chroma) -> Tensor<B, 1> {
    let shares = shares(head, chroma);
    let total: f32 = shares.iter().sum();
    if shares.iter().all(|s| *s == shares[0]) {
        return e.mean() * total;
    }
    let n = shares.len();
    let mean = total / n as f32;
    let shares = tensor(
        shares.iter().map(|s| s / mean).collect(),
        [1, n, 1, 1],
        &e.device(),
    );
    (e * shares).mean() * total
}

/// Structural similarity of every 7x7 window (Wang et al. 2004, uniform window, zero padding).
fn ssim<B: FastOps>(a: Tensor<B, 4>, b: Tensor<B, 4>) -> Tensor<B, 4> {
    const K: usize = 7;
    let c = a.dims()[1];
    let kernel: Tensor<B, 4> = tensor(
        vec![1.0 / (K * K) as f32; c * K * K],
        [c, 1, K, K],
        &a.device(),
    );
    let blur = |x: Tensor<B, 4>| ops::conv_same_depthwise(x, kernel.clone());
    let (ma, mb) = (blur(a.clone()), blur(b.clone()));
    let (maa, mbb, mab) = (ma.clone() * ma.clone(), mb.clone() * mb.clone(), ma * mb);
    let (va, vb) = (
        blur(a.clone() * a.clone()) - maa.clone(),
        blur(b.clone() * b.clone()) - mbb.clone(),
    );
    let vab = blur(a * b) - mab.clone();
    // constants for a range of 2
    let (c1, c2) = ((0.01f64 * 2.0).powi(2), (0.03f64 * 2.0).powi(2));
    (mab.mul_scalar(2.0).add_scalar(c1) * vab.mul_scalar(2.0).add_scalar(c2))
        / ((maa + mbb).add_scalar(c1) * (va + vb).add_scalar(c2))
}
