//! Bilinear upsampling by an integer factor, `align_corners = false`: output sample o reads the
//! input at `(o + 0.5) / factor - 0.5`, edges repeated.

use super::common::arch;
use super::interleave::{deinterleave, interleave};
use super::scratch::Scratch;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Where phase `p` of an output sample lies: the offset of the left neighbour (-1 or 0) plus 1, and
/// the right one's share.
fn phase(p: usize, factor: usize) -> (usize, f32) {
    let at = (p as f32 + 0.5) / factor as f32 - 0.5;
    if at < 0.0 { (0, at + 1.0) } else { (1, at) }
}

/// Rows above and below of output row `y`, and the right one's share.
fn rows(y: usize, h: usize, factor: usize) -> (usize, usize, f32) {
    let (offset, share) = phase(y % factor, factor);
    let right = y / factor + offset;
    (right.saturating_sub(1), right.min(h - 1), share)
}

/// `y [planes, h * factor, w * factor]` from `x [planes, h, w]`.
pub fn bilinear(x: &[f32], h: usize, w: usize, factor: usize, y: &mut [f32]) {
    if y.is_empty() {
        return;
    }
    let arch = arch();
    y.par_chunks_mut(h * w * factor * factor)
        .zip(x.par_chunks(h * w))
        .for_each(|(y, x)| {
            let mut scratch = Scratch::take((factor + 1) * w + 2);
            let (blend, lines) = scratch.get_mut().split_at_mut(w + 2);
            for (at, y) in y.chunks_exact_mut(w * factor).enumerate() {
                let (above, below, share) = rows(at, h, factor);
                arch.dispatch(Mix {
                    a: &x[above * w..][..w],
                    b: &x[below * w..][..w],
                    share,
                    out: &mut blend[1..=w],
                });
                (blend[0], blend[w + 1]) = (blend[1], blend[w]);
                for p in 0..factor {
                    let (offset, share) = phase(p, factor);
                    arch.dispatch(Mix {
                        a: &blend[offset..][..w],
                        b: &blend[offset + 1..][..w],
                        share,
                        out: &mut lines[p * w..][..w],
                    });
                }
                arch.dispatch(Weave {
                    lines,
                    y,
                    w,
                    factor,
                });
            }
        });
}

/// Gradient `dx [planes, h, w]` of [`bilinear`] for `g [planes, h * factor, w * factor]`.
pub fn bilinear_backward(g: &[f32], h: usize, w: usize, factor: usize, dx: &mut [f32]) {
    if dx.is_empty() {
        return;
    }
    let arch = arch();
    dx.par_chunks_mut(h * w)
        .zip(g.par_chunks(h * w * factor * factor))
        .for_each(|(dx, g)| {
            dx.fill(0.0);
            let mut scratch = Scratch::take((factor + 1) * w + 2);
            let (blend, lines) = scratch.get_mut().split_at_mut(w + 2);
            for (at, g) in g.chunks_exact(w * factor).enumerate() {
                blend.fill(0.0);
                arch.dispatch(Unweave {
                    g,
                    lines,
                    w,
                    factor,
                });
                for (p, line) in lines.chunks_exact(w).enumerate() {
                    let (offset, share) = phase(p, factor);
                    arch.dispatch(Add {
                        x: line,
                        factor: 1.0 - share,
                        out: &mut blend[offset..][..w],
                    });
                    arch.dispatch(Add {
                        x: line,
                        factor: share,
                        out: &mut blend[offset + 1..][..w],
                    });
                }
                blend[1] += blend[0];
                blend[w] += blend[w + 1];
                let (above, below, share) = rows(at, h, factor);
                arch.dispatch(Add {
                    x: &blend[1..=w],
                    factor: 1.0 - share,
                    out: &mut dx[above * w..][..w],
                });
                arch.dispatch(Add {
                    x: &blend[1..=w],
                    factor: share,
                    out: &mut dx[below * w..][..w],
                });
            }
        });
}

/// `out = a + share * (b - a)`
struct Mix<'a> {
    a: &'a [f32],
    b: &'a [f32],
    share: f32,
    out: &'a mut [f32],
}

impl WithSimd for Mix<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for ((out, a), b) in self.out.iter_mut().zip(self.a).zip(self.b) {
            *out = a + self.share * (b - a);
        }
    }
}

/// `out += factor * x`
struct Add<'a> {
    x: &'a [f32],
    factor: f32,
    out: &'a mut [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, x) in self.out.iter_mut().zip(self.x) {
            *out += self.factor * x;
        }
    }
}

/// The phases of a row into the row.
struct Weave<'a> {
    lines: &'a [f32],
    y: &'a mut [f32],
    w: usize,
    factor: usize,
}

impl WithSimd for Weave<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        interleave(self.lines, self.w, self.y, self.factor);
    }
}

/// A row into its phases.
struct Unweave<'a> {
    g: &'a [f32],
    lines: &'a mut [f32],
    w: usize,
    factor: usize,
}

impl WithSimd for Unweave<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        deinterleave(self.g, self.lines, self.w, self.factor);
    }
}
