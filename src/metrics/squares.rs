//! Mean squared errors of samples.

use rayon::prelude::*;

/// Mean squared difference, summed exactly.
pub fn mean_square<T: Copy + Into<i64> + Sync>(a: &[T], b: &[T]) -> f64 {
    let part = |(a, b): (&[T], &[T])| -> u64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| (a.into() - b.into()).pow(2) as u64)
            .sum()
    };
    let sum: u64 = a
        .par_chunks(1 << 16)
        .zip(b.par_chunks(1 << 16))
        .map(part)
        .sum();
    sum as f64 / a.len() as f64
}

/// Differences of two planes.
pub fn difference(a: &[u16], b: &[u16]) -> Vec<f64> {
    let pairs = a.iter().zip(b);
    pairs.map(|(&a, &b)| f64::from(a) - f64::from(b)).collect()
}

/// Mean squared difference of samples multiplied by alpha, interleaved where a pixel has several, as
/// they look on black and on white: what alpha lacks, white adds. `unit` is what a step of alpha is
/// in steps of `a` and `b`.
pub fn mean_square_on_both<T: Copy + Into<i64>>(a: &[T], b: &[T], alpha: &[f64], unit: f64) -> f64 {
    let channels = (a.len() / alpha.len().max(1)).max(1);
    let pixels = a.chunks_exact(channels).zip(b.chunks_exact(channels));
    let sum: f64 = pixels
        .zip(alpha)
        .flat_map(|((a, b), alpha)| a.iter().zip(b).map(move |(&a, &b)| (a, b, alpha)))
        .map(|(a, b, alpha)| {
            let on_black = (a.into() - b.into()) as f64;
            let on_white = on_black - alpha * unit;
            (on_black * on_black + on_white * on_white) / 2.0
        })
        .sum();
    sum / a.len() as f64
}
