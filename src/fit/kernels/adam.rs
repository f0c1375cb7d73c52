//! One Adam step in one pass over memory.

use super::arch;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Settings of one step, bias corrections included.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f32,
    /// Decay of the mean of gradients.
    pub beta1: f32,
    /// Decay of the mean of squared gradients.
    pub beta2: f32,
    /// Added to the root.
    pub eps: f32,
    /// `1 - beta1^t`
    pub correction1: f32,
    /// `1 - beta2^t`
    pub correction2: f32,
}

impl AdamStep {
    /// The `t`th step, counted from 1.
    pub fn new(t: u64, lr: f32, beta1: f32, beta2: f32, eps: f32) -> Self {
        let correction = |beta: f32| (1.0 - f64::from(beta).powf(t as f64)) as f32;
        AdamStep { lr, beta1, beta2, eps, correction1: correction(beta1), correction2: correction(beta2) }
    }
}

/// Updates parameters `w` and moments `m`, `v` in place from gradients `g`. All slices have the same length; values beyond
/// the shortest are left alone.
///
/// `w -= lr * (m / correction1) / (sqrt(v / correction2) + eps)`, the form of torch and of burn.
pub fn adam_step(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], step: &AdamStep) {
    const PIECE: usize = 16 * 1024;
    let arch = arch();
    let pieces = w.par_chunks_mut(PIECE).zip(m.par_chunks_mut(PIECE)).zip(v.par_chunks_mut(PIECE)).zip(g.par_chunks(PIECE));
    pieces.for_each(|(((w, m), v), g)| {
        let n = w.len().min(m.len()).min(v.len()).min(g.len());
        arch.dispatch(Piece { w: &mut w[..n], m: &mut m[..n], v: &mut v[..n], g: &g[..n], step });
    });
}

struct Piece<'a> {
    w: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    g: &'a [f32],
    step: &'a AdamStep,
}

impl WithSimd for Piece<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let k = |x: f32| simd.splat_f32s(x);
        let a = self.step;
        let (b1, c1, b2, c2) = (k(a.beta1), k(1.0 - a.beta1), k(a.beta2), k(1.0 - a.beta2));
        let (rate, inv2, eps) = (k(-a.lr / a.correction1), k(1.0 / a.correction2), k(a.eps));
        let update = |w: S::f32s, m: S::f32s, v: S::f32s, g: S::f32s| {
            let m = simd.mul_add_e_f32s(m, b1, simd.mul_f32s(g, c1));
            let v = simd.mul_add_e_f32s(v, b2, simd.mul_f32s(simd.mul_f32s(g, g), c2));
            let root = simd.add_f32s(simd.sqrt_f32s(simd.mul_f32s(v, inv2)), eps);
            (simd.mul_add_e_f32s(rate, simd.div_f32s(m, root), w), m, v)
        };
        let (w, w_tail) = S::as_mut_simd_f32s(self.w);
        let (m, m_tail) = S::as_mut_simd_f32s(self.m);
        let (v, v_tail) = S::as_mut_simd_f32s(self.v);
        let (g, g_tail) = S::as_simd_f32s(self.g);
        for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
            (*w, *m, *v) = update(*w, *m, *v, *g);
        }
        let part = |x: &[f32]| simd.partial_load_f32s(x);
        let (nw, nm, nv) = update(part(w_tail), part(m_tail), part(v_tail), part(g_tail));
        simd.partial_store_f32s(w_tail, nw);
        simd.partial_store_f32s(m_tail, nm);
        simd.partial_store_f32s(v_tail, nv);
    }
}
