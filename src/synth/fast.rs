//! The depth-first executor: rows run through all layers as soon as the rows they need are there.
//!
//! [`schedule`](super::schedule) says in which order, [`ring`](super::ring) holds the rows, [`kernel`](super::kernel) computes one.

use rayon::prelude::*;

use super::finish::Finish;
use super::kernel::{self, Rows};
use super::layer::{self, Layer, Paired};
use super::level::Level;
use super::math::{MAX_ACTIVATION, Requant, curve_table, sample};
use super::paired;
use super::ring::{Geometry, Ring};
use super::schedule::{Flow, Flows, Schedule, Step as Do};
use super::{Source, node_scales};
use crate::entropy::tensor::Network;
use crate::error::Result;
use crate::frame::{Frame, Plane, VideoInfo};
use crate::network::{Graph, Step};

/// Where a plane comes from.
#[derive(Clone, Copy, Debug)]
struct Output {
    buffer: usize,
    channel: usize,
    /// Fraction bits.
    fraction: u32,
}

/// A network ready for [`Fast::frames`].
pub struct Fast {
    level: Level,
    info: VideoInfo,
    closed: bool,
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
    /// `None` if the graph does not split into [`Graph::steps`].
    pub fn new(graph: &Graph, net: &Network, info: &VideoInfo, level: Level) -> Result<Option<Self>> {
        let Some(steps) = graph.steps() else { return Ok(None) };
        let mut chains = Vec::new();
        for s in steps {
            match s {
                Step::Chain(c) if !c.depthwise && c.unflatten.is_none() => chains.push(c),
                _ => return Ok(None),
            }
        }
        let scales = node_scales(graph, net);
        let geometry = |node: usize| {
            let kernels = chains.iter().filter(|c| c.input == node).map(|c| graph.tensors[c.weight].shape[2]);
            let [channels, height, width] = graph.nodes[node].shape;
            Geometry { channels, height, width, pad: kernels.max().unwrap_or(1) / 2 }
        };
        let mut buffers = vec![geometry(0)];
        let mut buffer_of = vec![0; graph.nodes.len()];
        // how far below 0 the activations of each buffer go
        let mut lowest = vec![MAX_ACTIVATION];
        let mut layers = Vec::new();
        for c in &chains {
            let (weights, shape) = (&net.tensors[c.weight], graph.tensors[c.weight].shape);
            let (input, to) = (buffer_of[c.input], geometry(c.end));
            let requant = Requant::new(weights, &net.tensors[c.bias], scales[c.input], scales[c.conv], c.conv)?;
            let slots = layer::slots(c.factor, &to);
            let block = layer::block(slots.len());
            let bias = slots.iter().flat_map(|s| layer::channels(s, c.factor, &to)).map(|c| c.map_or(0, |c| requant.bias[c])).collect();
            let narrow = layer::is_narrow(&weights.values, shape[1] * shape[2] * shape[3], lowest[input]);
            let curve = c.curve.map(|k| curve_table(k, scales[c.conv], scales[c.end]));
            lowest.push(curve.as_ref().and_then(|t| t.iter().min()).map_or(MAX_ACTIVATION, |&v| -i64::from(v)));
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
                finish: Finish::new(Requant { bias, ..requant }, curve),
                slots,
            });
            buffer_of[c.end] = buffers.len();
            buffers.push(to);
        }
        let output = |o: &crate::network::OutputPlane| Output { buffer: buffer_of[o.node], channel: o.channel, fraction: scales[o.node] };
        let outputs = graph.outputs.iter().map(output).collect();
        Ok(Some(Fast { level: level.or_below(), info: *info, closed: graph.closed, buffers, layers, outputs }))
    }

    /// Buffers for pictures computed in `count` strips at once.
    pub fn strips(&self, count: usize) -> Strips {
        let layers: Vec<Flow> = self
            .layers
            .iter()
            .map(|l| Flow { input: l.input, reach: l.kernel / 2, factor: l.factor, step: 1 + usize::from(l.paired.is_some()) })
            .collect();
        let heights: Vec<usize> = self.buffers.iter().map(|g| g.height).collect();
        let height = |p: usize| self.info.format.plane_size(p % self.info.format.chroma.planes(), self.info.width, self.info.height).1;
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

    /// The pictures of one pass, their strips in parallel.
    pub fn frames(&self, source: &Source, strips: &mut Strips) -> Vec<Frame> {
        let per_picture = self.info.format.chroma.planes();
        let count = self.outputs.len() / per_picture;
        let mut frames: Vec<Frame> = (0..count).map(|_| Frame::new(self.info.format, self.info.width, self.info.height)).collect();
        // the rows of each plane that each strip gives
        let mut rest: Vec<&mut [u16]> = frames.iter_mut().flat_map(|f| &mut f.planes).map(|p: &mut Plane| &mut p.data[..]).collect();
        let mut jobs: Vec<(&mut Strip, Vec<&mut [u16]>)> = Vec::new();
        for strip in &mut strips.0 {
            let mut rows = Vec::new();
            for (p, (plane, range)) in rest.iter_mut().zip(&strip.schedule.planes).enumerate() {
                let width = self.info.format.plane_size(p % per_picture, self.info.width, self.info.height).0;
                let (mine, others) = std::mem::take(plane).split_at_mut(range.len() * width);
                rows.push(mine);
                *plane = others;
            }
            jobs.push((strip, rows));
        }
        match &mut jobs[..] {
            [(strip, planes)] => self.strip(source, strip, planes),
            jobs => jobs.par_iter_mut().for_each(|(strip, planes)| self.strip(source, strip, planes)),
        }
        frames
    }

    fn strip(&self, source: &Source, strip: &mut Strip, planes: &mut [&mut [u16]]) {
        let Strip { schedule, rings } = strip;
        fill(source, &mut rings[0]);
        for step in &schedule.steps {
            match *step {
                Do::Rows { layer, y, count } => self.rows(layer, y, count, rings),
                Do::Emit { plane, y } => {
                    let o = self.outputs[plane];
                    let depth = u32::from(self.info.format.bit_depth);
                    let width = self.info.format.plane_size(plane % self.info.format.chroma.planes(), self.info.width, self.info.height).0;
                    let row = &mut planes[plane][(y - schedule.planes[plane].start) * width..][..width];
                    let from = rings[o.buffer].channel(y, o.channel);
                    row.iter_mut().zip(from).for_each(|(out, v)| *out = sample(v[o.channel % 2], o.fraction, depth, self.closed));
                }
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

fn fill(source: &Source, ring: &mut Ring) {
    let g = ring.geometry;
    for (c, plane) in source.0.chunks_exact(g.height * g.width).enumerate() {
        for (y, row) in plane.chunks_exact(g.width).enumerate() {
            let at = ring.at(y) + c / 2 * g.stride() + g.pad;
            ring.lanes[at..][..g.width].iter_mut().zip(row).for_each(|(o, &v)| o[c % 2] = v);
        }
    }
}
