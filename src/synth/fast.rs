//! The depth-first executor: rows run through all layers as soon as the rows they need are there.
//!
//! `schedule` says in which order, `ring` holds the rows, `kernel` computes those of a convolution
//! and `elementwise` the others. What has a single position is computed before (`stem`).

use rayon::prelude::*;

use super::elementwise::{Elementwise, Scratch};
use super::kernel;
use super::layer::Layer;
use super::level::SimdLevel;
use super::requantize::Tables;
use super::ring::{Geometry, Ring};
use super::schedule::{Flow, Flows, RowTask, Schedule};
use super::stem::PointwiseStem;
use super::tile::Rows;
use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Fault;
use crate::frame::{Frame, Plane, VideoInfo};
use crate::network::NodeId;
use crate::network::ops::integer::{OutputRange, sample};
use crate::network::{FusedOp, Graph};

/// Where a plane comes from.
#[derive(Clone, Copy, Debug)]
struct Output {
    buffer: usize,
    channel: usize,
    /// Fraction bits.
    fraction: u32,
}

/// What gives one buffer its rows.
// one a fused operation: their size does not matter, a further indirection would
#[allow(clippy::large_enum_variant)]
enum Work {
    Convolution(Box<Layer>),
    Elementwise(Elementwise),
}

impl Work {
    fn flow(&self) -> Flow {
        match self {
            Work::Convolution(l) => Flow {
                inputs: [l.input; 2],
                reach: l.kernel / 2,
                factor: l.factor,
                step: 1 + usize::from(l.row_pair.is_some()),
            },
            Work::Elementwise(p) => Flow {
                inputs: p.inputs,
                reach: p.reach(),
                factor: p.factor(),
                step: 1,
            },
        }
    }
}

/// A network ready for [`Fast::frames`].
pub struct Fast {
    level: SimdLevel,
    info: VideoInfo,
    output_range: OutputRange,
    stem: PointwiseStem,
    /// The stem's values that fill the first buffers; each layer writes one of the others.
    sources: Vec<usize>,
    buffers: Vec<Geometry>,
    layers: Vec<Work>,
    outputs: Vec<Output>,
}

/// What one worker needs for a strip of a picture.
struct Strip {
    schedule: Schedule,
    rings: Vec<Ring>,
    scratch: Scratch,
}

/// Buffers for one picture at a time, for each of the strips that are computed at once.
pub struct Strips(Vec<Strip>);

impl Fast {
    /// `None` if the graph does not split into [`Graph::fused_ops`].
    pub fn new(
        graph: &Graph,
        net: &QuantizedNetwork,
        info: &VideoInfo,
        level: SimdLevel,
    ) -> Result<Option<Self>, Fault> {
        let Some(ops) = graph.fused_ops() else {
            return Ok(None);
        };
        let frac_bits = graph.frac_bits(&net.frac_bits);
        let (before, rows): (Vec<FusedOp>, Vec<FusedOp>) = ops
            .into_iter()
            .partition(|s| PointwiseStem::takes(graph, s.inputs(graph)));
        let mut stem = PointwiseStem::default();
        for op in &before {
            match op {
                FusedOp::Conv(c) => stem.push(c, graph, net, &frac_bits)?,
                FusedOp::Node(n) => stem.push_node(*n, graph, &frac_bits),
            }
        }
        let geometry = |node: NodeId| {
            let kernels = rows.iter().filter_map(|s| match s {
                FusedOp::Conv(c) if c.input == node => Some(graph.tensors[c.weight].shape[2]),
                _ => None,
            });
            let [channels, height, width] = graph.nodes[node].shape;
            Geometry {
                channels,
                height,
                width,
                pad: kernels.max().unwrap_or(1) / 2,
            }
        };
        let (mut sources, mut buffers, mut buffer_of) =
            (Vec::new(), Vec::new(), vec![usize::MAX; graph.nodes.len()]);
        for node in rows
            .iter()
            .flat_map(|s| s.inputs(graph))
            .copied()
            .chain(graph.outputs.iter().map(|o| o.node))
        {
            if let (Some(value), usize::MAX) = (stem.value(node), buffer_of[node]) {
                buffer_of[node] = buffers.len();
                buffers.push(geometry(node));
                sources.push(value);
            }
        }
        let (mut layers, mut tables) = (Vec::new(), Tables::default());
        for op in &rows {
            let to = geometry(op.end());
            layers.push(match op {
                FusedOp::Conv(c) => {
                    let input = buffer_of[c.input];
                    Work::Convolution(Box::new(Layer::new(
                        c,
                        graph,
                        net,
                        &frac_bits,
                        (input, buffers[input], to),
                        &mut tables,
                    )?))
                }
                FusedOp::Node(n) => {
                    let op = graph.nodes[*n].op;
                    let inputs = match *op.inputs() {
                        [a, b] => [a, b],
                        [a] => [a; 2],
                        _ => return Ok(None),
                    };
                    match Elementwise::new(
                        op,
                        inputs.map(|i| buffer_of[i]),
                        inputs.map(|i| frac_bits[i]),
                        frac_bits[*n],
                        to,
                    ) {
                        Some(p) => Work::Elementwise(p),
                        None => return Ok(None),
                    }
                }
            });
            buffer_of[op.end()] = buffers.len();
            buffers.push(to);
        }
        let output = |o: &crate::network::OutputPlane| Output {
            buffer: buffer_of[o.node],
            channel: o.channel,
            fraction: frac_bits[o.node],
        };
        let outputs = graph.outputs.iter().map(output).collect();
        Ok(Some(Fast {
            level: level.or_below(),
            info: *info,
            output_range: graph.output_range,
            stem,
            sources,
            buffers,
            layers,
            outputs,
        }))
    }

    /// Buffers for pictures computed in `count` strips at once.
    pub fn strips(&self, count: usize) -> Strips {
        let layers: Vec<Flow> = self.layers.iter().map(Work::flow).collect();
        let heights: Vec<usize> = self.buffers.iter().map(|g| g.height).collect();
        let height = |p: usize| {
            self.info
                .format
                .plane_size(
                    p % self.info.format.chroma.planes(),
                    self.info.width,
                    self.info.height,
                )
                .1
        };
        let planes: Vec<(usize, usize)> = self
            .outputs
            .iter()
            .enumerate()
            .map(|(p, o)| (o.buffer, height(p)))
            .collect();
        let flows = Flows {
            sources: self.sources.len(),
            layers: &layers,
            heights: &heights,
            planes: &planes,
        };
        let differences = |b: usize| {
            let rows = self.layers.iter().filter_map(|w| match w {
                Work::Convolution(l) if l.input == b && l.row_pair.is_some() => Some(l.kernel - 1),
                _ => None,
            });
            rows.max().unwrap_or(0)
        };
        let scratch = self
            .layers
            .iter()
            .map(|w| {
                if let Work::Elementwise(p) = w {
                    p.scratch()
                } else {
                    0
                }
            })
            .max()
            .unwrap_or(0);
        let strip = |i: usize| {
            let schedule = flows.schedule(i, count);
            let ring = |(b, &g)| Ring::new(g, schedule.rows[b], differences(b));
            let rings = self.buffers.iter().enumerate().map(ring).collect();
            Strip {
                schedule,
                rings,
                scratch: vec![[0; 2]; scratch],
            }
        };
        Strips((0..count).map(strip).collect())
    }

    /// The pictures of one pass, their strips in parallel.
    pub fn frames(&self, source: &[i16], strips: &mut Strips) -> Vec<Frame> {
        let before = self.stem.run(source);
        let values: Vec<&[i16]> = self
            .sources
            .iter()
            .map(|&v| if v == 0 { source } else { &before[v - 1][..] })
            .collect();
        let per_picture = self.info.format.chroma.planes();
        let count = self.outputs.len() / per_picture;
        let mut frames: Vec<Frame> = (0..count)
            .map(|_| Frame::new(self.info.format, self.info.width, self.info.height))
            .collect();
        // the rows of each plane that each strip gives
        let mut rest: Vec<&mut [u16]> = frames
            .iter_mut()
            .flat_map(|f| &mut f.planes)
            .map(|p: &mut Plane| &mut p.data[..])
            .collect();
        let mut jobs: Vec<(&mut Strip, Vec<&mut [u16]>)> = Vec::new();
        for strip in &mut strips.0 {
            let mut rows = Vec::new();
            for (p, (plane, range)) in rest.iter_mut().zip(&strip.schedule.planes).enumerate() {
                let width = self
                    .info
                    .format
                    .plane_size(p % per_picture, self.info.width, self.info.height)
                    .0;
                let (mine, others) = std::mem::take(plane).split_at_mut(range.len() * width);
                rows.push(mine);
                *plane = others;
            }
            jobs.push((strip, rows));
        }
        match &mut jobs[..] {
            [(strip, planes)] => self.strip(&values, strip, planes),
            jobs => jobs
                .par_iter_mut()
                .for_each(|(strip, planes)| self.strip(&values, strip, planes)),
        }
        frames
    }

    fn strip(&self, sources: &[&[i16]], strip: &mut Strip, planes: &mut [&mut [u16]]) {
        let Strip {
            schedule,
            rings,
            scratch,
        } = strip;
        rings
            .iter_mut()
            .zip(sources)
            .for_each(|(ring, values)| ring.fill(values));
        for task in &schedule.tasks {
            match *task {
                RowTask::Rows { layer, y, count } => self.rows(layer, y, count, rings, scratch),
                RowTask::Emit { plane, y } => {
                    let o = self.outputs[plane];
                    let depth = u32::from(self.info.format.bit_depth);
                    let width = self
                        .info
                        .format
                        .plane_size(
                            plane % self.info.format.chroma.planes(),
                            self.info.width,
                            self.info.height,
                        )
                        .0;
                    let row =
                        &mut planes[plane][(y - schedule.planes[plane].start) * width..][..width];
                    let from = rings[o.buffer].channel(y, o.channel);
                    row.iter_mut().zip(from).for_each(|(out, v)| {
                        *out = sample(v[o.channel % 2], o.fraction, depth, self.output_range)
                    });
                }
            }
        }
    }

    fn rows(
        &self,
        layer: usize,
        y: usize,
        count: usize,
        rings: &mut [Ring],
        scratch: &mut Scratch,
    ) {
        let (head, tail) = rings.split_at_mut(self.sources.len() + layer);
        let output = &mut tail[0];
        match &self.layers[layer] {
            Work::Convolution(layer) => {
                let top = y as isize - (layer.kernel / 2) as isize;
                kernel::run(
                    self.level,
                    Rows {
                        layer,
                        input: &mut head[layer.input],
                        top,
                        output,
                        y,
                        count,
                    },
                );
            }
            Work::Elementwise(p) => {
                p.run(self.level, p.inputs.map(|i| &head[i]), y, output, scratch)
            }
        }
    }
}
