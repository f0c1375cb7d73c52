//! Bits of an integer under a Laplace distribution.

use super::simd::{exp, ln};
use pulp::Simd;

/// Dearest value in bits; that of a 24-bit coder.
pub(crate) const BITS_MAX: f32 = 24.0;
/// What is subtracted from the network's output for the logarithm of the scale, and the bounds of
/// that on both sides of 0.
pub(crate) const SCALE_SHIFT: f32 = 4.0;
pub(crate) const SCALE_MAX: f32 = 5.0;
/// Least share of the distribution that is divided by.
pub(crate) const LEAST: f32 = 1e-6;

/// Bits of y under the Laplace distribution of mean `mu` and scale `exp(clamp(o - 4, -5, 5))`
/// integrated over the unit cell of y, and their derivatives for `mu` and `o`.
///
/// Two algebraic forms (the tail by logarithms, the centre as 1 - e - e), so that nothing cancels
/// or underflows. Values beyond the cap keep their gradient, which leads them back.
#[inline(always)]
pub(crate) fn laplace<S: Simd>(
    s: S,
    y: S::f32s,
    mu: S::f32s,
    o: S::f32s,
) -> (S::f32s, S::f32s, S::f32s) {
    let k = |v: f32| s.splat_f32s(v);
    let (zero, one, half) = (k(0.0), k(1.0), k(0.5));
    let scale = s.sub_f32s(o, k(SCALE_SHIFT));
    let scale = s.max_f32s(s.min_f32s(scale, k(SCALE_MAX)), k(-SCALE_MAX));
    let u = exp(s, s.neg_f32s(scale));
    let d = s.sub_f32s(y, mu);
    let t = s.abs_f32s(d);
    let far = s.greater_than_f32s(t, half);
    let (inner, outer) = (s.abs_f32s(s.sub_f32s(t, half)), s.add_f32s(t, half));
    let ui = s.mul_f32s(u, inner);
    let e1 = exp(s, s.neg_f32s(ui));
    let e2 = exp(s, s.neg_f32s(s.mul_f32s(u, outer)));
    let ee = exp(s, s.neg_f32s(u));
    let centre = s.sub_f32s(one, s.mul_f32s(half, s.add_f32s(e1, e2)));
    let p = s.max_f32s(s.select_f32s(far, s.sub_f32s(one, ee), centre), k(LEAST));
    let r = s.div_f32s(one, p);
    let tail = s.sub_f32s(k(-std::f32::consts::LN_2), ui);
    let log = s.add_f32s(ln(s, p), s.select_f32s(far, tail, zero));

    let mhu = s.mul_f32s(k(-0.5), s.mul_f32s(u, r));
    let dt = s.select_f32s(far, s.neg_f32s(u), s.mul_f32s(mhu, s.sub_f32s(e1, e2)));
    let near = s.mul_f32s(mhu, s.mul_add_e_f32s(inner, e1, s.mul_f32s(outer, e2)));
    let dl = s.select_f32s(far, s.sub_f32s(ui, s.mul_f32s(s.mul_f32s(u, ee), r)), near);
    let to_bits = k(-std::f32::consts::LOG2_E);
    let slope = s.mul_f32s(to_bits, dt);
    let dmu = s.select_f32s(s.less_than_f32s(d, zero), slope, s.neg_f32s(slope));
    let inside = s.less_than_f32s(s.abs_f32s(scale), k(SCALE_MAX - 1e-6));
    let dscale = s.select_f32s(inside, s.mul_f32s(dl, to_bits), zero);
    let bits = s.max_f32s(s.min_f32s(s.mul_f32s(log, to_bits), k(BITS_MAX)), zero);
    (bits, dmu, dscale)
}
