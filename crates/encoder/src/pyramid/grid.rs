//! Latent grids in one flat array.

use super::buffer::{Buffer, LINE};
use super::shape::Shape;
use super::simd::SEGMENT;

/// Reach of the contexts in rows and columns.
pub(crate) const REACH: usize = 4;

/// Causal neighbours (row, column) by falling importance (Cool-chic's order of the 9 x 9 window).
pub(crate) const PRIORITY: [(isize, isize); 40] = {
    let rank: [usize; 40] = [
        38, 35, 30, 25, 23, 31, 36, 37, 39, 33, 28, 21, 20, 6, 15, 22, 29, 34, 32, 18, 12, 10, 5,
        9, 14, 19, 27, 24, 13, 8, 2, 1, 3, 11, 17, 26, 16, 7, 4, 0,
    ];
    let mut order = [(0, 0); 40];
    let mut k = 0;
    while k < 40 {
        order[rank[k]] = ((k / 9) as isize - 4, (k % 9) as isize - 4);
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
