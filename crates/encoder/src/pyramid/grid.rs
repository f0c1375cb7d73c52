//! Latent grids in one flat array.

use super::buffer::{Buffer, LINE};
use super::shape::Shape;
use super::simd::SEGMENT;
use nvc::entropy::context_network::NEIGHBOURS;

/// Reach of the contexts in rows and columns.
pub(crate) const REACH: usize = 4;

/// Causal neighbours (rows down, columns to the right) by falling importance: those of the format.
pub(crate) const PRIORITY: [(isize, isize); NEIGHBOURS.len()] = {
    let mut order = [(0, 0); NEIGHBOURS.len()];
    let mut k = 0;
    while k < order.len() {
        let (up, right) = NEIGHBOURS[k];
        order[k] = (-(up as isize), right as isize);
        k += 1;
    }
    order
};

/// A grid's place in the flat array. [`REACH`] zero columns lie between rows, so that a neighbour
/// is a constant distance away and segments of samples may run across row ends.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) w: usize,
    pub(crate) h: usize,
    /// Distance between rows.
    pub(crate) stride: usize,
    /// First float of the grid's part of the array.
    pub(crate) start: usize,
    /// Sample (0, 0).
    pub(crate) base: usize,
    /// End of the grid's part.
    pub(crate) end: usize,
}

impl Grid {
    /// The farthest context of a sample.
    pub(crate) fn halo(&self) -> usize {
        REACH * self.stride + REACH
    }
    /// How far before a sample its contexts lie.
    pub(crate) fn distances(&self, n: usize) -> Vec<usize> {
        let stride = self.stride.cast_signed();
        PRIORITY[..n]
            .iter()
            .map(|(y, x)| (-(y * stride + x)).unsigned_abs())
            .collect()
    }
    /// First sample of row `y`.
    pub(crate) fn row(&self, y: usize) -> usize {
        self.base + y * self.stride
    }
}

/// All grids of a picture and the mask of their samples: 1 on samples, 0 between them.
pub(crate) fn grids(width: usize, height: usize, count: usize) -> (Vec<Grid>, Buffer) {
    let mut start = 0;
    let mut grids = Vec::new();
    for l in 0..count {
        let (w, h) = Shape::grid_size(width, height, l);
        let stride = w + REACH;
        let base = start + (REACH * stride + REACH).next_multiple_of(LINE);
        let end = (base + (h + REACH) * stride + 2 * SEGMENT).next_multiple_of(LINE);
        grids.push(Grid {
            w,
            h,
            stride,
            start,
            base,
            end,
        });
        start = end;
    }
    let mut mask = Buffer::new(start);
    for g in &grids {
        for y in 0..g.h {
            mask[g.row(y)..][..g.w].fill(1.0);
        }
    }
    (grids, mask)
}
