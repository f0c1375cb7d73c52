//! 3x3 layers of a few planes, row by row.

use super::simd::{vectors, vectors_mut, wide};
use pulp::Simd;

/// `[output][input][row][column]`
pub(crate) type Kernel<const P: usize> = [[[[f32; 3]; 3]; P]; P];

/// A kernel from the flat weights of the layout.
pub(crate) fn kernel<const P: usize>(flat: &[f32]) -> Kernel<P> {
    let mut k = [[[[0.0; 3]; 3]; P]; P];
    for (k, flat) in k.as_flattened_mut().iter_mut().zip(flat.as_chunks::<9>().0) {
        k.as_flattened_mut().copy_from_slice(flat);
    }
    k
}

/// Kernels of the adjoint, mirrored and with the roles of the planes exchanged: for inner rows, the
/// first row, the last row, and the only row. What the replicated rows received is added to the
/// border rows' own tap.
pub(crate) fn adjoint_kernels<const P: usize>(k: &Kernel<P>) -> [Kernel<P>; 4] {
    std::array::from_fn(|border| {
        let mut t = [[[[0.0; 3]; 3]; P]; P];
        for (i, t) in t.iter_mut().enumerate() {
            for (t, k) in t.iter_mut().zip(k) {
                for (x, (up, (own, down))) in
                    k[i][2].iter().zip(k[i][1].iter().zip(&k[i][0])).enumerate()
                {
                    t[0][2 - x] = *up;
                    t[1][2 - x] = *own
                        + if border & 1 == 1 { *down } else { 0.0 }
                        + if border & 2 == 2 { *up } else { 0.0 };
                    t[2][2 - x] = *down;
                }
            }
        }
        t
    })
}

/// `out = x + bias + k * x`, with ReLU or without. The rows begin one column left of sample 0;
/// junk is written beyond the `w` samples, up to the next multiple of 64.
#[inline(always)]
pub(crate) fn convolve<S: Simd, const P: usize, const RELU: bool>(
    simd: S,
    k: &Kernel<P>,
    bias: &[f32],
    rows: [[&[f32]; 3]; P],
    out: &mut [&mut [f32]; P],
    w: usize,
) {
    if wide(S::REGISTER_COUNT) {
        vectors_at_once::<S, P, 4, RELU>(simd, k, bias, rows, out, w);
    } else {
        vectors_at_once::<S, P, 2, RELU>(simd, k, bias, rows, out, w);
    }
}

#[inline(always)]
fn vectors_at_once<S: Simd, const P: usize, const V: usize, const RELU: bool>(
    simd: S,
    k: &Kernel<P>,
    bias: &[f32],
    rows: [[&[f32]; 3]; P],
    out: &mut [&mut [f32]; P],
    w: usize,
) {
    let n = w.div_ceil(V * S::F32_LANES) * V;
    let zero = simd.splat_f32s(0.0);
    let mut shifted = [[[&[][..]; 3]; 3]; P];
    for (to, rows) in shifted.iter_mut().zip(rows) {
        for (to, row) in to.iter_mut().zip(rows) {
            for (x, to) in to.iter_mut().enumerate() {
                *to = vectors::<S>(&row[x..], n);
            }
        }
    }
    let rows = shifted;
    let mut biases = [zero; P];
    for (to, b) in biases.iter_mut().zip(bias) {
        *to = simd.splat_f32s(*b);
    }
    for at in (0..n).step_by(V) {
        let mut acc = [[zero; V]; P];
        for c in 0..P {
            for v in 0..V {
                acc[c][v] = simd.add_f32s(rows[c][1][1][at + v], biases[c]);
            }
        }
        for i in 0..P {
            for y in 0..3 {
                for x in 0..3 {
                    let from = &rows[i][y][x][at..at + V];
                    for c in 0..P {
                        let weight = simd.splat_f32s(k[c][i][y][x]);
                        for v in 0..V {
                            acc[c][v] = simd.mul_add_e_f32s(weight, from[v], acc[c][v]);
                        }
                    }
                }
            }
        }
        for (c, out) in out.iter_mut().enumerate() {
            let out = &mut vectors_mut::<S>(out, n)[at..at + V];
            for v in 0..V {
                let value = acc[c][v];
                out[v] = if RELU {
                    simd.max_f32s(value, zero)
                } else {
                    value
                };
            }
        }
    }
}

/// Adds to `sums` what one row gives to the gradients of kernel `[output][input][row][column]` and
/// bias, lane by lane. `rows` begin one column left of sample 0, `g` at sample 0 and is zero beyond
/// the row.
#[inline(always)]
pub(crate) fn kernel_sums<S: Simd, const P: usize>(
    simd: S,
    rows: [[&[f32]; 3]; P],
    g: [&[f32]; P],
    w: usize,
    sums: &mut [f32],
) {
    let n = w.div_ceil(S::F32_LANES);
    let zero = simd.splat_f32s(0.0);
    let (sums, _) = S::as_mut_simd_f32s(sums);
    let (weights, bias) = sums.split_at_mut(P * P * 9);
    let rows_of_g = g;
    let mut g = [&[][..]; P];
    for (to, row) in g.iter_mut().zip(rows_of_g) {
        *to = vectors::<S>(row, n);
    }
    for (i, rows) in rows.iter().enumerate() {
        for (y, row) in rows.iter().enumerate() {
            let x = [
                vectors::<S>(row, n),
                vectors::<S>(&row[1..], n),
                vectors::<S>(&row[2..], n),
            ];
            let mut acc = [[zero; 3]; P];
            for v in 0..n {
                let xv = [x[0][v], x[1][v], x[2][v]];
                for c in 0..P {
                    for t in 0..3 {
                        acc[c][t] = simd.mul_add_e_f32s(g[c][v], xv[t], acc[c][t]);
                    }
                }
            }
            for (c, acc) in acc.iter().enumerate() {
                let to = &mut weights[((c * P + i) * 3 + y) * 3..][..3];
                for (to, acc) in to.iter_mut().zip(acc) {
                    *to = simd.add_f32s(*to, *acc);
                }
            }
        }
    }
    for (to, g) in bias.iter_mut().zip(g) {
        for g in g {
            *to = simd.add_f32s(*to, *g);
        }
    }
}
