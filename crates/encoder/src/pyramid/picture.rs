//! The planes of a head.

use super::buffer::{Buffer, LINE};
use super::simd::SEGMENT;

/// Planes of one head: `[row][plane][stride]`, with a column on each side that replicates the
/// border.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    pub(crate) w: usize,
    pub(crate) h: usize,
    pub(crate) planes: usize,
    pub(crate) stride: usize,
    pub(crate) data: Buffer,
}

impl Picture {
    /// Columns before sample 0, so that rows stay aligned.
    pub(crate) const LEFT: usize = LINE;

    pub(crate) fn new(w: usize, h: usize, planes: usize) -> Self {
        let stride = Self::stride(w);
        Picture {
            w,
            h,
            planes,
            stride,
            data: Buffer::new(h * planes * stride),
        }
    }
    pub(crate) fn stride(w: usize) -> usize {
        Self::LEFT + w.next_multiple_of(SEGMENT) + 2 * LINE
    }
    /// Sample 0 of row `y` of plane `c`.
    #[inline(always)]
    pub(crate) fn at(&self, c: usize, y: usize) -> usize {
        (y * self.planes + c) * self.stride + Self::LEFT
    }
    /// The samples of row `y` of plane `c`.
    pub(crate) fn samples(&self, c: usize, y: usize) -> &[f32] {
        &self.data[self.at(c, y)..][..self.w]
    }
    /// Row `y` of plane `c` from the replicated column on.
    #[inline(always)]
    pub(crate) fn row(&self, c: usize, y: usize) -> &[f32] {
        &self.data[self.at(c, y) - 1..][..self.stride - Self::LEFT + 1]
    }
    /// Row `y` of plane `c` from sample 0 on.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, c: usize, y: usize) -> &mut [f32] {
        let at = self.at(c, y);
        &mut self.data[at..][..self.stride - Self::LEFT]
    }
    /// Sets the columns beside a row of the buffer.
    #[inline(always)]
    pub(crate) fn replicate(row: &mut [f32], w: usize) {
        row[Self::LEFT - 1] = row[Self::LEFT];
        row[Self::LEFT + w] = row[Self::LEFT + w - 1];
    }
}
