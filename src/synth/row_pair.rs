//! Two rows of a convolution for the price of 1.6: Karatsuba's trick along the columns of the
//! kernel.
//!
//! For kernel rows `a`, `b` and input rows `p`, `q`, `r`, the outputs `a p + b q` and `a q + b r`
//! are `s - a (q - p)` and `s + b (r - q)` with `s = (a + b) q`: three products in place of four. A
//! kernel of `k` rows has `(k - 1) / 2` such pairs and one row left over. Sums wrap in 32 bits and
//! come out right, as the final ones fit. Differences of activations may not fit 16 bits; where
//! they do not, the caller computes its rows one by one.
//!
//! Winograd, "Arithmetic Complexity of Computations", 1980, F(2, 2); Karatsuba's identity on
//! polynomials.

use super::lanes::Lane;
use super::ring::COLUMNS;

/// Input rows as they are and their differences, of rows `y - reach` on: which one a product reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Input row.
    Row(usize),
    /// Input row less the one before it.
    Difference(usize),
}

/// The three sums: the first row's alone, both rows', the second row's alone.
pub const SUMS: usize = 3;

/// What each sum reads, for a kernel of `kernel` rows; in the order of [`weights`].
pub fn sources(kernel: usize) -> [Vec<Source>; SUMS] {
    let pairs = || (0..kernel / 2).map(|i| 2 * i);
    [
        pairs()
            .map(|i| Source::Difference(i + 1))
            .chain([Source::Row(kernel - 1)])
            .collect(),
        pairs().map(|i| Source::Row(i + 1)).collect(),
        pairs()
            .map(|i| Source::Difference(i + 2))
            .chain([Source::Row(kernel)])
            .collect(),
    ]
}

/// Kernels `[out, in, rows, columns]` as kernels of `2 * (rows / 2 + 1) + rows / 2` rows: those of
/// the three sums one after another. `None` if a sum of two weights does not fit.
pub fn weights(values: &[i16], [cout, cin, kh, kw]: [usize; 4]) -> Option<(Vec<i16>, [usize; 4])> {
    let mut out = Vec::with_capacity(values.len() * 2);
    for kernel in values.chunks_exact(kh * kw) {
        let row = |i: usize| &kernel[i * kw..(i + 1) * kw];
        for i in (0..kh / 2).map(|i| 2 * i) {
            out.extend(row(i).iter().map(|&w| -w));
        }
        out.extend(row(kh - 1));
        for i in (0..kh / 2).map(|i| 2 * i) {
            for (&a, &b) in row(i).iter().zip(row(i + 1)) {
                out.push(a.checked_add(b).filter(|&s| s != i16::MIN)?);
            }
        }
        for i in (0..kh / 2).map(|i| 2 * i) {
            out.extend(row(i + 1));
        }
        out.extend(row(kh - 1));
    }
    Some((out, [cout, cin, 2 * (kh / 2 + 1) + kh / 2, kw]))
}

/// `to = row - before`, and adds to `clipped`, one entry for each [`COLUMNS`] lanes of `stride`,
/// where that did not fit.
#[inline(always)]
pub fn difference(
    row: &[Lane],
    before: &[Lane],
    to: &mut [Lane],
    stride: usize,
    clipped: &mut [i16],
) {
    let rows = row
        .chunks_exact(stride)
        .zip(before.chunks_exact(stride))
        .zip(to.chunks_exact_mut(stride));
    for ((row, before), to) in rows {
        let chunks = row
            .chunks(COLUMNS)
            .zip(before.chunks(COLUMNS))
            .zip(to.chunks_mut(COLUMNS))
            .zip(&mut *clipped);
        for (((row, before), to), clipped) in chunks {
            let mut off = 0;
            for ((a, b), o) in row
                .as_flattened()
                .iter()
                .zip(before.as_flattened())
                .zip(to.as_flattened_mut())
            {
                *o = a.wrapping_sub(*b);
                off |= *o ^ a.saturating_sub(*b);
            }
            *clipped |= off;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_come_out_right() {
        for k in [3, 5, 7] {
            let w: Vec<i16> = (0..k as i16).map(|i| i * 37 % 11 - 5).collect();
            let x: Vec<i16> = (0..=k as i16).map(|i| i * 53 % 17 - 8).collect();
            let (packed, shape) = weights(&w, [1, 1, k, 1]).unwrap();
            assert_eq!(packed.len(), shape[2]);
            let mut left = packed.iter();
            let sums = sources(k).map(|s| {
                let value = |s: &Source| match *s {
                    Source::Row(i) => x[i],
                    Source::Difference(i) => x[i] - x[i - 1],
                };
                s.iter()
                    .map(|s| i32::from(value(s)) * i32::from(*left.next().unwrap()))
                    .sum::<i32>()
            });
            let direct = [0, 1].map(|y| {
                (0..k)
                    .map(|i| i32::from(w[i]) * i32::from(x[i + y]))
                    .sum::<i32>()
            });
            assert_eq!(
                [sums[0] + sums[1], sums[1] + sums[2]],
                direct,
                "kernel of {k}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert!(weights(&[20000, 20000, 0], [1, 1, 3, 1]).is_none());
        assert!(weights(&[-16384, -16384, 0], [1, 1, 3, 1]).is_none());
        let (a, b) = ([[30000, 0], [1, 1], [2, 2]], [[-2767, 0], [0, 0], [0, 0]]);
        let (mut to, mut clipped) = ([[0; 2]; 3], [0]);
        difference(&a, &b, &mut to, 3, &mut clipped);
        assert_eq!((to, clipped), ([[32767, 0], [1, 1], [2, 2]], [0]));
        difference(&a, &[[-2768, 0], [0, 0], [0, 0]], &mut to, 3, &mut clipped);
        assert_ne!(clipped, [0]);
    }
}
