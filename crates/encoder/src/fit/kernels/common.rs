//! What kernels have in common: shapes, constants, and the vectors to use.

use std::sync::OnceLock;

use pulp::{Arch, Simd};

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
pub(crate) fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(|| match std::env::var("NVC_FIT_SIMD").as_deref() {
        Ok("scalar") => Arch::Scalar,
        #[cfg(target_arch = "x86_64")]
        Ok("avx2") => pulp::x86::V3::try_new().map_or(Arch::Scalar, Arch::V3),
        _ => Arch::new(),
    })
}

/// Whether the large register tiles fit.
pub(crate) const fn wide(registers: usize) -> bool {
    registers >= 32
}

/// Adding 1.5 * 2^23 rounds to an integer and leaves it in the low mantissa bits.
pub(crate) const MAGIC: f32 = 12_582_912.0;

/// `exp(x)` for x below 88, relative error about 2e-7; below -87 it is `exp(-87)`.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let k = |v: f32| s.splat_f32s(v);
    let x = s.max_f32s(x, k(-87.0));
    let shifted = s.mul_add_e_f32s(x, k(std::f32::consts::LOG2_E), k(MAGIC));
    let n = s.sub_f32s(shifted, k(MAGIC));
    // ln 2 in two parts: the first product is exact
    let r = s.mul_add_e_f32s(n, k(-0.693_359_4), x);
    let r = s.mul_add_e_f32s(n, k(2.121_944_4e-4), r);
    let mut p = k(1.0 / 720.0);
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = s.mul_add_e_f32s(p, r, k(c));
    }
    let bits = s.add_u32s(s.transmute_u32s_f32s(shifted), s.splat_u32s(127));
    let scale = s.transmute_f32s_u32s(s.wrapping_dyn_shl_u32s(bits, s.splat_u32s(23)));
    s.mul_f32s(p, scale)
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
