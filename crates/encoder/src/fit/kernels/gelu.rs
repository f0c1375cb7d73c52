//! Exact GELU, `x * Phi(x)`, swish, `x * sigmoid(x)`, and their derivatives on vectors:
//! branch-free, one exponential and one division.

use pulp::Simd;

use super::common::exp;

/// `Phi(x)` and `phi(x)`, the normal distribution and density.
///
/// Abramowitz and Stegun 7.1.26 (error of erf below 1.5e-7). The tail is computed as such, not as
/// `1 - erf`, so that large negative inputs keep their relative precision.
#[inline(always)]
fn normal<S: Simd>(s: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let k = |v: f32| s.splat_f32s(v);
    let z = s.mul_f32s(s.abs_f32s(x), k(std::f32::consts::FRAC_1_SQRT_2));
    let e = exp(s, s.mul_f32s(x, s.mul_f32s(x, k(-0.5))));
    let t = s.div_f32s(k(1.0), s.mul_add_e_f32s(z, k(0.327_591_1), k(1.0)));
    let mut p = k(1.061_405_4);
    for c in [-1.453_152_1, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = s.mul_add_e_f32s(p, t, k(c));
    }
    let tail = s.mul_f32s(s.mul_f32s(s.mul_f32s(p, t), e), k(0.5));
    let cdf = s.select_f32s(s.less_than_f32s(x, k(0.0)), tail, s.sub_f32s(k(1.0), tail));
    (cdf, s.mul_f32s(e, k(0.398_942_3)))
}

/// `x * Phi(x)`
#[inline(always)]
pub(super) fn gelu<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    s.mul_f32s(x, normal(s, x).0)
}

/// `Phi(x) + x * phi(x)`
#[inline(always)]
pub(super) fn gelu_slope<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let (cdf, pdf) = normal(s, x);
    s.mul_add_e_f32s(x, pdf, cdf)
}

/// `1 / (1 + exp(-x))`, with full relative precision on both sides.
#[inline(always)]
fn sigmoid<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let one = s.splat_f32s(1.0);
    let e = exp(s, s.neg_f32s(s.abs_f32s(x)));
    let upper = s.select_f32s(s.less_than_f32s(x, s.splat_f32s(0.0)), e, one);
    s.div_f32s(upper, s.add_f32s(one, e))
}

/// `x * sigmoid(x)`
#[inline(always)]
pub(super) fn swish<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    s.mul_f32s(x, sigmoid(s, x))
}

/// `sigmoid(x) * (1 + x * (1 - sigmoid(x)))`
#[inline(always)]
pub(super) fn swish_slope<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let (one, p) = (s.splat_f32s(1.0), sigmoid(s, x));
    s.mul_f32s(p, s.mul_add_e_f32s(x, s.sub_f32s(one, p), one))
}
