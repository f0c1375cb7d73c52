//! The depth-first executor: rows run through all layers as soon as the rows they need are there.
//!
//! [`schedule`](super::schedule) says in which order, [`ring`](super::ring) holds the rows, [`kernel`](super::kernel) computes one.

use rayon::prelude::*;

use super::finish::Finish;
use super::kernel::{self, Rows};
use super::layer::{self, Layer, Paired};
use super::level::Level;
use super::math::{Requant, gelu_table, latent_shift, latent_value, sample};
use super::node_scales;
use super::paired;
use super::ring::{Geometry, Ring};
use super::schedule::{Flow, Flows, Schedule, Step as Do};
use crate::entropy::tensor::{Network, Step};
use crate::error::Result;
use crate::frame::{Frame, Plane, VideoInfo};
use crate::network::Graph;

/// Where a plane comes from.
#[derive(Clone, Copy, Debug)]
struct Output {
    buffer: usize,
    channel: usize,
    /// Fraction bits.
    fraction: u32,
}

/// A network ready for [`Fast::frame`].
pub struct Fast {
    level: Level,
    info: VideoInfo,
    latent: (Step, u32),
    buffers: Vec<Geometry>,
    layers: Vec<Layer>,
    outputs: Vec<Output>,
}

/// What one worker needs for a strip of a picture.
struct Strip {
    schedule: Schedule,
    rings: Vec<Ring>,
}

/// Buffers for one picture at a time, for each of the strips that are computed at once.
pub struct Strips(Vec<Strip>);

impl Fast {
    /// `None` if the graph does not split into [`Graph::chains`].
    pub fn new(graph: &Graph, net: &Network, info: &VideoInfo, level: Level) -> Result<Option<Self>> {
        let Some(chains) = graph.chains() else { return Ok(None) };
        let scales = node_scales(graph, net);
        let geometry = |node: usize| {
            let kernels = chains.iter().filter(|c| c.input == node).map(|c| graph.tensors[c.weight].shape[2]);
            let [channels, height, width] = graph.nodes[node].shape;
            Geometry { channels, height, width, pad: kernels.max().unwrap_or(1) / 2 }
        };
        let mut buffers = vec![geometry(0)];
        let mut buffer_of = vec![0; graph.nodes.len()];
        let mut layers = Vec::new();
        for c in &chains {
            let (weights, shape) = (&net.tensors[c.weight], graph.tensors[c.weight].shape);
            let (input, to) = (buffer_of[c.input], geometry(c.end));
            let requant = Requant::new(weights, &net.tensors[c.bias], scales[c.input], scales[c.conv], c.conv)?;
            let slots = layer::slots(c.factor, &to);
            let block = layer::block(slots.len());
            let bias = slots.iter().flat_map(|s| layer::channels(s, c.factor, &to)).map(|c| c.map_or(0, |c| requant.bias[c])).collect();
            let narrow = layer::is_narrow(&weights.values, shape[1] * shape[2] * shape[3]);
            let pair = |(values, rows): (Vec<i16>, [usize; 4])| Paired {
                weights: layer::pack(&values, rows, &slots, c.factor, &to, block),
                rows: rows[2],
                sources: paired::sources(shape[2]),
            };
            layers.push(Layer {
                input,
                kernel: shape[2],
                factor: c.factor,
                from: buffers[input],
                to,
                block,
                weights: layer::pack(&weights.values, shape, &slots, c.factor, &to, block),
                paired: (narrow && shape[2] > 1).then(|| paired::weights(&weights.values, shape)).flatten().map(pair),
                narrow,
                finish: Finish::new(Requant { bias, ..requant }, c.gelu.then(|| gelu_table(scales[c.conv], scales[c.end]))),
                slots,
            });
            buffer_of[c.end] = buffers.len();
            buffers.push(to);
        }
        let output = |o: &crate::network::OutputPlane| Output { buffer: buffer_of[o.node], channel: o.channel, fraction: scales[o.node] };
        let outputs = graph.outputs.iter().map(output).collect();
        Ok(Some(Fast { level: level.or_below(), info: *info, latent: latent_shift(net)?, buffers, layers, outputs }))
    }

    /// Buffers for pictures computed in `count` strips at once.
    pub fn strips(&self, count: usize) -> Strips {
        let layers: Vec<Flow> = self
            .layers
            .iter()
            .map(|l| Flow { input: l.input, reach: l.kernel / 2, factor: l.factor, step: 1 + usize::from(l.paired.is_some()) })
            .collect();
        let heights: Vec<usize> = self.buffers.iter().map(|g| g.height).collect();
        let height = |p: usize| self.info.format.plane_size(p, self.info.width, self.info.height).1;
        let planes: Vec<(usize, usize)> = self.outputs.iter().enumerate().map(|(p, o)| (o.buffer, height(p))).collect();
        let flows = Flows { layers: &layers, heights: &heights, planes: &planes };
        let strip = |i: usize| {
            let schedule = flows.schedule(i, count);
            let differences =
                |b: usize| self.layers.iter().filter(|l| l.input == b && l.paired.is_some()).map(|l| l.kernel - 1).max().unwrap_or(0);
            let ring = |(b, &g)| Ring::new(g, schedule.rows[b], differences(b));
            let rings = self.buffers.iter().enumerate().map(ring).collect();
            Strip { schedule, rings }
        };
        Strips((0..count).map(strip).collect())
    }

    /// The picture of one latent, its strips in parallel.
    pub fn frame(&self, latent: &[i16], strips: &mut Strips) -> Frame {
        let mut frame = Frame::new(self.info.format, self.info.width, self.info.height);
        // the rows of each plane that each strip gives
        let mut rest: Vec<&mut [u16]> = frame.planes.iter_mut().map(|p: &mut Plane| &mut p.data[..]).collect();
        let mut jobs: Vec<(&mut Strip, Vec<&mut [u16]>)> = Vec::new();
        for strip in &mut strips.0 {
            let mut rows = Vec::new();
            for (p, (plane, range)) in rest.iter_mut().zip(&strip.schedule.planes).enumerate() {
                let width = self.info.format.plane_size(p, self.info.width, self.info.height).0;
                let (mine, others) = std::mem::take(plane).split_at_mut(range.len() * width);
                rows.push(mine);
                *plane = others;
            }
            jobs.push((strip, rows));
        }
        match &mut jobs[..] {
            [(strip, planes)] => self.strip(latent, strip, planes),
            jobs => jobs.par_iter_mut().for_each(|(strip, planes)| self.strip(latent, strip, planes)),
        }
        frame
    }

    fn strip(&self, latent: &[i16], strip: &mut Strip, planes: &mut [&mut [u16]]) {
        let Strip { schedule, rings } = strip;
        self.dequantise(latent, &mut rings[0]);
        for step in &schedule.steps {
            match *step {
                Do::Rows { layer, y, count } => self.rows(layer, y, count, rings),
                Do::Emit { plane, y } => {
                    let o = self.outputs[plane];
                    let depth = u32::from(self.info.format.bit_depth);
                    let width = self.info.format.plane_size(plane, self.info.width, self.info.height).0;
                    let row = &mut planes[plane][(y - schedule.planes[plane].start) * width..][..width];
                    let from = rings[o.buffer].channel(y, o.channel);
                    row.iter_mut().zip(from).for_each(|(out, v)| *out = sample(v[o.channel % 2], o.fraction, depth));
                }
            }
        }
    }

    fn dequantise(&self, latent: &[i16], ring: &mut Ring) {
        let g = ring.geometry;
        for (c, plane) in latent.chunks_exact(g.height * g.width).enumerate() {
            for (y, row) in plane.chunks_exact(g.width).enumerate() {
                let at = ring.at(y) + c / 2 * g.stride() + g.pad;
                ring.lanes[at..][..g.width]
                    .iter_mut()
                    .zip(row)
                    .for_each(|(o, &q)| o[c % 2] = latent_value(q, self.latent.0, self.latent.1));
            }
        }
    }

    fn rows(&self, layer: usize, y: usize, count: usize, rings: &mut [Ring]) {
        let layer_ = &self.layers[layer];
        let (head, tail) = rings.split_at_mut(layer + 1);
        let (input, output) = (&mut head[layer_.input], &mut tail[0]);
        let top = y as isize - (layer_.kernel / 2) as isize;
        kernel::run(self.level, Rows { layer: layer_, input, top, output, y, count });
    }
}
