//! Weight gradient: `dw[co][tap] = sum over pixels of dy[co] * x shifted by the tap`.
//!
//! CO output channels x T taps of vector accumulators run along the flat padded planes; the lanes
//! are summed once at the end.

use super::common::{ConvShape, arch, wide};
use super::scratch::Padded;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Output channels of a register tile. With T = 6 taps, 24 accumulators and 6 vectors of x fit 32
/// registers; with 3, 12 and 3 fit 16.
const CO: usize = 4;
/// Taps of one task, a multiple of both T.
const TAPS: usize = 48;
/// Pixels between two visits of the same `dy`, so that it stays in the first-level cache.
const CHUNK: usize = 1536;

/// `dw [cout, cin, k, k]` from `x [b, cin, h, w]` and `dy [b, cout, h, w]`.
pub(super) fn conv_dw(x: &[f32], dy: &[f32], s: ConvShape, dw: &mut [f32]) {
    let ConvShape {
        b,
        cin,
        cout,
        h,
        w,
        k,
    } = s;
    let taps = cin * k * k;
    if dw.is_empty() || b * h * w == 0 {
        return dw.fill(0.0);
    }
    let (xp, dyp) = (
        Padded::new(x, b * cin, h, w, k / 2),
        Padded::new(dy, b * cout, h, w, k / 2),
    );
    let offsets = xp.taps(cin, k);
    let groups = taps.div_ceil(TAPS);
    let mut tasks: Vec<(usize, usize, Vec<&mut [f32]>)> = (0..cout.div_ceil(CO) * groups)
        .map(|i| (i / groups * CO, i % groups * TAPS, Vec::with_capacity(CO)))
        .collect();
    for (co, row) in dw.chunks_mut(taps).enumerate() {
        for (g, piece) in row.chunks_mut(TAPS).enumerate() {
            tasks[co / CO * groups + g].2.push(piece);
        }
    }
    let arch = arch();
    let small = s.macs() < 100_000;
    tasks
        .into_par_iter()
        .with_min_len(if small { usize::MAX } else { 1 })
        .for_each(|(co, tap, mut out)| {
            let n = out.first().map_or(0, |o| o.len());
            arch.dispatch(Task {
                x: &xp,
                dy: &dyp,
                offsets: &offsets[tap..tap + n],
                co,
                out: &mut out,
                s,
            });
        });
}

struct Task<'a, 'b> {
    x: &'a Padded,
    dy: &'a Padded,
    offsets: &'a [usize],
    co: usize,
    out: &'a mut [&'b mut [f32]],
    s: ConvShape,
}

impl WithSimd for Task<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.out.len(), wide(S::REGISTER_COUNT)) {
            (1, true) => self.sums::<S, 1, 6>(simd),
            (2, true) => self.sums::<S, 2, 6>(simd),
            (3, true) => self.sums::<S, 3, 6>(simd),
            (_, true) => self.sums::<S, CO, 6>(simd),
            (1, false) => self.sums::<S, 1, 3>(simd),
            (2, false) => self.sums::<S, 2, 3>(simd),
            (3, false) => self.sums::<S, 3, 3>(simd),
            (_, false) => self.sums::<S, CO, 3>(simd),
        }
    }
}

impl Task<'_, '_> {
    #[inline(always)]
    fn sums<S: Simd, const N: usize, const T: usize>(self, simd: S) {
        // dy is zero in the junk columns and below the last row: whole vectors may be summed
        let len = (self.s.h * self.dy.stride).next_multiple_of(S::F32_LANES);
        let last = self.offsets.len() - 1;
        let mut acc = vec![[[simd.splat_f32s(0.0); T]; N]; self.offsets.len().div_ceil(T)];
        for image in 0..self.s.b {
            let x = &self.x.data()[image * self.s.cin * self.x.plane..];
            let dy: [usize; N] =
                std::array::from_fn(|c| self.dy.pixel0(image * self.s.cout + self.co + c));
            for start in (0..len).step_by(CHUNK) {
                let n = CHUNK.min(len - start);
                let dy: [&[S::f32s]; N] = std::array::from_fn(|c| {
                    S::as_simd_f32s(&self.dy.data()[dy[c] + start..][..n]).0
                });
                for (g, acc) in acc.iter_mut().enumerate() {
                    // a last group of less than T taps repeats its last one
                    let x: [&[S::f32s]; T] = std::array::from_fn(|t| {
                        S::as_simd_f32s(&x[self.offsets[(g * T + t).min(last)] + start..][..n]).0
                    });
                    pixel_loop(simd, x, dy, acc);
                }
            }
        }
        for (c, out) in self.out.iter_mut().enumerate() {
            for (t, out) in out.iter_mut().enumerate() {
                *out = simd.reduce_sum_f32s(acc[t / T][c][t % T]);
            }
        }
    }
}

#[inline(always)]
fn pixel_loop<S: Simd, const N: usize, const T: usize>(
    simd: S,
    x: [&[S::f32s]; T],
    dy: [&[S::f32s]; N],
    sums: &mut [[S::f32s; T]; N],
) {
    let n = x[0].len();
    // told once, so that no access below is checked
    let x = x.map(|x| &x[..n]);
    let dy = dy.map(|d| &d[..n]);
    let mut acc = *sums;
    for i in 0..n {
        let mut xv = [simd.splat_f32s(0.0); T];
        for t in 0..T {
            xv[t] = x[t][i];
        }
        for c in 0..N {
            let d = dy[c][i];
            for t in 0..T {
                acc[c][t] = simd.mul_add_e_f32s(d, xv[t], acc[c][t]);
            }
        }
    }
    *sums = acc;
}
