//! Direct or Winograd: which is faster follows from the shape.

use super::common::{ConvShape, Pass};
use super::winograd::{self, Kernel};
use super::{direct, direct_dw};

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Every product of the definition.
    Direct,
    /// Tiles of 8 x 8 inputs, 64 products each; kernels of 3, 5 and 7.
    Winograd,
}

/// Nanoseconds on one core of a Zen 4 at 3.5 GHz: a multiply-add of either method; one tile of one
/// input channel, and of one output channel; one kernel to points, and one kernel gradient back.
const MULTIPLY_ADD: f64 = 1.0 / 50.0;
const INPUT_TILE: f64 = 32.0;
const OUTPUT_TILE: f64 = 21.0;
const GRADIENT_TILE: f64 = 29.0;
const KERNEL: f64 = 35.0;
const KERNEL_GRADIENT: f64 = 60.0;

/// The faster method, by estimates of both times. Shape alone decides, so that results do not
/// depend on the machine.
pub fn method(s: ConvShape, pass: Pass) -> Method {
    if !matches!(s.k, 3 | 5 | 7) {
        return Method::Direct;
    }
    let (from, to) = if pass == Pass::Dx {
        (s.cout, s.cin)
    } else {
        (s.cin, s.cout)
    };
    let (tile, kernel) = if pass == Pass::Dw {
        (GRADIENT_TILE, KERNEL_GRADIENT)
    } else {
        (OUTPUT_TILE, KERNEL)
    };
    let tiles = (s.b * winograd::tiles(s)) as f64;
    let winograd = products(s, Method::Winograd, pass) as f64 * MULTIPLY_ADD
        + tiles * (from as f64 * INPUT_TILE + to as f64 * tile)
        + (from * to) as f64 * kernel;
    if winograd < s.macs() as f64 * MULTIPLY_ADD {
        Method::Winograd
    } else {
        Method::Direct
    }
}

/// `y [b, cout, h, w]` = same-padded convolution of `x [b, cin, h, w]` with `wt [cout, cin, k, k]`.
pub fn conv(x: &[f32], wt: &[f32], s: ConvShape, method: Method, y: &mut [f32]) {
    match method {
        Method::Direct => direct::conv(x, wt, s, y),
        Method::Winograd => winograd::conv(
            x,
            Kernel {
                w: wt,
                mirrored: false,
            },
            s,
            y,
        ),
    }
}

/// `dx [b, cin, h, w]` from `dy [b, cout, h, w]`.
pub fn conv_dx(dy: &[f32], wt: &[f32], s: ConvShape, method: Method, dx: &mut [f32]) {
    match method {
        Method::Direct => direct::conv_dx(dy, wt, s, dx),
        Method::Winograd => winograd::conv(
            dy,
            Kernel {
                w: wt,
                mirrored: true,
            },
            ConvShape {
                cin: s.cout,
                cout: s.cin,
                ..s
            },
            dx,
        ),
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
        Method::Winograd => winograd::products(s, pass),
    }
}
