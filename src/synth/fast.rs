//! The fused executor: convolution, requantisation, GELU and pixel shuffle in one pass over the rows.
//!
//! Activations lie in planes with a zero border as wide as the next convolution needs, so the inner loop has no edges.

use super::Level;
use super::math::{Requant, gelu_table, latent_shift, latent_value, sample};
use super::node_scales;
use super::simd::{self, BLOCK, COLUMNS, PairWeights};
use crate::entropy::tensor::{Network, Step};
use crate::error::Result;
use crate::frame::{Frame, VideoInfo};
use crate::network::Graph;

/// Geometry of one padded activation buffer.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    channels: usize,
    height: usize,
    width: usize,
    pad: usize,
    stride: usize,
}

impl Geometry {
    fn new([channels, height, width]: [usize; 3], pad: usize) -> Self {
        Geometry { channels, height, width, pad, stride: width.next_multiple_of(COLUMNS) + 2 * pad }
    }

    fn plane(&self) -> usize {
        (self.height + 2 * self.pad) * self.stride
    }

    /// The last window's loads may run over the end of the last row.
    fn len(&self) -> usize {
        self.channels * self.plane() + COLUMNS
    }

    /// Index of sample (0, 0) of a channel.
    fn origin(&self, channel: usize) -> usize {
        channel * self.plane() + self.pad * self.stride + self.pad
    }
}

/// How the sums of a layer are formed.
enum Taps {
    /// No sum can leave 32 bits: pairs of taps, one list for each block of output channels.
    Narrow(Vec<Vec<PairWeights>>),
    /// Otherwise 64 bits: offset of each tap, and weights `[out][tap]`.
    Wide(Vec<u32>, Vec<i16>),
}

struct Layer {
    input: usize,
    output: usize,
    channels: usize,
    taps: Taps,
    requant: Requant,
    /// GELU of every activation, if the layer ends in one.
    table: Option<Vec<i16>>,
    shuffle: usize,
}

/// A network ready for [`Fast::frame`].
pub struct Fast {
    level: Level,
    latent: (Step, u32),
    buffers: Vec<Geometry>,
    layers: Vec<Layer>,
    /// Buffer, channel and fraction bits of each plane.
    outputs: Vec<(usize, usize, u32)>,
}

/// Buffers of one worker.
pub struct Buffers {
    planes: Vec<Vec<i16>>,
    narrow: Vec<i32>,
    wide: Vec<i64>,
}

impl Fast {
    /// `None` if the graph does not split into [`Graph::chains`].
    pub fn new(graph: &Graph, net: &Network, level: Level) -> Result<Option<Self>> {
        let Some(chains) = graph.chains() else { return Ok(None) };
        let scales = node_scales(graph, net);
        let pad_of = |node: usize| {
            let kernels = chains.iter().filter(|c| c.input == node).map(|c| graph.tensors[c.weight].shape[2] / 2);
            kernels.max().unwrap_or(0)
        };
        let mut buffers = vec![Geometry::new(graph.latent_shape(), pad_of(0))];
        let mut buffer_of = vec![0; graph.nodes.len()];
        let mut layers = Vec::new();
        for c in &chains {
            buffer_of[c.end] = buffers.len();
            let input = buffer_of[c.input];
            layers.push(Layer {
                input,
                output: buffers.len(),
                channels: graph.nodes[c.conv].shape[0],
                taps: taps(&net.tensors[c.weight].values, graph.tensors[c.weight].shape, buffers[input]),
                requant: Requant::new(&net.tensors[c.weight], &net.tensors[c.bias], scales[c.input], scales[c.conv], c.conv)?,
                table: c.gelu.then(|| gelu_table(scales[c.conv], scales[c.end])),
                shuffle: c.factor,
            });
            buffers.push(Geometry::new(graph.nodes[c.end].shape, pad_of(c.end)));
        }
        let outputs = graph.outputs.iter().map(|o| (buffer_of[o.node], o.channel, scales[o.node])).collect();
        Ok(Some(Fast { level, latent: latent_shift(net)?, buffers, layers, outputs }))
    }

    /// Fresh buffers, borders zero.
    pub fn buffers(&self) -> Buffers {
        let row = self.buffers.iter().map(|g| g.width.next_multiple_of(COLUMNS)).max().unwrap_or(0);
        Buffers { planes: self.buffers.iter().map(|g| vec![0; g.len()]).collect(), narrow: vec![0; BLOCK * row], wide: vec![0; row] }
    }

    /// The picture of one latent.
    pub fn frame(&self, latent: &[i16], buffers: &mut Buffers, info: &VideoInfo) -> Frame {
        let g = self.buffers[0];
        for (c, plane) in latent.chunks_exact(g.height * g.width).enumerate() {
            for (y, row) in plane.chunks_exact(g.width).enumerate() {
                let out = &mut buffers.planes[0][g.origin(c) + y * g.stride..][..g.width];
                out.iter_mut().zip(row).for_each(|(o, &q)| *o = latent_value(q, self.latent.0, self.latent.1));
            }
        }
        for layer in &self.layers {
            self.run(layer, buffers);
        }
        let mut frame = Frame::new(info.format, info.width, info.height);
        for (plane, &(buffer, channel, f)) in frame.planes.iter_mut().zip(&self.outputs) {
            let g = self.buffers[buffer];
            for (y, row) in plane.data.chunks_exact_mut(plane.width).enumerate() {
                let src = &buffers.planes[buffer][g.origin(channel) + y * g.stride..];
                row.iter_mut().zip(src).for_each(|(o, &v)| *o = sample(v, f, info.format.bit_depth.into()));
            }
        }
        frame
    }

    fn run(&self, layer: &Layer, buffers: &mut Buffers) {
        let (from, to) = (self.buffers[layer.input], self.buffers[layer.output]);
        let (head, tail) = buffers.planes.split_at_mut(layer.output);
        let (input, output) = (&head[layer.input], &mut tail[0]);
        let width = from.width.next_multiple_of(COLUMNS);
        for y in 0..from.height {
            let window = &input[y * from.stride..];
            match &layer.taps {
                Taps::Narrow(blocks) => {
                    let acc = &mut buffers.narrow[..BLOCK * width];
                    for (b, pairs) in blocks.iter().enumerate() {
                        match self.level {
                            Level::Avx2 => simd::rows_avx2(window, pairs, acc, width),
                            _ => simd::rows_scalar(window, pairs, acc, width),
                        }
                        for (co, row) in (b * BLOCK..layer.channels).zip(acc.chunks_exact(width)) {
                            layer.finish_row(row[..from.width].iter().map(|&s| i64::from(s)), co, y, to, output);
                        }
                    }
                }
                Taps::Wide(offsets, weights) => {
                    for co in 0..layer.channels {
                        let acc = &mut buffers.wide[..from.width];
                        acc.fill(0);
                        for (&at, &w) in offsets.iter().zip(&weights[co * offsets.len()..]) {
                            acc.iter_mut().zip(&window[at as usize..]).for_each(|(s, &v)| *s += i64::from(w) * i64::from(v));
                        }
                        layer.finish_row(acc.iter().copied(), co, y, to, output);
                    }
                }
            }
        }
    }
}

impl Layer {
    /// Requantises the sums of output channel `co`, row `y`, and writes them where the pixel shuffle puts them.
    #[inline]
    fn finish_row(&self, sums: impl Iterator<Item = i64>, co: usize, y: usize, to: Geometry, output: &mut [i16]) {
        let r = self.shuffle;
        let (channel, dy, dx) = (co / (r * r), co / r % r, co % r);
        let at = to.origin(channel) + (y * r + dy) * to.stride + dx;
        let out = output[at..].iter_mut().step_by(r);
        match &self.table {
            Some(t) => out.zip(sums).for_each(|(o, s)| *o = t[usize::from(self.requant.apply(s, co) as u16)]),
            None => out.zip(sums).for_each(|(o, s)| *o = self.requant.apply(s, co)),
        }
    }
}

/// Packs the weights for the input's geometry; decides from them whether 32 bits suffice.
fn taps(weights: &[i16], [cout, cin, kh, kw]: [usize; 4], from: Geometry) -> Taps {
    let per_channel = cin * kh * kw;
    // the input's border may be wider than this kernel needs
    let inset = from.pad - kh / 2;
    let mut offsets = Vec::with_capacity(per_channel);
    for ci in 0..cin {
        for i in 0..kh {
            for j in 0..kw {
                offsets.push((ci * from.plane() + (i + inset) * from.stride + j + inset) as u32);
            }
        }
    }
    let largest = weights.chunks_exact(per_channel).map(|w| w.iter().map(|v| i64::from(v.unsigned_abs())).sum::<i64>()).max().unwrap_or(0);
    if largest * super::math::MAX_ACTIVATION > i64::from(i32::MAX) {
        return Taps::Wide(offsets, weights.to_vec());
    }
    let weight = |co: usize, tap: usize| if co < cout && tap < per_channel { weights[co * per_channel + tap] } else { 0 };
    let blocks = (0..cout.div_ceil(BLOCK)).map(|b| {
        let pair = |t: usize| PairWeights {
            offsets: [offsets[t], offsets[(t + 1).min(per_channel - 1)]],
            weights: std::array::from_fn(|k| [weight(b * BLOCK + k, t), weight(b * BLOCK + k, t + 1)]),
        };
        (0..per_channel).step_by(2).map(pair).collect()
    });
    Taps::Narrow(blocks.collect())
}
