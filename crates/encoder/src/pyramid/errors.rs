//! What errors of planes send back besides their own gradient: alpha's part, and random signs.

use super::random::Random;
use super::simd::vectors_mut;
use pulp::Simd;

/// What tells the seed of the signs on white from that on black.
const OTHER: u64 = 1 << 23;

/// Planes over the last one, alpha: what alpha lacks, white adds, so the mean of squares on black and
/// on white is the planes' own less the product of their errors with alpha's. `rows` are the
/// gradients of the planes' own; returns the sum of the products.
#[inline(always)]
pub(crate) fn over<S: Simd, const P: usize>(
    simd: S,
    scales: &[f32],
    n: usize,
    rows: &mut [&mut [f32]; P],
) -> f64 {
    let Some((alpha, colours)) = rows.split_last_mut() else {
        return 0.0;
    };
    let alpha = vectors_mut::<S>(alpha, n);
    let to_error = simd.splat_f32s(0.5 / scales[P - 1]);
    let half = simd.splat_f32s(0.5);
    let mut cross = simd.splat_f32s(0.0);
    for (v, alpha) in alpha.iter_mut().enumerate() {
        let e = simd.mul_f32s(*alpha, to_error);
        for (row, scale) in colours.iter_mut().zip(scales) {
            let row = &mut vectors_mut::<S>(row, n)[v];
            // the row is twice the scale times its error
            let own = simd.mul_f32s(*row, half);
            cross = simd.mul_add_e_f32s(own, e, cross);
            *alpha = simd.sub_f32s(*alpha, own);
            *row = simd.sub_f32s(*row, simd.mul_f32s(e, simd.splat_f32s(*scale)));
        }
    }
    f64::from(simd.reduce_sum_f32s(cross))
}

/// [`signs`] of planes over alpha: those of their errors on black and on white, of which alpha has a
/// share in the latter.
pub(crate) fn probe_over<const P: usize>(
    seed: u64,
    (first, h): (usize, usize),
    scales: &[f32],
    w: usize,
    rows: &mut [&mut [f32]; P],
) {
    let Some((alpha, colours)) = rows.split_last_mut() else {
        return;
    };
    alpha[..w].fill(0.0);
    let mut white = vec![0.0; w];
    for (c, (row, scale)) in colours.iter_mut().zip(scales).enumerate() {
        signs(seed, first + c * h, scale / 2.0, &mut row[..w]);
        signs(seed ^ OTHER, first + c * h, scale / 2.0, &mut white);
        for ((row, alpha), white) in row.iter_mut().zip(alpha.iter_mut()).zip(&white) {
            *row += white;
            *alpha -= white;
        }
    }
}

/// Random signs times the root of twice the scale: a function of seed and place only, since strips
/// compute each other's halo.
pub(crate) fn signs(seed: u64, row: usize, scale: f32, to: &mut [f32]) {
    let size = (2.0 * scale).sqrt();
    let mut random = Random(seed << 40 ^ (row as u64) << 8);
    for to in to.chunks_mut(64) {
        let bits = random.next();
        for (i, to) in to.iter_mut().enumerate() {
            *to = if bits >> i & 1 == 1 { size } else { -size };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean products of the signs sent back are those of the errors on black and on white: the Hessian
    /// of the distortion.
    #[test]
    fn signs_over_alpha_have_the_distortions_curvature() {
        const W: usize = 4096;
        let scales = [0.3, 0.2, 0.5, 0.5];
        let mut planes = [[0.0; W]; 4];
        let mut rows = planes.each_mut().map(|p| &mut p[..]);
        probe_over(7, (5, 11), &scales, W, &mut rows);
        let mean = |a: usize, b: usize| {
            let products = planes[a].iter().zip(&planes[b]);
            products.map(|(a, b)| a * b).sum::<f32>() / W as f32
        };
        let close = |got: f32, wanted: f32| assert!((got - wanted).abs() < 0.05, "{got} {wanted}");
        for (c, scale) in scales.iter().enumerate().take(3) {
            close(mean(c, c), 2.0 * scale);
            close(mean(c, 3), -scale);
            close(mean(c, (c + 1) % 3), 0.0);
        }
        close(mean(3, 3), scales[..3].iter().sum());
    }
}
