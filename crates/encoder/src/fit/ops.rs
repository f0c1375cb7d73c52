//! Fast operations for fitting, generic over the burn backend.
//!
//! `Flex` (CPU) runs the native [`kernels`](super::kernels); any other backend needs only
//! `impl FastOps for X {}` and runs ordinary burn operations. `Autodiff` over any of them has
//! hand-written gradients.

pub mod alone;
mod autodiff;
mod buffers;
mod flex;
pub mod plain;

use burn::tensor::{Tensor, TensorPrimitive, backend::Backend, ops::FloatTensor};

pub use super::kernels::{AdamStep, FusedActivation};
pub use buffers::release;

/// What the networks are made of, on primitives; call the functions of this module instead.
///
/// Shapes: `x [b, cin, h, w]`, `dy` and `g` like the output. Weights are `[cout, cin, k, k]`, or
/// `[c, 1, k, k]` when `depthwise`; k is odd. The defaults are the ordinary operations of
/// [`plain`].
pub trait FastOps: Backend {
    /// Stride-1 convolution, zero padding that keeps the size, no bias.
    fn conv_same(x: FloatTensor<Self>, w: FloatTensor<Self>, depthwise: bool) -> FloatTensor<Self> {
        prim(plain::conv_same(tensor::<Self, 4>(x), tensor(w), depthwise))
    }
    /// Gradient of [`Self::conv_same`] for `x`.
    fn conv_same_dx(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        depthwise: bool,
    ) -> FloatTensor<Self> {
        let options = plain::conv_options(tensor::<Self, 4>(w.clone()).dims(), depthwise);
        Self::conv2d_x_backward(x, w, dy, options)
    }
    /// Gradient of [`Self::conv_same`] for `w`.
    fn conv_same_dw(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        depthwise: bool,
    ) -> FloatTensor<Self> {
        let options = plain::conv_options(tensor::<Self, 4>(w.clone()).dims(), depthwise);
        Self::conv2d_weight_backward(x, w, dy, options)
    }
    /// `activation(pixel_shuffle(x + bias, r))`, `bias [cin]`.
    fn shuffle_activation(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        r: usize,
        activation: FusedActivation,
    ) -> FloatTensor<Self> {
        prim(plain::shuffle_activation(
            tensor::<Self, 4>(x),
            tensor(bias),
            r,
            activation,
        ))
    }
    /// Gradients of [`Self::shuffle_activation`] for `x` and `bias`.
    fn shuffle_activation_backward(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        g: FloatTensor<Self>,
        r: usize,
        activation: FusedActivation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (dx, db) = plain::shuffle_activation_backward(
            tensor::<Self, 4>(x),
            tensor(bias),
            tensor(g),
            r,
            activation,
        );
        (prim(dx), prim(db))
    }
    /// `pixel_shuffle(x + bias, r)`
    fn shuffle_linear(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        r: usize,
    ) -> FloatTensor<Self> {
        prim(plain::shuffle_linear(tensor::<Self, 4>(x), tensor(bias), r))
    }
    /// `[b, c*r*r, h, w]` to `[b, c, h*r, w*r]`
    fn pixel_shuffle(x: FloatTensor<Self>, r: usize) -> FloatTensor<Self> {
        prim(plain::pixel_shuffle(tensor::<Self, 4>(x), r))
    }
    /// `[b, c, h*r, w*r]` to `[b, c*r*r, h, w]`
    fn pixel_unshuffle(x: FloatTensor<Self>, r: usize) -> FloatTensor<Self> {
        prim(plain::pixel_unshuffle(tensor::<Self, 4>(x), r))
    }
    /// Sums over all but dimension 1: `[c]` from `[b, c, h, w]`.
    fn channel_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        prim(plain::channel_sums(tensor::<Self, 4>(x)))
    }
    /// `step * round(x / step)` with `step = exp(log_step)`; `x [n]`, `log_step [1]`.
    fn fake_quant(x: FloatTensor<Self>, log_step: FloatTensor<Self>) -> FloatTensor<Self> {
        prim(plain::fake_quant(tensor::<Self, 1>(x), tensor(log_step)))
    }
    /// Gradient of [`Self::fake_quant`] for `log_step`; the one for `x` is `g` itself.
    fn fake_quant_log_step(
        x: FloatTensor<Self>,
        log_step: FloatTensor<Self>,
        g: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        prim(plain::fake_quant_log_step(
            tensor::<Self, 1>(x),
            tensor(log_step),
            tensor(g),
        ))
    }
    /// Normalisation over channels, `gain [c]`, `bias [c]`.
    fn channel_norm(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        prim(plain::channel_norm(
            tensor::<Self, 4>(x),
            tensor(gain),
            tensor(bias),
        ))
    }
    /// Gradients of [`Self::channel_norm`] for `x`, `gain` and `bias`.
    fn channel_norm_backward(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        g: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 3] {
        let (dx, dgain, dbias) =
            plain::channel_norm_backward(tensor::<Self, 4>(x), tensor(gain), tensor(g));
        [prim(dx), prim(dgain), prim(dbias)]
    }
    /// Sum of two tensors of one shape.
    fn add(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_add(x, y)
    }
    /// Bilinear upsampling by `factor`, corners not aligned.
    fn bilinear(x: FloatTensor<Self>, factor: usize) -> FloatTensor<Self> {
        prim(plain::bilinear(tensor::<Self, 4>(x), factor))
    }
    /// Gradient of [`Self::bilinear`].
    fn bilinear_backward(g: FloatTensor<Self>, factor: usize) -> FloatTensor<Self> {
        prim(plain::bilinear_backward(tensor::<Self, 4>(g), factor))
    }
    /// New parameters, first and second moments from parameters `x`, gradient `g` and moments `m`,
    /// `v`, all `[n]`. Has no gradient of its own.
    fn adam(
        x: FloatTensor<Self>,
        g: FloatTensor<Self>,
        m: FloatTensor<Self>,
        v: FloatTensor<Self>,
        step: AdamStep,
    ) -> [FloatTensor<Self>; 3] {
        plain::adam([x, g, m, v].map(|t| tensor::<Self, 1>(t)), step).map(prim)
    }
    /// Five Newton-Schulz steps of `x [rows, columns]`; has no gradient of its own.
    fn orthogonal(x: FloatTensor<Self>) -> FloatTensor<Self> {
        prim(plain::orthogonal(tensor::<Self, 2>(x)))
    }
    /// `[1]`: sum over channels of `shares[c]` times the mean squared difference of
    /// `target [b, c, h, w]` and the top left part of `x [b, c, rows, columns]`.
    fn squared_error(
        x: FloatTensor<Self>,
        target: FloatTensor<Self>,
        shares: &[f32],
    ) -> FloatTensor<Self> {
        prim(plain::squared_error(
            tensor::<Self, 4>(x),
            tensor(target),
            shares,
        ))
    }
    /// Gradient of [`Self::squared_error`] for `x`; `g [1]`.
    fn squared_error_backward(
        x: FloatTensor<Self>,
        target: FloatTensor<Self>,
        shares: &[f32],
        g: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        prim(plain::squared_error_backward(
            tensor::<Self, 4>(x),
            tensor(target),
            shares,
            tensor(g),
        ))
    }
    /// Rounds to integers; the gradient passes unchanged.
    fn ste_round(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_round(x)
    }
}

#[cfg(feature = "cuda")]
impl FastOps for burn::backend::Cuda {}

fn tensor<B: Backend, const D: usize>(p: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(p))
}

fn prim<B: Backend, const D: usize>(t: Tensor<B, D>) -> FloatTensor<B> {
    t.into_primitive().tensor()
}

/// Convolution `x [b, cin, h, w]`, `w [cout, cin, k, k]` to `[b, cout, h, w]`: stride 1, zero
/// padding, no bias.
///
/// # Panics
/// If the kernel is not square and odd or the channel counts differ.
pub fn conv_same<B: FastOps>(x: Tensor<B, 4>, w: Tensor<B, 4>) -> Tensor<B, 4> {
    let ([_, cin, ..], [_, c, kh, kw]) = (x.dims(), w.dims());
    assert!(
        c == cin && kh == kw && kh % 2 == 1,
        "conv_same: {cin} channels do not fit weights [_, {c}, {kh}, {kw}]"
    );
    tensor(B::conv_same(prim(x), prim(w), false))
}

/// Depthwise convolution `x [b, c, h, w]`, `w [c, 1, k, k]` to `[b, c, h, w]`: stride 1, zero
/// padding, no bias.
///
/// # Panics
/// If the kernel is not square and odd or the channel counts differ.
pub fn conv_same_depthwise<B: FastOps>(x: Tensor<B, 4>, w: Tensor<B, 4>) -> Tensor<B, 4> {
    let ([_, cin, ..], [c, one, kh, kw]) = (x.dims(), w.dims());
    let fits = c == cin && one == 1 && kh == kw && kh % 2 == 1;
    assert!(
        fits,
        "conv_same_depthwise: {cin} channels do not fit weights [{c}, {one}, {kh}, {kw}]"
    );
    tensor(B::conv_same(prim(x), prim(w), true))
}

/// `gelu(pixel_shuffle(x + bias, r))`: `x [b, c*r*r, h, w]`, `bias [c*r*r]` to `[b, c, h*r, w*r]`.
///
/// # Panics
/// If the channels are not a multiple of `r * r` or do not match the bias.
pub fn shuffle_gelu<B: FastOps>(x: Tensor<B, 4>, bias: Tensor<B, 1>, r: usize) -> Tensor<B, 4> {
    check_shuffle(x.dims(), Some(bias.dims()[0]), r);
    tensor(B::shuffle_activation(
        prim(x),
        prim(bias),
        r,
        FusedActivation::Gelu,
    ))
}

/// `swish(pixel_shuffle(x + bias, r))`, swish being `x * sigmoid(x)`; shapes as in
/// [`shuffle_gelu`].
///
/// # Panics
/// If the channels are not a multiple of `r * r` or do not match the bias.
pub fn shuffle_swish<B: FastOps>(x: Tensor<B, 4>, bias: Tensor<B, 1>, r: usize) -> Tensor<B, 4> {
    check_shuffle(x.dims(), Some(bias.dims()[0]), r);
    tensor(B::shuffle_activation(
        prim(x),
        prim(bias),
        r,
        FusedActivation::Swish,
    ))
}

/// `pixel_shuffle(x + bias, r)`: `x [b, c*r*r, h, w]`, `bias [c*r*r]` to `[b, c, h*r, w*r]`.
///
/// # Panics
/// If the channels are not a multiple of `r * r` or do not match the bias.
pub fn shuffle_linear<B: FastOps>(x: Tensor<B, 4>, bias: Tensor<B, 1>, r: usize) -> Tensor<B, 4> {
    check_shuffle(x.dims(), Some(bias.dims()[0]), r);
    tensor(B::shuffle_linear(prim(x), prim(bias), r))
}

/// `[b, c*r*r, h, w]` to `[b, c, h*r, w*r]`.
///
/// # Panics
/// If the channels are not a multiple of `r * r`.
pub fn pixel_shuffle<B: FastOps>(x: Tensor<B, 4>, r: usize) -> Tensor<B, 4> {
    check_shuffle(x.dims(), None, r);
    tensor(B::pixel_shuffle(prim(x), r))
}

fn check_shuffle([_, c, ..]: [usize; 4], bias: Option<usize>, r: usize) {
    assert!(
        r > 0 && c % (r * r) == 0,
        "{c} channels cannot be shuffled by {r}"
    );
    assert!(
        bias.is_none_or(|n| n == c),
        "{c} channels do not fit the bias {bias:?}"
    );
}

/// `[b, c, h*r, w*r]` to `[b, c*r*r, h, w]`, the inverse of [`pixel_shuffle`].
///
/// # Panics
/// If a side is not a multiple of `r`.
pub fn pixel_unshuffle<B: FastOps>(x: Tensor<B, 4>, r: usize) -> Tensor<B, 4> {
    let [_, _, h, w] = x.dims();
    assert!(
        r > 0 && h % r == 0 && w % r == 0,
        "{h} x {w} pixels cannot be unshuffled by {r}"
    );
    tensor(B::pixel_unshuffle(prim(x), r))
}

/// Rounds to the nearest integer, with the gradient of the identity ("straight-through").
pub fn ste_round<B: FastOps, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    tensor(B::ste_round(prim(x)))
}

/// `step * round(x / step)` with `step = exp(log_step)`, `log_step [1]`. The gradient passes
/// straight through to `x`, and to the step as in LSQ.
pub fn fake_quant<B: FastOps, const D: usize>(
    x: Tensor<B, D>,
    log_step: Tensor<B, 1>,
) -> Tensor<B, D> {
    let shape = x.dims();
    let flat = x.reshape([shape.iter().product::<usize>()]);
    tensor::<B, 1>(B::fake_quant(prim(flat), prim(log_step))).reshape(shape)
}

/// `gain * (x - mean) / deviation + bias` over the channels of `x [b, c, h, w]`; `gain [c]`,
/// `bias [c]`.
///
/// # Panics
/// If the channel counts differ.
pub fn channel_norm<B: FastOps>(
    x: Tensor<B, 4>,
    gain: Tensor<B, 1>,
    bias: Tensor<B, 1>,
) -> Tensor<B, 4> {
    let c = x.dims()[1];
    assert!(
        gain.dims() == [c] && bias.dims() == [c],
        "{c} channels do not fit gain {:?} and bias {:?}",
        gain.dims(),
        bias.dims()
    );
    tensor(B::channel_norm(prim(x), prim(gain), prim(bias)))
}

/// Bilinear upsampling of `x [b, c, h, w]` to `[b, c, h * factor, w * factor]`: output sample o
/// reads the input at `(o + 0.5) / factor - 0.5`, edges repeated (`align_corners = false`).
///
/// # Panics
/// If `factor` is 0.
pub fn bilinear<B: FastOps>(x: Tensor<B, 4>, factor: usize) -> Tensor<B, 4> {
    assert!(factor > 0, "upsampling by 0");
    tensor(B::bilinear(prim(x), factor))
}

/// One step of Adam in one pass: new parameters, first and second moments from parameters `x`,
/// their gradient `g` and the moments before it. Not differentiable.
///
/// # Panics
/// If the shapes differ.
pub fn adam<B: FastOps, const D: usize>(
    x: Tensor<B, D>,
    g: Tensor<B, D>,
    m: Tensor<B, D>,
    v: Tensor<B, D>,
    step: AdamStep,
) -> [Tensor<B, D>; 3] {
    let shape = x.dims();
    let all = [g.dims(), m.dims(), v.dims()];
    assert!(
        all == [shape; 3],
        "adam: gradient and moments {all:?} do not fit parameters {shape:?}"
    );
    let n = shape.iter().product::<usize>();
    let flat = |t: Tensor<B, D>| prim(t.reshape([n]));
    B::adam(flat(x), flat(g), flat(m), flat(v), step).map(|t| tensor::<B, 1>(t).reshape(shape))
}

/// `[1]`: sum over channels of `shares[c]` times the mean squared difference of
/// `target [b, c, h, w]` and the top left part of `x [b, c, rows, columns]`. The target is a
/// constant: it gets no gradient.
///
/// # Panics
/// If batches or channels differ, or the target is the larger.
pub fn squared_error<B: FastOps>(
    x: Tensor<B, 4>,
    target: Tensor<B, 4>,
    shares: &[f32],
) -> Tensor<B, 1> {
    let ([b, c, rows, columns], [tb, tc, h, w]) = (x.dims(), target.dims());
    let fits = b == tb && c == tc && c == shares.len() && h <= rows && w <= columns;
    assert!(
        fits,
        "squared_error: {:?} and {} shares do not fit {:?}",
        target.dims(),
        shares.len(),
        x.dims()
    );
    tensor(B::squared_error(prim(x), prim(target), shares))
}

/// Five Newton-Schulz steps of `x [rows, columns]` towards the nearest matrix with orthonormal rows
/// or columns: what Muon applies (Jordan et al., "Muon: an optimizer for hidden layers in neural
/// networks", 2024). Not differentiable.
pub fn orthogonal<B: FastOps>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    tensor(B::orthogonal(prim(x)))
}

/// `x + y` of one shape, with the result in reused memory: for large sums, such as residual
/// connections.
///
/// # Panics
/// If the shapes differ.
pub fn add<B: FastOps, const D: usize>(x: Tensor<B, D>, y: Tensor<B, D>) -> Tensor<B, D> {
    assert!(
        x.dims() == y.dims(),
        "add: {:?} and {:?} differ",
        x.dims(),
        y.dims()
    );
    tensor(B::add(prim(x), prim(y)))
}
