//! The engine's hand-written gradients against those that burn derives, and fits by both.

use super::descent::OnDevice;
use super::loss::Model;
use crate::pyramid::{self, Context, Engine, Fit, Head, Layout, Plane, Settings, Shape, What};
use crate::rng::Rng;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorData};

type B = Autodiff<Flex>;

const LAMBDA: f32 = 0.02;
/// Largest difference allowed, relative to the root mean square of the tensor's gradient: sums of
/// thousands of floats in another order.
const TOLERANCE: f64 = 2e-3;

fn shape(contexts: usize, hidden: usize, grids: usize, heads: &[(usize, usize)]) -> Shape {
    let heads = heads.iter().map(|&(level, planes)| Head { level, planes });
    Shape {
        contexts,
        hidden,
        grids,
        heads: heads.collect(),
    }
}

/// Planes of a shape from a function of place and plane.
fn planes(
    shape: &Shape,
    (w, h): (usize, usize),
    sample: &mut dyn FnMut(usize, usize, usize) -> f32,
) -> Vec<Plane> {
    let mut planes = Vec::new();
    for head in &shape.heads {
        for p in 0..head.planes {
            let (width, height) = Shape::grid_size(w, h, head.level);
            let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            planes.push(Plane {
                width,
                height,
                weight: 1.0 / (1 + planes.len()) as f32,
                alpha: p == 3,
                samples: places.map(|(x, y)| sample(x, y, p)).collect(),
            });
        }
    }
    planes
}

fn rms(x: &[f32]) -> f64 {
    (x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / x.len().max(1) as f64).sqrt()
}

/// Compares one evaluation of both at random weights and latents.
fn check(shape: &Shape, size: (usize, usize)) {
    let mut random = Rng::new(5, 1);
    let planes = planes(shape, size, &mut |_, _, _| random.uniform(0.0, 1.0));
    let layout = Layout::new(shape);
    let mut values = |count: usize, size: f32| -> Vec<f32> {
        (0..count).map(|_| random.uniform(-size, size)).collect()
    };
    let params = values(layout.total(), 0.3);
    let mut engine = Engine::new(shape, size.0, size.1, &planes);
    let model = Model::<B>::new(shape, size, &planes, &Default::default());
    let canvas = &model.canvas;
    let mut plane = vec![0.0; canvas.w * canvas.h];
    for l in 0..shape.grids {
        let [rows, columns] = canvas.grids[l].clone();
        let mut values = values(rows.len() * columns.len(), 1.3);
        // some far from what is expected, where another form of the rate holds
        values.iter_mut().step_by(11).for_each(|v| *v *= 9.0);
        engine.set_values(l, &values);
        for (y, row) in rows.zip(values.chunks(columns.len())) {
            plane[y * canvas.w..][columns.clone()].copy_from_slice(row);
        }
    }
    for what in [What::Rate, What::Distortion] {
        let terms = engine.eval(&params, LAMBDA, what, true);
        let data = TensorData::new(plane.clone(), [1, 1, canvas.h, canvas.w]);
        let latents = Tensor::<B, 4>::from_data(data, &Default::default()).require_grad();
        let data = TensorData::from(&params[..]);
        let weights = Tensor::<B, 1>::from_data(data, &Default::default()).require_grad();
        let [distortion, bits] = model.terms(&weights, latents.clone());
        let (loss, ours) = match what {
            What::Rate => (bits * LAMBDA, terms.loss(LAMBDA)),
            _ => (distortion, terms.distortion),
        };
        let gradients = loss.backward();
        let loss = f64::from(loss.into_scalar());
        assert!(
            (loss - ours).abs() <= 1e-4 * loss.abs(),
            "{shape:?} {size:?} {what:?}: {ours} against {loss}"
        );
        let of = |name: &str, ours: &[f32], theirs: &[f32]| {
            assert_eq!(ours.len(), theirs.len(), "{name}");
            let off = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
            let off = off.fold(0.0, f32::max);
            assert!(
                f64::from(off) <= TOLERANCE * rms(theirs),
                "{shape:?} {size:?} {what:?} {name}: {off:e} off, root mean square {:e}",
                rms(theirs)
            );
        };
        let theirs = weights.grad(&gradients).map(|g| g.into_data().to_vec());
        let theirs: Vec<f32> = theirs.unwrap().unwrap();
        for t in layout.tensors() {
            of(&t.name, &engine.gradients()[t.range()], &theirs[t.range()]);
        }
        let theirs = latents.grad(&gradients).map(|g| g.into_data().to_vec());
        let theirs: Vec<f32> = theirs.unwrap().unwrap();
        for l in 0..shape.grids {
            let ours = engine.latent_gradients(l);
            of(&format!("grid {l}"), &ours, &canvas.grid(&theirs, l));
        }
    }
}

#[test]
fn the_engine_agrees_with_derived_gradients() {
    check(&shape(16, 24, 7, &[(0, 3)]), (75, 53));
    check(&shape(24, 40, 6, &[(0, 4)]), (64, 48));
    check(&shape(13, 10, 5, &[(0, 1)]), (130, 41));
    check(&shape(32, 7, 9, &[(0, 1), (1, 2)]), (201, 37));
    check(&shape(8, 8, 3, &[(0, 3), (1, 2), (0, 1)]), (45, 67));
    check(&shape(4, 4, 1, &[(0, 1)]), (41, 30));
    for size in [(1, 1), (3, 2), (17, 1), (1, 9)] {
        check(&shape(16, 8, 7, &[(0, 3)]), size);
    }
}

/// A picture of an edge and waves, fitted by 200 iterations and a few sweeps.
fn fit(on_device: bool) -> Fit {
    let (shape, size) = (shape(8, 8, 5, &[(0, 3)]), (96, 64));
    let planes = planes(&shape, size, &mut |x, y, p| {
        let wave = (x as f32 * 0.21 + p as f32).sin() + (y as f32 * 0.13).cos();
        0.45 + 0.15 * wave + if x > y { 0.2 } else { 0.0 }
    });
    let settings = Settings {
        context: Context::New,
        ..Settings::new(200, 4)
    };
    let device = on_device.then(|| {
        let seed = settings.seed;
        let on = OnDevice::<B>::new(&shape, size, &planes, seed, Default::default());
        Box::new(on) as _
    });
    let observe = &mut |_| true;
    pyramid::fit_on(device, &shape, size, &planes, 1e-3, &settings, observe).unwrap()
}

/// The same loss, but for other noise.
#[test]
fn fits_on_devices_reach_the_same() {
    let loss = |f: Fit| f.distortion + 1e-3 * f.bits;
    let (host, device) = (loss(fit(false)), loss(fit(true)));
    println!("host {host:.4}, device {device:.4}");
    assert!((host / device).ln().abs() < 0.1, "{host} {device}");
}
