//! The specification's arithmetic, op by op, without haste. Every other executor is tested against
//! this one.

use super::math::{Requant, activate, bilinear, bilinear_at, frame_embedding, plus, sample, sum};
use super::{Source, node_frac_bits};
use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Result;
use crate::frame::{Frame, VideoInfo};
use crate::network::{Graph, Op, graph::OutputPlane};

/// A network ready for [`Reference::frames`].
pub struct Reference {
    graph: Graph,
    net: QuantizedNetwork,
    frac_bits: Vec<u32>,
    requant: Vec<Option<Requant>>,
}

impl Reference {
    /// Checks that steps and fraction bits agree.
    pub fn new(graph: &Graph, net: &QuantizedNetwork) -> Result<Self> {
        let frac_bits = node_frac_bits(graph, net);
        let requant = graph
            .nodes
            .iter()
            .enumerate()
            .map(|(i, n)| match n.op {
                Op::Conv2d {
                    input,
                    weight,
                    bias,
                }
                | Op::Depthwise {
                    input,
                    weight,
                    bias,
                } => Requant::new(
                    &net.tensors[weight],
                    &net.tensors[bias],
                    frac_bits[input],
                    frac_bits[i],
                    i,
                )
                .map(Some),
                _ => Ok(None),
            })
            .collect::<Result<_>>()?;
        Ok(Reference {
            graph: graph.clone(),
            net: net.clone(),
            frac_bits,
            requant,
        })
    }

    /// Activations of every node, from those of the source.
    pub fn nodes(&self, source: &Source) -> Vec<Vec<i16>> {
        let mut values: Vec<Vec<i16>> = Vec::new();
        for (i, n) in self.graph.nodes.iter().enumerate() {
            let f = self.frac_bits[i];
            let out = match n.op {
                Op::Latent | Op::PositionalEncoding { .. } | Op::Grid => source.0.clone(),
                Op::Conv2d { input, weight, .. } | Op::Depthwise { input, weight, .. } => {
                    let requant = self.requant[i].as_ref().expect("every convolution has one");
                    let (weights, shape) = (
                        &self.net.tensors[weight].values,
                        self.graph.tensors[weight].shape,
                    );
                    let depthwise = matches!(n.op, Op::Depthwise { .. });
                    conv2d(&values[input], weights, shape, n.shape, depthwise, requant)
                }
                Op::PixelShuffle { input, factor } => {
                    pixel_shuffle(&values[input], n.shape, factor)
                }
                Op::Reshape { input } => values[input].clone(),
                Op::Activation { input, activation } => values[input]
                    .iter()
                    .map(|&v| activate(activation, v, self.frac_bits[input], f))
                    .collect(),
                Op::Add { inputs: [a, b] } => {
                    let pairs = values[a].iter().zip(&values[b]);
                    pairs
                        .map(|(&x, &y)| sum([x, y], [self.frac_bits[a], self.frac_bits[b]], f))
                        .collect()
                }
                Op::Bilinear { input, factor } => upsample(&values[input], n.shape, factor),
                Op::FrameEmbedding { input, frame } => {
                    let channels = values[input]
                        .chunks_exact(n.shape[1] * n.shape[2])
                        .enumerate();
                    channels
                        .flat_map(|(c, v)| {
                            v.iter().map(move |&v| {
                                plus(v, self.frac_bits[input], frame_embedding(frame, c), f)
                            })
                        })
                        .collect()
                }
            };
            values.push(out);
        }
        values
    }

    /// The pictures of one pass.
    pub fn frames(&self, source: &Source, info: &VideoInfo) -> Vec<Frame> {
        let values = self.nodes(source);
        let picture = |outputs: &[OutputPlane]| {
            let mut frame = Frame::new(info.format, info.width, info.height);
            for (plane, out) in frame.planes.iter_mut().zip(outputs) {
                let [_, h, w] = self.graph.nodes[out.node].shape;
                let src = &values[out.node][out.channel * h * w..];
                let (f, depth) = (self.frac_bits[out.node], info.format.bit_depth.into());
                for y in 0..plane.height {
                    for x in 0..plane.width {
                        plane.data[y * plane.width + x] =
                            sample(src[y * w + x], f, depth, self.graph.full_range_output);
                    }
                }
            }
            frame
        };
        self.graph
            .outputs
            .chunks_exact(info.format.chroma.planes())
            .map(picture)
            .collect()
    }
}

fn conv2d(
    input: &[i16],
    weights: &[i16],
    [_, cin, kh, kw]: [usize; 4],
    [cout, h, w]: [usize; 3],
    depthwise: bool,
    requant: &Requant,
) -> Vec<i16> {
    let mut out = Vec::with_capacity(cout * h * w);
    for co in 0..cout {
        let first = if depthwise { co } else { 0 };
        for y in 0..h {
            for x in 0..w {
                let mut acc = 0i64;
                for ci in 0..cin {
                    for i in 0..kh {
                        for j in 0..kw {
                            let (sy, sx) =
                                ((y + i).wrapping_sub(kh / 2), (x + j).wrapping_sub(kw / 2));
                            if sy < h && sx < w {
                                let weight = weights[((co * cin + ci) * kh + i) * kw + j];
                                acc += i64::from(weight)
                                    * i64::from(input[((first + ci) * h + sy) * w + sx]);
                            }
                        }
                    }
                }
                out.push(requant.apply(acc, co));
            }
        }
    }
    out
}

fn upsample(input: &[i16], [c, h, w]: [usize; 3], factor: usize) -> Vec<i16> {
    let (ih, iw) = (h / factor, w / factor);
    let mut out = Vec::with_capacity(c * h * w);
    for ch in input.chunks_exact(ih * iw).take(c) {
        for y in 0..h {
            let (rows, sy) = bilinear_at(y, factor, ih);
            for x in 0..w {
                let (columns, sx) = bilinear_at(x, factor, iw);
                let at = |i: usize, j: usize| ch[rows[i] * iw + columns[j]];
                out.push(bilinear(
                    [at(0, 0), at(0, 1), at(1, 0), at(1, 1)],
                    [sy, sx],
                    factor,
                ));
            }
        }
    }
    out
}

fn pixel_shuffle(input: &[i16], [c, h, w]: [usize; 3], r: usize) -> Vec<i16> {
    let (ih, iw) = (h / r, w / r);
    let mut out = vec![0; c * h * w];
    for ch in 0..c {
        for y in 0..h {
            for x in 0..w {
                let from = ch * r * r + (y % r) * r + x % r;
                out[(ch * h + y) * w + x] = input[(from * ih + y / r) * iw + x / r];
            }
        }
    }
    out
}
