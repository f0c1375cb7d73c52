//! CPU kernels for fitting, as plain functions on `f32` slices (NCHW, contiguous).
//!
//! Every function gives the same bits for any number of rayon threads: work is cut into pieces that
//! depend on the shapes alone, each output value is written by one piece, and sums run in a fixed
//! order. The bits may differ between SIMD widths; nothing here is normative for decoding.
//!
//! Convolutions have stride 1, an odd square kernel and zero padding that keeps the size ("same").

mod act;
mod bilinear;
mod conv;
mod depthwise;
mod direct;
mod direct_dw;
mod gelu;
mod gemm;
mod interleave;
mod loss;
mod optim;
mod pointwise;
mod scratch;
mod winograd;

use pulp::Arch;
use std::sync::OnceLock;

pub use act::{
    Activation, channel_sums, pixel_shuffle, pixel_unshuffle, shuffle_activation,
    shuffle_activation_backward,
};
pub use bilinear::{bilinear, bilinear_backward};
pub use conv::{Method, Pass, conv, conv_dw, conv_dx, method, products};
pub use depthwise::{depthwise, depthwise_dw, depthwise_dx};
pub use loss::{ErrorShape, squared_error, squared_error_backward};
pub use optim::{NEWTON_SCHULZ, NEWTON_SCHULZ_STEPS, adam, orthogonal};
pub use pointwise::{add, channel_norm, channel_norm_backward, fake_quant, fake_quant_log_step};
pub use scratch::release as release_scratch;

/// Geometry of a convolution: `x [b, cin, h, w]`, weights `[cout, cin, k, k]`, `y [b, cout, h, w]`.
///
/// For the depthwise functions `cin == cout` and the weights are `[cout, 1, k, k]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Batch.
    pub b: usize,
    /// Input channels.
    pub cin: usize,
    /// Output channels.
    pub cout: usize,
    /// Height of input and output.
    pub h: usize,
    /// Width of input and output.
    pub w: usize,
    /// Kernel side, odd.
    pub k: usize,
}

impl ConvShape {
    /// Multiply-accumulates of one forward pass (padding included).
    pub fn macs(&self) -> usize {
        self.b * self.cin * self.cout * self.h * self.w * self.k * self.k
    }
}

/// Constants of one step of Adam (Kingma and Ba, 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// `1 - beta1^t` at step t, from 1.
    pub correction1: f32,
    /// `1 - beta2^t`
    pub correction2: f32,
}

impl AdamStep {
    /// Step number `t`, counted from 1, with the usual decays 0.9 and 0.999.
    pub fn new(rate: f32, epsilon: f32, t: usize) -> Self {
        let correction = |beta: f64| (1.0 - beta.powi(i32::try_from(t).unwrap_or(i32::MAX))) as f32;
        AdamStep {
            rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon,
            correction1: correction(0.9),
            correction2: correction(0.999),
        }
    }
}

/// The best vectors of this machine, or those that the environment variable `NVC_FIT_SIMD`
/// (`scalar`, `avx2`) asks for.
fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(|| match std::env::var("NVC_FIT_SIMD").as_deref() {
        Ok("scalar") => Arch::Scalar,
        #[cfg(target_arch = "x86_64")]
        Ok("avx2") => pulp::x86::V3::try_new().map_or(Arch::Scalar, Arch::V3),
        _ => Arch::new(),
    })
}

/// Whether the large register tiles fit.
const fn wide(registers: usize) -> bool {
    registers >= 32
}
