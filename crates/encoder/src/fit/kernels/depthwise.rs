//! Depthwise convolution: `R` output rows at once, so that one loaded vector of `x` serves up to K
//! kernel rows.

use super::common::{ConvShape, arch, wide};
use super::scratch::Padded;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// `y [b, c, h, w]` from `x [b, c, h, w]` and `wt [c, 1, k, k]`, c = `s.cin` = `s.cout`.
pub fn depthwise(x: &[f32], wt: &[f32], s: ConvShape, y: &mut [f32]) {
    run(x, s, y, |c, t| wt[c * s.k * s.k + t]);
}

/// `dx [b, c, h, w]` from `dy [b, c, h, w]` and `wt [c, 1, k, k]`.
pub fn depthwise_dx(dy: &[f32], wt: &[f32], s: ConvShape, dx: &mut [f32]) {
    run(dy, s, dx, |c, t| wt[c * s.k * s.k + s.k * s.k - 1 - t]);
}

fn run(x: &[f32], s: ConvShape, y: &mut [f32], weight: impl Fn(usize, usize) -> f32 + Sync) {
    let ConvShape {
        b,
        cout: c,
        h,
        w,
        k,
        ..
    } = s;
    if y.is_empty() {
        return;
    }
    let xp = Padded::new(x, b * c, h, w, k / 2);
    let arch = arch();
    y.par_chunks_mut(h * w)
        .enumerate()
        .with_min_len(1 + 4096 / (h * w))
        .for_each(|(plane, out)| {
            let wt: Vec<f32> = (0..k * k).map(|t| weight(plane % c, t)).collect();
            arch.dispatch(Forward {
                x: &xp,
                plane,
                wt: &wt,
                out,
                s,
            });
        });
}

struct Forward<'a> {
    x: &'a Padded,
    plane: usize,
    wt: &'a [f32],
    out: &'a mut [f32],
    s: ConvShape,
}

impl WithSimd for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.s.k, wide(S::REGISTER_COUNT)) {
            (3, true) => self.rows::<S, 3, 8>(simd),
            (5, true) => self.rows::<S, 5, 8>(simd),
            (7, true) => self.rows::<S, 7, 8>(simd),
            (3, false) => self.rows::<S, 3, 4>(simd),
            (5, false) => self.rows::<S, 5, 4>(simd),
            (7, false) => self.rows::<S, 7, 4>(simd),
            _ => self.any_kernel(simd),
        }
    }
}

impl Forward<'_> {
    #[inline(always)]
    fn rows<S: Simd, const K: usize, const R: usize>(self, simd: S) {
        let ConvShape { h, w, .. } = self.s;
        for y0 in (0..h).step_by(R) {
            for x0 in (0..w).step_by(S::F32_LANES) {
                let mut acc = [simd.splat_f32s(0.0); R];
                for kx in 0..K {
                    let base = self.x.tap(self.plane, y0, x0 + kx);
                    let from = &self.x.data()[base..];
                    let wk: [S::f32s; K] =
                        std::array::from_fn(|ky| simd.splat_f32s(self.wt[ky * K + kx]));
                    // `tap` rows beyond the image are zeros or junk that is not stored
                    for i in 0..R + K - 1 {
                        let v = load(simd, &from[i * self.x.stride..]);
                        for ky in 0..K {
                            if i >= ky && i - ky < R {
                                acc[i - ky] = simd.mul_add_e_f32s(wk[ky], v, acc[i - ky]);
                            }
                        }
                    }
                }
                for (r, acc) in acc.iter().enumerate().take(h - y0) {
                    store(simd, &mut self.out[(y0 + r) * w..][x0..w], *acc);
                }
            }
        }
    }

    /// Any other kernel: one row, one vector at a time.
    #[inline(always)]
    fn any_kernel<S: Simd>(self, simd: S) {
        let ConvShape { h, w, k, .. } = self.s;
        for y in 0..h {
            for x0 in (0..w).step_by(S::F32_LANES) {
                let mut acc = simd.splat_f32s(0.0);
                for (t, &wt) in self.wt.iter().enumerate() {
                    let v = load(
                        simd,
                        &self.x.data()[self.x.tap(self.plane, y + t / k, x0 + t % k)..],
                    );
                    acc = simd.mul_add_e_f32s(simd.splat_f32s(wt), v, acc);
                }
                store(simd, &mut self.out[y * w..][x0..w], acc);
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(_: S, x: &[f32]) -> S::f32s {
    S::as_simd_f32s(&x[..S::F32_LANES]).0[0]
}

/// Stores as much of `v` as `out` holds.
#[inline(always)]
fn store<S: Simd>(simd: S, out: &mut [f32], v: S::f32s) {
    match S::as_mut_simd_f32s(out) {
        ([first, ..], _) => *first = v,
        (_, part) => simd.partial_store_f32s(part, v),
    }
}

/// `dw [c, 1, k, k]` from `x [b, c, h, w]` and `dy [b, c, h, w]`.
pub fn depthwise_dw(x: &[f32], dy: &[f32], s: ConvShape, dw: &mut [f32]) {
    let ConvShape {
        b,
        cout: c,
        h,
        w,
        k,
        ..
    } = s;
    if dw.is_empty() || b * h * w == 0 {
        return dw.fill(0.0);
    }
    let (xp, dyp) = (
        Padded::new(x, b * c, h, w, k / 2),
        Padded::new(dy, b * c, h, w, k / 2),
    );
    let arch = arch();
    dw.par_chunks_mut(k * k)
        .enumerate()
        .with_min_len(1 + 4096 / (h * w))
        .for_each(|(channel, out)| {
            arch.dispatch(Weights {
                x: &xp,
                dy: &dyp,
                channel,
                out,
                s,
            });
        });
}

struct Weights<'a> {
    x: &'a Padded,
    dy: &'a Padded,
    channel: usize,
    out: &'a mut [f32],
    s: ConvShape,
}

impl WithSimd for Weights<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.s.k, wide(S::REGISTER_COUNT)) {
            (3, true) => self.sums::<S, 3, 8>(simd),
            (5, true) => self.sums::<S, 5, 8>(simd),
            (7, true) => self.sums::<S, 7, 8>(simd),
            (3, false) => self.sums::<S, 3, 4>(simd),
            (5, false) => self.sums::<S, 5, 4>(simd),
            (7, false) => self.sums::<S, 7, 2>(simd),
            _ => self.any_kernel(simd),
        }
    }
}

impl Weights<'_> {
    /// R rows of dy held in registers meet the R + K - 1 rows of x above and below them.
    #[inline(always)]
    fn sums<S: Simd, const K: usize, const R: usize>(self, simd: S) {
        let ConvShape { b, cout, h, w, .. } = self.s;
        let mut total = [[simd.splat_f32s(0.0); K]; K];
        for plane in (0..b).map(|i| i * cout + self.channel) {
            for y0 in (0..h).step_by(R) {
                for x0 in (0..w).step_by(S::F32_LANES) {
                    // Positions right of the row are the next row's pixels: the lanes beyond `w`
                    // must not count.
                    let mut d = [simd.splat_f32s(0.0); R];
                    let dy = &self.dy.data()[self.dy.pixel0(plane) + y0 * self.dy.stride + x0..];
                    for (r, d) in d.iter_mut().enumerate() {
                        let row = &dy[r * self.dy.stride..];
                        *d = if x0 + S::F32_LANES <= w {
                            load(simd, row)
                        } else {
                            simd.partial_load_f32s(&row[..w - x0])
                        };
                    }
                    for (kx, total) in total.iter_mut().enumerate() {
                        let from = &self.x.data()[self.x.tap(plane, y0, x0 + kx)..];
                        let mut acc = *total;
                        for i in 0..R + K - 1 {
                            let v = load(simd, &from[i * self.x.stride..]);
                            for ky in 0..K {
                                if i >= ky && i - ky < R {
                                    acc[ky] = simd.mul_add_e_f32s(d[i - ky], v, acc[ky]);
                                }
                            }
                        }
                        *total = acc;
                    }
                }
            }
        }
        for (t, out) in self.out.iter_mut().enumerate() {
            *out = simd.reduce_sum_f32s(total[t % K][t / K]);
        }
    }

    #[inline(always)]
    fn any_kernel<S: Simd>(self, simd: S) {
        let ConvShape { b, cout, h, k, .. } = self.s;
        let len = (h * self.dy.stride).next_multiple_of(S::F32_LANES);
        for (t, out) in self.out.iter_mut().enumerate() {
            let mut acc = simd.splat_f32s(0.0);
            for plane in (0..b).map(|i| i * cout + self.channel) {
                let (x, _) =
                    S::as_simd_f32s(&self.x.data()[self.x.tap(plane, t / k, t % k)..][..len]);
                let (dy, _) = S::as_simd_f32s(&self.dy.data()[self.dy.pixel0(plane)..][..len]);
                for (x, dy) in x.iter().zip(dy) {
                    acc = simd.mul_add_e_f32s(*x, *dy, acc);
                }
            }
            *out = simd.reduce_sum_f32s(acc);
        }
    }
}
