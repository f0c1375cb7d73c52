//! Learned separable x2 upsampling by rows, and its adjoint.
//!
//! The filter is symmetric with 8 taps, of which each output sample uses four in each direction:
//! taps (a, b, c, d) weigh the inputs at distance 1.75, 1.25, 0.75 and 0.25 from it. Borders are
//! replicated.

use super::buffer::{Buffer, LINE};
use super::simd::{SEGMENT, Segment, vectors, vectors_mut};
use pulp::Simd;

/// Row buffers start their samples here, so that the replicated columns have a place.
const LEFT: usize = LINE;
/// Input columns of a segment of outputs.
const HALF: usize = SEGMENT / 2;

/// Floats of a row buffer for `w` inputs.
pub(crate) fn row_length(w: usize) -> usize {
    LEFT + w.next_multiple_of(HALF) + 3 * LINE
}

/// Planes of one size, row by row: `[row][channel][stride]`.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    pub(crate) w: usize,
    pub(crate) h: usize,
    pub(crate) channels: usize,
    pub(crate) stride: usize,
    pub(crate) data: Buffer,
}

impl Stack {
    /// Stands for a stack of no channels.
    pub(crate) fn empty() -> Self {
        Stack::new(1, 1, 0)
    }
    pub(crate) fn new(w: usize, h: usize, channels: usize) -> Self {
        let stride = w.next_multiple_of(LINE);
        Stack {
            w,
            h,
            channels,
            stride,
            data: Buffer::new(h * channels * stride),
        }
    }
    /// Row `y` of channel `c`, with what pads it.
    #[inline(always)]
    pub(crate) fn row(&self, c: usize, y: usize) -> &[f32] {
        &self.data[(y * self.channels + c) * self.stride..][..self.stride]
    }
    /// Row `y` of channel `c`, with what pads it.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, c: usize, y: usize) -> &mut [f32] {
        &mut self.data[(y * self.channels + c) * self.stride..][..self.stride]
    }
}

/// Some rows of a gradient stack, private to a task.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Row of the full stack that is row 0 of `rows`.
    pub(crate) first: usize,
    pub(crate) rows: Stack,
}

impl Window {
    /// The rows of a coarse stack that output rows `y0..y1` depend on.
    pub(crate) fn below(y0: usize, y1: usize, w: usize, h: usize, channels: usize) -> Self {
        let first = (y0 / 2).saturating_sub(2).min(h - 1);
        let end = ((y1 - 1) / 2 + 3).min(h);
        Window {
            first,
            rows: Stack::new(w, end - first, channels),
        }
    }
    /// Adds its row `y` of the full stack, all channels, to `to`.
    pub(crate) fn add_row(&self, y: usize, to: &mut [f32]) {
        if (self.first..self.first + self.rows.h).contains(&y) {
            let row = self.rows.channels * self.rows.stride;
            let from = &self.rows.data[(y - self.first) * row..][..row];
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }
}

/// The four input rows of output row `y` of a plane of `h` input rows, and the tap of each.
#[inline(always)]
fn sources(y: usize, h: usize) -> [(usize, usize); 4] {
    let at = |n: usize| n.saturating_sub(2).min(h - 1);
    let n = y / 2 + 2;
    if y.is_multiple_of(2) {
        [(at(n - 2), 0), (at(n - 1), 2), (at(n), 3), (at(n + 1), 1)]
    } else {
        [(at(n - 1), 1), (at(n), 3), (at(n + 1), 2), (at(n + 2), 0)]
    }
}

/// Vertical step for output row `y` of channel `c`: a row of `source.w` samples in `t`.
#[inline(always)]
pub(crate) fn vertical<S: Simd>(
    simd: S,
    source: &Stack,
    c: usize,
    y: usize,
    taps: &[f32; 4],
    t: &mut [f32],
) {
    let (w, n) = (source.w, source.w.div_ceil(S::F32_LANES));
    let from = sources(y, source.h);
    let mut r = [&[][..]; 4];
    let mut k = [simd.splat_f32s(0.0); 4];
    for (i, (row, tap)) in from.into_iter().enumerate() {
        r[i] = vectors::<S>(source.row(c, row), n);
        k[i] = simd.splat_f32s(taps[tap]);
    }
    let [r0, r1, r2, r3] = r;
    let to = vectors_mut::<S>(&mut t[LEFT..], n);
    for v in 0..n {
        let a = simd.mul_add_e_f32s(r1[v], k[1], simd.mul_f32s(r0[v], k[0]));
        let b = simd.mul_add_e_f32s(r3[v], k[3], simd.mul_f32s(r2[v], k[2]));
        to[v] = simd.add_f32s(a, b);
    }
    let (first, last) = (t[LEFT], t[LEFT + w - 1]);
    t[LEFT - 2..LEFT].fill(first);
    t[LEFT + w..LEFT + w + 2].fill(last);
}

#[inline(always)]
fn splat<S: Simd>(simd: S, taps: &[f32; 4]) -> [S::f32s; 4] {
    let mut k = [simd.splat_f32s(0.0); 4];
    for (k, tap) in k.iter_mut().zip(taps) {
        *k = simd.splat_f32s(*tap);
    }
    k
}

/// Horizontal step: segment number `k` of the output row.
#[inline(always)]
pub(crate) fn horizontal<S: Simd>(simd: S, t: &[f32], taps: &[f32; 4], k: usize, to: &mut Segment) {
    let [a, b, c, d] = splat(simd, taps);
    let n = HALF / S::F32_LANES;
    let t = &t[LEFT - 2 + k * HALF..][..HALF + 4];
    let (m2, m1) = (vectors::<S>(t, n), vectors::<S>(&t[1..], n));
    let z = vectors::<S>(&t[2..], n);
    let (p1, p2) = (vectors::<S>(&t[3..], n), vectors::<S>(&t[4..], n));
    let (mut even, mut odd) = ([0.0; HALF], [0.0; HALF]);
    let (ev, ov) = (
        vectors_mut::<S>(&mut even, n),
        vectors_mut::<S>(&mut odd, n),
    );
    for v in 0..n {
        let centre = simd.mul_f32s(d, z[v]);
        let e = simd.mul_add_e_f32s(c, m1[v], simd.mul_add_e_f32s(b, p1[v], centre));
        let o = simd.mul_add_e_f32s(c, p1[v], simd.mul_add_e_f32s(b, m1[v], centre));
        ev[v] = simd.mul_add_e_f32s(a, m2[v], e);
        ov[v] = simd.mul_add_e_f32s(a, p2[v], o);
    }
    let pairs = to.as_chunks_mut::<2>().0;
    for ((to, e), o) in pairs.iter_mut().zip(&even).zip(&odd) {
        *to = [*e, *o];
    }
}

/// Scratch of the adjoint and its sums of tap gradients.
#[derive(Debug)]
pub(crate) struct Adjoint {
    even: Buffer,
    odd: Buffer,
    g: Buffer,
    sums: Buffer,
}

impl Adjoint {
    pub(crate) fn new(w: usize) -> Self {
        let row = || Buffer::new(row_length(w) + LINE);
        Adjoint {
            even: row(),
            odd: row(),
            g: row(),
            sums: Buffer::new(4 * LINE),
        }
    }
    pub(crate) fn clear(&mut self) {
        self.sums.fill(0.0);
    }
    /// Takes segment number `k` of an output row's gradient, which must be zero beyond the row.
    #[inline(always)]
    pub(crate) fn take(&mut self, g: &Segment, k: usize) {
        let (mut even, mut odd) = ([0.0; HALF], [0.0; HALF]);
        for ((pair, e), o) in g.as_chunks::<2>().0.iter().zip(&mut even).zip(&mut odd) {
            [*e, *o] = *pair;
        }
        self.even[LEFT + k * HALF..][..HALF].copy_from_slice(&even);
        self.odd[LEFT + k * HALF..][..HALF].copy_from_slice(&odd);
    }
    /// Sends the row taken to the rows of `to` that row `y` of channel `c` was made of; `t` is what
    /// [`vertical`] made of them.
    #[inline(always)]
    pub(crate) fn run<S: Simd>(
        &mut self,
        simd: S,
        (source, c, y): (&Stack, usize, usize),
        t: &[f32],
        taps: &[f32; 4],
        (to, to_channel): (&mut Window, usize),
    ) {
        let w = source.w;
        let sums = &mut vectors_mut::<S>(&mut self.sums, 4)[..4];
        {
            // two columns on either side take what the borders replicated
            let n = (w + 4).div_ceil(S::F32_LANES);
            let (even, odd) = (&self.even[LEFT - 4..], &self.odd[LEFT - 4..]);
            let (e1, e2) = (vectors::<S>(&even[1..], n), vectors::<S>(&even[2..], n));
            let (e3, e4) = (vectors::<S>(&even[3..], n), vectors::<S>(&even[4..], n));
            let (o0, o1) = (vectors::<S>(odd, n), vectors::<S>(&odd[1..], n));
            let (o2, o3) = (vectors::<S>(&odd[2..], n), vectors::<S>(&odd[3..], n));
            let t = vectors::<S>(&t[LEFT - 2..], n);
            let g = vectors_mut::<S>(&mut self.g[LEFT - 2..], n);
            let k = splat(simd, taps);
            let mut acc = [simd.splat_f32s(0.0); 4];
            acc.copy_from_slice(sums);
            for v in 0..n {
                let q = [
                    simd.add_f32s(e4[v], o0[v]),
                    simd.add_f32s(e1[v], o3[v]),
                    simd.add_f32s(e3[v], o1[v]),
                    simd.add_f32s(e2[v], o2[v]),
                ];
                for i in 0..4 {
                    acc[i] = simd.mul_add_e_f32s(q[i], t[v], acc[i]);
                }
                let ab = simd.mul_add_e_f32s(k[1], q[1], simd.mul_f32s(k[0], q[0]));
                let cd = simd.mul_add_e_f32s(k[3], q[3], simd.mul_f32s(k[2], q[2]));
                g[v] = simd.add_f32s(ab, cd);
            }
            sums.copy_from_slice(&acc);
        }
        self.g[LEFT] += self.g[LEFT - 1] + self.g[LEFT - 2];
        self.g[LEFT + w - 1] += self.g[LEFT + w] + self.g[LEFT + w + 1];
        self.g[LEFT + w..][..LINE].fill(0.0);
        let n = w.div_ceil(S::F32_LANES);
        let g = vectors::<S>(&self.g[LEFT..], n);
        for (r, i) in sources(y, source.h) {
            let x = vectors::<S>(source.row(c, r), n);
            let to = vectors_mut::<S>(to.rows.row_mut(to_channel, r - to.first), n);
            let tap = simd.splat_f32s(taps[i]);
            let mut acc = sums[i];
            for v in 0..n {
                acc = simd.mul_add_e_f32s(g[v], x[v], acc);
                to[v] = simd.mul_add_e_f32s(g[v], tap, to[v]);
            }
            sums[i] = acc;
        }
    }
    /// Gradients of the taps.
    #[inline(always)]
    pub(crate) fn taps<S: Simd>(&self, simd: S) -> [f32; 4] {
        let mut taps = [0.0; 4];
        for (tap, sum) in taps.iter_mut().zip(vectors::<S>(&self.sums, 4)) {
            *tap = simd.reduce_sum_f32s(*sum);
        }
        taps
    }
}
