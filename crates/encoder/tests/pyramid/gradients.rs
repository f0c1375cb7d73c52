//! Hand-written gradients against central differences.

use super::common::{Random, planes, random_weights, shape};
use nvc_encoder::pyramid::{Engine, Shape, What};

const LAMBDA: f32 = 0.02;

/// How far a gradient is from the central differences, the nearest of four steps: wide ones meet
/// kinks of the ReLUs, narrow ones the rounding of the sums.
fn difference(at: &mut dyn FnMut(f32) -> f64, step: f32, gradient: f32) -> f64 {
    let of = |d: f32, at: &mut dyn FnMut(f32) -> f64| {
        let slope = (at(d) - at(-d)) / (2.0 * f64::from(d));
        (slope - f64::from(gradient)).abs()
    };
    [step, step / 4.0, step * 3.0, step * 8.0]
        .into_iter()
        .map(|d| of(d, at))
        .fold(f64::MAX, f64::min)
}

fn check(shape: &Shape, w: usize, h: usize, weights: &[f32]) {
    let mut random = Random(7);
    let planes = planes(shape, w, h, weights, |_, _, _| random.uniform());
    let mut engine = Engine::new(shape, w, h, &planes);
    let mut p = random_weights(engine.layout());
    p.iter_mut().for_each(|v| *v += 0.03 * random.normal());
    let tensors = engine.layout().tensors().to_vec();
    for t in &tensors {
        if t.name == "context.b1" || t.name == "context.b2" {
            // where all contexts are zero, a small bias would leave the sample near a kink
            p[t.range()]
                .iter_mut()
                .for_each(|b| *b += 0.05 * b.signum());
        }
        if t.name == "context.b3" {
            // wide enough that no sample meets the cap, whose gradient is kept on purpose
            p[t.start + 1] = 4.5;
        }
    }
    for l in 0..shape.grids {
        let (gw, gh) = Shape::grid_size(w, h, l);
        let values: Vec<f32> = (0..gw * gh).map(|_| 0.8 * random.normal()).collect();
        engine.set_values(l, &values);
    }
    let (mut failures, mut checked) = (Vec::new(), 0);
    for what in [What::Rate, What::Distortion, What::Both] {
        let loss = engine.eval(&p, LAMBDA, what, true).loss(LAMBDA);
        let gradient = engine.gradients().to_vec();
        let latents: Vec<Vec<f32>> = (0..shape.grids)
            .map(|l| engine.latent_gradients(l))
            .collect();
        let mut report = |name: &str, worst: f64, scale: f64| {
            checked += 1;
            // the terms are sums of floats, of which differences of the weights see the rounding
            let rounding = if name.starts_with("grid") {
                1e-4
            } else {
                1e-4 * loss.min(20.0)
            };
            // kinks between the two places give a few hundredths; a wrong term gives about one
            if worst > 0.2 * scale + rounding {
                failures.push(format!(
                    "{w}x{h} {what:?} {name}: {worst:.3e} of {scale:.3e}"
                ));
            }
        };
        let rms = |g: &[f32]| {
            (g.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>() / g.len() as f64).sqrt()
        };
        for t in &tensors {
            let scale = rms(&gradient[t.range()]);
            let touched = t.name.starts_with("context") == (what == What::Rate);
            if what != What::Both && !touched {
                assert_eq!(scale, 0.0, "{} {what:?}", t.name);
                continue;
            }
            assert!(scale > 0.0 || w.min(h) < 40, "{} has no gradient", t.name);
            let mut worst = 0f64;
            for _ in 0..6 {
                let i = t.start + random.below(t.range().len());
                let mut at = |d: f32| {
                    let mut q = p.clone();
                    q[i] += d;
                    engine.eval(&q, LAMBDA, what, false).loss(LAMBDA)
                };
                worst = worst.max(difference(&mut at, 1e-3, gradient[i]));
            }
            report(&t.name, worst, scale);
        }
        for (l, g) in latents.iter().enumerate() {
            let (gw, gh) = Shape::grid_size(w, h, l);
            let scale = rms(g);
            let values = engine.values(l);
            let mut worst = 0f64;
            for t in 0..8 {
                let i = match t {
                    0 => 0,
                    1 => gw * gh - 1,
                    2 => (gh - 1) * gw,
                    3 => gw - 1,
                    _ => random.below(gw * gh),
                };
                let mut at = |d: f32| {
                    let mut v = values.clone();
                    v[i] += d;
                    engine.set_values(l, &v);
                    engine.eval(&p, LAMBDA, what, false).loss(LAMBDA)
                };
                worst = worst.max(difference(&mut at, 3e-3, g[i]));
            }
            engine.set_values(l, &values);
            report(&format!("grid {l}"), worst, scale);
        }
    }
    assert!(
        failures.is_empty(),
        "of {checked}:\n{}",
        failures.join("\n")
    );
}

const THIRD: [f32; 3] = [1.0 / 3.0; 3];

#[test]
fn rgb() {
    for (w, h) in [(64, 48), (75, 53), (200, 96)] {
        check(&shape(16, 24, 7, &[(0, 3)]), w, h, &THIRD);
    }
}

#[test]
fn with_alpha() {
    for (w, h) in [(64, 48), (75, 53), (1, 9)] {
        check(&shape(16, 24, 6, &[(0, 4)]), w, h, &[0.3, 0.3, 0.3, 0.5]);
    }
    check(&shape(8, 8, 3, &[(0, 2)]), 45, 67, &[1.0, 0.5]);
}

#[test]
fn grey_with_odd_widths_of_layers() {
    check(&shape(13, 10, 5, &[(0, 1)]), 75, 53, &[1.0]);
    check(&shape(32, 7, 9, &[(0, 1)]), 130, 41, &[1.0]);
    check(&shape(4, 4, 1, &[(0, 1)]), 41, 30, &[1.0]);
}

#[test]
fn yuv420() {
    let shape = shape(16, 16, 7, &[(0, 1), (1, 2)]);
    for (w, h) in [(64, 48), (75, 53), (201, 37)] {
        check(&shape, w, h, &[0.75, 0.125, 0.125]);
    }
}

#[test]
fn several_heads_of_a_level() {
    let shape = shape(8, 8, 3, &[(0, 3), (1, 2), (0, 1)]);
    check(&shape, 45, 67, &[0.3, 0.2, 0.1, 0.1, 0.1, 0.2]);
}

#[test]
fn tiny() {
    for (w, h) in [(1, 1), (3, 2), (17, 1), (1, 9), (3, 33), (2, 40)] {
        check(&shape(16, 8, 7, &[(0, 3)]), w, h, &THIRD);
        check(
            &shape(16, 8, 3, &[(0, 1), (1, 2)]),
            w,
            h,
            &[0.75, 0.125, 0.125],
        );
    }
}
