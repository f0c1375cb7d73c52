//! What optimisers need: one pass of Adam, and Muon's orthogonalisation.

use super::common::{AdamStep, arch};
use super::gemm::{Product, Right};
use super::scratch::Scratch;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Values of one parallel piece.
const PIECE: usize = 16 * 1024;

/// One step of Adam: `out` becomes the new parameters, first and second moments from `x`, the
/// gradient `g` and the moments `m`, `v` before it. All of one length.
pub fn adam([x, g, m, v]: [&[f32]; 4], step: AdamStep, out: [&mut [f32]; 3]) {
    let [x1, m1, v1] = out;
    let arch = arch();
    let from = x
        .par_chunks(PIECE)
        .zip(g.par_chunks(PIECE))
        .zip(m.par_chunks(PIECE))
        .zip(v.par_chunks(PIECE));
    let to = x1
        .par_chunks_mut(PIECE)
        .zip(m1.par_chunks_mut(PIECE))
        .zip(v1.par_chunks_mut(PIECE));
    from.zip(to).for_each(|((((x, g), m), v), ((x1, m1), v1))| {
        arch.dispatch(Adam {
            from: [x, g, m, v],
            to: [x1, m1, v1],
            step,
        });
    });
}

struct Adam<'a> {
    from: [&'a [f32]; 4],
    to: [&'a mut [f32]; 3],
    step: AdamStep,
}

impl WithSimd for Adam<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let [x, g, m, v] = self.from;
        let [x1, m1, v1] = self.to;
        let ((x, x_rest), (g, g_rest)) = (S::as_simd_f32s(x), S::as_simd_f32s(g));
        let ((m, m_rest), (v, v_rest)) = (S::as_simd_f32s(m), S::as_simd_f32s(v));
        let ((x1, x1_rest), (m1, m1_rest)) = (S::as_mut_simd_f32s(x1), S::as_mut_simd_f32s(m1));
        let (v1, v1_rest) = S::as_mut_simd_f32s(v1);
        for ((((x, g), m), v), ((x1, m1), v1)) in x
            .iter()
            .zip(g)
            .zip(m)
            .zip(v)
            .zip(x1.iter_mut().zip(m1).zip(v1))
        {
            [*x1, *m1, *v1] = update(s, self.step, *x, *g, *m, *v);
        }
        let part = |from: &[f32]| s.partial_load_f32s(from);
        let last = update(
            s,
            self.step,
            part(x_rest),
            part(g_rest),
            part(m_rest),
            part(v_rest),
        );
        s.partial_store_f32s(x1_rest, last[0]);
        s.partial_store_f32s(m1_rest, last[1]);
        s.partial_store_f32s(v1_rest, last[2]);
    }
}

#[inline(always)]
fn update<S: Simd>(
    s: S,
    step: AdamStep,
    x: S::f32s,
    g: S::f32s,
    m: S::f32s,
    v: S::f32s,
) -> [S::f32s; 3] {
    let AdamStep {
        rate,
        beta1,
        beta2,
        epsilon,
        correction1,
        correction2,
    } = step;
    let m = s.mul_add_e_f32s(
        m,
        s.splat_f32s(beta1),
        s.mul_f32s(g, s.splat_f32s(1.0 - beta1)),
    );
    let v = s.mul_add_e_f32s(
        v,
        s.splat_f32s(beta2),
        s.mul_f32s(s.mul_f32s(g, g), s.splat_f32s(1.0 - beta2)),
    );
    let deviation = s.add_f32s(
        s.sqrt_f32s(s.div_f32s(v, s.splat_f32s(correction2))),
        s.splat_f32s(epsilon),
    );
    let shift = s.div_f32s(s.div_f32s(m, s.splat_f32s(correction1)), deviation);
    [s.mul_add_e_f32s(shift, s.splat_f32s(-rate), x), m, v]
}

/// Coefficients of one Newton-Schulz step, `3.4445 x + (2.0315 a - 4.775) a x` with `a = x x^T`
/// (Jordan et al., "Muon", 2024).
pub const NEWTON_SCHULZ: [f32; 3] = [3.4445, -4.775, 2.0315];
/// Steps of [`orthogonal`].
pub const NEWTON_SCHULZ_STEPS: usize = 5;

/// Five Newton-Schulz steps from `x [rows, columns]` towards the nearest matrix with orthonormal
/// rows or columns.
pub fn orthogonal(x: &[f32], rows: usize, columns: usize, out: &mut [f32]) {
    let (n, k) = (rows.min(columns), rows.max(columns));
    if n == 0 {
        return;
    }
    let norm = square_sum(x).sqrt() + 1e-7;
    let mut now = Scratch::take(n * k);
    turn(x, rows, columns, rows > columns, now.get_mut());
    now.get_mut().iter_mut().for_each(|v| *v /= norm);
    let (mut next, mut a, mut b) = (
        Scratch::take(n * k),
        Scratch::take(n * n),
        Scratch::take(n * n),
    );
    let [c1, c3, c5] = NEWTON_SCHULZ;
    for _ in 0..NEWTON_SCHULZ_STEPS {
        let x = now.get();
        Product {
            a: x,
            b: Right::Columns(x),
            k,
            n,
            scale: 1.0,
            addend: None,
            symmetric: true,
        }
        .run(a.get_mut());
        let square = a.get();
        Product {
            a: square,
            b: Right::Rows(square),
            k: n,
            n,
            scale: c5,
            addend: Some((c3, square)),
            symmetric: true,
        }
        .run(b.get_mut());
        Product {
            a: b.get(),
            b: Right::Rows(x),
            k: n,
            n: k,
            scale: 1.0,
            addend: Some((c1, x)),
            symmetric: false,
        }
        .run(next.get_mut());
        std::mem::swap(&mut now, &mut next);
    }
    turn(now.get(), n, k, rows > columns, out);
}

/// Copies `x [rows, columns]`, transposed if `flip`.
fn turn(x: &[f32], rows: usize, columns: usize, flip: bool, out: &mut [f32]) {
    if flip {
        for (i, x) in x.chunks_exact(columns).enumerate() {
            out.iter_mut()
                .skip(i)
                .step_by(rows)
                .zip(x)
                .for_each(|(to, &x)| *to = x);
        }
    } else {
        out.copy_from_slice(x);
    }
}

/// Sum of squares in a fixed order.
fn square_sum(x: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    for x in x.chunks(16) {
        sums.iter_mut().zip(x).for_each(|(s, v)| *s += v * v);
    }
    sums.iter().sum()
}
