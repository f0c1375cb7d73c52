//! The vectors to use, and functions on them.

use pulp::Simd;

pub(crate) use crate::fit::kernels::common::{MAGIC, arch, exp, wide};

/// Samples that a network handles at a time: long enough that the weight gradients' sums are
/// loaded and stored rarely, short enough that all layers of a segment stay near the first cache.
pub(crate) const SEGMENT: usize = 128;
/// One channel of [`SEGMENT`] samples. A layer is a small matrix times a few of these.
pub(crate) type Segment = [f32; SEGMENT];
/// Lanes of the widest vector.
pub(crate) const LANES_MAX: usize = 16;

/// Floats as segments.
#[inline(always)]
pub(crate) fn segments(x: &[f32]) -> &[Segment] {
    x.as_chunks().0
}
/// Floats as segments.
#[inline(always)]
pub(crate) fn segments_mut(x: &mut [f32]) -> &mut [Segment] {
    x.as_chunks_mut().0
}

/// The first `n` vectors of `x`.
#[inline(always)]
pub(crate) fn vectors<S: Simd>(x: &[f32], n: usize) -> &[S::f32s] {
    &S::as_simd_f32s(x).0[..n]
}
/// The first `n` vectors of `x`.
#[inline(always)]
pub(crate) fn vectors_mut<S: Simd>(x: &mut [f32], n: usize) -> &mut [S::f32s] {
    &mut S::as_mut_simd_f32s(x).0[..n]
}

/// `ln(x)` of positive normal numbers, absolute error about 3e-7 near 1.
#[inline(always)]
pub(crate) fn ln<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let k = |v: f32| s.splat_f32s(v);
    // mantissa in 0.75..1.5: the argument of the series is small, and exact around 1
    let bits = s.transmute_u32s_f32s(x);
    let one = s.splat_u32s(127 << 23);
    let biased = s.add_u32s(bits, s.splat_u32s((127 << 23) - 0x3f40_0000));
    let exponent = s.wrapping_dyn_shr_u32s(biased, s.splat_u32s(23));
    let power = s.wrapping_dyn_shl_u32s(exponent, s.splat_u32s(23));
    let m = s.transmute_f32s_u32s(s.sub_u32s(s.add_u32s(bits, one), power));
    let e = s.sub_f32s(small_integers(s, exponent), k(127.0));
    let f = s.sub_f32s(m, k(1.0));
    let q = s.div_f32s(f, s.add_f32s(f, k(2.0)));
    let z = s.mul_f32s(q, q);
    let mut p = k(2.0 / 11.0);
    for c in [2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0f32] {
        p = s.mul_add_e_f32s(p, z, k(c));
    }
    s.mul_add_e_f32s(e, k(std::f32::consts::LN_2), s.mul_f32s(p, q))
}

/// Integers below 2^23 as floats.
#[inline(always)]
pub(crate) fn small_integers<S: Simd>(s: S, x: S::u32s) -> S::f32s {
    let shifted = s.transmute_f32s_u32s(s.or_u32s(x, s.splat_u32s(0x4b00_0000)));
    s.sub_f32s(shifted, s.splat_f32s(8_388_608.0))
}

/// `tanh(x)`, absolute error about 1e-7.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let one = s.splat_f32s(1.0);
    // beyond 15 the result is 1 to the last bit, and exp stays finite
    let x = s.min_f32s(x, s.splat_f32s(15.0));
    let e = exp(s, s.add_f32s(x, x));
    s.sub_f32s(one, s.div_f32s(s.splat_f32s(2.0), s.add_f32s(e, one)))
}

/// The nearest integer, halves to even, of magnitudes below 2^22.
#[inline(always)]
pub(crate) fn round<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let magic = s.splat_f32s(MAGIC);
    s.sub_f32s(s.add_f32s(x, magic), magic)
}

/// The next integer below or at x, of magnitudes below 2^22.
#[inline(always)]
pub(crate) fn floor<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let r = round(s, x);
    let below = s.sub_f32s(r, s.splat_f32s(1.0));
    s.select_f32s(s.less_than_f32s(x, r), below, r)
}

/// `x` where `mask` is positive, else 0.
#[inline(always)]
pub(crate) fn keep<S: Simd>(s: S, x: S::f32s, mask: S::f32s) -> S::f32s {
    let zero = s.splat_f32s(0.0);
    s.select_f32s(s.greater_than_f32s(mask, zero), x, zero)
}
