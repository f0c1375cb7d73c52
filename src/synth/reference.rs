//! The specification's arithmetic, op by op, without haste. Every other executor is tested against
//! this one.

use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Fault;
use crate::frame::{Frame, VideoInfo};
use crate::network::ops::integer::sample;
use crate::network::ops::{Kernel, Op, Operand, Operands, Requant};
use crate::network::{Graph, Node, OutputPlane, TensorId};

/// A convolution's tensors and what they make of its sums.
struct Weights {
    weight: TensorId,
    requant: Requant,
}

/// A network ready for [`Reference::frames`].
pub struct Reference {
    graph: Graph,
    net: QuantizedNetwork,
    frac_bits: Vec<u32>,
    weights: Vec<Option<Weights>>,
}

impl Reference {
    /// Checks that steps and fraction bits agree.
    pub fn new(graph: &Graph, net: &QuantizedNetwork) -> Result<Self, Fault> {
        let frac_bits = graph.frac_bits(&net.frac_bits);
        let weights = |(i, n): (usize, &Node)| {
            let (input, weight, bias) = match n.op {
                Op::Conv2d(c) => (c.input, c.weight, Some(c.bias)),
                Op::Depthwise(c) => (c.input, c.weight, Some(c.bias)),
                Op::EdgeConv(c) => (c.input, c.weight, c.bias),
                Op::Upsample(u) => (u.input, u.taps, None),
                _ => return Ok(None),
            };
            let step = net.tensors[weight].step;
            let none = vec![0; graph.tensors[weight].shape[0]];
            let bias = match bias {
                Some(b) => (&net.tensors[b].values[..], net.tensors[b].step),
                None => (&none[..], step),
            };
            let requant = Requant::new(step, bias, frac_bits[input], frac_bits[i], i)?;
            Ok(Some(Weights { weight, requant }))
        };
        let weights = graph.nodes.iter().enumerate().map(weights);
        Ok(Reference {
            weights: weights.collect::<Result<_, Fault>>()?,
            graph: graph.clone(),
            net: net.clone(),
            frac_bits,
        })
    }

    /// Activations of every node, from those of the source.
    pub fn nodes(&self, source: &[i16]) -> Vec<Vec<i16>> {
        let mut values = vec![source.to_vec()];
        for (i, n) in self.graph.nodes.iter().enumerate().skip(1) {
            let operand = |&i: &usize| Operand {
                values: &values[i],
                shape: self.graph.nodes[i].shape,
                frac_bits: self.frac_bits[i],
            };
            let inputs: Vec<Operand<'_>> = n.op.inputs().iter().map(operand).collect();
            let kernel = self.weights[i].as_ref().map(|w| Kernel {
                weights: &self.net.tensors[w.weight].values,
                shape: self.graph.tensors[w.weight].shape,
                requant: &w.requant,
            });
            values.push(n.op.evaluate(&Operands {
                inputs: &inputs,
                kernel,
                shape: n.shape,
                frac_bits: self.frac_bits[i],
            }));
        }
        values
    }

    /// The pictures of one pass.
    pub fn frames(&self, source: &[i16], info: &VideoInfo) -> Vec<Frame> {
        let values = self.nodes(source);
        let range = self.graph.output_range;
        let picture = |outputs: &[OutputPlane]| {
            let mut frame = Frame::new(info.format, info.width, info.height);
            for (plane, out) in frame.planes.iter_mut().zip(outputs) {
                let [_, h, w] = self.graph.nodes[out.node].shape;
                let src = &values[out.node][out.channel * h * w..];
                let (f, depth) = (self.frac_bits[out.node], info.format.bit_depth.into());
                for y in 0..plane.height {
                    for x in 0..plane.width {
                        plane.data[y * plane.width + x] = sample(src[y * w + x], f, depth, range);
                    }
                }
            }
            frame
        };
        let pictures = self.graph.outputs.chunks_exact(info.format.chroma.planes());
        pictures.map(picture).collect()
    }
}
