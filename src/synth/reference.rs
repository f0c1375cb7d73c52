//! The specification's arithmetic, op by op, without haste. Every other executor is tested against this one.

use super::math::{Requant, gelu, latent_shift, latent_value, sample};
use super::node_scales;
use crate::entropy::tensor::{Network, Step};
use crate::error::Result;
use crate::frame::{Frame, VideoInfo};
use crate::network::{Graph, Op};

/// A network ready for [`Reference::frame`].
pub struct Reference {
    graph: Graph,
    net: Network,
    scales: Vec<u32>,
    latent: (Step, u32),
    requant: Vec<Option<Requant>>,
}

impl Reference {
    /// Checks that steps and scales agree.
    pub fn new(graph: &Graph, net: &Network) -> Result<Self> {
        let scales = node_scales(graph, net);
        let requant = graph
            .nodes
            .iter()
            .enumerate()
            .map(|(i, n)| match n.op {
                Op::Conv2d { input, weight, bias } => {
                    Requant::new(&net.tensors[weight], &net.tensors[bias], scales[input], scales[i], i).map(Some)
                }
                _ => Ok(None),
            })
            .collect::<Result<_>>()?;
        Ok(Reference { graph: graph.clone(), net: net.clone(), latent: latent_shift(net)?, scales, requant })
    }

    /// Activations of every node for one latent.
    pub fn nodes(&self, latent: &[i16]) -> Vec<Vec<i16>> {
        let mut values: Vec<Vec<i16>> = Vec::new();
        for (i, n) in self.graph.nodes.iter().enumerate() {
            let [_, h, w] = n.shape;
            let out = match n.op {
                Op::Latent => latent.iter().map(|&q| latent_value(q, self.latent.0, self.latent.1)).collect(),
                Op::Conv2d { input, weight, .. } => {
                    let shape = self.graph.tensors[weight].shape;
                    let requant = self.requant[i].as_ref().expect("every convolution has one");
                    conv2d(&values[input], &self.net.tensors[weight].values, shape, h, w, requant)
                }
                Op::PixelShuffle { input, factor } => pixel_shuffle(&values[input], n.shape, factor),
                Op::Gelu { input } => values[input].iter().map(|&v| gelu(v, self.scales[input], self.scales[i])).collect(),
            };
            values.push(out);
        }
        values
    }

    /// The picture of one latent.
    pub fn frame(&self, latent: &[i16], info: &VideoInfo) -> Frame {
        let values = self.nodes(latent);
        let mut frame = Frame::new(info.format, info.width, info.height);
        for (plane, out) in frame.planes.iter_mut().zip(&self.graph.outputs) {
            let [_, h, w] = self.graph.nodes[out.node].shape;
            let src = &values[out.node][out.channel * h * w..];
            for y in 0..plane.height {
                for x in 0..plane.width {
                    plane.data[y * plane.width + x] = sample(src[y * w + x], self.scales[out.node], info.format.bit_depth.into());
                }
            }
        }
        frame
    }
}

fn conv2d(input: &[i16], weights: &[i16], [cout, cin, kh, kw]: [usize; 4], h: usize, w: usize, requant: &Requant) -> Vec<i16> {
    let mut out = Vec::with_capacity(cout * h * w);
    for co in 0..cout {
        for y in 0..h {
            for x in 0..w {
                let mut acc = 0i64;
                for ci in 0..cin {
                    for i in 0..kh {
                        for j in 0..kw {
                            let (sy, sx) = ((y + i).wrapping_sub(kh / 2), (x + j).wrapping_sub(kw / 2));
                            if sy < h && sx < w {
                                let weight = weights[((co * cin + ci) * kh + i) * kw + j];
                                acc += i64::from(weight) * i64::from(input[(ci * h + sy) * w + sx]);
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
