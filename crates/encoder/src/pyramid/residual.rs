//! The two 3x3 residual layers, the squared error and the way back through them, by strips of rows
//! whose halo is computed again.

use super::buffer::Buffer;
use super::convolve::{Kernel, adjoint_kernels, convolve, kernel, kernel_sums};
use super::errors::{over, probe_over, signs};
use super::picture::Picture;
use super::shape::{HeadStarts, Layout};
use super::simd::{LANES_MAX, arch, keep, vectors, vectors_mut};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Rows of a strip.
pub(crate) const STRIP: usize = 32;
/// Rows of a strip's buffers above its own, and below.
const HALO: usize = 3;

/// A head's 3x3 kernels.
pub(crate) struct Residual {
    /// `[layer]`: weights and bias as the layout holds them.
    weights: [Vec<f32>; 2],
    bias: [Vec<f32>; 2],
}

impl Residual {
    pub(crate) fn new(head: usize, planes: usize, layout: &Layout, p: &[f32]) -> Self {
        let at = layout.heads[head];
        let kernel = |start: usize| p[start..start + planes * planes * 9].to_vec();
        let bias = |start: usize| p[start..start + planes].to_vec();
        Residual {
            weights: [kernel(at.conv0), kernel(at.conv1)],
            bias: [bias(at.conv0_bias), bias(at.conv1_bias)],
        }
    }
}

/// What a strip reads.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) weights: &'a Residual,
    /// The planes before these layers.
    pub(crate) input: &'a Picture,
    /// The planes to reach.
    pub(crate) target: &'a Picture,
    /// Weight of each plane's summed squared error in the distortion.
    pub(crate) scales: &'a [f32],
    /// Whether the last plane is alpha.
    pub(crate) alpha: bool,
    pub(crate) gradients: bool,
    /// Instead of the error's gradient send back random signs, scaled so that the mean square of
    /// what arrives is the diagonal of the Gauss-Newton matrix (Hutchinson, 1989).
    pub(crate) probe: Option<u64>,
}

/// Rows `y0..y1` of a head's planes.
pub(crate) struct ResidualStrip {
    pub(crate) head: usize,
    pub(crate) y0: usize,
    pub(crate) y1: usize,
    /// Weighted squared error of the strip.
    pub(crate) distortion: f64,
    /// Gradients of both layers' weights and biases, in the order of the layout.
    pub(crate) gradients: Vec<f32>,
}

/// A strip's rows between the layers, and sums of weight gradients.
pub(crate) struct ResidualScratch {
    sums: [Buffer; 2],
    /// Output of the first layer, gradient of the second's output, gradient of the first's.
    x1: Picture,
    g2: Picture,
    g1: Picture,
    zeros: Picture,
}

impl ResidualScratch {
    /// For planes of a width.
    pub(crate) fn new(w: usize, planes: usize) -> Self {
        let rows = || Picture::new(w, STRIP + 2 * HALO, planes);
        let sums = || Buffer::new((planes * planes * 9 + planes) * LANES_MAX);
        ResidualScratch {
            sums: [sums(), sums()],
            x1: rows(),
            g2: rows(),
            g1: rows(),
            zeros: Picture::new(w, 1, planes),
        }
    }
}

/// The strips of one head.
pub(crate) fn residual_strips(head: usize, like: &Picture) -> Vec<ResidualStrip> {
    let weights = like.planes * like.planes * 9 + like.planes;
    (0..like.h)
        .step_by(STRIP)
        .map(|y0| ResidualStrip {
            head,
            y0,
            y1: (y0 + STRIP).min(like.h),
            distortion: 0.0,
            gradients: vec![0.0; 2 * weights],
        })
        .collect()
}

impl ResidualStrip {
    /// Distortion of the strip. With gradients, `to` becomes that of the input's rows; without, the
    /// finished planes.
    pub(crate) fn run(&mut self, s: &mut ResidualScratch, task: Task, to: &mut [f32]) {
        arch().dispatch(Run {
            s,
            strip: self,
            task,
            to,
        });
    }
    /// Adds the gradients of the weights to the flat vector.
    pub(crate) fn add_gradients(&self, at: HeadStarts, to: &mut [f32]) {
        let to = &mut to[at.conv0..][..self.gradients.len()];
        to.iter_mut()
            .zip(&self.gradients)
            .for_each(|(to, g)| *to += g);
    }
    /// The strip's rows and `d` more on each side, within the picture.
    #[inline(always)]
    fn reach(&self, d: usize, h: usize) -> Range<usize> {
        self.y0.saturating_sub(d)..(self.y1 + d).min(h)
    }
    /// Row of the strip's buffers for row `y` of the picture.
    #[inline(always)]
    fn local(&self, y: usize) -> usize {
        y + HALO - self.y0
    }
}

struct Run<'a> {
    strip: &'a mut ResidualStrip,
    s: &'a mut ResidualScratch,
    task: Task<'a>,
    to: &'a mut [f32],
}

impl WithSimd for Run<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Run { strip, s, task, to } = self;
        match task.input.planes {
            1 => strip.layers::<S, 1>(simd, s, task, to),
            2 => strip.layers::<S, 2>(simd, s, task, to),
            3 => strip.layers::<S, 3>(simd, s, task, to),
            _ => strip.layers::<S, 4>(simd, s, task, to),
        }
    }
}

impl ResidualStrip {
    #[inline(always)]
    fn layers<S: Simd, const P: usize>(
        &mut self,
        simd: S,
        s: &mut ResidualScratch,
        task: Task,
        to: &mut [f32],
    ) {
        let k0 = kernel::<P>(&task.weights.weights[0]);
        let k1 = kernel::<P>(&task.weights.weights[1]);
        let (x0, h) = (task.input, task.input.h);
        self.distortion = 0.0;
        s.sums.iter_mut().for_each(|sums| sums.fill(0.0));
        for y in self.reach(if task.gradients { 3 } else { 1 }, h) {
            let rows = neighbours::<P>(x0, y, h, 0);
            let at = self.local(y);
            let mut out = own_rows::<P>(&mut s.x1, at);
            convolve::<S, P, true>(simd, &k0, &task.weights.bias[0], rows, &mut out, x0.w);
            for c in 0..P {
                let start = s.x1.at(c, at) - Picture::LEFT;
                Picture::replicate(&mut s.x1.data[start..][..s.x1.stride], x0.w);
            }
        }
        for y in self.reach(if task.gradients { 2 } else { 0 }, h) {
            self.error::<S, P>(simd, s, task, &k1, y, to);
        }
        if task.gradients {
            self.backward::<S, P>(simd, s, task, [&k0, &k1], to);
        }
    }

    /// Second layer and the error of row `y`.
    #[inline(always)]
    fn error<S: Simd, const P: usize>(
        &mut self,
        simd: S,
        s: &mut ResidualScratch,
        task: Task,
        k1: &Kernel<P>,
        y: usize,
        to: &mut [f32],
    ) {
        let (w, h, stride) = (task.input.w, task.input.h, task.input.stride);
        let (n, at) = (w.div_ceil(S::F32_LANES), self.local(y));
        let own = (self.y0..self.y1).contains(&y);
        let above = self.y0.wrapping_sub(HALO);
        let rows = neighbours::<P>(&s.x1, y, h, above);
        let mut out = own_rows::<P>(&mut s.g2, at);
        convolve::<S, P, false>(simd, k1, &task.weights.bias[1], rows, &mut out, w);
        for c in 0..P {
            let row = s.g2.row_mut(c, at);
            row[w..].fill(0.0);
            if own && !task.gradients {
                let to = &mut to[((y - self.y0) * P + c) * stride + Picture::LEFT..];
                to[..w].copy_from_slice(&row[..w]);
            }
            let target = vectors::<S>(&task.target.row(c, y)[1..], n);
            let twice = simd.splat_f32s(2.0 * task.scales[c]);
            let mut sum = simd.splat_f32s(0.0);
            for (r, t) in vectors_mut::<S>(row, n).iter_mut().zip(target) {
                let e = simd.sub_f32s(*r, *t);
                sum = simd.mul_add_e_f32s(e, e, sum);
                *r = simd.mul_f32s(e, twice);
            }
            if own {
                self.distortion += f64::from(task.scales[c]) * f64::from(simd.reduce_sum_f32s(sum));
            }
            if let Some(seed) = task.probe {
                signs(
                    seed,
                    (self.head * P + c) * h + y,
                    task.scales[c],
                    &mut row[..w],
                );
            }
        }
        if task.alpha {
            let mut rows = own_rows::<P>(&mut s.g2, at);
            match task.probe {
                Some(seed) => {
                    let first = self.head * P * h + y;
                    probe_over(seed, (first, h), task.scales, w, &mut rows);
                }
                None => {
                    let cross = over::<S, P>(simd, task.scales, n, &mut rows);
                    if own {
                        self.distortion -= cross;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn backward<S: Simd, const P: usize>(
        &mut self,
        simd: S,
        s: &mut ResidualScratch,
        task: Task,
        [k0, k1]: [&Kernel<P>; 2],
        to: &mut [f32],
    ) {
        let (x0, w, h) = (task.input, task.input.w, task.input.h);
        let (n, above) = (w.div_ceil(S::F32_LANES), self.y0.wrapping_sub(HALO));
        let (k0, k1) = (adjoint_kernels(k0), adjoint_kernels(k1));
        for y in self.reach(1, h) {
            // the second layer, then the ReLU of the first
            let at = self.local(y);
            let rows = gradient_rows::<P>((&s.g2, &s.zeros), self.y0, y, h);
            let k = &k1[border(y, h)];
            let mut out = own_rows::<P>(&mut s.g1, at);
            convolve::<S, P, false>(simd, k, &[0.0; P], rows, &mut out, w);
            fold_borders(k, &rows, &mut out, w);
            for c in 0..P {
                let row = s.g1.row_mut(c, at);
                row[w..].fill(0.0);
                let x = vectors::<S>(&s.x1.row(c, at)[1..], n);
                for (g, x) in vectors_mut::<S>(row, n).iter_mut().zip(x) {
                    *g = keep(simd, *g, *x);
                }
            }
        }
        for (y, to) in (self.y0..self.y1).zip(to.chunks_mut(P * x0.stride)) {
            let rows = gradient_rows::<P>((&s.g1, &s.zeros), self.y0, y, h);
            let mut out = rows_of::<P>(to, x0.stride);
            let k = &k0[border(y, h)];
            convolve::<S, P, false>(simd, k, &[0.0; P], rows, &mut out, w);
            fold_borders(k, &rows, &mut out, w);
            out.iter_mut().for_each(|row| row[w..].fill(0.0));
            let at = self.local(y);
            let (mut g1, mut g2) = ([&[][..]; P], [&[][..]; P]);
            for c in 0..P {
                g1[c] = &s.g1.row(c, at)[1..];
                g2[c] = &s.g2.row(c, at)[1..];
            }
            let rows = neighbours::<P>(x0, y, h, 0);
            kernel_sums::<S, P>(simd, rows, g1, w, &mut s.sums[0]);
            let rows = neighbours::<P>(&s.x1, y, h, above);
            kernel_sums::<S, P>(simd, rows, g2, w, &mut s.sums[1]);
        }
        let layers = self.gradients.chunks_mut(P * P * 9 + P);
        for (to, sums) in layers.zip(&s.sums) {
            for (to, sum) in to.iter_mut().zip(S::as_simd_f32s(sums).0) {
                *to = simd.reduce_sum_f32s(*sum);
            }
        }
    }
}

/// Rows y - 1, y and y + 1 of a gradient whose row 0 is `top - HALO` of the picture; zero outside
/// the picture.
#[inline(always)]
fn gradient_rows<'a, const P: usize>(
    (g, zeros): (&'a Picture, &'a Picture),
    top: usize,
    y: usize,
    h: usize,
) -> [[&'a [f32]; 3]; P] {
    let mut rows = [[&[][..]; 3]; P];
    for (c, rows) in rows.iter_mut().enumerate() {
        let (at, zero) = (y + HALO - top, zeros.row(c, 0));
        rows[0] = if y > 0 { g.row(c, at - 1) } else { zero };
        rows[1] = g.row(c, at);
        rows[2] = if y + 1 < h { g.row(c, at + 1) } else { zero };
    }
    rows
}

/// Rows y - 1, y and y + 1 of a picture of `h` rows, the border replicated; row 0 of `from` is
/// `top` of the picture.
#[inline(always)]
fn neighbours<const P: usize>(from: &Picture, y: usize, h: usize, top: usize) -> [[&[f32]; 3]; P] {
    let mut rows = [[&[][..]; 3]; P];
    for (c, rows) in rows.iter_mut().enumerate() {
        rows[0] = from.row(c, y.saturating_sub(1).wrapping_sub(top));
        rows[1] = from.row(c, y.wrapping_sub(top));
        rows[2] = from.row(c, (y + 1).min(h - 1).wrapping_sub(top));
    }
    rows
}

/// Row `y` of all planes, to write.
#[inline(always)]
fn own_rows<const P: usize>(picture: &mut Picture, y: usize) -> [&mut [f32]; P] {
    let (start, stride) = (picture.at(0, y) - Picture::LEFT, picture.stride);
    rows_of(&mut picture.data[start..], stride)
}

/// The next row of every plane from sample 0 on.
#[inline(always)]
fn rows_of<const P: usize>(from: &mut [f32], stride: usize) -> [&mut [f32]; P] {
    let mut rows: [&mut [f32]; P] = std::array::from_fn(|_| Default::default());
    for (to, row) in rows.iter_mut().zip(from.chunks_mut(stride)) {
        *to = &mut row[Picture::LEFT..];
    }
    rows
}

/// Which of [`adjoint_kernels`] serves row `y`: bit 0 for the first row, bit 1 for the last.
fn border(y: usize, h: usize) -> usize {
    usize::from(y == 0) + 2 * usize::from(y + 1 == h)
}

/// What the replicated columns received belongs to the border columns.
#[inline(always)]
fn fold_borders<const P: usize>(
    k: &Kernel<P>,
    rows: &[[&[f32]; 3]; P],
    out: &mut [&mut [f32]; P],
    w: usize,
) {
    for (out, k) in out.iter_mut().zip(k) {
        for (rows, k) in rows.iter().zip(k) {
            for (row, k) in rows.iter().zip(k) {
                out[0] += k[2] * row[1];
                out[w - 1] += k[0] * row[w];
            }
        }
    }
}
