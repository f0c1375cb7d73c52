//! Curvature of the loss for the weights, from a sample of the picture.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::context::Gradients;
use super::engine::{Engine, Mode, What};
use super::mosaic::Mosaic;
use super::shape::{Plane, Shape};

/// Differences of a weight of the context network, and of all others: about the error that
/// quantisation makes, so that the kinks of the rectifiers average out.
const DIFFERENCES: [f32; 2] = [1.0 / 32.0, 1.0 / 128.0];

/// An engine for about `share` of a picture, whole blocks of it side by side, or for all of it. Also the picture's samples
/// for each that is taken.
pub fn sample(
    shape: &Shape,
    (width, height): (usize, usize),
    planes: &[Plane],
    latents: &[Vec<i32>],
    share: f64,
) -> (Engine, f64) {
    let blocks = share * (width * height) as f64 / Mosaic::block(shape);
    let Some(mosaic) = Mosaic::new(shape, (width, height), blocks.ceil() as usize) else {
        let size = (width, height);
        return (Engine::with_latents(shape, size, planes, latents), 1.0);
    };
    let (w, h) = mosaic.size();
    let mut engine = Engine::new(shape, w, h, &mosaic.planes(shape, planes));
    for (l, grid) in latents.iter().enumerate() {
        let stride = Shape::grid_size(width, height, l).0;
        engine.set_latents(l, &mosaic.gather(grid, stride, l));
    }
    (engine, mosaic.ratio())
}

/// Second derivatives of `distortion + lambda * bits` for the weights of `range`, which touch the term
/// `what`, by differences of gradients. `None` if `go_on` says so.
pub(super) fn hessian(
    engine: &mut Engine,
    params: &[f32],
    lambda: f32,
    what: What,
    range: Range<usize>,
    go_on: &dyn Fn() -> bool,
) -> Option<DMatrix<f64>> {
    let n = range.len();
    let mode = Mode::new(what, Gradients::Weights);
    let mut p = params.to_vec();
    engine.run(&p, lambda, mode);
    let base = engine.gradients[range.clone()].to_vec();
    let mut columns = DMatrix::zeros(n, n);
    for i in 0..n {
        if !go_on() {
            return None;
        }
        let at = range.start + i;
        p[at] += DIFFERENCES[usize::from(what == What::Distortion)];
        let step = p[at] - params[at];
        engine.run(&p, lambda, mode);
        p[at] = params[at];
        let gradients = engine.gradients[range.clone()].iter().zip(&base);
        for (to, (g, b)) in columns.column_mut(i).iter_mut().zip(gradients) {
            *to = f64::from((g - b) / step);
        }
    }
    Some(0.5 * (&columns + columns.transpose()))
}

/// A symmetric matrix by its eigenvalues, the least of which can be raised.
pub(super) struct Spectrum {
    values: DVector<f64>,
    vectors: DMatrix<f64>,
}

impl Spectrum {
    pub(super) fn new(matrix: DMatrix<f64>) -> Self {
        let eigen = matrix.symmetric_eigen();
        Spectrum {
            values: eigen.eigenvalues,
            vectors: eigen.eigenvectors,
        }
    }
    /// The matrix, with eigenvalues below `floor` times their mean raised to that.
    pub(super) fn raised(&self, floor: f64) -> DMatrix<f64> {
        let least = (floor * self.values.mean()).max(f64::MIN_POSITIVE.sqrt());
        let mut scaled = self.vectors.clone();
        for (mut column, value) in scaled.column_iter_mut().zip(&self.values) {
            column *= value.max(least);
        }
        scaled * self.vectors.transpose()
    }
}
