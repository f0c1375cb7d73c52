//! Where the tiles of a plane lie, and their transform.

use super::super::common::ConvShape;
use super::super::gemm::PANEL;
use super::super::interleave::deinterleave;
use super::super::scratch::LINE;
use super::transform::{PRODUCTS, SIDE, input, load, store};
use pulp::Simd;

/// Lanes that panels are counted in, whatever the machine has: results must not depend on it more
/// than they need to.
pub(super) const LANES: usize = 16;

/// Tiles of M x M outputs in rows and columns, and how they are put into panels.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) m: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Positions of a row: where panels run on from row to row, a few junk tiles follow each, so
    /// that what lies one tile to the right is always one position further.
    pub(super) stride: usize,
    /// Panels end with the row.
    by_row: bool,
}

/// `count` tiles (at most [`PANEL`]) from one position on.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) count: usize,
}

impl Grid {
    pub(super) fn new(s: ConvShape) -> Self {
        let m = SIDE + 1 - s.k;
        let (rows, columns) = (s.h.div_ceil(m), s.w.div_ceil(m));
        // whole rows when they fill their vectors well
        let by_row = columns >= PANEL && columns * 8 >= columns.next_multiple_of(LANES) * 7;
        let stride = if by_row {
            columns
        } else {
            columns + (SIDE - 1) / m
        };
        Grid {
            m,
            rows,
            columns,
            stride,
            by_row,
        }
    }
    /// Number of panels of at most `width` tiles in `rows` rows.
    pub(super) fn panels(&self, rows: usize, width: usize) -> usize {
        if self.by_row {
            rows * self.columns.div_ceil(width)
        } else {
            (rows * self.stride).div_ceil(width)
        }
    }
    /// Panel `i`, its row counted from the first of `rows`.
    pub(super) fn panel(&self, i: usize, rows: usize, width: usize) -> Panel {
        if self.by_row {
            let per_row = self.columns.div_ceil(width);
            let column = i % per_row * width;
            Panel {
                row: i / per_row,
                column,
                count: width.min(self.columns - column),
            }
        } else {
            let first = i * width;
            Panel {
                row: first / self.stride,
                column: first % self.stride,
                count: width.min(rows * self.stride - first),
            }
        }
    }
    /// Tiles computed for `rows` rows, junk and unused lanes included.
    pub(super) fn computed(&self, rows: usize, lanes: usize) -> usize {
        (0..self.panels(rows, PANEL))
            .map(|i| self.panel(i, rows, PANEL).count.next_multiple_of(lanes))
            .sum()
    }
    /// Floats of the buffer that [`points`] needs.
    pub(super) fn cells_len(&self) -> usize {
        let beyond = (SIDE - 1) / self.m;
        let rows = if self.by_row {
            1
        } else {
            PANEL / self.stride + 2
        };
        let stride = if self.by_row {
            PANEL + beyond
        } else {
            self.stride
        };
        self.m * self.m * run_len((rows + beyond) * stride) + (stride + 1) * self.m
    }
}

/// Length of the run of one phase of `tiles` tiles: the last vectors, and their neighbours to the
/// right and below, are read though not used. Odd in cache lines, so that the phases do not share
/// sets.
fn run_len(tiles: usize) -> usize {
    ((tiles + PANEL + SIDE).div_ceil(LINE) | 1) * LINE
}

/// Points of the tiles of `panel` in one plane `x [h, w]`, into `to[point * step + tile]`. `cells`
/// is a buffer: the part of the plane as M x M phases, the pixels at one row and column of every M
/// x M cell in one run, so that one value of many tiles is whole vectors.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(super) fn points<S: Simd, const M: usize>(
    simd: S,
    x: &[f32],
    s: ConvShape,
    grid: Grid,
    panel: Panel,
    cells: &mut [f32],
    to: &mut [f32],
    step: usize,
) {
    let (lanes, pad, beyond) = (S::F32_LANES, s.k / 2, (SIDE - 1) / M);
    let (first_column, stride, rows) = if grid.by_row {
        (panel.column, panel.count + beyond, 1 + beyond)
    } else {
        (
            0,
            grid.stride,
            (panel.column + panel.count - 1) / grid.stride + 1 + beyond,
        )
    };
    let run = run_len(rows * stride);
    let (cells, line) = cells.split_at_mut(M * M * run);
    let line = &mut line[..stride * M];
    // columns of the image that the line shows: `skip` zeros, then from `left`
    let (left, skip) = (
        (first_column * M).saturating_sub(pad),
        pad.saturating_sub(first_column * M),
    );
    let shown = s.w.saturating_sub(left).min(line.len() - skip);
    line.fill(0.0);
    for ty in 0..rows {
        for q in 0..M {
            let y = ((panel.row + ty) * M + q).wrapping_sub(pad);
            let out = &mut cells[q * M * run + ty * stride..];
            if y >= s.h {
                (0..M).for_each(|p| out[p * run..][..stride].fill(0.0));
            } else if skip == 0 && shown == line.len() {
                deinterleave(&x[y * s.w + left..][..shown], out, run, M);
            } else {
                line[skip..skip + shown].copy_from_slice(&x[y * s.w + left..][..shown]);
                deinterleave(line, out, run, M);
            }
        }
    }
    // what junk tiles read must be finite: it is multiplied by zero gradients
    (0..M * M).for_each(|phase| cells[phase * run + rows * stride..][..SIDE].fill(0.0));

    let first = panel.column - first_column;
    let mut half = [[simd.splat_f32s(0.0); SIDE]; SIDE];
    for at in (0..panel.count).step_by(lanes) {
        for j in 0..SIDE {
            let mut d = [simd.splat_f32s(0.0); SIDE];
            for (i, d) in d.iter_mut().enumerate() {
                let phase = i % M * M + j % M;
                *d = load(
                    simd,
                    &cells[phase * run + first + at + i / M * stride + j / M..],
                );
            }
            let d = input(simd, &d);
            for i in 0..SIDE {
                half[i][j] = d[i];
            }
        }
        for (i, half) in half.iter().enumerate() {
            let d = input(simd, half);
            for j in 0..SIDE {
                store(simd, &mut to[(i * SIDE + j) * step + at..], d[j]);
            }
        }
    }
}

/// Distance between the values of one tile at different points: odd in cache lines, so that 64
/// streams do not share sets.
pub(super) fn point_step(values: usize) -> usize {
    let lines = values.div_ceil(LINE);
    (lines | 1) * LINE
}

/// Floats of a buffer of all points.
pub(super) fn points_len(step: usize) -> usize {
    PRODUCTS * step
}
