//! The same operations from ordinary burn operations: what other backends run, and the reference
//! for tests.

use crate::fit::kernels::{AdamStep, FusedActivation};

/// Variance that [`channel_norm`] adds, as ConvNeXt does.
pub const NORM_EPSILON: f32 = 1e-6;

use crate::fit::kernels::{NEWTON_SCHULZ, NEWTON_SCHULZ_STEPS};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, TensorData, backend::Backend, module::conv2d, ops::ConvOptions};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

pub(super) fn conv_options([c, _, kh, kw]: [usize; 4], depthwise: bool) -> ConvOptions<2> {
    ConvOptions::new(
        [1, 1],
        [kh / 2, kw / 2],
        [1, 1],
        if depthwise { c } else { 1 },
    )
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
    let x = x
        .reshape([b, c / r / r, r, r, h, w])
        .permute([0, 1, 4, 2, 5, 3]);
    x.reshape([b, c / r / r, h * r, w * r])
}

/// See [`pixel_unshuffle`](super::pixel_unshuffle).
pub fn pixel_unshuffle<B: Backend>(x: Tensor<B, 4>, r: usize) -> Tensor<B, 4> {
    let [b, c, h, w] = x.dims();
    if r == 1 {
        return x;
    }
    let x = x
        .reshape([b, c, h / r, r, w / r, r])
        .permute([0, 1, 3, 5, 2, 4]);
    x.reshape([b, c * r * r, h / r, w / r])
}

/// See [`shuffle_linear`](super::shuffle_linear).
pub fn shuffle_linear<B: Backend>(x: Tensor<B, 4>, bias: Tensor<B, 1>, r: usize) -> Tensor<B, 4> {
    let n = bias.dims()[0];
    pixel_shuffle(x + bias.reshape([1, n, 1, 1]), r)
}

/// `Phi(x)`. Spelt out, since the default gradient of burn's own gelu is that of its tanh
/// approximation.
fn normal_cdf<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5
}

/// See [`shuffle_gelu`](super::shuffle_gelu) and [`shuffle_swish`](super::shuffle_swish).
pub fn shuffle_activation<B: Backend>(
    x: Tensor<B, 4>,
    bias: Tensor<B, 1>,
    r: usize,
    activation: FusedActivation,
) -> Tensor<B, 4> {
    let x = shuffle_linear(x, bias, r);
    x.clone()
        * match activation {
            FusedActivation::Gelu => normal_cdf(x),
            FusedActivation::Swish => sigmoid(x),
        }
}

/// Gradients `(dx, dbias)` of [`shuffle_activation`] for `g [b, c, h*r, w*r]`.
pub fn shuffle_activation_backward<B: Backend>(
    x: Tensor<B, 4>,
    bias: Tensor<B, 1>,
    g: Tensor<B, 4>,
    r: usize,
    activation: FusedActivation,
) -> (Tensor<B, 4>, Tensor<B, 1>) {
    let n = bias.dims()[0];
    let x = x + bias.reshape([1, n, 1, 1]);
    let slope = match activation {
        FusedActivation::Gelu => {
            let density = (x.clone() * x.clone() * -0.5).exp() * (1.0 / (2.0 * PI).sqrt());
            normal_cdf(x.clone()) + x * density
        }
        FusedActivation::Swish => {
            let s = sigmoid(x.clone());
            s.clone() * (x * (s * -1.0 + 1.0) + 1.0)
        }
    };
    let dx = pixel_unshuffle(g, r) * slope;
    (dx.clone(), channel_sums(dx))
}

/// `[n * factor, n]`: every output sample as a mean of input samples; on the device and of the
/// precision of `like`.
fn interpolation<B: Backend>(n: usize, factor: usize, like: &Tensor<B, 4>) -> Tensor<B, 3> {
    let mut rows = vec![0f32; n * factor * n];
    for (o, row) in rows.chunks_exact_mut(n.max(1)).enumerate() {
        let at = ((o as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, (n - 1) as f64);
        let (left, share) = (at.floor() as usize, at.fract() as f32);
        row[left] += 1.0 - share;
        row[(left + 1).min(n - 1)] += share;
    }
    let rows = TensorData::new(rows, [1, n * factor, n]);
    Tensor::<B, 3>::from_data(rows, &like.device()).cast(like.dtype())
}

/// See [`bilinear`](super::bilinear).
pub fn bilinear<B: Backend>(x: Tensor<B, 4>, factor: usize) -> Tensor<B, 4> {
    let [b, c, h, w] = x.dims();
    let y = interpolation(h, factor, &x).matmul(x.clone().reshape([b * c, h, w]));
    y.matmul(interpolation(w, factor, &x).transpose())
        .reshape([b, c, h * factor, w * factor])
}

/// Gradient of [`bilinear`].
pub fn bilinear_backward<B: Backend>(g: Tensor<B, 4>, factor: usize) -> Tensor<B, 4> {
    let [b, c, h, w] = g.dims();
    let dx = interpolation(h / factor, factor, &g)
        .transpose()
        .matmul(g.clone().reshape([b * c, h, w]));
    dx.matmul(interpolation(w / factor, factor, &g))
        .reshape([b, c, h / factor, w / factor])
}

/// See [`adam`](super::adam); parameters, gradient, first and second moment.
pub fn adam<B: Backend, const D: usize>(
    [x, g, m, v]: [Tensor<B, D>; 4],
    step: AdamStep,
) -> [Tensor<B, D>; 3] {
    let AdamStep {
        rate,
        beta1,
        beta2,
        epsilon,
        correction1,
        correction2,
    } = step;
    let m = m * beta1 + g.clone() * (1.0 - beta1);
    let v = v * beta2 + g.clone() * g * (1.0 - beta2);
    let shift = (m.clone() / correction1) / ((v.clone() / correction2).sqrt() + epsilon);
    [x - shift * rate, m, v]
}

/// See [`orthogonal`](super::orthogonal).
pub fn orthogonal<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let [rows, columns] = x.dims();
    let flip = rows > columns;
    let mut x = if flip { x.transpose() } else { x };
    let norm = (x.clone() * x.clone()).sum().sqrt().add_scalar(1e-7);
    let n = x.dims();
    x = x / norm.reshape([1, 1]).expand(n);
    let [c1, c3, c5] = NEWTON_SCHULZ;
    for _ in 0..NEWTON_SCHULZ_STEPS {
        let a = x.clone().matmul(x.clone().transpose());
        let b = a.clone() * c3 + a.clone().matmul(a) * c5;
        x = x.clone() * c1 + b.matmul(x);
    }
    if flip { x.transpose() } else { x }
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
pub fn fake_quant_log_step<B: Backend>(
    x: Tensor<B, 1>,
    log_step: Tensor<B, 1>,
    g: Tensor<B, 1>,
) -> Tensor<B, 1> {
    let step = log_step.exp();
    let v = x / step.clone();
    (g * (v.clone().round() - v)).sum() * step
}

/// Normal values and inverse deviations over channels.
fn normalise<B: Backend>(x: Tensor<B, 4>) -> (Tensor<B, 4>, Tensor<B, 4>) {
    let x = x.clone() - x.mean_dim(1);
    let inverse = (x.clone() * x.clone())
        .mean_dim(1)
        .add_scalar(NORM_EPSILON)
        .sqrt()
        .recip();
    (x * inverse.clone(), inverse)
}

/// See [`channel_norm`](super::channel_norm).
pub fn channel_norm<B: Backend>(
    x: Tensor<B, 4>,
    gain: Tensor<B, 1>,
    bias: Tensor<B, 1>,
) -> Tensor<B, 4> {
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
    let (dgain, dbias) = (
        channel_sums(g.clone() * normal.clone()),
        channel_sums(g.clone()),
    );
    let g = g * gain.reshape([1, n, 1, 1]);
    let dx =
        (g.clone() - g.clone().mean_dim(1) - normal.clone() * (g * normal).mean_dim(1)) * inverse;
    (dx, dgain, dbias)
}

/// See [`squared_error`](super::squared_error).
pub fn squared_error<B: Backend>(
    x: Tensor<B, 4>,
    target: Tensor<B, 4>,
    shares: &[f32],
) -> Tensor<B, 1> {
    let [b, c, h, w] = target.dims();
    let e = x.slice([0..b, 0..c, 0..h, 0..w]) - target;
    let shares = shares_of(shares, &e);
    (e.clone() * e * shares).mean() * c as f32
}

/// Gradient of [`squared_error`] for `x`.
pub fn squared_error_backward<B: Backend>(
    x: Tensor<B, 4>,
    target: Tensor<B, 4>,
    shares: &[f32],
    g: Tensor<B, 1>,
) -> Tensor<B, 4> {
    let [b, c, h, w] = target.dims();
    let part = [0..b, 0..c, 0..h, 0..w];
    let e = x.clone().slice(part.clone()) - target;
    let shares = shares_of(shares, &e) * (2.0 / (b * h * w) as f32) * g.reshape([1, 1, 1, 1]);
    x.zeros_like().slice_assign(part, e * shares)
}

/// `shares` as `[1, c, 1, 1]`.
fn shares_of<B: Backend>(shares: &[f32], like: &Tensor<B, 4>) -> Tensor<B, 4> {
    Tensor::<B, 1>::from_floats(shares, &like.device()).reshape([1, shares.len(), 1, 1])
}
