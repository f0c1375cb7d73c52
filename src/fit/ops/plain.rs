//! The same operations from ordinary burn operations: what other backends run, and the reference for tests.

use burn::tensor::{Tensor, backend::Backend, module::conv2d, ops::ConvOptions};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

pub(super) fn conv_options([c, _, kh, kw]: [usize; 4], depthwise: bool) -> ConvOptions<2> {
    ConvOptions::new([1, 1], [kh / 2, kw / 2], [1, 1], if depthwise { c } else { 1 })
}

/// See [`conv_same`](super::conv_same) and [`conv_same_depthwise`](super::conv_same_depthwise).
pub fn conv_same<B: Backend>(x: Tensor<B, 4>, w: Tensor<B, 4>, depthwise: bool) -> Tensor<B, 4> {
    let options = conv_options(w.dims(), depthwise);
    conv2d(x, w, None, options)
}

/// See [`pixel_shuffle`](super::pixel_shuffle).
pub fn pixel_shuffle<B: Backend>(x: Tensor<B, 4>, r: usize) -> Tensor<B, 4> {
    let [b, c, h, w] = x.dims();
    if r == 1 {
        return x;
    }
    let x = x.reshape([b, c / r / r, r, r, h, w]).permute([0, 1, 4, 2, 5, 3]);
    x.reshape([b, c / r / r, h * r, w * r])
}

/// See [`pixel_unshuffle`](super::pixel_unshuffle).
pub fn pixel_unshuffle<B: Backend>(x: Tensor<B, 4>, r: usize) -> Tensor<B, 4> {
    let [b, c, h, w] = x.dims();
    if r == 1 {
        return x;
    }
    let x = x.reshape([b, c, h / r, r, w / r, r]).permute([0, 1, 3, 5, 2, 4]);
    x.reshape([b, c * r * r, h / r, w / r])
}

/// See [`shuffle_linear`](super::shuffle_linear).
pub fn shuffle_linear<B: Backend>(x: Tensor<B, 4>, bias: Tensor<B, 1>, r: usize) -> Tensor<B, 4> {
    let n = bias.dims()[0];
    pixel_shuffle(x + bias.reshape([1, n, 1, 1]), r)
}

/// `Phi(x)`. Spelt out, since the default gradient of burn's own gelu is that of its tanh approximation.
fn normal_cdf<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5
}

/// See [`shuffle_gelu`](super::shuffle_gelu).
pub fn shuffle_gelu<B: Backend>(x: Tensor<B, 4>, bias: Tensor<B, 1>, r: usize) -> Tensor<B, 4> {
    let x = shuffle_linear(x, bias, r);
    x.clone() * normal_cdf(x)
}

/// Gradients `(dx, dbias)` of [`shuffle_gelu`] for `g [b, c, h*r, w*r]`.
pub fn shuffle_gelu_backward<B: Backend>(x: Tensor<B, 4>, bias: Tensor<B, 1>, g: Tensor<B, 4>, r: usize) -> (Tensor<B, 4>, Tensor<B, 1>) {
    let n = bias.dims()[0];
    let x = x + bias.reshape([1, n, 1, 1]);
    let density = (x.clone() * x.clone() * -0.5).exp() * (1.0 / (2.0 * PI).sqrt());
    let dx = pixel_unshuffle(g, r) * (normal_cdf(x.clone()) + x * density);
    (dx.clone(), channel_sums(dx))
}

/// Sums over all but dimension 1: `[c]` from `[b, c, h, w]`.
pub fn channel_sums<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 1> {
    let c = x.dims()[1];
    x.sum_dim(3).sum_dim(2).sum_dim(0).reshape([c])
}

/// See [`fake_quant`](super::fake_quant); without the straight-through gradient.
pub fn fake_quant<B: Backend>(x: Tensor<B, 1>, log_step: Tensor<B, 1>) -> Tensor<B, 1> {
    let step = log_step.exp();
    (x / step.clone()).round() * step
}

/// Gradient of [`fake_quant`](super::fake_quant) for `log_step`.
pub fn fake_quant_log_step<B: Backend>(x: Tensor<B, 1>, log_step: Tensor<B, 1>, g: Tensor<B, 1>) -> Tensor<B, 1> {
    let step = log_step.exp();
    let v = x / step.clone();
    (g * (v.clone().round() - v)).sum() * step
}

/// Normal values and inverse deviations over channels.
fn normalise<B: Backend>(x: Tensor<B, 4>) -> (Tensor<B, 4>, Tensor<B, 4>) {
    let x = x.clone() - x.mean_dim(1);
    let inverse = (x.clone() * x.clone()).mean_dim(1).add_scalar(super::NORM_EPSILON).sqrt().recip();
    (x * inverse.clone(), inverse)
}

/// See [`channel_norm`](super::channel_norm).
pub fn channel_norm<B: Backend>(x: Tensor<B, 4>, gain: Tensor<B, 1>, bias: Tensor<B, 1>) -> Tensor<B, 4> {
    let n = gain.dims()[0];
    normalise(x).0 * gain.reshape([1, n, 1, 1]) + bias.reshape([1, n, 1, 1])
}

/// Gradients of [`channel_norm`](super::channel_norm) for `x`, `gain` and `bias`.
pub fn channel_norm_backward<B: Backend>(
    x: Tensor<B, 4>,
    gain: Tensor<B, 1>,
    g: Tensor<B, 4>,
) -> (Tensor<B, 4>, Tensor<B, 1>, Tensor<B, 1>) {
    let n = gain.dims()[0];
    let (normal, inverse) = normalise(x);
    let (dgain, dbias) = (channel_sums(g.clone() * normal.clone()), channel_sums(g.clone()));
    let g = g * gain.reshape([1, n, 1, 1]);
    let dx = (g.clone() - g.clone().mean_dim(1) - normal.clone() * (g * normal).mean_dim(1)) * inverse;
    (dx, dgain, dbias)
}
