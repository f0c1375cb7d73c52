//! Weights as integers times a power of two, chosen for each tensor by rate and distortion.

use super::engine::{Engine, What};

/// Largest magnitude of a quantised weight.
pub(super) const LARGEST: f32 = 32_767.0;
/// Largest step exponents of the context network's tensors, and of all others.
pub(super) const MOST_EXPONENTS: [i32; 2] = [12, 14];

/// A tensor: step exponent `k`, which means a step of `2^-k`, and integers.
pub type Quantised = (i32, Vec<i32>);

/// Weights of quantised tensors.
pub fn dequantise(tensors: &[Quantised]) -> Vec<f32> {
    let value = |(k, q): &Quantised| {
        let step = (-*k as f32).exp2();
        q.iter().map(|q| *q as f32 * step).collect::<Vec<f32>>()
    };
    tensors.iter().flat_map(value).collect()
}

/// Quantises tensor after tensor, in the order of the layout: the step exponent that makes
/// `distortion + lambda * (latent bits + weight bits)` smallest at the engine's latents, and the
/// nearest integers. `cost` is the bits of a tensor's integers, with all that it needs beside them.
///
/// Exponents are 0 to 12 for the context network and 0 to 14 for all other tensors.
pub fn quantise(
    engine: &mut Engine,
    params: &[f32],
    lambda: f32,
    cost: &dyn Fn(&[i32]) -> f64,
) -> Vec<Quantised> {
    let mut now = params.to_vec();
    let mut result = Vec::new();
    for tensor in engine.layout().tensors().to_vec() {
        let context = tensor.name.starts_with("context");
        // no tensor touches both terms
        let what = if context {
            What::Rate
        } else {
            What::Distortion
        };
        let last = MOST_EXPONENTS[usize::from(!context)];
        let first = match () {
            () if context => 5,
            () if tensor.name.starts_with("up") => 9,
            () => 8,
        };
        let range = tensor.range();
        let mut best: Option<(f64, i32, Vec<i32>)> = None;
        // from the middle outwards until it gets worse twice, first coarser, then finer
        for direction in [-1, 1] {
            let mut k = if direction < 0 { first } else { first + 1 };
            let mut worse = 0;
            while worse < 2 && (0..=last).contains(&k) {
                let scale = (k as f32).exp2();
                let scaled = || params[range.clone()].iter().map(|v| (v * scale).round());
                if scaled().any(|v| v.abs() > LARGEST) && (k > 0 || best.is_some()) {
                    // weights of any size have a step
                    worse += i32::from(best.is_some());
                    k += direction;
                    continue;
                }
                let q: Vec<i32> = scaled()
                    .map(|v| v.clamp(-LARGEST, LARGEST) as i32)
                    .collect();
                let values = now[range.clone()].iter_mut().zip(&q);
                values.for_each(|(to, q)| *to = *q as f32 / scale);
                let terms = engine.eval(&now, lambda, what, false);
                let loss = terms.loss(lambda) + f64::from(lambda) * cost(&q);
                if best.as_ref().is_none_or(|b| loss < b.0) {
                    best = Some((loss, k, q));
                    worse = 0;
                } else {
                    worse += 1;
                }
                k += direction;
            }
        }
        let (_, k, q) = best.unwrap_or_default();
        let step = (-k as f32).exp2();
        let values = now[range.clone()].iter_mut().zip(&q);
        values.for_each(|(to, q)| *to = *q as f32 * step);
        result.push((k, q));
    }
    result
}
