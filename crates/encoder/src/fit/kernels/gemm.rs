//! Register-tiled matrix products: the inner loop of Winograd convolutions and of Muon's
//! orthogonalisation.

use super::common::{arch, wide};
use super::scratch::Scratch;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Columns of a packed panel: a multiple of three vectors of any width.
pub(super) const PANEL: usize = 48;
/// Most rows of a register tile; 16-register machines use [`ROWS_NARROW`].
const ROWS: usize = 8;
const ROWS_NARROW: usize = 4;

/// Rows of a register tile on this machine.
pub(super) fn tile_rows() -> usize {
    struct Rows;
    impl WithSimd for Rows {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            if wide(S::REGISTER_COUNT) {
                ROWS
            } else {
                ROWS_NARROW
            }
        }
    }
    arch().dispatch(Rows)
}

/// `out[r][c] = sum over i of a[i][r] * b[i][c]` for `rows` rows (at most [`ROWS`]) and the first
/// `columns` columns of a panel, rounded up to whole vectors. `a [k][rows]`, `b [k][PANEL]`,
/// `out [rows][PANEL]`.
#[inline(always)]
pub(super) fn tile<S: Simd>(
    simd: S,
    rows: usize,
    columns: usize,
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
) {
    match rows {
        1 => columns_of::<S, 1>(simd, columns, a, b, out),
        2 => columns_of::<S, 2>(simd, columns, a, b, out),
        3 => columns_of::<S, 3>(simd, columns, a, b, out),
        4 => columns_of::<S, 4>(simd, columns, a, b, out),
        5 => columns_of::<S, 5>(simd, columns, a, b, out),
        6 => columns_of::<S, 6>(simd, columns, a, b, out),
        7 => columns_of::<S, 7>(simd, columns, a, b, out),
        _ => columns_of::<S, 8>(simd, columns, a, b, out),
    }
}

#[inline(always)]
fn columns_of<S: Simd, const R: usize>(
    simd: S,
    columns: usize,
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
) {
    let (a, _) = pulp::as_arrays::<R, f32>(a);
    let end = columns.div_ceil(S::F32_LANES);
    let mut at = 0;
    while at < end {
        match end - at {
            1 => accumulate::<S, R, 1>(simd, at, a, b, out),
            2 => accumulate::<S, R, 2>(simd, at, a, b, out),
            _ => accumulate::<S, R, 3>(simd, at, a, b, out),
        }
        at += 3;
    }
}

#[inline(always)]
fn accumulate<S: Simd, const R: usize, const V: usize>(
    simd: S,
    at: usize,
    a: &[[f32; R]],
    b: &[f32],
    out: &mut [f32],
) {
    let mut acc = [[simd.splat_f32s(0.0); V]; R];
    for (a, b) in a.iter().zip(b.chunks_exact(PANEL)) {
        let mut v = [simd.splat_f32s(0.0); V];
        v.copy_from_slice(&S::as_simd_f32s(b).0[at..at + V]);
        for r in 0..R {
            let w = simd.splat_f32s(a[r]);
            for j in 0..V {
                acc[r][j] = simd.mul_add_e_f32s(w, v[j], acc[r][j]);
            }
        }
    }
    for (acc, out) in acc.iter().zip(out.chunks_exact_mut(PANEL)) {
        S::as_mut_simd_f32s(out).0[at..at + V].copy_from_slice(acc);
    }
}

/// A right factor `[k, n]`.
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    /// Row by row.
    Rows(&'a [f32]),
    /// Its transpose `[n, k]`, row by row.
    Columns(&'a [f32]),
}

/// `out [m, n] = product * (a b) + addend * c` with `a [m, k]`, `b [k, n]`, `c [m, n]`.
pub(super) struct Product<'a> {
    pub(super) a: &'a [f32],
    pub(super) b: Right<'a>,
    pub(super) k: usize,
    pub(super) n: usize,
    /// Factor of the product.
    pub(super) scale: f32,
    pub(super) addend: Option<(f32, &'a [f32])>,
    /// The result equals its transpose: half of it is computed, the rest copied.
    pub(super) symmetric: bool,
}

impl Product<'_> {
    /// Every element is one sum in the order of `k`, whatever the threads.
    pub(super) fn run(&self, out: &mut [f32]) {
        let Product { k, n, .. } = *self;
        if out.is_empty() {
            return;
        }
        let mut packed = Scratch::take(n.div_ceil(PANEL) * k * PANEL);
        packed
            .get_mut()
            .par_chunks_mut((k * PANEL).max(1))
            .enumerate()
            .for_each(|(panel, to)| self.pack(panel * PANEL, to));
        let (packed, arch, rows) = (packed.get(), arch(), tile_rows());
        out.par_chunks_mut(rows * n)
            .enumerate()
            .for_each(|(block, out)| {
                arch.dispatch(RowBlock {
                    product: self,
                    packed,
                    first_row: block * rows,
                    out,
                });
            });
        if self.symmetric {
            for i in 1..n {
                for j in 0..i {
                    out[i * n + j] = out[j * n + i];
                }
            }
        }
    }

    /// `[k][PANEL]` of columns `first..`, zeros beyond the last.
    fn pack(&self, first: usize, to: &mut [f32]) {
        let (k, n) = (self.k, self.n);
        let width = PANEL.min(n - first);
        match self.b {
            Right::Rows(b) => {
                for (i, to) in to.chunks_exact_mut(PANEL).enumerate() {
                    to[..width].copy_from_slice(&b[i * n + first..][..width]);
                    to[width..].fill(0.0);
                }
            }
            Right::Columns(b) => {
                to.fill(0.0);
                for (j, b) in b[first * k..].chunks(k.max(1)).take(width).enumerate() {
                    to.iter_mut()
                        .skip(j)
                        .step_by(PANEL)
                        .zip(b)
                        .for_each(|(to, &b)| *to = b);
                }
            }
        }
    }
}

struct RowBlock<'a> {
    product: &'a Product<'a>,
    packed: &'a [f32],
    first_row: usize,
    out: &'a mut [f32],
}

impl WithSimd for RowBlock<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Product {
            a,
            k,
            n,
            scale,
            addend,
            symmetric,
            ..
        } = *self.product;
        let rows = self.out.len() / n;
        let mut left = Scratch::take(k * rows);
        for (r, a) in a[self.first_row * k..]
            .chunks(k.max(1))
            .take(rows)
            .enumerate()
        {
            left.get_mut()
                .iter_mut()
                .skip(r)
                .step_by(rows)
                .zip(a)
                .for_each(|(to, &a)| *to = a);
        }
        let mut sums = [0.0; ROWS * PANEL];
        for first in (0..n).step_by(PANEL) {
            if symmetric && first + PANEL <= self.first_row {
                continue;
            }
            let width = PANEL.min(n - first);
            tile(
                simd,
                rows,
                width,
                left.get(),
                &self.packed[first * k..][..PANEL * k],
                &mut sums,
            );
            for (r, (out, sums)) in self
                .out
                .chunks_exact_mut(n)
                .zip(sums.chunks_exact(PANEL))
                .enumerate()
            {
                let out = &mut out[first..first + width];
                match addend {
                    Some((factor, c)) => {
                        let c = &c[(self.first_row + r) * n + first..][..width];
                        for ((out, s), c) in out.iter_mut().zip(sums).zip(c) {
                            *out = scale * s + factor * c;
                        }
                    }
                    None => out
                        .iter_mut()
                        .zip(sums)
                        .for_each(|(out, s)| *out = scale * s),
                }
            }
        }
    }
}

/// `sums[r][c] += sum over i of a[r][i] * b[i][c]` for the first `columns` columns, rounded up to
/// whole vectors. `a [rows][PANEL]`, `sums [rows][PANEL]` (at most [`ROWS`] rows), `b [k][PANEL]`
/// with k at most [`PANEL`].
#[inline(always)]
pub(super) fn tile_outer<S: Simd>(simd: S, columns: usize, a: &[f32], b: &[f32], sums: &mut [f32]) {
    match a.len() / PANEL {
        1 => outer_columns::<S, 1>(simd, columns, a, b, sums),
        2 => outer_columns::<S, 2>(simd, columns, a, b, sums),
        3 => outer_columns::<S, 3>(simd, columns, a, b, sums),
        4 => outer_columns::<S, 4>(simd, columns, a, b, sums),
        5 => outer_columns::<S, 5>(simd, columns, a, b, sums),
        6 => outer_columns::<S, 6>(simd, columns, a, b, sums),
        7 => outer_columns::<S, 7>(simd, columns, a, b, sums),
        _ => outer_columns::<S, 8>(simd, columns, a, b, sums),
    }
}

#[inline(always)]
fn outer_columns<S: Simd, const R: usize>(
    simd: S,
    columns: usize,
    a: &[f32],
    b: &[f32],
    sums: &mut [f32],
) {
    let end = columns.div_ceil(S::F32_LANES);
    let mut at = 0;
    while at < end {
        match end - at {
            1 => add_outer::<S, R, 1>(simd, at, a, b, sums),
            2 => add_outer::<S, R, 2>(simd, at, a, b, sums),
            _ => add_outer::<S, R, 3>(simd, at, a, b, sums),
        }
        at += 3;
    }
}

#[inline(always)]
fn add_outer<S: Simd, const R: usize, const V: usize>(
    simd: S,
    at: usize,
    a: &[f32],
    b: &[f32],
    sums: &mut [f32],
) {
    let (a, _) = pulp::as_arrays::<PANEL, f32>(a);
    let a: [&[f32; PANEL]; R] = std::array::from_fn(|r| &a[r]);
    let mut acc = [[simd.splat_f32s(0.0); V]; R];
    for (acc, sums) in acc.iter_mut().zip(sums.chunks_exact(PANEL)) {
        acc.copy_from_slice(&S::as_simd_f32s(sums).0[at..at + V]);
    }
    for (i, b) in b.chunks_exact(PANEL).take(PANEL).enumerate() {
        let mut v = [simd.splat_f32s(0.0); V];
        v.copy_from_slice(&S::as_simd_f32s(b).0[at..at + V]);
        for r in 0..R {
            let w = simd.splat_f32s(a[r][i]);
            for j in 0..V {
                acc[r][j] = simd.mul_add_e_f32s(w, v[j], acc[r][j]);
            }
        }
    }
    for (acc, sums) in acc.iter().zip(sums.chunks_exact_mut(PANEL)) {
        S::as_mut_simd_f32s(sums).0[at..at + V].copy_from_slice(acc);
    }
}
