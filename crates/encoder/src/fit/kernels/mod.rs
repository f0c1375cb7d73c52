//! CPU kernels for fitting, as plain functions on `f32` slices (NCHW, contiguous).
//!
//! Every function gives the same bits for any number of rayon threads: work is cut into pieces that
//! depend on the shapes alone, each output value is written by one piece, and sums run in a fixed
//! order. The bits may differ between SIMD widths; nothing here is normative for decoding.
//!
//! Convolutions have stride 1, an odd square kernel and zero padding that keeps the size ("same").

mod act;
mod bilinear;
pub(crate) mod common;
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

pub use act::{
    FusedActivation, channel_sums, pixel_shuffle, pixel_unshuffle, shuffle_activation,
    shuffle_activation_backward,
};
pub use bilinear::{bilinear, bilinear_backward};
pub use common::{AdamStep, ConvShape, Pass};
pub use conv::{Method, conv, conv_dw, conv_dx, method, products};
pub use depthwise::{depthwise, depthwise_dw, depthwise_dx};
pub use loss::{ErrorShape, squared_error, squared_error_backward};
pub use optim::{NEWTON_SCHULZ, NEWTON_SCHULZ_STEPS, adam, orthogonal};
pub use pointwise::{add, channel_norm, channel_norm_backward, fake_quant, fake_quant_log_step};
pub use scratch::release as release_scratch;
