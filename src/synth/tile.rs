//! Register tiles of output channels by columns: the sums of a convolution's rows.

use std::ops::Range;

use super::lanes::{Lane, Lanes};
use super::layer::Layer;
use super::requantize::{Accumulator, CHUNK};
use super::ring::Ring;
use super::row_pair::{self, Source};

/// Most sums of a tile.
pub const TILE: usize = 512;
/// Most input rows that one sum reads.
const MAX_ROWS: usize = 16;

/// Rows of a layer to compute: one, or two next to each other.
pub struct Rows<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// The input's ring, and after it room for differences of its rows.
    pub input: &'a mut Ring,
    /// Input row that the first kernel row would read for the first output row; before the picture,
    /// negative.
    pub top: isize,
    /// The output's ring.
    pub output: &'a mut Ring,
    /// Output rows of the convolution: number of the first, and how many.
    pub y: usize,
    /// How many.
    pub count: usize,
}

/// What one sum adds up: kernel rows `first..first + len` of the weights, on the input rows at
/// `at`.
#[derive(Clone, Copy, Default)]
pub struct Sum {
    at: [usize; MAX_ROWS],
    /// Kernel rows.
    pub len: usize,
    /// The first of them.
    pub first: usize,
}

/// [`Rows`] with all places found.
pub struct Job<'a> {
    /// The layer.
    pub layer: &'a Layer,
    input: &'a [Lane],
    /// The output's ring.
    pub output: &'a mut [Lane],
    /// Start of each convolution row's part of the output.
    pub out: [usize; 2],
    /// One for each row.
    pub direct: [Sum; 2],
    /// Rows.
    pub count: usize,
    /// Three sums for two rows (see [`row_pair`]), and where their differences do not fit.
    pub row_pair: Option<([Sum; row_pair::SUMS], &'a [i16])>,
}

impl<'a> Job<'a> {
    /// Finds them.
    #[inline(always)]
    pub fn new(rows: &'a mut Rows<'_>) -> Job<'a> {
        let (layer, top, count) = (rows.layer, rows.top, rows.count);
        let (kernel, height) = (layer.kernel, layer.from.height as isize);
        let mut direct = [Sum::default(); 2];
        for (t, sum) in direct.iter_mut().enumerate().take(count) {
            for i in 0..kernel {
                let y = top + (t + i) as isize;
                if (0..height).contains(&y) {
                    if sum.len == 0 {
                        sum.first = i;
                    }
                    sum.at[sum.len] = rows.input.at(y as usize);
                    sum.len += 1;
                }
            }
        }
        let inside = count == 2 && top >= 0 && top + (kernel as isize) < height;
        let mut pair = None;
        if let Some(p) = layer.row_pair.as_ref().filter(|_| inside) {
            let at = |i: usize| rows.input.rows * layer.from.row() + (i - 1) * layer.from.row();
            rows.input.clipped.fill(0);
            for i in 1..kernel {
                let (row, before) = (
                    rows.input.at(top as usize + i),
                    rows.input.at(top as usize + i - 1),
                );
                let len = layer.from.row();
                let (held, differences) = rows.input.lanes.split_at_mut(rows.input.rows * len);
                let to = &mut differences[(i - 1) * len..][..len];
                row_pair::difference(
                    &held[row..][..len],
                    &held[before..][..len],
                    to,
                    layer.from.stride(),
                    &mut rows.input.clipped,
                );
            }
            let mut sums = [Sum::default(); row_pair::SUMS];
            let mut first = 0;
            for (sum, sources) in sums.iter_mut().zip(&p.sources) {
                (sum.first, sum.len) = (first, sources.len());
                first += sources.len();
                for (to, s) in sum.at.iter_mut().zip(sources) {
                    *to = match *s {
                        Source::Row(i) => rows.input.at(top as usize + i),
                        Source::Difference(i) => at(i),
                    };
                }
            }
            pair = Some(sums);
        }
        let out = [0, 1].map(|t| rows.output.at((rows.y + t) * layer.factor));
        let (input, clipped) = (&rows.input.lanes[..], &rows.input.clipped[..]);
        Job {
            layer,
            input,
            output: &mut rows.output.lanes,
            out,
            direct,
            count,
            row_pair: pair.map(|s| (s, clipped)),
        }
    }
}

/// How all output channels of some columns are computed.
pub trait Columns {
    /// Place for sums, for all tiles of a row.
    type Sums;
    /// The same, empty.
    fn sums() -> Self::Sums;
    /// Those of `C` vectors from column `x`, `M` channels at once, which divides the layer's block;
    /// returns `C`.
    fn columns<L: Lanes, const M: usize, const C: usize>(
        l: L,
        job: &mut Job<'_>,
        sums: &mut Self::Sums,
        x: usize,
    ) -> usize;
}

/// All tiles of `M` channels by `C` vectors.
#[inline(always)]
pub fn tiles<L: Lanes, K: Columns, const M: usize, const C: usize>(l: L, job: &mut Job<'_>) {
    let width = job.layer.from.width;
    let mut sums = K::sums();
    let mut x = 0;
    while x < width {
        let vectors = (width - x).div_ceil(L::N);
        let taken = match vectors.min(C) {
            1 => K::columns::<L, M, 1>(l, job, &mut sums, x),
            n @ (2 | 3) if C > n => K::columns::<L, M, 2>(l, job, &mut sums, x),
            4..=7 if C > vectors => K::columns::<L, M, 4>(l, job, &mut sums, x),
            _ => K::columns::<L, M, C>(l, job, &mut sums, x),
        };
        x += taken * L::N;
    }
}

/// Sums of one tile, `[M][C * N]`, rows of whole chunks: what `weights`, in blocks of channels of
/// which part `part` is wanted, make of the input's channel pairs `pairs`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub fn tile<L: Lanes, S: Accumulator, const M: usize, const C: usize>(
    l: L,
    job: &Job<'_>,
    sum: &Sum,
    pairs: Range<usize>,
    weights: &[Lane],
    parts: &[bool],
    part: usize,
    x: usize,
    sums: &mut [S],
) {
    let layer = job.layer;
    let (stride, kernel, block) = (layer.from.stride(), layer.kernel, layer.block);
    let inset = layer.from.pad - kernel / 2;
    let mut acc = [[l.zero(); C]; M];
    let mut weights = weights.chunks_exact(block);
    let mut parts = parts.iter();
    if S::PARTS {
        sums.fill(S::ZERO);
    }
    for &at in &sum.at[..sum.len] {
        for pair in pairs.clone() {
            let window = &job.input[at + pair * stride + inset + x..][..C * L::N + kernel - 1];
            for j in 0..kernel {
                let Some(w) = weights.next() else { return };
                if S::PARTS && parts.next().is_some_and(|&p| p) {
                    put_by(l, &acc, sums);
                    acc = [[l.zero(); C]; M];
                }
                let w: &[Lane; M] = w[part * M..].first_chunk().expect("M divides the block");
                let mut a = [l.load(window); C];
                for c in 0..C {
                    a[c] = l.load(&window[j + c * L::N..j + (c + 1) * L::N]);
                }
                for m in 0..M {
                    let w = l.splat(w[m]);
                    for c in 0..C {
                        acc[m][c] = l.add_products(acc[m][c], a[c], w);
                    }
                }
            }
        }
    }
    put_by(l, &acc, sums);
}

/// Adds the sums of one part to the tile's, or makes them those.
#[inline(always)]
fn put_by<L: Lanes, S: Accumulator, const M: usize, const C: usize>(
    l: L,
    acc: &[[L::Sum; C]; M],
    sums: &mut [S],
) {
    for (acc, row) in acc
        .iter()
        .zip(sums.chunks_exact_mut((C * L::N).next_multiple_of(CHUNK)))
    {
        for (&v, to) in acc.iter().zip(row.chunks_exact_mut(L::N)) {
            let mut lanes = [0i32; CHUNK];
            l.store(v, &mut lanes[..L::N]);
            to.iter_mut().zip(&lanes).for_each(|(s, &v)| *s = s.with(v));
        }
    }
}
