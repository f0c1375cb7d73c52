//! Direct or Winograd: which is faster follows from the shape.

use super::winograd::{self, Kernel};
use super::{ConvShape, direct, direct_dw};

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Every product of the definition.
    Direct,
    /// Tiles of 8 x 8 inputs, 64 products each; kernels of 3, 5 and 7.
    Winograd,
}

/// Which of the three products of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The output.
    Forward,
    /// The gradient of the input.
    Dx,
    /// The gradient of the weights.
    Dw,
}

/// The faster method, by estimates of both times. Shape alone decides, so that results do not depend on the machine's load.
pub fn method(s: ConvShape, pass: Pass) -> Method {
    if s.k == 1 || s.k > 7 || s.cin < 8 || s.cout < 8 || s.h * s.w < 300 {
        return Method::Direct;
    }
    let _ = pass;
    Method::Winograd
}

/// `y [b, cout, h, w]` = same-padded convolution of `x [b, cin, h, w]` with `wt [cout, cin, k, k]`.
pub fn conv(x: &[f32], wt: &[f32], s: ConvShape, method: Method, y: &mut [f32]) {
    match method {
        Method::Direct => direct::conv(x, wt, s, y),
        Method::Winograd => winograd::conv(x, Kernel { w: wt, mirrored: false }, s, y),
    }
}

/// `dx [b, cin, h, w]` from `dy [b, cout, h, w]`.
pub fn conv_dx(dy: &[f32], wt: &[f32], s: ConvShape, method: Method, dx: &mut [f32]) {
    match method {
        Method::Direct => direct::conv_dx(dy, wt, s, dx),
        Method::Winograd => winograd::conv(dy, Kernel { w: wt, mirrored: true }, ConvShape { cin: s.cout, cout: s.cin, ..s }, dx),
    }
}

/// `dw [cout, cin, k, k]` from `x [b, cin, h, w]` and `dy [b, cout, h, w]`.
pub fn conv_dw(x: &[f32], dy: &[f32], s: ConvShape, method: Method, dw: &mut [f32]) {
    match method {
        Method::Direct => direct_dw::conv_dw(x, dy, s, dw),
        Method::Winograd => winograd::conv_dw(x, dy, s, dw),
    }
}

/// Multiplications that `method` computes for one pass, junk tiles included.
pub fn products(s: ConvShape, method: Method, pass: Pass) -> usize {
    match method {
        Method::Direct => s.macs(),
        Method::Winograd => winograd::products(s, pass == Pass::Dw),
    }
}
