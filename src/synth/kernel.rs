//! The row kernel: one row of a convolution, in register tiles of output channels by columns, finished and put in its place.

use super::finish::Put;
use super::lanes::{Lane, Lanes, Portable};
use super::layer::Layer;
use super::level::Level;

/// Most sums of a tile.
const TILE: usize = 512;

/// One row of a layer to compute.
pub struct Row<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// The input's ring.
    pub input: &'a [Lane],
    /// Where the rows under the kernel start in it, borders first; only rows inside the picture.
    pub rows: &'a [usize],
    /// Kernel row of the first of them.
    pub first: usize,
    /// The rows written, one after another.
    pub output: &'a mut [Lane],
}

/// Computes a row with the instructions of `level`, or the best below that the processor has.
pub fn run(level: Level, row: Row<'_>) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Vnni => {
            if let Some(l) = super::lanes::Vnni::try_new() {
                return l.vectorize(On { lanes: l, row });
            }
            run(Level::Avx512, row)
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            if let Some(l) = pulp::x86::V4::try_new() {
                return l.vectorize(On { lanes: l, row });
            }
            run(Level::Avx2, row)
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            if let Some(l) = pulp::x86::V3::try_new() {
                return l.vectorize(On { lanes: l, row });
            }
            run(Level::Sse2, row)
        }
        #[cfg(target_arch = "x86_64")]
        Level::Sse2 => {
            if let Some(l) = pulp::x86::V1::try_new() {
                return l.vectorize(On { lanes: l, row });
            }
            run(Level::Scalar, row)
        }
        _ => pulp::NullaryFnOnce::call(On { lanes: Portable, row }),
    }
}

struct On<'a, L> {
    lanes: L,
    row: Row<'a>,
}

impl<L: Lanes> pulp::NullaryFnOnce for On<'_, L> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let On { lanes, mut row } = self;
        if !row.layer.narrow {
            return wide(&mut row);
        }
        // tiles that fill the registers: 32 of 512 bits, else 16
        match (L::N, row.layer.block) {
            (16, 8) => tiles::<L, 8, 3>(lanes, &mut row),
            (16, 4) => tiles::<L, 4, 6>(lanes, &mut row),
            (16, _) => tiles::<L, 2, 8>(lanes, &mut row),
            (_, 8) => tiles::<L, 4, 2>(lanes, &mut row),
            (_, 4) => tiles::<L, 4, 2>(lanes, &mut row),
            (_, _) => tiles::<L, 2, 4>(lanes, &mut row),
        }
    }
}

/// All tiles of `M` channels by `C` vectors; `M` divides the layer's block.
#[inline(always)]
fn tiles<L: Lanes, const M: usize, const C: usize>(l: L, row: &mut Row<'_>) {
    let width = row.layer.from.width;
    let mut x = 0;
    while x < width {
        let vectors = (width - x).div_ceil(L::N);
        let taken = vectors.min(C);
        match taken {
            1 => columns::<L, M, 1>(l, row, x),
            2 if C > 2 => columns::<L, M, 2>(l, row, x),
            3 if C > 3 => columns::<L, M, 3>(l, row, x),
            4 | 5 if C > 5 => {
                columns::<L, M, 4>(l, row, x);
                x += 4 * L::N;
                continue;
            }
            6 | 7 if C > 7 => {
                columns::<L, M, 6>(l, row, x);
                x += 6 * L::N;
                continue;
            }
            _ => columns::<L, M, C>(l, row, x),
        }
        x += taken * L::N;
    }
}

/// All output channels of `C` vectors from column `x`.
#[inline(always)]
fn columns<L: Lanes, const M: usize, const C: usize>(l: L, row: &mut Row<'_>, x: usize) {
    let layer = row.layer;
    let block = layer.block;
    let per_row = layer.from.pairs() * layer.kernel * block;
    let valid = (layer.from.width - x).min(C * L::N);
    let mut sums = [0i32; TILE];
    for (b, weights) in layer.weights.chunks_exact(per_row * layer.kernel).enumerate() {
        let weights = &weights[row.first * per_row..][..row.rows.len() * per_row];
        for part in 0..block / M {
            let sums = &mut sums[..M * C * L::N];
            tile::<L, M, C>(l, row, weights, part, x, sums);
            let first = b * block + part * M;
            for slot in (first..(first + M).min(2 * layer.slots.len())).step_by(2) {
                let at = (slot - first) * C * L::N;
                let pair = [&sums[at..at + valid], &sums[at + C * L::N..][..valid]];
                layer.finish.pair(slot, pair, x, &mut Place::new(layer, row.output, slot));
            }
        }
    }
}

/// Sums of one tile, `[M][C * N]`.
#[inline(always)]
fn tile<L: Lanes, const M: usize, const C: usize>(l: L, row: &Row<'_>, weights: &[Lane], part: usize, x: usize, sums: &mut [i32]) {
    let layer = row.layer;
    let (stride, kernel, block) = (layer.from.stride(), layer.kernel, layer.block);
    let inset = layer.from.pad - kernel / 2;
    let mut acc = [[l.zero(); C]; M];
    let mut weights = weights.chunks_exact(block);
    for &at in row.rows {
        for pair in 0..layer.from.pairs() {
            let window = &row.input[at + pair * stride + inset + x..][..C * L::N + kernel - 1];
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
    for (acc, row) in acc.iter().zip(sums.chunks_exact_mut(C * L::N)) {
        for (&v, to) in acc.iter().zip(row.chunks_exact_mut(L::N)) {
            l.store(v, to);
        }
    }
}

/// Where the pixel shuffle puts the lanes of a pair of slots.
struct Place<'a> {
    /// The row of the output, from its first column.
    out: &'a mut [Lane],
    dx: usize,
    factor: usize,
}

impl<'a> Place<'a> {
    #[inline(always)]
    fn new(layer: &Layer, output: &'a mut [Lane], slot: usize) -> Self {
        let s = layer.slots[slot / 2];
        let at = s.dy * layer.to.row() + s.pair * layer.to.stride() + layer.to.pad;
        Place { out: &mut output[at..][..layer.to.width], dx: s.dx, factor: layer.factor }
    }
}

impl Put for Place<'_> {
    #[inline(always)]
    fn put(&mut self, x: usize, lanes: &[Lane]) {
        let to = &mut self.out[x * self.factor..];
        match self.factor {
            1 => to[..lanes.len()].copy_from_slice(lanes),
            2 => to.chunks_exact_mut(2).zip(lanes).for_each(|(o, v)| o[self.dx] = *v),
            r => to.chunks_exact_mut(r).zip(lanes).for_each(|(o, v)| o[self.dx] = *v),
        }
    }
}

/// A row whose sums may need 64 bits.
fn wide(row: &mut Row<'_>) {
    let layer = row.layer;
    let (g, kernel, block) = (&layer.from, layer.kernel, layer.block);
    let inset = g.pad - kernel / 2;
    let mut sums = [vec![0i64; g.width], vec![0i64; g.width]];
    for slot in (0..2 * layer.slots.len()).step_by(2) {
        let weights = layer.weights.chunks_exact(g.pairs() * kernel * kernel * block).nth(slot / block).unwrap_or(&[]);
        for (half, sums) in sums.iter_mut().enumerate() {
            sums.fill(0);
            let mut weights = weights.chunks_exact(block).skip(row.first * g.pairs() * kernel);
            for &at in row.rows {
                for pair in 0..g.pairs() {
                    for j in 0..kernel {
                        let Some(w) = weights.next() else { return };
                        let [even, odd] = w[slot % block + half].map(i64::from);
                        let from = &row.input[at + pair * g.stride() + inset + j..][..g.width];
                        sums.iter_mut().zip(from).for_each(|(s, v)| *s += even * i64::from(v[0]) + odd * i64::from(v[1]));
                    }
                }
            }
        }
        let pair = [&sums[0][..], &sums[1][..]];
        layer.finish.pair_wide(slot, pair, &mut Place::new(layer, row.output, slot));
    }
}
