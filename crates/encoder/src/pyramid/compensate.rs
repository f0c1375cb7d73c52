//! Quantised weights whose errors are made up for by the weights that are quantised after them.
//!
//! With the loss as a quadratic form of the errors, `e H e / 2`, and its Cholesky factor, the best
//! choice for a weight after the errors of those before it is plain: it is the nearest integer to a
//! shifted value, and what it costs is its own (Frantar et al., GPTQ, ICLR 2023; Babai's nearest
//! plane). Here the bits of the integers count too, and steps are searched with the forecast.

use std::ops::Range;

use nalgebra::{Cholesky, DMatrix};

use super::engine::{Engine, What};
use super::hessian::{Spectrum, hessian};
use super::quantise::{LARGEST, MOST_EXPONENTS, Quantised, dequantise};

/// Eigenvalues that are raised, relative to the mean: which of these is best, a trial tells.
const FLOORS: [f64; 4] = [0.001, 0.003, 0.01, 0.03];
/// Rounds of the search for steps.
const ROUNDS: usize = 3;
/// Least scale of a tensor's law, in integers.
const LEAST_SCALE: f64 = 0.05;

/// Better integers than those of `plain`, where the loss at the latents of `engine` and the bits by
/// `cost` say that they are. Curvature is that of `sample`, an engine for one of `ratio` samples of
/// the picture. `None` if `go_on` says so.
pub fn compensate(
    engine: &mut Engine,
    (sample, ratio): (&mut Engine, f64),
    params: &[f32],
    lambda: f32,
    plain: Vec<Quantised>,
    cost: &dyn Fn(&[i32]) -> f64,
    go_on: &dyn Fn() -> bool,
) -> Option<Vec<Quantised>> {
    let mut best = plain;
    let tensors = engine.layout().tensors().to_vec();
    let split = tensors.iter().position(|t| !t.name.starts_with("context"));
    let split = split.unwrap_or(tensors.len());
    for (what, part) in [
        (What::Rate, 0..split),
        (What::Distortion, split..tensors.len()),
    ] {
        let (Some(first), Some(last)) =
            (tensors[part.clone()].first(), tensors[part.clone()].last())
        else {
            continue;
        };
        let range = first.range().start..last.range().end;
        let curvature = hessian(sample, params, lambda, what, range.clone(), go_on)? * ratio;
        if curvature.iter().any(|v| !v.is_finite()) {
            continue;
        }
        let spectrum = Spectrum::new(curvature);
        let own: Vec<Part> = tensors[part.clone()]
            .iter()
            .map(|t| Part {
                range: t.range().start - range.start..t.range().end - range.start,
                most: MOST_EXPONENTS[usize::from(what == What::Distortion)],
            })
            .collect();
        let mut loss = |all: &[Quantised]| {
            let terms = engine.eval(&dequantise(all), lambda, what, false);
            let bits: f64 = all.iter().map(|(_, q)| cost(q)).sum();
            terms.loss(lambda) + f64::from(lambda) * bits
        };
        let mut least = loss(&best);
        for floor in FLOORS {
            if !go_on() {
                return None;
            }
            let Some(form) = Form::new(&spectrum.raised(floor)) else {
                continue;
            };
            let mut all = best.clone();
            let found = form.search(&params[range.clone()], &own, f64::from(lambda));
            all.splice(part.clone(), found);
            let now = loss(&all);
            if now < least {
                (least, best) = (now, all);
            }
        }
    }
    Some(best)
}

/// A tensor in a run of weights.
struct Part {
    range: Range<usize>,
    /// Largest exponent of its step.
    most: i32,
}

/// The quadratic form of the errors.
struct Form {
    /// Weights in the order in which they are quantised, the dearest first: many are left then to
    /// make up for their errors.
    order: Vec<usize>,
    /// Transpose of the Cholesky factor, row by row, in that order backwards.
    rows: Vec<f64>,
}

impl Form {
    fn new(h: &DMatrix<f64>) -> Option<Self> {
        let n = h.nrows();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| h[(*b, *b)].total_cmp(&h[(*a, *a)]));
        let at = |i: usize| order[n - 1 - i];
        let turned = DMatrix::from_fn(n, n, |i, j| h[(at(i), at(j))]);
        // its columns one after the other are the rows of the transpose
        let rows = Cholesky::new(turned)?.l().as_slice().to_vec();
        Some(Form { order, rows })
    }

    /// Steps and integers of all tensors.
    fn search(&self, weights: &[f32], parts: &[Part], lambda: f64) -> Vec<Quantised> {
        let n = weights.len();
        let mut of = vec![0; n];
        for (t, part) in parts.iter().enumerate() {
            of[part.range.clone()].fill(t);
        }
        // error against bits, as if errors were uniform
        let mut sensitivity = vec![0.0; parts.len()];
        for i in 0..n {
            sensitivity[of[self.order[n - 1 - i]]] += self.rows[i * n + i].powi(2);
        }
        let mut k: Vec<i32> = parts
            .iter()
            .zip(&sensitivity)
            .map(|(part, s)| {
                let square = 12.0 * part.range.len() as f64 * lambda / (2f64.ln() * s.max(1e-30));
                let most = weights[part.range.clone()]
                    .iter()
                    .fold(0.0, |m: f32, v| m.max(v.abs()));
                let room = (LARGEST / most.max(1e-30)).log2().floor() as i32;
                ((-0.5 * square.log2()).round() as i32)
                    .min(room)
                    .clamp(0, part.most)
            })
            .collect();
        let mut best = self.quantise(weights, &of, &k, lambda);
        for _ in 0..ROUNDS {
            let before = best.0;
            for t in 0..parts.len() {
                for change in [-1, 1] {
                    let old = k[t];
                    k[t] = (old + change).clamp(0, parts[t].most);
                    let now = self.quantise(weights, &of, &k, lambda);
                    if k[t] != old && now.0 < best.0 {
                        best = now;
                    } else {
                        k[t] = old;
                    }
                }
            }
            if best.0 == before {
                break;
            }
        }
        let tensor = |(part, k): (&Part, &i32)| (*k, best.1[part.range.clone()].to_vec());
        parts.iter().zip(&k).map(tensor).collect()
    }

    /// Forecast of the loss with steps `2^-k`, and the integers.
    fn quantise(&self, weights: &[f32], of: &[usize], k: &[i32], lambda: f64) -> (f64, Vec<i32>) {
        let n = weights.len();
        let steps: Vec<f64> = k.iter().map(|k| f64::from(-k).exp2()).collect();
        let mut means = vec![(0.0, 0.0); k.len()];
        for (w, &t) in weights.iter().zip(of) {
            means[t].0 += f64::from(w.abs()) / steps[t];
            means[t].1 += 1.0;
        }
        let (mut loss, mut q) = (0.0, vec![0; n]);
        // of weights, in the order of the rows
        let mut errors = vec![0.0; n];
        for i in (0..n).rev() {
            let at = self.order[n - 1 - i];
            let (step, (sum, count)) = (steps[of[at]], means[of[at]]);
            let scale = (sum / count).max(LEAST_SCALE);
            let row = &self.rows[i * n..][..n];
            let pairs = row[i + 1..].iter().zip(&errors[i + 1..]);
            let shift = pairs.map(|(r, e)| r * e).sum::<f64>() / row[i];
            let wanted = (f64::from(weights[at]) + shift) / step;
            let price =
                |c: f64| 0.5 * (row[i] * step * (wanted - c)).powi(2) + lambda * bits(c, scale);
            let (below, above) = (wanted.floor(), wanted.floor() + 1.0);
            let (low, high) = (price(below), price(above));
            let (choice, value) = if low <= high {
                (below, low)
            } else {
                (above, high)
            };
            let choice = choice.clamp(-f64::from(LARGEST), f64::from(LARGEST));
            q[at] = choice as i32;
            errors[i] = f64::from(weights[at]) - choice * step;
            loss += value;
        }
        (loss, q)
    }
}

/// Bits of the integer `q` by a Laplace law of scale `b`.
fn bits(q: f64, b: f64) -> f64 {
    let p = if q == 0.0 {
        1.0 - (-0.5 / b).exp()
    } else {
        ((-(q.abs() - 0.5) / b).exp() - (-(q.abs() + 0.5) / b).exp()) / 2.0
    };
    -p.max(1e-9).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(h: &DMatrix<f64>, w: &[f32], q: &[Quantised]) -> f64 {
        let back = dequantise(q);
        let e = nalgebra::DVector::from_iterator(
            w.len(),
            w.iter().zip(back).map(|(w, q)| f64::from(w - q)),
        );
        0.5 * e.dot(&(h * &e))
    }

    /// The loss of the integers found, relative to that of the nearest with the same step.
    fn gain(coupling: f64) -> f64 {
        let n = 40;
        let w: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin()).collect();
        let parts = [Part {
            range: 0..n,
            most: 12,
        }];
        let h = DMatrix::from_fn(n, n, |i, j| if i == j { 1.0 } else { coupling });
        let q = Form::new(&h).unwrap().search(&w, &parts, 1e-6);
        let scale = (q[0].0 as f32).exp2();
        let nearest = w.iter().map(|v| (v * scale).round() as i32).collect();
        loss(&h, &w, &q) / loss(&h, &w, &[(q[0].0, nearest)])
    }

    #[test]
    fn errors_that_can_cancel_do() {
        // of errors by themselves, those that save bits are a little larger
        assert!((1.0..1.5).contains(&gain(0.0)), "{}", gain(0.0));
        assert!(gain(0.999) < 0.5, "{}", gain(0.999));
    }

    #[test]
    fn negative_curvature_is_raised() {
        let h = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 1.0]);
        assert!(Form::new(&h).is_none());
        let raised = Spectrum::new(h).raised(0.1);
        assert!(Form::new(&raised).is_some());
        // the eigenvalue 3 stays, -1 becomes 0.1 of their mean
        assert!(
            (raised[(0, 0)] - (3.0 + 0.1) / 2.0).abs() < 1e-12,
            "{raised}"
        );
    }
}
