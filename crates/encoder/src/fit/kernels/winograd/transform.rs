//! The one-dimensional transforms on 8 points, 0, ±1, ±2, ±1/2 and infinity (Lavin and Gray, "Fast
//! algorithms for convolutional neural networks", CVPR 2016). With kernels of K taps one tile gives
//! `M = 9 - K` outputs: `y = combine(evaluate(scaled kernel) * input(d))`.

use pulp::Simd;

/// Inputs of a tile along one side.
pub(super) const SIDE: usize = 8;
/// Products of a tile.
pub(super) const PRODUCTS: usize = SIDE * SIDE;

/// What the kernel's value at each point is multiplied by: one over the product of the differences
/// to the other points.
pub(super) const SCALE: [f32; SIDE] = [
    1.0,
    -2.0 / 9.0,
    -2.0 / 9.0,
    1.0 / 90.0,
    1.0 / 90.0,
    32.0 / 45.0,
    32.0 / 45.0,
    1.0,
];

/// 8 samples to 8 points (`B^T d`).
#[inline(always)]
pub(super) fn input<S: Simd>(s: S, d: &[S::f32s; SIDE]) -> [S::f32s; SIDE] {
    let k = |v: f32| s.splat_f32s(v);
    let fma = |a, b, c| s.mul_add_e_f32s(a, b, c);
    let (add, sub) = (|a, b| s.add_f32s(a, b), |a, b| s.sub_f32s(a, b));
    let one_even = fma(d[4], k(-4.25), add(d[2], d[6]));
    let one_odd = fma(d[3], k(-4.25), add(d[1], d[5]));
    let two_even = fma(d[4], k(-1.25), fma(d[2], k(0.25), d[6]));
    let two_odd = fma(d[5], k(2.0), fma(d[3], k(-2.5), s.mul_f32s(d[1], k(0.5))));
    let half_even = fma(d[4], k(-5.0), fma(d[2], k(4.0), d[6]));
    let half_odd = fma(d[5], k(0.5), fma(d[3], k(-2.5), s.mul_f32s(d[1], k(2.0))));
    [
        fma(sub(d[4], d[2]), k(5.25), sub(d[0], d[6])),
        add(one_even, one_odd),
        sub(one_even, one_odd),
        add(two_even, two_odd),
        sub(two_even, two_odd),
        add(half_even, half_odd),
        sub(half_even, half_odd),
        fma(sub(d[3], d[5]), k(5.25), sub(d[7], d[1])),
    ]
}

/// Values at the points of the polynomial with coefficients `e`: kernels to points, and output
/// gradients to points.
#[inline(always)]
pub(super) fn evaluate<S: Simd, const N: usize>(s: S, e: &[S::f32s; N]) -> [S::f32s; SIDE] {
    let k = |v: f32| s.splat_f32s(v);
    // sum over i = first, first + 2, ... of square^((i - first) / 2) * e[i]
    let half = |first: usize, square: f32| {
        let mut i = if (N - 1) % 2 == first { N - 1 } else { N - 2 };
        let mut sum = e[i];
        while i > first {
            i -= 2;
            sum = if square == 1.0 {
                s.add_f32s(sum, e[i])
            } else {
                s.mul_add_e_f32s(sum, k(square), e[i])
            };
        }
        sum
    };
    let (even1, odd1) = (half(0, 1.0), half(1, 1.0));
    let (even2, odd2) = (half(0, 4.0), half(1, 4.0));
    let (even3, odd3) = (half(0, 0.25), half(1, 0.25));
    [
        e[0],
        s.add_f32s(even1, odd1),
        s.sub_f32s(even1, odd1),
        s.mul_add_e_f32s(odd2, k(2.0), even2),
        s.mul_add_e_f32s(odd2, k(-2.0), even2),
        s.mul_add_e_f32s(odd3, k(0.5), even3),
        s.mul_add_e_f32s(odd3, k(-0.5), even3),
        e[N - 1],
    ]
}

/// The transpose of [`evaluate`]: products to outputs, and to gradients of kernels.
#[inline(always)]
pub(super) fn combine<S: Simd, const N: usize>(s: S, m: &[S::f32s; SIDE]) -> [S::f32s; N] {
    let pair = |i: usize| (s.add_f32s(m[i], m[i + 1]), s.sub_f32s(m[i], m[i + 1]));
    let ((even1, odd1), (even2, odd2), (even3, odd3)) = (pair(1), pair(3), pair(5));
    let mut y = [even1; N];
    for (i, y) in y.iter_mut().enumerate() {
        let power = (1u32 << i) as f32;
        let (a, b, c) = if i % 2 == 0 {
            (even1, even2, even3)
        } else {
            (odd1, odd2, odd3)
        };
        *y = s.mul_add_e_f32s(
            c,
            s.splat_f32s(1.0 / power),
            s.mul_add_e_f32s(b, s.splat_f32s(power), a),
        );
    }
    y[0] = s.add_f32s(y[0], m[0]);
    y[N - 1] = s.add_f32s(y[N - 1], m[7]);
    y
}

/// One vector from the start of `x`.
#[inline(always)]
pub(super) fn load<S: Simd>(_: S, x: &[f32]) -> S::f32s {
    S::as_simd_f32s(&x[..S::F32_LANES]).0[0]
}

/// One vector to the start of `x`.
#[inline(always)]
pub(super) fn store<S: Simd>(_: S, x: &mut [f32], v: S::f32s) {
    S::as_mut_simd_f32s(&mut x[..S::F32_LANES]).0[0] = v;
}
