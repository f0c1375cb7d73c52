//! Weighted squared error of pictures, in one pass each way.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::common::arch;

/// Rows summed by one piece of work: the partition depends on the shapes alone.
const ROWS: usize = 32;

/// Geometry of an output `[b, c, rows, columns]` whose top left `height` x `width` samples are
/// compared.
#[derive(Clone, Copy, Debug)]
pub struct ErrorShape {
    /// Planes of all pictures together, b * c.
    pub planes: usize,
    /// Channels.
    pub channels: usize,
    /// Rows of the output.
    pub rows: usize,
    /// Columns of the output.
    pub columns: usize,
    /// Rows of the target.
    pub height: usize,
    /// Columns of the target.
    pub width: usize,
}

impl ErrorShape {
    /// Weight of one sample's squared error in channel `plane % c`.
    fn weight(&self, shares: &[f32], plane: usize) -> f64 {
        let samples = self.planes / self.channels * self.height * self.width;
        f64::from(shares[plane % self.channels]) / samples.max(1) as f64
    }
}

/// Sum over channels of `shares[c]` times the mean squared difference of `output` and
/// `target [b, c, height, width]`.
pub fn squared_error(output: &[f32], target: &[f32], shares: &[f32], s: ErrorShape) -> f32 {
    let pieces = s.height.div_ceil(ROWS);
    let sums: Vec<f64> = (0..s.planes * pieces)
        .into_par_iter()
        .map(|i| {
            let (plane, first) = (i / pieces, i % pieces * ROWS);
            let mut sum = 0.0;
            for y in first..(first + ROWS).min(s.height) {
                let o = &output[(plane * s.rows + y) * s.columns..][..s.width];
                let t = &target[(plane * s.height + y) * s.width..][..s.width];
                sum += f64::from(arch().dispatch(SquareSum(o, t)));
            }
            sum * s.weight(shares, plane)
        })
        .collect();
    sums.iter().sum::<f64>() as f32
}

/// Sum of squared differences.
struct SquareSum<'a>(&'a [f32], &'a [f32]);

impl WithSimd for SquareSum<'_> {
    type Output = f32;
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> f32 {
        let ((x, x_rest), (t, t_rest)) = (S::as_simd_f32s(self.0), S::as_simd_f32s(self.1));
        let mut sums = [s.splat_f32s(0.0); 4];
        for (x, t) in x.chunks(4).zip(t.chunks(4)) {
            for ((sum, x), t) in sums.iter_mut().zip(x).zip(t) {
                let d = s.sub_f32s(*x, *t);
                *sum = s.mul_add_e_f32s(d, d, *sum);
            }
        }
        let rest: f32 = x_rest
            .iter()
            .zip(t_rest)
            .map(|(x, t)| (x - t) * (x - t))
            .sum();
        s.reduce_sum_f32s(s.add_f32s(s.add_f32s(sums[0], sums[1]), s.add_f32s(sums[2], sums[3])))
            + rest
    }
}

/// Gradient of [`squared_error`] for the output, times `g`; 0 where nothing is compared. Writes all
/// of `dx`.
pub fn squared_error_backward(
    output: &[f32],
    target: &[f32],
    shares: &[f32],
    g: f32,
    s: ErrorShape,
    dx: &mut [f32],
) {
    if s.columns == 0 {
        return;
    }
    dx.par_chunks_mut(s.columns)
        .with_min_len(ROWS)
        .enumerate()
        .for_each(|(row, dx)| {
            let (plane, y) = (row / s.rows, row % s.rows);
            if y >= s.height {
                return dx.fill(0.0);
            }
            let scale = (2.0 * s.weight(shares, plane) * f64::from(g)) as f32;
            let o = &output[row * s.columns..][..s.width];
            let t = &target[(plane * s.height + y) * s.width..][..s.width];
            let (dx, outside) = dx.split_at_mut(s.width);
            dx.iter_mut()
                .zip(o)
                .zip(t)
                .for_each(|((d, o), t)| *d = scale * (o - t));
            outside.fill(0.0);
        });
}
