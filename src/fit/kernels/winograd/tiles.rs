//! Where the tiles of a plane lie, and the image rearranged so that one value of many tiles is one run of memory.

use super::super::scratch::{LINE, Scratch};
use super::super::{ConvShape, arch, interleave::deinterleave};
use super::transform::{PRODUCTS, SIDE, input, load, store};
use crate::fit::kernels::gemm::PANEL;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Tiles of M x M outputs. They are counted flat, row after row, `stride` a row: a few junk tiles follow each row, so that
/// what lies one tile to the right is always one position further.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) m: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) stride: usize,
}

impl Grid {
    pub(super) fn new(s: ConvShape) -> Self {
        let m = SIDE + 1 - s.k;
        let (rows, columns) = (s.h.div_ceil(m), s.w.div_ceil(m));
        Grid { m, rows, columns, stride: columns + (SIDE - 1) / m }
    }
    /// Positions of a plane, junk included.
    pub(super) fn flats(&self) -> usize {
        self.rows * self.stride
    }
}

/// An image `[planes, h, w]` as M x M phases: the pixels at row `q` and column `p` of every M x M cell form one run, in the
/// order of the tiles.
pub(super) struct Phases {
    data: Scratch,
    grid: Grid,
    /// Length of the run of one phase.
    run: usize,
}

impl Phases {
    /// With `pad` zeros above and left of the image.
    pub(super) fn new(x: &[f32], planes: usize, s: ConvShape, grid: Grid) -> Self {
        let m = grid.m;
        let rows = grid.rows + (SIDE - 1) / m;
        // the last vectors of tiles, and their neighbours to the right and below, are read though not used
        let run = (rows * grid.stride + PANEL + SIDE).next_multiple_of(LINE);
        let mut data = Scratch::take(planes * m * m * run);
        let arch = arch();
        data.get_mut().par_chunks_mut(m * m * run).zip(x.par_chunks(s.h * s.w)).with_min_len(1 + 8192 / (s.h * s.w)).for_each(|(to, x)| {
            arch.dispatch(Split { x, to, run, rows, s, grid });
        });
        Phases { data, grid, run }
    }

    /// Points of the tiles at `first..first + columns` (at most [`PANEL`]) of `plane`, into `to[point * step + column]`.
    #[inline(always)]
    pub(super) fn points<S: Simd, const M: usize>(&self, simd: S, plane: usize, first: usize, columns: usize, to: &mut [f32], step: usize) {
        let lanes = S::F32_LANES;
        let (stride, run) = (self.grid.stride, self.run);
        let data = &self.data.get()[plane * M * M * run..][..M * M * run];
        let mut half = [[simd.splat_f32s(0.0); SIDE]; SIDE];
        for at in (0..columns).step_by(lanes) {
            for j in 0..SIDE {
                let mut d = [simd.splat_f32s(0.0); SIDE];
                for (i, d) in d.iter_mut().enumerate() {
                    let phase = i % M * M + j % M;
                    *d = load(simd, &data[phase * run + first + at + i / M * stride + j / M..]);
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
}

struct Split<'a> {
    x: &'a [f32],
    to: &'a mut [f32],
    run: usize,
    rows: usize,
    s: ConvShape,
    grid: Grid,
}

impl WithSimd for Split<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Split { x, to, run, rows, s, grid } = self;
        let (m, pad) = (grid.m, s.k / 2);
        let mut line = vec![0.0; grid.stride * m];
        for q in 0..m {
            for ty in 0..rows {
                let y = (ty * m + q).wrapping_sub(pad);
                let out = &mut to[q * m * run + ty * grid.stride..];
                match x.chunks_exact(s.w).nth(y) {
                    Some(x) => {
                        line[pad..pad + s.w].copy_from_slice(x);
                        deinterleave(&line, out, run, m);
                    }
                    None => (0..m).for_each(|p| out[p * run..][..grid.stride].fill(0.0)),
                }
            }
            for p in 0..m {
                to[(q * m + p) * run..][..run][rows * grid.stride..].fill(0.0);
            }
        }
    }
}

/// Distance between the values of one tile at different points: odd in cache lines, so that 64 streams do not share sets.
pub(super) fn point_step(values: usize) -> usize {
    let lines = values.div_ceil(LINE);
    (lines | 1) * LINE
}

/// Floats of a buffer of all points.
pub(super) fn points_len(step: usize) -> usize {
    PRODUCTS * step
}
