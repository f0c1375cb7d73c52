//! Rate and distortion of a pyramid from ordinary burn operations, whose gradients burn derives:
//! what runs on other devices, and the reference for the hand-written ones.

use super::canvas::Canvas;
use crate::pyramid::{
    BITS_MAX, LEAST, Layout, PRIORITY, Plane, REACH, SCALE_MAX, SCALE_SHIFT, Shape,
};
use burn::tensor::activation::relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::{ConvOptions, PadMode};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use std::f64::consts::{LN_2, LOG2_E};

/// Rows and columns of the window of contexts.
const WINDOW: [usize; 2] = [REACH + 1, 2 * REACH + 1];
/// Reach of the x2 filters in input samples.
const UP: usize = 2;

/// A head's planes.
struct Target<B: Backend> {
    /// `[planes, h, w]`
    samples: Tensor<B, 3>,
    /// Weight of each plane's summed squared error, `[planes, 1, 1]`.
    scales: Tensor<B, 3>,
    /// Whether the last plane is alpha.
    alpha: bool,
}

/// The model and the picture, as tensors of a device.
pub(super) struct Model<B: Backend> {
    shape: Shape,
    layout: Layout,
    pub(super) canvas: Canvas,
    /// `[1, 1, h, w]`: see [`Canvas::mask`].
    pub(super) mask: Tensor<B, 4>,
    targets: Vec<Target<B>>,
    /// `[contexts, window]`: places of the contexts.
    contexts: Tensor<B, 2>,
    /// `[taps, phases * (2 * UP + 1)]`: the two phases of an x2 filter from its taps.
    phases: Tensor<B, 2>,
    device: B::Device,
}

fn constant<B: Backend, const D: usize>(
    values: Vec<f32>,
    dims: [usize; D],
    device: &B::Device,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values, dims), device)
}

impl<B: Backend> Model<B> {
    /// Arguments as [`Engine::new`](crate::pyramid::Engine::new) has them.
    pub(super) fn new(
        shape: &Shape,
        (width, height): (usize, usize),
        planes: &[Plane],
        device: &B::Device,
    ) -> Self {
        let canvas = Canvas::new(width, height, shape.grids);
        let mask = constant(canvas.mask(), [1, 1, canvas.h, canvas.w], device);
        let mut rest = planes.iter();
        let targets = shape.heads.iter().map(|head| {
            let (w, h) = Shape::grid_size(width, height, head.level);
            let planes: Vec<&Plane> = rest.by_ref().take(head.planes).collect();
            let scale = |p: &&Plane| p.weight * (width * height) as f32 / (w * h) as f32;
            let samples = planes.iter().flat_map(|p| &p.samples).copied().collect();
            Target {
                alpha: planes.last().is_some_and(|p| p.alpha),
                samples: constant(samples, [planes.len(), h, w], device),
                scales: constant(
                    planes.iter().map(scale).collect(),
                    [planes.len(), 1, 1],
                    device,
                ),
            }
        });
        let targets = targets.collect();
        let n = shape.contexts;
        let mut contexts = vec![0.0; n * WINDOW[0] * WINDOW[1]];
        for ((y, x), row) in PRIORITY
            .iter()
            .zip(contexts.chunks_mut(WINDOW[0] * WINDOW[1]))
        {
            let reach = REACH.cast_signed();
            row[(y + reach).unsigned_abs() * WINDOW[1] + (x + reach).unsigned_abs()] = 1.0;
        }
        // taps of inputs k - 2 to k + 2 for outputs 2k and 2k + 1
        let mut phases = [[[0.0; 2 * UP + 1]; 2]; 4];
        for (tap, offset) in [(0, 0), (2, 1), (3, 2), (1, 3)] {
            phases[tap][0][offset] = 1.0;
            phases[tap][1][2 * UP - offset] = 1.0;
        }
        let phases = phases.as_flattened().as_flattened().to_vec();
        Model {
            shape: shape.clone(),
            layout: Layout::new(shape),
            canvas,
            mask,
            targets,
            contexts: constant(contexts, [n, WINDOW[0] * WINDOW[1]], device),
            phases: constant(phases, [4, 2 * (2 * UP + 1)], device),
            device: device.clone(),
        }
    }

    /// Distortion and bits, as [`Terms`](crate::pyramid::Terms) has them, of the latents on the canvas
    /// and the weights in the order of the layout.
    pub(super) fn terms(&self, params: &Tensor<B, 1>, latents: Tensor<B, 4>) -> [Tensor<B, 1>; 2] {
        [
            self.distortion(params, latents.clone()),
            self.bits(params, latents),
        ]
    }

    /// A tensor of the weights, outputs by inputs and kernel.
    fn weights(&self, params: &Tensor<B, 1>, name: &str) -> Tensor<B, 2> {
        let tensor = self.layout.tensors().iter().find(|t| t.name == name);
        let (range, outputs) = tensor.map_or((0..0, 0), |t| (t.range(), t.shape[0]));
        let inputs = range.len() / outputs.max(1);
        let weights = params.clone().narrow(0, range.start, range.len());
        weights.reshape([outputs, inputs])
    }

    /// Bits of all latents.
    fn bits(&self, params: &Tensor<B, 1>, y: Tensor<B, 4>) -> Tensor<B, 1> {
        let (n, Canvas { w, h, .. }) = (self.shape.contexts, &self.canvas);
        let weights = |name: &str| self.weights(params, &format!("context.{name}"));
        let eye = Tensor::<B, 2>::eye(n, &self.device);
        // the first layer and the bypass read the window itself
        let first = Tensor::cat(vec![weights("w1") + eye.clone(), weights("bypass")], 0);
        let kernel = first.matmul(self.contexts.clone());
        let kernel = kernel.reshape([n + 2, 1, WINDOW[0], WINDOW[1]]);
        let options = ConvOptions::new([1, 1], [REACH, REACH], [1, 1], 1);
        let x = conv2d(y.clone(), kernel, None, options).slice([0..1, 0..n + 2, 0..*h, 0..*w]);
        let x = x.reshape([n + 2, h * w]);
        let h1 = relu(x.clone().narrow(0, 0, n) + weights("b1"));
        let h2 = relu((weights("w2") + eye).matmul(h1) + weights("b2"));
        let out = weights("w3").matmul(h2) + x.narrow(0, n, 2) + weights("b3");
        let (mean, scale) = (out.clone().narrow(0, 0, 1), out.narrow(0, 1, 1));
        let bits = laplace(y.reshape([1, h * w]), mean, scale);
        (bits * self.mask.clone().reshape([1, h * w])).sum()
    }

    /// The planes' weighted squared error; with alpha that on black and on white, half each.
    fn distortion(&self, params: &Tensor<B, 1>, y: Tensor<B, 4>) -> Tensor<B, 1> {
        let grid = |l: usize| {
            let [rows, columns] = self.canvas.grids[l].clone();
            let grid = y.clone().slice([0..1, 0..1, rows, columns]);
            let [_, _, h, w] = grid.dims();
            grid.reshape([1, h, w])
        };
        // all coarser grids at the resolution of each, the finest last
        let last = self.shape.grids - 1;
        let mut levels = vec![grid(last)];
        for l in (0..last).rev() {
            let [rows, columns] = &self.canvas.grids[l];
            let taps = self.weights(params, &format!("up{l}"));
            let size = [rows.len(), columns.len()];
            let coarse = self.double(levels[levels.len() - 1].clone(), taps, size);
            levels.push(Tensor::cat(vec![grid(l), coarse], 0));
        }
        let mut sum = Tensor::zeros([1], &self.device);
        for (i, target) in self.targets.iter().enumerate() {
            let planes = self.head(params, i, &levels[last - self.shape.heads[i].level]);
            let e = planes - target.samples.clone();
            let weighted = e.clone() * target.scales.clone();
            if target.alpha {
                // white adds what alpha lacks
                let colours = e.dims()[0] - 1;
                let lacking = e.clone().narrow(0, colours, 1);
                sum = sum - (weighted.clone().narrow(0, 0, colours) * lacking).sum();
            }
            sum = sum + (weighted * e).sum();
        }
        sum
    }

    /// `x [channels, h, w]` at twice the resolution, of which the first rows and columns are wanted.
    fn double(&self, x: Tensor<B, 3>, taps: Tensor<B, 2>, [h, w]: [usize; 2]) -> Tensor<B, 3> {
        let [c, h2, w2] = x.dims();
        let kernel = taps.reshape([1, 4]).matmul(self.phases.clone());
        let kernel = kernel.reshape([2, 1, 2 * UP + 1, 1]);
        let options = || ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let x = x.reshape([c, 1, h2, w2]);
        let x = x.pad((0, 0, UP, UP), PadMode::Edge);
        let x = conv2d(x, kernel.clone(), None, options());
        let x = x.permute([0, 2, 1, 3]).reshape([c, 1, 2 * h2, w2]);
        let x = x.slice([0..c, 0..1, 0..h, 0..w2]);
        let x = x.pad((UP, UP, 0, 0), PadMode::Edge);
        let kernel = kernel.reshape([2, 1, 1, 2 * UP + 1]);
        let x = conv2d(x, kernel, None, options());
        let x = x.permute([0, 2, 3, 1]).reshape([c, h, 2 * w2]);
        x.slice([0..c, 0..h, 0..w])
    }

    /// The planes of head `i`, `[planes, h, w]`, from its inputs.
    fn head(&self, params: &Tensor<B, 1>, i: usize, x: &Tensor<B, 3>) -> Tensor<B, 3> {
        let [c, h, w] = x.dims();
        let p = self.shape.heads[i].planes;
        let weights = |name: &str| self.weights(params, &format!("head{i}.{name}"));
        let x = x.clone().reshape([c, h * w]);
        let hidden = relu(weights("hidden").matmul(x.clone()) + weights("hidden_bias"));
        let bypass = weights("bypass").matmul(x) + weights("bypass_bias");
        let x = (weights("mix").matmul(hidden) + bypass).reshape([1, p, h, w]);
        let layer = |x: Tensor<B, 4>, name: &str| {
            let kernel = weights(name).reshape([p, p, 3, 3]);
            let bias = weights(&format!("{name}_bias")).reshape([p]);
            let wide = x.clone().pad((1, 1, 1, 1), PadMode::Edge);
            let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
            x + conv2d(wide, kernel, Some(bias), options)
        };
        layer(relu(layer(x, "conv0")), "conv1").reshape([p, h, w])
    }
}

/// `x` within bounds; the gradient is that of `x` wherever it is, and leads it back.
fn bounded<B: Backend>(x: Tensor<B, 2>, low: f32, high: f32) -> Tensor<B, 2> {
    let off = x.clone().clamp(low, high) - x.clone();
    x + off.detach()
}

/// Bits of `y` under the Laplace distribution of that mean and of scale `exp(clamp(o - 4, -5, 5))`,
/// integrated over the unit cell of `y`. Two algebraic forms, one for the tails, so that nothing
/// cancels.
fn laplace<B: Backend>(y: Tensor<B, 2>, mean: Tensor<B, 2>, o: Tensor<B, 2>) -> Tensor<B, 2> {
    let u = (o - SCALE_SHIFT).clamp(-SCALE_MAX, SCALE_MAX).neg().exp();
    let t = (y - mean).abs();
    let far = t.clone().greater_elem(0.5);
    let inner = (t.clone() - 0.5).abs() * u.clone();
    let outer = (t + 0.5) * u.clone();
    let near = (inner.clone().neg().exp() + outer.neg().exp()) * -0.5 + 1.0;
    let tail = u.neg().exp().neg() + 1.0;
    let p = bounded(near.mask_where(far.clone(), tail), LEAST, 1.0);
    let distance = inner.clone().zeros_like().mask_where(far, inner + LN_2);
    bounded((distance - p.log()) * LOG2_E, 0.0, BITS_MAX)
}
