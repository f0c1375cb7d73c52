//! The upsampling chain from the coarsest grid down to level 1, and back.

use super::buffer::Buffer;
use super::grid::Grid;
use super::shape::Layout;
use super::simd::{SEGMENT, arch, segments, segments_mut};
use super::synthesis::HeadStrip;
use super::upsample::{Adjoint, Stack, Window, horizontal, row_length, vertical};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Rows of a strip.
const STRIP: usize = 16;

/// Level `l` holds grid `l` and all coarser grids at its resolution.
struct Level {
    values: Stack,
    gradients: Stack,
    strips: Vec<Strip>,
}

/// The levels from 1 on.
pub(crate) struct Chain {
    levels: Vec<Level>,
    none: Stack,
}

/// Rows of a level that is made from a coarser one.
struct Strip {
    y0: usize,
    y1: usize,
    /// Gradient of the coarser level.
    window: Window,
    taps: [f32; 4],
    t: Buffer,
    row: Buffer,
    adjoint: Adjoint,
}

impl Chain {
    pub(crate) fn new(grids: &[Grid]) -> Self {
        let level = |l: usize| {
            let g = &grids[l];
            let stack = || Stack::new(g.w, g.h, grids.len() - l);
            let strips = (0..g.h)
                .step_by(STRIP)
                .map(|y0| Strip::new(y0, g, grids, l));
            Level {
                values: stack(),
                gradients: stack(),
                strips: strips.collect(),
            }
        };
        Chain {
            levels: (1..grids.len()).map(level).collect(),
            none: Stack::empty(),
        }
    }
    /// The values at level 1.
    pub(crate) fn half(&self) -> &Stack {
        self.levels.first().map_or(&self.none, |l| &l.values)
    }
    /// The gradient at level `l`, from 1.
    pub(crate) fn gradient(&self, l: usize) -> &Stack {
        &self.levels[l - 1].gradients
    }

    /// Fills all levels.
    pub(crate) fn forward(&mut self, layout: &Layout, p: &[f32], grids: &[Grid], latents: &[f32]) {
        for l in (1..grids.len()).rev() {
            let (fine, coarse) = self.levels[l - 1..].split_at_mut(1);
            let (level, coarse) = (&mut fine[0], coarse.first().map(|l| &l.values));
            let taps = if coarse.is_some() {
                layout.taps(p, l)
            } else {
                [0.0; 4]
            };
            let Stack {
                stride,
                channels,
                w,
                ..
            } = level.values;
            let rows = level.values.data.chunks_mut(STRIP * stride * channels);
            let jobs: Vec<_> = level.strips.iter_mut().zip(rows).collect();
            each(jobs, |(strip, to)| {
                for (y, to) in (strip.y0..).zip(to.chunks_mut(stride * channels)) {
                    to[..w].copy_from_slice(&latents[grids[l].row(y)..][..w]);
                }
                if let Some(coarse) = coarse {
                    strip.taps = taps;
                    arch().dispatch(Up {
                        strip,
                        coarse,
                        to,
                        w,
                        stride,
                    });
                }
            });
        }
    }

    /// Gradients of all levels, and of the taps, from those of the heads.
    pub(crate) fn backward(
        &mut self,
        layout: &Layout,
        p: &[f32],
        heads: &[HeadStrip],
        gradients: &mut [f32],
    ) {
        let Some(first) = self.levels.first_mut() else {
            return;
        };
        let windows: Vec<&Window> = heads.iter().map(|h| &h.window).collect();
        gather(&mut first.gradients, &windows);
        for l in 1..self.levels.len() {
            let (fine, coarse) = self.levels[l - 1..].split_at_mut(1);
            let (level, coarse) = (&mut fine[0], &mut coarse[0]);
            let (taps, g, values) = (layout.taps(p, l), &level.gradients, &coarse.values);
            each(level.strips.iter_mut().collect(), |strip| {
                strip.taps = taps;
                arch().dispatch(Down {
                    strip,
                    coarse: values,
                    g,
                });
            });
            for strip in &level.strips {
                let to = &mut gradients[layout.up + 4 * l..][..4];
                to.iter_mut().zip(strip.taps).for_each(|(to, g)| *to += g);
            }
            let windows: Vec<&Window> = level.strips.iter().map(|s| &s.window).collect();
            gather(&mut coarse.gradients, &windows);
        }
    }
}

/// In parallel if there is enough to do.
fn each<T: Send>(jobs: Vec<T>, f: impl Fn(T) + Sync + Send) {
    if jobs.len() > 2 {
        jobs.into_par_iter().with_max_len(2).for_each(f);
    } else {
        jobs.into_iter().for_each(f);
    }
}

/// The sum of all windows.
fn gather(to: &mut Stack, windows: &[&Window]) {
    let row = to.stride * to.channels;
    let jobs: Vec<_> = to.data.chunks_mut(STRIP * row).enumerate().collect();
    each(jobs, |(i, to)| {
        to.fill(0.0);
        for (y, to) in to.chunks_mut(row).enumerate() {
            windows.iter().for_each(|w| w.add_row(i * STRIP + y, to));
        }
    });
}

impl Strip {
    fn new(y0: usize, g: &Grid, grids: &[Grid], l: usize) -> Self {
        let y1 = (y0 + STRIP).min(g.h);
        let (w, h) = grids.get(l + 1).map_or((1, 1), |g| (g.w, g.h));
        let channels = grids.len() - 1 - l;
        Strip {
            y0,
            y1,
            window: Window::below(y0, y1, w, h, channels),
            taps: [0.0; 4],
            t: Buffer::new(row_length(w)),
            row: Buffer::new(g.w.next_multiple_of(SEGMENT)),
            adjoint: Adjoint::new(w),
        }
    }
}

struct Up<'a> {
    strip: &'a mut Strip,
    coarse: &'a Stack,
    /// Rows of the finer level.
    to: &'a mut [f32],
    w: usize,
    stride: usize,
}

impl WithSimd for Up<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Up {
            strip,
            coarse,
            to,
            w,
            stride,
        } = self;
        let channels = coarse.channels + 1;
        for (y, to) in (strip.y0..strip.y1).zip(to.chunks_mut(channels * stride)) {
            for (c, to) in to.chunks_mut(stride).skip(1).enumerate() {
                vertical(simd, coarse, c, y, &strip.taps, &mut strip.t);
                for (k, row) in segments_mut(&mut strip.row).iter_mut().enumerate() {
                    horizontal(simd, &strip.t, &strip.taps, k, row);
                }
                to[..w].copy_from_slice(&strip.row[..w]);
            }
        }
    }
}

struct Down<'a> {
    /// Its taps become their gradients.
    strip: &'a mut Strip,
    coarse: &'a Stack,
    /// Gradient of the finer level.
    g: &'a Stack,
}

impl WithSimd for Down<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Down { strip, coarse, g } = self;
        let taps = strip.taps;
        strip.window.rows.data.fill(0.0);
        strip.row[g.w..].fill(0.0);
        strip.adjoint.clear();
        for y in strip.y0..strip.y1 {
            for c in 0..coarse.channels {
                vertical(simd, coarse, c, y, &taps, &mut strip.t);
                strip.row[..g.w].copy_from_slice(&g.row(c + 1, y)[..g.w]);
                for (k, row) in segments(&strip.row).iter().enumerate() {
                    strip.adjoint.take(row, k);
                }
                strip.adjoint.run(
                    simd,
                    (coarse, c, y),
                    &strip.t,
                    &taps,
                    (&mut strip.window, c),
                );
            }
        }
        strip.taps = strip.adjoint.taps(simd);
    }
}
