//! Quantisation with a scalar step, and normalisation over channels. Burn's broadcasting walks such
//! tensors element by element through strides; these walk rows.

use rayon::prelude::*;

/// The nearest integer, halves to even; magnitudes from 2^22 on, which no quantised value has, stay
/// as they are. The library's function is a call for each value where the build may not assume SSE
/// 4.1.
#[inline(always)]
fn round(v: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    if v.abs() < 4_194_304.0 {
        (v + MAGIC) - MAGIC
    } else {
        v
    }
}

/// `step * round(x / step)`, halves to even.
pub fn fake_quant(x: &[f32], step: f32, out: &mut [f32]) {
    let inverse = 1.0 / step;
    out.iter_mut()
        .zip(x)
        .for_each(|(o, &v)| *o = round(v * inverse) * step);
}

/// Gradient of [`fake_quant`] for the logarithm of the step:
/// `step * sum(g * (round(x / step) - x / step))`.
pub fn fake_quant_log_step(x: &[f32], g: &[f32], step: f32) -> f32 {
    let inverse = 1.0 / step;
    // partial sums keep the loop vectorisable and the order fixed
    let mut sums = [0f32; 16];
    for (x, g) in x.chunks(16).zip(g.chunks(16)) {
        for ((s, &x), &g) in sums.iter_mut().zip(x).zip(g) {
            let v = x * inverse;
            *s += g * (round(v) - v);
        }
    }
    step * sums.iter().sum::<f32>()
}

/// Mean and inverse deviation over channels at every position of one image `[c, n]`.
fn moments(x: &[f32], c: usize, n: usize, epsilon: f32) -> (Vec<f32>, Vec<f32>) {
    let (mut mean, mut inverse) = (vec![0f32; n], vec![0f32; n]);
    for row in x.chunks_exact(n) {
        mean.iter_mut().zip(row).for_each(|(m, &v)| *m += v);
    }
    mean.iter_mut().for_each(|m| *m /= c as f32);
    for row in x.chunks_exact(n) {
        for ((s, &v), &m) in inverse.iter_mut().zip(row).zip(&mean) {
            *s += (v - m) * (v - m);
        }
    }
    inverse
        .iter_mut()
        .for_each(|s| *s = 1.0 / (*s / c as f32 + epsilon).sqrt());
    (mean, inverse)
}

/// `gain * (x - mean) / deviation + bias` over the channels of `x [b, c, n]`.
pub fn channel_norm(x: &[f32], gain: &[f32], bias: &[f32], n: usize, epsilon: f32, y: &mut [f32]) {
    let c = gain.len();
    for (x, y) in x.chunks_exact(c * n).zip(y.chunks_exact_mut(c * n)) {
        let (mean, inverse) = moments(x, c, n, epsilon);
        for (ch, (x, y)) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)).enumerate() {
            for (((y, &x), &m), &s) in y.iter_mut().zip(x).zip(&mean).zip(&inverse) {
                *y = (x - m) * s * gain[ch] + bias[ch];
            }
        }
    }
}

/// Gradients of [`channel_norm`] for x, gain and bias.
pub fn channel_norm_backward(
    [x, gain, g]: [&[f32]; 3],
    n: usize,
    epsilon: f32,
    [dx, dgain, dbias]: [&mut [f32]; 3],
) {
    let c = gain.len();
    dgain.fill(0.0);
    dbias.fill(0.0);
    for ((x, g), dx) in x
        .chunks_exact(c * n)
        .zip(g.chunks_exact(c * n))
        .zip(dx.chunks_exact_mut(c * n))
    {
        let (mean, inverse) = moments(x, c, n, epsilon);
        let (mut sum, mut product) = (vec![0f32; n], vec![0f32; n]);
        for (ch, (x, g)) in x.chunks_exact(n).zip(g.chunks_exact(n)).enumerate() {
            let (mut a, mut b) = (0.0, 0.0);
            for i in 0..n {
                let normal = (x[i] - mean[i]) * inverse[i];
                a += g[i] * normal;
                b += g[i];
                sum[i] += g[i] * gain[ch];
                product[i] += g[i] * gain[ch] * normal;
            }
            dgain[ch] += a;
            dbias[ch] += b;
        }
        let share = 1.0 / c as f32;
        for (ch, ((x, g), dx)) in x
            .chunks_exact(n)
            .zip(g.chunks_exact(n))
            .zip(dx.chunks_exact_mut(n))
            .enumerate()
        {
            for i in 0..n {
                let normal = (x[i] - mean[i]) * inverse[i];
                dx[i] = (g[i] * gain[ch] - share * (sum[i] + normal * product[i])) * inverse[i];
            }
        }
    }
}

/// Values of one piece of work.
const PIECE: usize = 16384;

/// `out = x + y`
pub fn add(x: &[f32], y: &[f32], out: &mut [f32]) {
    out.par_chunks_mut(PIECE)
        .zip(x.par_chunks(PIECE))
        .zip(y.par_chunks(PIECE))
        .for_each(|((out, x), y)| {
            out.iter_mut()
                .zip(x)
                .zip(y)
                .for_each(|((out, x), y)| *out = x + y);
        });
}
