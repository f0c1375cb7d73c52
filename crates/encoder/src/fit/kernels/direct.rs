//! Forward convolution and input gradient: direct, register-blocked, no im2col.
//!
//! One tile is CB output channels x 3 vectors of pixels held in registers while a loop runs over
//! all `cin * k * k` taps. A tap costs 3 loads and CB broadcasts for `3 * CB` multiply-adds, so
//! with CB = 8 the FMA units are the bottleneck.

use super::common::{ConvShape, arch, wide};
use super::scratch::{Padded, Scratch};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Most output channels in a tile. 8 x 3 accumulators fill 32 registers; 16-register machines use
/// [`CB_NARROW`].
const CB_MAX: usize = 8;
const CB_NARROW: usize = 4;
/// Pixels (junk included) that one task computes, about.
const BAND: usize = 2048;
/// Most lanes of a vector times vectors of a tile.
const TILE_MAX: usize = 48;

/// `y [b, cout, h, w]` = same-padded convolution of `x [b, cin, h, w]` with `wt [cout, cin, k, k]`.
pub(super) fn conv(x: &[f32], wt: &[f32], s: ConvShape, y: &mut [f32]) {
    let taps = s.cin * s.k * s.k;
    run(x, s, y, |co, t| wt[co * taps + t]);
}

/// `dx [b, cin, h, w]` from `dy [b, cout, h, w]`: a convolution with mirrored kernels and channel
/// roles exchanged.
pub(super) fn conv_dx(dy: &[f32], wt: &[f32], s: ConvShape, dx: &mut [f32]) {
    let kk = s.k * s.k;
    run(
        dy,
        ConvShape {
            cin: s.cout,
            cout: s.cin,
            ..s
        },
        dx,
        |ci, t| wt[(t / kk * s.cin + ci) * kk + kk - 1 - t % kk],
    );
}

/// One piece of work: some output channels of some rows of one image.
struct Task<'a> {
    /// The output rows, one slice for each channel of the block.
    out: Vec<&'a mut [f32]>,
    image: usize,
    first_channel: usize,
    first_row: usize,
}

fn run(x: &[f32], s: ConvShape, y: &mut [f32], weight: impl Fn(usize, usize) -> f32) {
    let ConvShape {
        b,
        cin,
        cout,
        h,
        w,
        k,
    } = s;
    let taps = cin * k * k;
    if y.is_empty() || taps == 0 {
        return y.fill(0.0);
    }
    let arch = arch();
    let cb = arch.dispatch(BlockSize);
    let blocks = cout.div_ceil(cb);
    // Blocks of nearly equal size: 33 channels are 7+7+7+6+6, not 8+8+8+8+1, since tiny blocks are
    // bound by loads.
    let start = |i: usize| i * cout / blocks;
    let xp = Padded::new(x, b * cin, h, w, k / 2);
    let mut packed = Scratch::take(cout * taps);
    let mut to = packed.get_mut().iter_mut();
    for i in 0..blocks {
        for t in 0..taps {
            for co in start(i)..start(i + 1) {
                if let Some(to) = to.next() {
                    *to = weight(co, t);
                }
            }
        }
    }
    let (packed, offsets) = (packed.get(), xp.taps(cin, k));

    let rows = (BAND / xp.stride).clamp(1, h);
    let bands = h.div_ceil(rows);
    let mut tasks: Vec<Task> = Vec::with_capacity(b * bands * blocks);
    for image in 0..b {
        for band in 0..bands {
            tasks.extend((0..blocks).map(|i| Task {
                out: Vec::with_capacity(cb),
                image,
                first_channel: start(i),
                first_row: band * rows,
            }));
        }
    }
    let mut block_of = vec![0; cout];
    (0..blocks).for_each(|i| block_of[start(i)..start(i + 1)].fill(i));
    for (plane, out) in y.chunks_mut(h * w).enumerate() {
        for (band, out) in out.chunks_mut(rows * w).enumerate() {
            tasks[(plane / cout * bands + band) * blocks + block_of[plane % cout]]
                .out
                .push(out);
        }
    }
    let small = s.macs() < 100_000;
    tasks
        .into_par_iter()
        .with_min_len(if small { usize::MAX } else { 1 })
        .for_each(|mut t| {
            let weights = &packed[t.first_channel * taps..][..t.out.len() * taps];
            let base = t.image * cin * xp.plane + t.first_row * xp.stride;
            arch.dispatch(Band {
                x: &xp.data()[base..],
                offsets: &offsets,
                weights,
                out: &mut t.out,
                stride: xp.stride,
                w,
            });
        });
}

/// Output channels of a tile on this machine.
struct BlockSize;
impl WithSimd for BlockSize {
    type Output = usize;
    fn with_simd<S: Simd>(self, _: S) -> usize {
        if wide(S::REGISTER_COUNT) {
            CB_MAX
        } else {
            CB_NARROW
        }
    }
}

struct Band<'a, 'b> {
    /// From the first row of the band of channel 0; `offsets` count from here.
    x: &'a [f32],
    offsets: &'a [usize],
    /// `[taps][out.len()]`
    weights: &'a [f32],
    out: &'a mut [&'b mut [f32]],
    stride: usize,
    w: usize,
}

impl WithSimd for Band<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.out.len() {
            1 => self.tiles::<S, 1>(simd),
            2 => self.tiles::<S, 2>(simd),
            3 => self.tiles::<S, 3>(simd),
            4 => self.tiles::<S, 4>(simd),
            5 => self.tiles::<S, 5>(simd),
            6 => self.tiles::<S, 6>(simd),
            7 => self.tiles::<S, 7>(simd),
            _ => self.tiles::<S, 8>(simd),
        }
    }
}

impl Band<'_, '_> {
    #[inline(always)]
    fn tiles<S: Simd, const CB: usize>(self, simd: S) {
        let (weights, _) = pulp::as_arrays::<CB, f32>(self.weights);
        let rows = self.out.first().map_or(0, |o| o.len() / self.w);
        let end = rows * self.stride;
        let mut at = 0;
        while at < end {
            // the last tile may be one or two vectors
            let left = (end - at).div_ceil(S::F32_LANES);
            let mut tile = [[0.0; TILE_MAX]; CB];
            let done = if left >= 3 {
                tap_loop::<S, CB, 3>(simd, &self.x[at..], self.offsets, weights, &mut tile)
            } else {
                tap_loop::<S, CB, 1>(simd, &self.x[at..], self.offsets, weights, &mut tile)
            };
            for (out, tile) in self.out.iter_mut().zip(&tile) {
                scatter(&tile[..done.min(end - at)], at, self.stride, self.w, out);
            }
            at += done;
        }
    }
}

/// CB channels x NV vectors: `tile[c] = sum over t of weights[t][c] * x[offsets[t]..]`. Returns the
/// pixels computed.
#[inline(always)]
fn tap_loop<S: Simd, const CB: usize, const NV: usize>(
    simd: S,
    x: &[f32],
    offsets: &[usize],
    weights: &[[f32; CB]],
    tile: &mut [[f32; TILE_MAX]; CB],
) -> usize {
    let lanes = S::F32_LANES;
    let mut acc = [[simd.splat_f32s(0.0); NV]; CB];
    for (&o, wt) in offsets.iter().zip(weights) {
        let (v, _) = S::as_simd_f32s(&x[o..o + NV * lanes]);
        let mut xv = [simd.splat_f32s(0.0); NV];
        xv.copy_from_slice(&v[..NV]);
        for c in 0..CB {
            let wc = simd.splat_f32s(wt[c]);
            for j in 0..NV {
                acc[c][j] = simd.mul_add_e_f32s(wc, xv[j], acc[c][j]);
            }
        }
    }
    for c in 0..CB {
        let (to, _) = S::as_mut_simd_f32s(&mut tile[c][..NV * lanes]);
        to.copy_from_slice(&acc[c]);
    }
    NV * lanes
}

/// Copies what is not junk of flat positions `at..` to the dense rows of `out`.
#[inline(always)]
fn scatter(tile: &[f32], at: usize, stride: usize, w: usize, out: &mut [f32]) {
    let (mut y, mut x) = (at / stride, at % stride);
    let mut from = 0;
    while from < tile.len() {
        let n = (stride - x).min(tile.len() - from);
        let keep = w.saturating_sub(x).min(n);
        out[y * w + x.min(w)..][..keep].copy_from_slice(&tile[from..from + keep]);
        from += n;
        y += 1;
        x = 0;
    }
}
