//! Curvature of the loss for the weights, from a sample of the picture.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::context::Gradients;
use super::engine::{Engine, Mode, What};
use super::shape::{Plane, Shape};

/// Least side of a sample's blocks.
const BLOCK: usize = 128;
/// Differences of a weight of the context network, and of all others: about the error that
/// quantisation makes, so that the kinks of the rectifiers average out.
const DIFFERENCES: [f32; 2] = [1.0 / 32.0, 1.0 / 128.0];

/// An engine for about `share` of a picture: whole blocks of it side by side; for all of it if there
/// are not twice as many blocks as that takes. Also the picture's samples for each that is taken.
pub fn sample(
    shape: &Shape,
    (width, height): (usize, usize),
    planes: &[Plane],
    latents: &[Vec<i32>],
    share: f64,
) -> (Engine, f64) {
    // coarse samples lie in one block only
    let side = BLOCK.max(1 << (shape.grids - 1));
    let all = (width / side) * (height / side);
    let wanted = (share * (width * height) as f64 / (side * side) as f64).ceil();
    let across = (wanted.sqrt().round() as usize).max(1);
    let count = (wanted as usize).div_ceil(across) * across;
    if all < 2 * count {
        let mut engine = Engine::new(shape, width, height, planes);
        for (l, grid) in latents.iter().enumerate() {
            engine.set_latents(l, grid);
        }
        return (engine, 1.0);
    }
    let blocks: Vec<(usize, usize)> = (0..count)
        .map(|i| (i * all + all / 2) / count)
        .map(|k| (k % (width / side), k / (width / side)))
        .collect();
    let mosaic = Mosaic {
        blocks,
        across,
        side,
    };
    let (w, h) = (across * side, count / across * side);
    let levels = shape
        .heads
        .iter()
        .flat_map(|h| std::iter::repeat_n(h.level, h.planes));
    let own: Vec<Plane> = levels
        .zip(planes)
        .map(|(level, plane)| Plane {
            width: w >> level,
            height: h >> level,
            weight: plane.weight,
            samples: mosaic.gather(&plane.samples, plane.width, level),
        })
        .collect();
    let mut engine = Engine::new(shape, w, h, &own);
    for (l, grid) in latents.iter().enumerate() {
        let stride = Shape::grid_size(width, height, l).0;
        engine.set_latents(l, &mosaic.gather(grid, stride, l));
    }
    (engine, (width * height) as f64 / (w * h) as f64)
}

struct Mosaic {
    /// Columns and rows of blocks in the picture.
    blocks: Vec<(usize, usize)>,
    across: usize,
    /// At level 0.
    side: usize,
}

impl Mosaic {
    fn gather<T: Copy + Default>(&self, from: &[T], stride: usize, level: usize) -> Vec<T> {
        let side = self.side >> level;
        let width = self.across * side;
        let mut to = vec![T::default(); self.blocks.len() * side * side];
        for (i, (x, y)) in self.blocks.iter().enumerate() {
            let first = i / self.across * side * width + i % self.across * side;
            for row in 0..side {
                let source = &from[(y * side + row) * stride + x * side..][..side];
                to[first + row * width..][..side].copy_from_slice(source);
            }
        }
        to
    }
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
