//! Synthesis networks up to the 3x3 layers, by strips of rows.
//!
//! A head at full resolution makes the last x2 step itself, row by row, so that the upsampled
//! planes and the hidden layer never leave the cache; the way back computes them again rather than
//! storing them. A head at half resolution reads the stack of level 1 as it is.

use super::buffer::Buffer;
use super::grid::Grid;
use super::picture::Picture;
use super::product::{MASKED, PLAIN, RELU, fold, outer, product};
use super::shape::{HeadStarts, Shape};
use super::simd::{LANES_MAX, SEGMENT, arch, segments, segments_mut};
use super::upsample::{Adjoint, Stack, Window, horizontal, row_length, vertical};
use super::weights::HeadWeights;
use pulp::{Simd, WithSimd};

/// Rows of a strip.
pub(crate) const STRIP: usize = 16;

/// What a head reads.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    /// The array of all grids.
    pub(crate) latents: &'a [f32],
    /// The finest grid.
    pub(crate) grid: &'a Grid,
    /// All coarser grids at half resolution.
    pub(crate) half: &'a Stack,
}

/// Rows `y0..y1` of a head's planes.
pub(crate) struct HeadStrip {
    pub(crate) head: usize,
    level: usize,
    pub(crate) y0: usize,
    pub(crate) y1: usize,
    /// Samples of a row.
    pub(crate) w: usize,
    /// Inputs of the network, and that number with the ones for the bias, rounded up to fours.
    channels: usize,
    padded: usize,
    hid: usize,
    planes: usize,
    /// Gradient of the stack of level 1.
    pub(crate) window: Window,
    /// Gradient of the finest grid, rows of `w` rounded up to segments.
    own: Buffer,
    /// Gradients of the head's weights up to the 3x3 layers, then of the taps.
    pub(crate) gradients: Vec<f32>,
}

/// A row's inputs and their gradient, a segment's layers, and sums of weight gradients.
pub(crate) struct HeadScratch {
    sums: [Buffer; 3],
    /// `[segment][padded]`
    x: Buffer,
    gx: Buffer,
    t: Buffer,
    h: Buffer,
    gh: Buffer,
    out: Buffer,
    adjoint: Adjoint,
}

impl HeadScratch {
    /// For strips `w` wide of a head where level 1 is `half` wide.
    pub(crate) fn new(shape: &Shape, head: usize, w: usize, half: usize) -> Self {
        let (channels, planes) = (
            shape.grids - shape.heads[head].level,
            shape.heads[head].planes,
        );
        let padded = (channels + 1).next_multiple_of(4);
        let (hp, count) = (shape.hidden.next_multiple_of(4), w.div_ceil(SEGMENT));
        let mut x = Buffer::new(count * padded * SEGMENT);
        for x in segments_mut(&mut x).chunks_mut(padded) {
            x[channels].fill(1.0);
        }
        let sums = |n: usize| Buffer::new(n * LANES_MAX);
        HeadScratch {
            sums: [sums(hp * padded), sums(planes * hp), sums(planes * padded)],
            gx: Buffer::new(count * channels * SEGMENT),
            x,
            t: Buffer::new((channels - 1).max(1) * row_length(half)),
            h: Buffer::new(hp * SEGMENT),
            gh: Buffer::new(hp * SEGMENT),
            out: Buffer::new(planes * SEGMENT),
            adjoint: Adjoint::new(half),
        }
    }
}

/// The strips of one head; `w` and `h` are the size of its planes, `half` that of level 1.
pub(crate) fn head_strips(
    shape: &Shape,
    head: usize,
    (w, h): (usize, usize),
    half: (usize, usize),
) -> Vec<HeadStrip> {
    let (level, planes) = (shape.heads[head].level, shape.heads[head].planes);
    let channels = shape.grids - level;
    let padded = (channels + 1).next_multiple_of(4);
    let hid = shape.hidden;
    let count = w.div_ceil(SEGMENT);
    (0..h)
        .step_by(STRIP)
        .map(|y0| {
            let y1 = (y0 + STRIP).min(h);
            let window = if level == 0 {
                Window::below(y0, y1, half.0, half.1, channels - 1)
            } else {
                Window {
                    first: y0,
                    rows: Stack::new(w, y1 - y0, channels),
                }
            };
            let own = if level == 0 {
                (y1 - y0) * count * SEGMENT
            } else {
                0
            };
            HeadStrip {
                head,
                level,
                y0,
                y1,
                w,
                channels,
                padded,
                hid,
                planes,
                window,
                own: Buffer::new(own),
                gradients: vec![0.0; (hid + planes) * (channels + 1) + planes * hid + 4],
            }
        })
        .collect()
}

impl HeadStrip {
    /// Writes the strip's rows of the planes before the 3x3 layers.
    pub(crate) fn forward(
        &self,
        s: &mut HeadScratch,
        weights: &HeadWeights,
        inputs: Inputs,
        to: &mut [f32],
    ) {
        arch().dispatch(Forward {
            strip: self,
            s,
            weights,
            inputs,
            to,
        });
    }
    /// Gradients of weights, grid and stack from `g`, that of the strip's rows of the planes before
    /// the 3x3 layers, which must be zero beyond the rows' ends.
    pub(crate) fn backward(
        &mut self,
        s: &mut HeadScratch,
        weights: &HeadWeights,
        inputs: Inputs,
        g: &[f32],
    ) {
        arch().dispatch(Backward {
            strip: self,
            s,
            weights,
            inputs,
            g,
        });
    }
    /// Adds the gradient of row `y` of the finest grid.
    pub(crate) fn add_own(&self, y: usize, to: &mut [f32]) {
        if self.level == 0 && (self.y0..self.y1).contains(&y) {
            let stride = self.w.next_multiple_of(SEGMENT);
            let from = &self.own[(y - self.y0) * stride..][..self.w];
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }
    /// Adds the gradients of the weights to the flat vector.
    pub(crate) fn add_gradients(&self, at: HeadStarts, up: usize, to: &mut [f32]) {
        let n = self.gradients.len() - 4;
        let (weights, taps) = self.gradients.split_at(n);
        to[at.hidden..][..n]
            .iter_mut()
            .zip(weights)
            .for_each(|(to, g)| *to += g);
        if self.level == 0 && self.channels > 1 {
            to[up..][..4]
                .iter_mut()
                .zip(taps)
                .for_each(|(to, g)| *to += g);
        }
    }

    /// The inputs of row `y`, and for the adjoint what the vertical step made.
    #[inline(always)]
    fn load<S: Simd>(
        &self,
        simd: S,
        s: &mut HeadScratch,
        inputs: Inputs,
        taps: &[f32; 4],
        y: usize,
    ) {
        let x = segments_mut(&mut s.x);
        let mut spread = |c: usize, row: &[f32]| {
            for (x, row) in x.chunks_mut(self.padded).zip(row.chunks(SEGMENT)) {
                x[c][..row.len()].copy_from_slice(row);
            }
        };
        if self.level > 0 {
            (0..self.channels).for_each(|c| spread(c, &inputs.half.row(c, y)[..self.w]));
            return;
        }
        spread(0, &inputs.latents[inputs.grid.row(y)..][..self.w]);
        if self.channels == 1 {
            return;
        }
        let length = row_length(inputs.half.w);
        for (c, t) in s.t.chunks_exact_mut(length).enumerate() {
            vertical(simd, inputs.half, c, y, taps, t);
            for (k, x) in x.chunks_mut(self.padded).enumerate() {
                horizontal(simd, t, taps, k, &mut x[c + 1]);
            }
        }
    }
}

struct Forward<'a> {
    strip: &'a HeadStrip,
    s: &'a mut HeadScratch,
    weights: &'a HeadWeights,
    inputs: Inputs<'a>,
    to: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward {
            strip,
            s,
            weights,
            inputs,
            to,
        } = self;
        let (planes, stride) = (strip.planes, Picture::stride(strip.w));
        for (y, to) in (strip.y0..strip.y1).zip(to.chunks_mut(planes * stride)) {
            strip.load(simd, s, inputs, &weights.taps, y);
            for (k, x) in segments(&s.x).chunks(strip.padded).enumerate() {
                let x = &x[..strip.channels];
                let h = segments_mut(&mut s.h);
                product::<S, 1, RELU>(simd, [(x, &weights.hidden)], &[], h);
                let out = segments_mut(&mut s.out);
                let parts = [(x, &weights.bypass), (&*h, &weights.mix)];
                product::<S, 2, PLAIN>(simd, parts, &[], out);
                for (to, out) in to.chunks_mut(stride).zip(out) {
                    to[Picture::LEFT + k * SEGMENT..][..SEGMENT].copy_from_slice(out);
                }
            }
            to.chunks_mut(stride)
                .for_each(|row| Picture::replicate(row, strip.w));
        }
    }
}

struct Backward<'a> {
    strip: &'a mut HeadStrip,
    s: &'a mut HeadScratch,
    weights: &'a HeadWeights,
    inputs: Inputs<'a>,
    g: &'a [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Backward {
            strip,
            s,
            weights,
            inputs,
            g,
        } = self;
        s.sums.iter_mut().for_each(|b| b.fill(0.0));
        strip.window.rows.data.fill(0.0);
        s.adjoint.clear();
        let row = strip.planes * Picture::stride(strip.w);
        for (y, g) in (strip.y0..strip.y1).zip(g.chunks(row)) {
            strip.load(simd, s, inputs, &weights.taps, y);
            strip.row_backward(simd, s, weights, g);
            if strip.level == 0 {
                strip.send(simd, s, inputs.half, &weights.taps, y);
            } else {
                let HeadStrip {
                    window,
                    channels,
                    w,
                    ..
                } = &mut *strip;
                for (k, gx) in segments(&s.gx).chunks(*channels).enumerate() {
                    let n = (*w - k * SEGMENT).min(SEGMENT);
                    for (c, gx) in gx.iter().enumerate() {
                        let to = window.rows.row_mut(c, y - window.first);
                        to[k * SEGMENT..][..n].copy_from_slice(&gx[..n]);
                    }
                }
            }
        }
        strip.collect(simd, s);
    }
}

impl HeadStrip {
    /// Gradients of weights and inputs from a row.
    #[inline(always)]
    fn row_backward<S: Simd>(
        &self,
        simd: S,
        s: &mut HeadScratch,
        weights: &HeadWeights,
        g: &[f32],
    ) {
        let stride = Picture::stride(self.w);
        let rows = segments(&s.x).chunks(self.padded);
        let gx = segments_mut(&mut s.gx).chunks_mut(self.channels);
        for (k, (x, gx)) in rows.zip(gx).enumerate() {
            let (h, gh) = (segments_mut(&mut s.h), segments_mut(&mut s.gh));
            let go = segments_mut(&mut s.out);
            for (go, g) in go.iter_mut().zip(g.chunks(stride)) {
                go.copy_from_slice(&g[Picture::LEFT + k * SEGMENT..][..SEGMENT]);
            }
            let [s_hidden, s_mix, s_bypass] = &mut s.sums;
            product::<S, 1, RELU>(simd, [(&x[..self.channels], &weights.hidden)], &[], h);
            outer(simd, go, h, s_mix);
            outer(simd, go, x, s_bypass);
            product::<S, 1, MASKED>(simd, [(go, &weights.mix_t)], h, gh);
            outer(simd, gh, x, s_hidden);
            let parts = [(&*go, &weights.bypass_t), (&*gh, &weights.hidden_t)];
            product::<S, 2, PLAIN>(simd, parts, &[], gx);
        }
    }
    /// Hands the inputs' gradient of row `y` to the finest grid and to the stack of level 1.
    #[inline(always)]
    fn send<S: Simd>(
        &mut self,
        simd: S,
        s: &mut HeadScratch,
        half: &Stack,
        taps: &[f32; 4],
        y: usize,
    ) {
        let count = self.w.div_ceil(SEGMENT);
        let own = segments_mut(&mut self.own)[(y - self.y0) * count..].iter_mut();
        for (own, gx) in own.zip(segments(&s.gx).chunks(self.channels)) {
            *own = gx[0];
        }
        let length = row_length(half.w);
        for c in 0..self.channels - 1 {
            for (k, gx) in segments(&s.gx).chunks(self.channels).enumerate() {
                s.adjoint.take(&gx[c + 1], k);
            }
            let t = &s.t[c * length..][..length];
            s.adjoint
                .run(simd, (half, c, y), t, taps, (&mut self.window, c));
        }
    }
    /// Adds the lanes of all sums: hidden and its bias, mix, bypass and its bias, taps.
    #[inline(always)]
    fn collect<S: Simd>(&mut self, simd: S, s: &HeadScratch) {
        let (hid, hp) = (self.hid, self.hid.next_multiple_of(4));
        let (c, padded, planes) = (self.channels, self.padded, self.planes);
        let mut whole = vec![0.0; hp * (c + 1)];
        let (to_hidden, rest) = self.gradients.split_at_mut(hid * (c + 1));
        let (to_mix, rest) = rest.split_at_mut(planes * hid);
        let (to_bypass, taps) = rest.split_at_mut(planes * (c + 1));
        // the ones that stand for the bias are the last column
        let split = |from: &[f32], to: &mut [f32]| {
            let (weights, bias) = to.split_at_mut(to.len() / (c + 1) * c);
            for ((w, b), from) in weights.chunks_mut(c).zip(bias).zip(from.chunks(c + 1)) {
                w.copy_from_slice(&from[..c]);
                *b = from[c];
            }
        };
        fold(simd, &s.sums[0], hp, padded, &mut whole);
        split(&whole, to_hidden);
        fold(simd, &s.sums[1], planes, hp, to_mix);
        fold(
            simd,
            &s.sums[2],
            planes,
            padded,
            &mut whole[..planes * (c + 1)],
        );
        split(&whole, to_bypass);
        taps.copy_from_slice(&s.adjoint.taps(simd));
    }
}
