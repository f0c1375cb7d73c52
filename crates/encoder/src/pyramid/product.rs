//! The two dense products that every 1x1 layer is made of.

use super::simd::{SEGMENT, Segment, wide};
use pulp::Simd;

/// Outputs of a register tile.
const ROWS: usize = 4;

/// A matrix in blocks of four outputs `[outputs / 4][inputs][4]`, and a bias.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    weights: Vec<[f32; ROWS]>,
    bias: Vec<[f32; ROWS]>,
    inputs: usize,
}

impl Packed {
    pub(crate) fn new(
        outputs: usize,
        inputs: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Self {
        let blocks = outputs.div_ceil(ROWS);
        let mut weights = vec![[0.0; ROWS]; blocks * inputs];
        let mut biases = vec![[0.0; ROWS]; blocks];
        for j in 0..outputs {
            biases[j / ROWS][j % ROWS] = bias(j);
            for i in 0..inputs {
                weights[j / ROWS * inputs + i][j % ROWS] = weight(j, i);
            }
        }
        Packed {
            weights,
            bias: biases,
            inputs,
        }
    }
    #[inline(always)]
    fn block(&self, b: usize) -> &[[f32; ROWS]] {
        &self.weights[b * self.inputs..][..self.inputs]
    }
}

/// What happens to the outputs of [`product`].
pub(crate) const PLAIN: u8 = 0;
/// Negative outputs become 0.
pub(crate) const RELU: u8 = 1;
/// Outputs become 0 where the mask, an activation after ReLU, is not positive.
pub(crate) const MASKED: u8 = 2;

/// `out[j] = bias[j] + sum over parts and i of weights[j][i] * x[i]`; the bias is that of the first
/// part.
#[inline(always)]
pub(crate) fn product<S: Simd, const K: usize, const F: u8>(
    simd: S,
    parts: [(&[Segment], &Packed); K],
    mask: &[Segment],
    out: &mut [Segment],
) {
    for (b, out) in out.chunks_mut(ROWS).enumerate() {
        let mut tile = [(&[][..], &[][..]); K];
        for (tile, part) in tile.iter_mut().zip(parts) {
            *tile = (part.0, part.1.block(b));
        }
        let bias = &parts[0].1.bias[b];
        let mask = if F == MASKED {
            &mask[b * ROWS..][..out.len()]
        } else {
            &[]
        };
        match out.len() {
            1 => rows::<S, 1, K, F>(simd, tile, bias, mask, out),
            2 => rows::<S, 2, K, F>(simd, tile, bias, mask, out),
            3 => rows::<S, 3, K, F>(simd, tile, bias, mask, out),
            _ => rows::<S, 4, K, F>(simd, tile, bias, mask, out),
        }
    }
}

/// Inputs and weights of a tile.
type Part<'a> = (&'a [Segment], &'a [[f32; ROWS]]);

#[inline(always)]
fn rows<S: Simd, const J: usize, const K: usize, const F: u8>(
    simd: S,
    parts: [Part; K],
    bias: &[f32; ROWS],
    mask: &[Segment],
    out: &mut [Segment],
) {
    if wide(S::REGISTER_COUNT) {
        tiles::<S, J, 4, K, F>(simd, parts, bias, mask, out);
    } else {
        tiles::<S, J, 2, K, F>(simd, parts, bias, mask, out);
    }
}

/// J outputs x V vectors in registers.
#[inline(always)]
fn tiles<S: Simd, const J: usize, const V: usize, const K: usize, const F: u8>(
    simd: S,
    parts: [Part; K],
    bias: &[f32; ROWS],
    mask: &[Segment],
    out: &mut [Segment],
) {
    let zero = simd.splat_f32s(0.0);
    for at in (0..SEGMENT / S::F32_LANES).step_by(V) {
        let mut acc = [[zero; V]; J];
        for j in 0..J {
            acc[j] = [simd.splat_f32s(bias[j]); V];
        }
        for (x, w) in parts {
            for (x, w) in x.iter().zip(w) {
                let mut xv = [zero; V];
                xv.copy_from_slice(&S::as_simd_f32s(x).0[at..at + V]);
                for j in 0..J {
                    let wj = simd.splat_f32s(w[j]);
                    for v in 0..V {
                        acc[j][v] = simd.mul_add_e_f32s(wj, xv[v], acc[j][v]);
                    }
                }
            }
        }
        for (j, out) in out.iter_mut().enumerate().take(J) {
            let to = &mut S::as_mut_simd_f32s(out).0[at..at + V];
            match F {
                RELU => {
                    for v in 0..V {
                        to[v] = simd.max_f32s(acc[j][v], zero);
                    }
                }
                MASKED => {
                    let m = &S::as_simd_f32s(&mask[j]).0[at..at + V];
                    for v in 0..V {
                        let live = simd.greater_than_f32s(m[v], zero);
                        to[v] = simd.select_f32s(live, acc[j][v], zero);
                    }
                }
                _ => to.copy_from_slice(&acc[j]),
            }
        }
    }
}

/// `sums[j][i] += sum over the segment of g[j] * x[i]`, lane by lane: [`fold`] adds the lanes at
/// the end of a task. The number of x must be a multiple of 4.
#[inline(always)]
pub(crate) fn outer<S: Simd>(simd: S, g: &[Segment], x: &[Segment], sums: &mut [f32]) {
    let sums = S::as_mut_simd_f32s(sums).0;
    for (g, sums) in g.chunks(ROWS).zip(sums.chunks_mut(ROWS * x.len())) {
        let tile = g.len() * ROWS;
        for (x, sums) in x.as_chunks::<ROWS>().0.iter().zip(sums.chunks_mut(tile)) {
            if wide(S::REGISTER_COUNT) {
                match g.len() {
                    1 => outer_tile::<S, 1>(simd, g, x, sums),
                    2 => outer_tile::<S, 2>(simd, g, x, sums),
                    3 => outer_tile::<S, 3>(simd, g, x, sums),
                    _ => outer_tile::<S, 4>(simd, g, x, sums),
                }
            } else {
                // four rows of sums do not fit
                for (g, sums) in g.chunks(2).zip(sums.chunks_mut(2 * ROWS)) {
                    match g.len() {
                        1 => outer_tile::<S, 1>(simd, g, x, sums),
                        _ => outer_tile::<S, 2>(simd, g, x, sums),
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn outer_tile<S: Simd, const J: usize>(
    simd: S,
    g: &[Segment],
    x: &[Segment; ROWS],
    sums: &mut [S::f32s],
) {
    let mut acc = [[simd.splat_f32s(0.0); ROWS]; J];
    let sums = &mut sums[..J * ROWS];
    for (acc, sums) in acc.iter_mut().zip(sums.chunks_exact(ROWS)) {
        acc.copy_from_slice(sums);
    }
    let g = &g[..J];
    for v in 0..SEGMENT / S::F32_LANES {
        let mut xv = [simd.splat_f32s(0.0); ROWS];
        for i in 0..ROWS {
            xv[i] = S::as_simd_f32s(&x[i]).0[v];
        }
        for j in 0..J {
            let gv = S::as_simd_f32s(&g[j]).0[v];
            for i in 0..ROWS {
                acc[j][i] = simd.mul_add_e_f32s(gv, xv[i], acc[j][i]);
            }
        }
    }
    for (acc, sums) in acc.iter().zip(sums.chunks_exact_mut(ROWS)) {
        sums.copy_from_slice(acc);
    }
}

/// `sums[j] += sum over the segment of g[j]`, lane by lane.
#[inline(always)]
pub(crate) fn row_sums<S: Simd>(simd: S, g: &[Segment], sums: &mut [f32]) {
    for (g, sum) in g.iter().zip(S::as_mut_simd_f32s(sums).0) {
        let mut acc = *sum;
        for v in S::as_simd_f32s(g).0 {
            acc = simd.add_f32s(acc, *v);
        }
        *sum = acc;
    }
}

/// The sums of [`outer`] for `rows` x `columns`, of which the first `to.len() / rows` columns are
/// wanted.
#[inline(always)]
pub(crate) fn fold<S: Simd>(simd: S, sums: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    let sums = S::as_simd_f32s(sums).0;
    let wanted = to.len() / rows;
    for (j, to) in to.chunks_mut(wanted).enumerate() {
        let (block, height) = (j / ROWS, (rows - j / ROWS * ROWS).min(ROWS));
        for (i, to) in to.iter_mut().enumerate() {
            let tile = block * ROWS * columns + i / ROWS * height * ROWS;
            *to = simd.reduce_sum_f32s(sums[tile + j % ROWS * ROWS + i % ROWS]);
        }
    }
}

/// The sums of [`row_sums`].
#[inline(always)]
pub(crate) fn fold_rows<S: Simd>(simd: S, sums: &[f32], to: &mut [f32]) {
    for (to, sum) in to.iter_mut().zip(S::as_simd_f32s(sums).0) {
        *to = simd.reduce_sum_f32s(*sum);
    }
}
