//! Whole fits: what they reach, and what they do not depend on.

use super::common::{planes, shape};
use nvc_encoder::pyramid::{
    Colour, Context, Engine, Fit, Plane, Progress, Settings, Shape, Stage, What, adjust,
    dequantise, fit, initial, quantise,
};

const LAMBDA: f32 = 2e-3;
const W: usize = 93;
const H: usize = 70;

fn yuv420() -> (Shape, Vec<Plane>) {
    let shape = shape(8, 8, 5, &[(0, 1), (1, 2)]);
    let planes = planes(&shape, W, H, &[0.75, 0.125, 0.125], |x, y, c| {
        let wave = (25.0 * x + 9.0 * y * y + c as f32).sin() * (7.0 * y - 11.0 * x).cos();
        0.5 + 0.3 * wave + if x > 0.6 { 0.1 } else { 0.0 }
    });
    (shape, planes)
}

fn run(settings: &Settings, threads: usize) -> (Fit, Vec<Progress>) {
    let (shape, planes) = yuv420();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a pool");
    let mut seen = Vec::new();
    let fitted = pool.install(|| {
        fit(&shape, W, H, &planes, LAMBDA, settings, &mut |p| {
            seen.push(p);
            true
        })
    });
    (fitted.expect("nobody stopped it"), seen)
}

#[test]
fn threads_do_not_matter() {
    let settings = Settings::new(30, 13);
    let one = run(&settings, 1).0;
    let two = run(&settings, 2).0;
    assert!(one == two);
    assert!(one == run(&settings, 3).0);
    let other = run(
        &Settings {
            seed: 2,
            ..settings
        },
        2,
    )
    .0;
    assert!(one != other);
}

#[test]
fn a_fit_lowers_the_loss() {
    let (shape, planes) = yuv420();
    let mut engine = Engine::new(&shape, W, H, &planes);
    let start = initial(
        &shape,
        engine.layout(),
        &planes,
        Colour::Yuv,
        Context::Trained,
        1e-3,
        1,
    );
    let before = engine.eval(&start, LAMBDA, What::Both, false).loss(LAMBDA);
    let (fitted, seen) = run(&Settings::new(200, 24), 2);
    let after = fitted.distortion + f64::from(LAMBDA) * fitted.bits;
    assert!(after < 0.3 * before, "{before} to {after}");
    let at = |stage| seen.iter().filter(move |p| p.stage == stage);
    let rounded = at(Stage::Hard)
        .next_back()
        .expect("hard part")
        .terms
        .loss(LAMBDA);
    assert!(after < rounded, "the search: {rounded} to {after}");
    assert_eq!(seen.len(), 224);

    // the result is what the engine says of it
    for (l, q) in fitted.latents.iter().enumerate() {
        engine.set_latents(l, q);
        assert_eq!(&engine.latents(l), q);
    }
    let terms = engine.eval(&fitted.params, LAMBDA, What::Both, false);
    assert_eq!(
        (terms.distortion, terms.bits),
        (fitted.distortion, fitted.bits)
    );
    assert!((engine.grid_bits().iter().sum::<f64>() - terms.bits).abs() < 1e-6 * terms.bits);
    let distortion: f64 = planes
        .iter()
        .zip(engine.reconstruction())
        .map(|(p, got)| {
            let error = p
                .samples
                .iter()
                .zip(&got)
                .map(|(a, b)| f64::from(a - b).powi(2));
            f64::from(p.weight) * error.sum::<f64>() / p.samples.len() as f64
        })
        .sum::<f64>()
        * (W * H) as f64;
    assert!((distortion - terms.distortion).abs() < 1e-4 * distortion);

    let cost = |q: &[i32]| {
        q.iter()
            .map(|v| 1.0 + 2.0 * f64::from(1 + v.abs()).log2())
            .sum()
    };
    let tensors = quantise(&mut engine, &fitted.params, LAMBDA, &cost);
    for ((k, q), tensor) in tensors.iter().zip(engine.layout().tensors()) {
        let most = if tensor.name.starts_with("context") {
            12
        } else {
            14
        };
        assert!((0..=most).contains(k), "{} {k}", tensor.name);
        assert_eq!(q.len(), tensor.range().len());
    }
    let params = dequantise(&tensors);
    let coarse = engine.eval(&params, LAMBDA, What::Both, false).loss(LAMBDA);
    assert!(coarse < 1.2 * after, "quantised: {after} to {coarse}");
}

#[test]
fn a_fit_goes_on_at_another_price() {
    let (shape, planes) = yuv420();
    let settings = Settings::new(120, 12);
    let (fitted, _) = run(&settings, 2);
    for factor in [3.0, 1.0 / 3.0] {
        let price = LAMBDA * factor;
        let mut sweeps = 0;
        let moved = adjust(
            &shape,
            (W, H),
            &planes,
            price,
            &settings,
            &fitted,
            &mut |p| {
                sweeps += 1;
                p.stage == Stage::Search
            },
        );
        assert_eq!(sweeps, 12);
        assert_eq!(moved.params, fitted.params, "weights rest");
        let loss = |f: &Fit| f.distortion + f64::from(price) * f.bits;
        let (before, after) = (loss(&fitted), loss(&moved));
        assert!(after < 0.995 * before, "x {factor}: {before} to {after}");
        assert_eq!(moved.bits < fitted.bits, factor > 1.0, "x {factor}");
        assert_eq!(moved.distortion > fitted.distortion, factor > 1.0);
    }
}

/// A picture large enough for a sample.
fn large() -> (Shape, Vec<Plane>, Settings) {
    let shape = shape(4, 4, 5, &[(0, 1)]);
    let planes = planes(&shape, 512, 256, &[1.0], |x, y, _| {
        0.5 + 0.3 * (40.0 * x).sin() * (25.0 * y).cos()
    });
    let settings = Settings {
        rehearsal: 10,
        ..Settings::new(4, 1)
    };
    (shape, planes, settings)
}

#[test]
fn a_rehearsal_comes_before_the_fit() {
    let (shape, planes, settings) = large();
    let run = |settings: &Settings, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let mut seen = Vec::new();
        let fitted = pool.build().unwrap().install(|| {
            fit(&shape, 512, 256, &planes, LAMBDA, settings, &mut |p| {
                seen.push(p);
                true
            })
        });
        (fitted.unwrap(), seen)
    };
    let (fitted, seen) = run(&settings, 2);
    let places: Vec<_> = seen.iter().map(|p| (p.done, p.of)).collect();
    assert_eq!(places, (1..=15).map(|i| (i, 15)).collect::<Vec<_>>());
    // it ends with rounded latents, and the fit starts again from zero
    assert_eq!(seen[9].stage, Stage::Hard);
    assert_eq!(seen[10].stage, Stage::Soft);
    assert_eq!(run(&settings, 1).0, fitted);
    // the sample's terms are told as those of the whole
    let alone = Settings {
        rehearsal: 0,
        ..settings.clone()
    };
    let (plain, first) = run(&alone, 2);
    let ratio = seen[0].terms.distortion / first[0].terms.distortion;
    assert!((0.8..1.25).contains(&ratio), "{ratio}");
    // what follows starts from other weights
    assert_ne!(fitted, plain);
    assert_ne!(seen[10].terms, first[0].terms);
}

#[test]
fn the_observer_can_stop() {
    let (shape, planes) = yuv420();
    let until = |n: usize| {
        let settings = Settings::new(10, 10);
        fit(&shape, W, H, &planes, LAMBDA, &settings, &mut |p| {
            p.done < n
        })
    };
    // in a rehearsal too
    let (shape, planes, settings) = large();
    let ended = fit(&shape, 512, 256, &planes, LAMBDA, &settings, &mut |p| {
        p.done < 3
    });
    assert!(ended.is_none());
    assert!(until(5).is_none());
    assert!(until(10).is_none());
    assert!(until(12).is_some());
}

#[test]
fn tiny_pictures() {
    for (w, h) in [(1, 1), (3, 2), (17, 1)] {
        let shape = shape(16, 8, 7, &[(0, 3)]);
        let planes = planes(&shape, w, h, &[1.0 / 3.0; 3], |x, y, _| {
            0.3 + 0.4 * x * (1.0 - y)
        });
        let settings = Settings::new(20, 6);
        let fitted = fit(&shape, w, h, &planes, LAMBDA, &settings, &mut |_| true).expect("fit");
        assert!(fitted.distortion.is_finite() && fitted.bits.is_finite());
        assert_eq!(fitted.latents.len(), 7);
        assert_eq!(fitted.latents[0].len(), w * h);
    }
}
