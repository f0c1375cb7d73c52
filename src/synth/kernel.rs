//! The row kernel: rows of a convolution, in register tiles of output channels by columns, finished and put in its place.

use super::finish::{self, CHUNK};
use super::lanes::{Lane, Lanes, Portable};
use super::layer::Layer;
use super::level::Level;
use super::paired::{self, Source};
use super::ring::{COLUMNS, Ring};

/// Most sums of a tile.
const TILE: usize = 512;
/// Most input rows that one sum reads.
const MAX_ROWS: usize = 16;

/// Rows of a layer to compute: one, or two next to each other.
pub struct Rows<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// The input's ring, and after it room for differences of its rows.
    pub input: &'a mut Ring,
    /// Input row that the first kernel row would read for the first output row; before the picture, negative.
    pub top: isize,
    /// The output's ring.
    pub output: &'a mut Ring,
    /// Output rows of the convolution: number of the first, and how many.
    pub y: usize,
    /// How many.
    pub count: usize,
}

/// Computes rows with the instructions of `level`, or the best below that the processor has.
pub fn run(level: Level, rows: Rows<'_>) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Vnni => {
            if let Some(l) = super::lanes::Vnni::try_new() {
                return l.vectorize(On { lanes: l, rows });
            }
            run(Level::Avx512, rows)
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            if let Some(l) = pulp::x86::V4::try_new() {
                return l.vectorize(On { lanes: l, rows });
            }
            run(Level::Avx2, rows)
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            if let Some(l) = pulp::x86::V3::try_new() {
                return l.vectorize(On { lanes: l, rows });
            }
            run(Level::Sse2, rows)
        }
        #[cfg(target_arch = "x86_64")]
        Level::Sse2 => {
            if let Some(l) = pulp::x86::V1::try_new() {
                return l.vectorize(On { lanes: l, rows });
            }
            run(Level::Scalar, rows)
        }
        _ => pulp::NullaryFnOnce::call(On { lanes: Portable, rows }),
    }
}

struct On<'a, L> {
    lanes: L,
    rows: Rows<'a>,
}

impl<L: Lanes> pulp::NullaryFnOnce for On<'_, L> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let On { lanes, mut rows } = self;
        if !rows.layer.narrow {
            return wide(&mut rows);
        }
        let mut job = Job::new(&mut rows);
        // tiles that fill the registers: 32 of 512 bits, else 16
        match (L::N, job.layer.block) {
            (16, 8) => tiles::<L, 8, 3>(lanes, &mut job),
            (16, 4) => tiles::<L, 4, 6>(lanes, &mut job),
            (16, _) => tiles::<L, 2, 8>(lanes, &mut job),
            (_, 8) => tiles::<L, 4, 2>(lanes, &mut job),
            (_, 4) => tiles::<L, 4, 2>(lanes, &mut job),
            (_, _) => tiles::<L, 2, 4>(lanes, &mut job),
        }
    }
}

/// What one sum adds up: kernel rows `first..first + len` of the weights, on the input rows at `at`.
#[derive(Clone, Copy, Default)]
struct Sum {
    at: [usize; MAX_ROWS],
    len: usize,
    first: usize,
}

/// [`Rows`] with all places found.
struct Job<'a> {
    layer: &'a Layer,
    input: &'a [Lane],
    output: &'a mut [Lane],
    /// Start of each convolution row's part of the output.
    out: [usize; 2],
    /// One for each row.
    direct: [Sum; 2],
    count: usize,
    /// Three sums for two rows (see [`paired`]), and where their differences do not fit.
    paired: Option<([Sum; paired::SUMS], &'a [i16])>,
}

impl<'a> Job<'a> {
    #[inline(always)]
    fn new(rows: &'a mut Rows<'_>) -> Job<'a> {
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
        if let Some(p) = layer.paired.as_ref().filter(|_| inside) {
            let at = |i: usize| rows.input.rows * layer.from.row() + (i - 1) * layer.from.row();
            rows.input.clipped.fill(0);
            for i in 1..kernel {
                let (row, before) = (rows.input.at(top as usize + i), rows.input.at(top as usize + i - 1));
                let len = layer.from.row();
                let (held, differences) = rows.input.lanes.split_at_mut(rows.input.rows * len);
                let to = &mut differences[(i - 1) * len..][..len];
                paired::difference(&held[row..][..len], &held[before..][..len], to, layer.from.stride(), &mut rows.input.clipped);
            }
            let mut sums = [Sum::default(); paired::SUMS];
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
        Job { layer, input, output: &mut rows.output.lanes, out, direct, count, paired: pair.map(|s| (s, clipped)) }
    }
}

/// All tiles of `M` channels by `C` vectors; `M` divides the layer's block.
#[inline(always)]
fn tiles<L: Lanes, const M: usize, const C: usize>(l: L, job: &mut Job<'_>) {
    let width = job.layer.from.width;
    let mut x = 0;
    while x < width {
        let vectors = (width - x).div_ceil(L::N);
        let taken = match vectors.min(C) {
            1 => columns::<L, M, 1>(l, job, x),
            2 | 3 if C > 3 => columns::<L, M, 2>(l, job, x),
            2 if C > 2 => columns::<L, M, 2>(l, job, x),
            4..=7 if C > vectors => columns::<L, M, 4>(l, job, x),
            _ => columns::<L, M, C>(l, job, x),
        };
        x += taken * L::N;
    }
}

/// All output channels of `C` vectors from column `x`; returns `C`.
#[inline(always)]
fn columns<L: Lanes, const M: usize, const C: usize>(l: L, job: &mut Job<'_>, x: usize) -> usize {
    let layer = job.layer;
    let block = layer.block;
    let per_row = layer.from.pairs() * layer.kernel * block;
    let valid = (layer.from.width - x).min(C * L::N);
    let stride = (C * L::N).next_multiple_of(CHUNK);
    let lanes = x..=(x + C * L::N + 2 * layer.from.pad - 1);
    let fits = |clipped: &[i16]| clipped[lanes.start() / COLUMNS..=(lanes.end() / COLUMNS).min(clipped.len() - 1)].iter().all(|&c| c == 0);
    let pair = job.paired.filter(|(_, clipped)| fits(clipped)).map(|(sums, _)| sums);
    let (weights, rows) = match &layer.paired {
        Some(p) if pair.is_some() => (&p.weights, p.rows),
        _ => (&layer.weights, layer.kernel),
    };
    let mut sums = [[0i32; TILE]; paired::SUMS];
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
            for (sum, to) in wanted.iter().zip(&mut sums) {
                tile::<L, M, C>(l, job, sum, &weights[sum.first * per_row..][..sum.len * per_row], part, x, &mut to[..M * stride]);
            }
            if pair.is_some() {
                let [a, both, c] = &mut sums;
                for ((a, c), s) in a[..M * stride].iter_mut().zip(&mut c[..M * stride]).zip(&*both) {
                    (*a, *c) = (a.wrapping_add(*s), c.wrapping_add(*s));
                }
                both.copy_from_slice(c);
            }
            for (sums, &out) in sums.iter().zip(&job.out).take(job.count) {
                let output = &mut job.output[out..][..layer.factor * layer.to.row()];
                finish::tile(layer, first, &sums[..used * stride], used, x, valid, output);
            }
        }
    }
    C
}

/// Sums of one tile, `[M][C * N]`, rows of whole chunks.
#[inline(always)]
fn tile<L: Lanes, const M: usize, const C: usize>(
    l: L,
    job: &Job<'_>,
    sum: &Sum,
    weights: &[Lane],
    part: usize,
    x: usize,
    sums: &mut [i32],
) {
    let layer = job.layer;
    let (stride, kernel, block) = (layer.from.stride(), layer.kernel, layer.block);
    let inset = layer.from.pad - kernel / 2;
    let mut acc = [[l.zero(); C]; M];
    let mut weights = weights.chunks_exact(block);
    for &at in &sum.at[..sum.len] {
        for pair in 0..layer.from.pairs() {
            let window = &job.input[at + pair * stride + inset + x..][..C * L::N + kernel - 1];
            for j in 0..kernel {
                let Some(w) = weights.next() else { return };
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
    for (acc, row) in acc.iter().zip(sums.chunks_exact_mut((C * L::N).next_multiple_of(CHUNK))) {
        for (&v, to) in acc.iter().zip(row.chunks_exact_mut(L::N)) {
            l.store(v, to);
        }
    }
}

/// Rows whose sums may need 64 bits.
fn wide(rows: &mut Rows<'_>) {
    let job = Job::new(rows);
    let layer = job.layer;
    let (g, kernel, block) = (&layer.from, layer.kernel, layer.block);
    let inset = g.pad - kernel / 2;
    let mut sums = [vec![0i64; g.width], vec![0i64; g.width]];
    for t in 0..job.count {
        let sum = &job.direct[t];
        for slot in (0..2 * layer.slots.len()).step_by(2) {
            let weights = layer.weights.chunks_exact(g.pairs() * kernel * kernel * block).nth(slot / block).unwrap_or(&[]);
            for (half, sums) in sums.iter_mut().enumerate() {
                sums.fill(0);
                let mut weights = weights.chunks_exact(block).skip(sum.first * g.pairs() * kernel);
                for &at in &sum.at[..sum.len] {
                    for pair in 0..g.pairs() {
                        for j in 0..kernel {
                            let Some(w) = weights.next() else { return };
                            let [even, odd] = w[slot % block + half].map(i64::from);
                            let from = &job.input[at + pair * g.stride() + inset + j..][..g.width];
                            sums.iter_mut().zip(from).for_each(|(s, v)| *s += even * i64::from(v[0]) + odd * i64::from(v[1]));
                        }
                    }
                }
            }
            let output = &mut job.output[job.out[t]..][..layer.factor * layer.to.row()];
            finish::wide(layer, slot, [&sums[0], &sums[1]], output);
        }
    }
}
