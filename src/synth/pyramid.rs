//! Pyramids, row by row: upsampling, mixing and both residual layers of a row follow each other
//! while it is near.

mod layer;
mod rows;
mod upsample;

use rayon::prelude::*;

use super::dispatch::vectorize_few;
use super::lanes::{Lanes, Task};
use super::level::SimdLevel;
use super::pack::is_narrow;
use super::requantize::CHUNK;
use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Fault;
use crate::frame::{Frame, VideoInfo};
use crate::network::ops::integer::{MAX_ACTIVATION, OutputRange, sample, saturate};
use crate::network::ops::{self, EdgeConv};
use crate::network::pyramid::{MAX_GRIDS, MAX_HIDDEN};
use crate::network::{Graph, NodeId, Op};
use layer::{Layer, TILE};
use rows::Rows;
use upsample::{Filter, Plane};

/// A synthesis network.
struct Head {
    /// The grid of whose resolution its planes are.
    level: usize,
    planes: usize,
    hidden: Layer,
    mix: Layer,
    bypass: Layer,
    residual: [Layer; 2],
    /// Fraction bits of its planes.
    fraction: u32,
}

/// A pyramid ready to compute pictures.
pub struct Pyramid {
    level: SimdLevel,
    info: VideoInfo,
    source: ops::Pyramid,
    /// To level 0, to level 1 and so on.
    filters: Vec<Filter>,
    heads: Vec<Head>,
    range: OutputRange,
}

impl Pyramid {
    /// `None` if the graph is no pyramid, or its sums may leave 32 bits.
    pub fn new(
        graph: &Graph,
        net: &QuantizedNetwork,
        info: &VideoInfo,
        level: SimdLevel,
    ) -> Result<Option<Self>, Fault> {
        let Op::Pyramid(source) = graph.nodes[0].op else {
            return Ok(None);
        };
        let frac_bits = graph.frac_bits(&net.frac_bits);
        let (mut filters, mut convs): (Vec<Filter>, Vec<(NodeId, EdgeConv)>) = Default::default();
        let mut narrow = true;
        for (i, n) in graph.nodes.iter().enumerate() {
            match n.op {
                Op::Upsample(u) => {
                    let taps = &net.tensors[u.taps];
                    narrow &= is_narrow(&taps.values, taps.values.len(), MAX_ACTIVATION);
                    filters.push(Filter::new(taps, frac_bits[i])?);
                }
                Op::EdgeConv(c) => convs.push((i, c)),
                _ => {}
            }
        }
        filters.reverse();
        let mut heads = Vec::new();
        for convs in convs.chunks_exact(5) {
            let layer = |i: usize| {
                let (node, conv) = convs[i];
                Layer::new(
                    graph,
                    net,
                    conv,
                    node,
                    frac_bits[conv.input],
                    frac_bits[node],
                )
            };
            let layers = [layer(0)?, layer(1)?, layer(2)?, layer(3)?, layer(4)?];
            let [Some(hidden), Some(mix), Some(bypass), Some(a), Some(b)] = layers else {
                return Ok(None);
            };
            let last = convs[4].0;
            heads.push(Head {
                level: source.grids - graph.nodes[convs[0].1.input].shape[0],
                planes: graph.nodes[last].shape[0],
                hidden,
                mix,
                bypass,
                residual: [a, b],
                fraction: frac_bits[last],
            });
        }
        Ok(narrow.then_some(Pyramid {
            level: level.or_below(),
            info: *info,
            source,
            filters,
            heads,
            range: graph.output_range,
        }))
    }

    /// The picture of the grids `source`, `strips` strips of it at once.
    pub fn frame(&self, source: &[i16], strips: usize) -> Frame {
        let least = self.heads.iter().map(|h| h.level).min().unwrap_or(0);
        let coarse = self.coarse(source, least + 1, strips > 1);
        let mut frame = Frame::new(self.info.format, self.info.width, self.info.height);
        let mut planes = &mut frame.planes[..];
        for head in &self.heads {
            let (own, rest) = planes.split_at_mut(head.planes);
            planes = rest;
            let rows = self.source.size(head.level)[0];
            let per_strip = rows.div_ceil(strips);
            let mut parts: Vec<_> = own
                .iter_mut()
                .map(|p| p.data.chunks_mut(per_strip * p.width))
                .collect();
            let mut jobs: Vec<Strip<'_>> = (0..rows)
                .step_by(per_strip)
                .map(|first| Strip {
                    pyramid: self,
                    head,
                    inputs: self.inputs(source, &coarse, head.level),
                    rows: first..(first + per_strip).min(rows),
                    out: parts.iter_mut().filter_map(Iterator::next).collect(),
                })
                .collect();
            match &mut jobs[..] {
                [one] => vectorize_few(self.level, one),
                all => all
                    .par_iter_mut()
                    .for_each(|s| vectorize_few(self.level, s)),
            }
        }
        frame
    }

    /// For each level from `least` on, the planes of all coarser grids at its resolution.
    fn coarse(&self, source: &[i16], least: usize, parallel: bool) -> Vec<Vec<Vec<i16>>> {
        let mut all: Vec<Vec<Vec<i16>>> = vec![Vec::new(); self.source.grids];
        for level in (least..self.source.grids - 1).rev() {
            let inputs = self.planes(source, &all, level + 1);
            let one = |&input: &Plane<'_>| {
                let mut out = Vec::new();
                let task = UpsamplePlane {
                    filter: &self.filters[level],
                    input,
                    size: self.source.size(level),
                    out: &mut out,
                };
                vectorize_few(self.level, task);
                out
            };
            all[level] = if parallel {
                inputs.par_iter().map(one).collect()
            } else {
                inputs.iter().map(one).collect()
            };
        }
        all
    }

    /// Grid `level` and all coarser ones at its resolution.
    fn planes<'a>(
        &self,
        source: &'a [i16],
        coarse: &'a [Vec<Vec<i16>>],
        level: usize,
    ) -> Vec<Plane<'a>> {
        let size = self.source.size(level);
        let grid = &source[self.source.offset(level)..][..size[0] * size[1]];
        let coarse = coarse[level].iter().map(|v| &v[..]);
        let all = std::iter::once(grid).chain(coarse);
        all.map(|values| Plane { values, size }).collect()
    }

    /// What rows at `level` are computed from: its grid, and planes of the level above.
    fn inputs<'a>(
        &self,
        source: &'a [i16],
        coarse: &'a [Vec<Vec<i16>>],
        level: usize,
    ) -> (Plane<'a>, Vec<Plane<'a>>) {
        let size = self.source.size(level);
        let values = &source[self.source.offset(level)..][..size[0] * size[1]];
        let above = if level + 1 < self.source.grids {
            self.planes(source, coarse, level + 1)
        } else {
            Vec::new()
        };
        (Plane { values, size }, above)
    }
}

/// A whole plane, upsampled.
struct UpsamplePlane<'a> {
    filter: &'a Filter,
    input: Plane<'a>,
    size: [usize; 2],
    out: &'a mut Vec<i16>,
}

impl Task for UpsamplePlane<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let columns = self.input.size[1];
        let mut scratch = vec![0; Filter::scratch(columns)];
        let mut row = vec![0; 2 * columns.next_multiple_of(CHUNK)];
        for y in 0..self.size[0] {
            self.filter.row(self.input, y, &mut scratch, &mut row);
            self.out.extend(&row[..self.size[1]]);
        }
    }
}

/// Some rows of a head's planes.
struct Strip<'a> {
    pyramid: &'a Pyramid,
    head: &'a Head,
    inputs: (Plane<'a>, Vec<Plane<'a>>),
    rows: std::ops::Range<usize>,
    /// A part of each plane.
    out: Vec<&'a mut [u16]>,
}

impl Task for &mut Strip<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let head = self.head;
        let size = self.inputs.0.size;
        let last = size[0] - 1;
        let pairs = head.planes.div_ceil(2);
        let (mut mixed, mut first) = (Rows::new(size[1], pairs), Rows::new(size[1], pairs));
        let mut mixer = Mixer::new(size[1], self.inputs.1.first().map_or(0, |p| p.size[1]));
        let mut next = [2, 1].map(|above| self.rows.start.saturating_sub(above));
        for y in self.rows.clone() {
            while next[1] <= (y + 1).min(last) {
                while next[0] <= (next[1] + 1).min(last) {
                    mixer.row(l, self.pyramid, head, &self.inputs, next[0], &mut mixed);
                    next[0] += 1;
                }
                let to = next[1];
                residual(l, &head.residual[0], &mixed, to, size, |c, x, v| {
                    first.put(to, c, x, &v.map(|v| v.max(0)));
                });
                first.repeat_edges(to, size[1]);
                next[1] += 1;
            }
            let (range, depth) = (
                self.pyramid.range,
                self.pyramid.info.format.bit_depth.into(),
            );
            let out = &mut self.out;
            let start = (y - self.rows.start) * size[1];
            residual(l, &head.residual[1], &first, y, size, |c, x, v| {
                let row = &mut out[c][start..][..size[1]][x..];
                let samples = row.iter_mut().zip(v);
                samples.for_each(|(s, v)| *s = sample(v, head.fraction, depth, range));
            });
        }
    }
}

/// Row `y` of `input` and what `layer` makes of it, added up, chunk by chunk.
#[inline(always)]
fn residual<L: Lanes>(
    l: L,
    layer: &Layer,
    input: &Rows,
    y: usize,
    [rows, columns]: [usize; 2],
    mut put: impl FnMut(usize, usize, [i16; CHUNK]),
) {
    let near = [y.saturating_sub(1), y, (y + 1).min(rows - 1)];
    for x in (0..columns).step_by(CHUNK) {
        let tile = layer.tile(l, 0, |row, column, pair| {
            &input.row(near[row], pair)[x + column..]
        });
        for (c, sums) in tile.iter().enumerate().take(layer.outs) {
            let own = input.get(y, c, x);
            put(
                c,
                x,
                std::array::from_fn(|i| saturate(i64::from(own[i]) + i64::from(sums[i]))),
            );
        }
    }
}

/// Upsampling to a head's level, hidden layer, mix and bypass.
struct Mixer {
    scratch: Vec<i16>,
    stride: usize,
    /// A row of each grid.
    rows: Vec<i16>,
}

impl Mixer {
    fn new(columns: usize, above: usize) -> Self {
        let stride = columns
            .max(2 * above.next_multiple_of(CHUNK))
            .next_multiple_of(CHUNK);
        Mixer {
            scratch: vec![0; Filter::scratch(above)],
            stride,
            rows: vec![0; stride * MAX_GRIDS],
        }
    }

    /// Row `y` before the residual layers.
    #[inline(always)]
    fn row<L: Lanes>(
        &mut self,
        l: L,
        pyramid: &Pyramid,
        head: &Head,
        (grid, above): &(Plane<'_>, Vec<Plane<'_>>),
        y: usize,
        out: &mut Rows,
    ) {
        let (columns, stride) = (grid.size[1], self.stride);
        self.rows[..columns].copy_from_slice(&grid.values[y * columns..][..columns]);
        for (plane, row) in above
            .iter()
            .zip(self.rows[stride..].chunks_exact_mut(stride))
        {
            pyramid.filters[head.level].row(*plane, y, &mut self.scratch, row);
        }
        let mut lanes = [[[0; 2]; CHUNK]; MAX_GRIDS / 2];
        let mut hidden = [[[0; 2]; CHUNK]; MAX_HIDDEN / 2];
        for x in (0..columns).step_by(CHUNK) {
            for (pair, lanes) in lanes.iter_mut().enumerate().take(head.hidden.pairs) {
                let [a, b] = [0, 1].map(|i| &self.rows[(2 * pair + i) * stride + x..][..CHUNK]);
                let both = a.iter().zip(b);
                lanes
                    .iter_mut()
                    .zip(both)
                    .for_each(|(l, (&a, &b))| *l = [a, b]);
            }
            for o in (0..head.hidden.outs).step_by(TILE) {
                let tile = head.hidden.tile(l, o, |_, _, pair| &lanes[pair]);
                for (i, to) in hidden[o / 2..][..2].iter_mut().enumerate() {
                    let [a, b] = [tile[2 * i], tile[2 * i + 1]];
                    for s in 0..CHUNK {
                        to[s] = [a[s].max(0), b[s].max(0)];
                    }
                }
            }
            let mix = head.mix.tile(l, 0, |_, _, pair| &hidden[pair]);
            let direct = head.bypass.tile(l, 0, |_, _, pair| &lanes[pair]);
            for (c, (a, b)) in mix.iter().zip(&direct).enumerate().take(head.planes) {
                let sum = |i: usize| saturate(i64::from(a[i]) + i64::from(b[i]));
                out.put(y, c, x, &std::array::from_fn(sum));
            }
        }
        out.repeat_edges(y, columns);
    }
}
