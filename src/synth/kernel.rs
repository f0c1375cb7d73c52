//! The row kernel: rows of a convolution, in register tiles of output channels by columns, finished
//! and put in its place.

use std::ops::Range;

use super::depthwise::ByChannel;
use super::lanes::{Lane, Lanes, Task, vectorize};
use super::layer::Layer;
use super::level::SimdLevel;
use super::parts::Wide;
use super::requantize::{self, Accumulator, CHUNK};
use super::ring::{COLUMNS, Ring};
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

/// Computes rows with the instructions of `level`, or the best below that the processor has.
pub fn run(level: SimdLevel, rows: Rows<'_>) {
    match (rows.layer.depthwise, rows.layer.parts.is_some()) {
        (false, false) => vectorize(level, rows),
        (false, true) => vectorize(level, Wide(rows)),
        (true, false) => vectorize(level, ByChannel::<i32>::new(rows)),
        (true, true) => vectorize(level, ByChannel::<i64>::new(rows)),
    }
}

impl Task for Rows<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let job = &mut Job::new(&mut self);
        // tiles that fill the registers: 32 of 512 bits, else 16
        match (L::N, job.layer.block) {
            (16, 8) => tiles::<L, Dense, 8, 3>(lanes, job),
            (16, 4) => tiles::<L, Dense, 4, 6>(lanes, job),
            (16, _) => tiles::<L, Dense, 2, 8>(lanes, job),
            (_, 8 | 4) => tiles::<L, Dense, 4, 2>(lanes, job),
            (_, _) => tiles::<L, Dense, 2, 4>(lanes, job),
        }
    }
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
    row_pair: Option<([Sum; row_pair::SUMS], &'a [i16])>,
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

/// Sums that fit 32 bits, two rows at once where that pays.
struct Dense;

impl Columns for Dense {
    type Sums = [[i32; TILE]; row_pair::SUMS];

    #[inline(always)]
    fn sums() -> Self::Sums {
        [[0; TILE]; row_pair::SUMS]
    }

    #[inline(always)]
    fn columns<L: Lanes, const M: usize, const C: usize>(
        l: L,
        job: &mut Job<'_>,
        sums: &mut Self::Sums,
        x: usize,
    ) -> usize {
        let layer = job.layer;
        let block = layer.block;
        let per_row = layer.from.pairs() * layer.kernel * block;
        let valid = (layer.from.width - x).min(C * L::N);
        let stride = (C * L::N).next_multiple_of(CHUNK);
        let lanes = x..=(x + C * L::N + 2 * layer.from.pad - 1);
        let fits = |clipped: &[i16]| {
            clipped[lanes.start() / COLUMNS..=(lanes.end() / COLUMNS).min(clipped.len() - 1)]
                .iter()
                .all(|&c| c == 0)
        };
        let pair = job
            .row_pair
            .filter(|(_, clipped)| fits(clipped))
            .map(|(sums, _)| sums);
        let (weights, rows) = match &layer.row_pair {
            Some(p) if pair.is_some() => (&p.weights, p.rows),
            _ => (&layer.weights, layer.kernel),
        };
        let wanted: &[Sum] = match &pair {
            Some(p) => p,
            None => &job.direct[..job.count],
        };
        for (b, weights) in weights.chunks_exact(per_row * rows).enumerate() {
            for part in 0..block / M {
                let first = b * block + part * M;
                let used = (2 * layer.slots.len()).saturating_sub(first).min(M);
                if used == 0 {
                    continue;
                }
                for (sum, to) in wanted.iter().zip(&mut *sums) {
                    let weights = &weights[sum.first * per_row..][..sum.len * per_row];
                    tile::<L, i32, M, C>(
                        l,
                        job,
                        sum,
                        0..layer.from.pairs(),
                        weights,
                        &[],
                        part,
                        x,
                        &mut to[..M * stride],
                    );
                }
                if pair.is_some() {
                    let [a, both, c] = &mut *sums;
                    for ((a, c), s) in a[..M * stride]
                        .iter_mut()
                        .zip(&mut c[..M * stride])
                        .zip(&*both)
                    {
                        (*a, *c) = (a.wrapping_add(*s), c.wrapping_add(*s));
                    }
                    both.copy_from_slice(c);
                }
                for (sums, &out) in sums.iter().zip(&job.out).take(job.count) {
                    let output = &mut job.output[out..][..layer.factor * layer.to.row()];
                    requantize::tile(layer, first, &sums[..used * stride], used, x, valid, output);
                }
            }
        }
        C
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
