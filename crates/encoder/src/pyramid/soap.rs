//! SOAP (Vyas et al., 2024): Adam in the slowly turning eigenbasis of the gradient's row and column
//! covariance.
//!
//! All matrices are tiny, so the bases are kept by Jacobi sweeps, which turn them by small angles
//! and so never permute the second moments.

use super::shape::{Layout, Shape};

/// Decays of the moments, and of the covariances.
const BETA1: f32 = 0.95;
const BETA2: f64 = 0.95;
const COVARIANCE: f64 = 0.95;
/// Steps between turns of the bases.
const EVERY: i32 = 10;
const EPSILON: f64 = 1e-12;

/// A matrix of weights, with its bias as a last column if that is of use.
struct Matrix {
    /// Its elements in the flat vector.
    at: Vec<usize>,
    m: usize,
    n: usize,
    left: Vec<f64>,
    right: Vec<f64>,
    left_basis: Vec<f64>,
    right_basis: Vec<f64>,
    /// Second moments in the basis.
    second: Vec<f64>,
}

/// State of the optimiser.
pub(crate) struct Soap {
    matrices: Vec<Matrix>,
    first: Vec<f32>,
    second: Vec<f64>,
    in_matrix: Vec<bool>,
    t: i32,
}

fn identity(n: usize) -> Vec<f64> {
    (0..n * n)
        .map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 })
        .collect()
}

/// `a b` of `a [m, k]` and `b [k, n]`.
fn multiply(a: &[f64], b: &[f64], k: usize, n: usize) -> Vec<f64> {
    let mut c = vec![0.0; a.len() / k * n];
    for (c, a) in c.chunks_mut(n).zip(a.chunks(k)) {
        for (f, b) in a.iter().zip(b.chunks(n)) {
            c.iter_mut().zip(b).for_each(|(c, b)| *c += f * b);
        }
    }
    c
}

fn transpose(a: &[f64], n: usize) -> Vec<f64> {
    (0..n)
        .flat_map(|j| a.iter().skip(j).step_by(n))
        .copied()
        .collect()
}

/// Turns the columns of `q` towards the eigenvectors of the symmetric `a` by cyclic Jacobi sweeps.
fn jacobi(a: &[f64], q: &mut [f64], n: usize, sweeps: usize) {
    let mut d = multiply(&multiply(&transpose(q, n), a, n, n), q, n, n);
    for _ in 0..sweeps {
        for i in 0..n {
            for j in i + 1..n {
                let (aii, ajj, aij) = (d[i * n + i], d[j * n + j], d[i * n + j]);
                if aij.abs() <= 1e-12 * (aii * ajj).abs().sqrt() + 1e-300 {
                    continue;
                }
                let theta = (ajj - aii) / (2.0 * aij);
                let t = theta.signum() / (theta.abs() + (1.0 + theta * theta).sqrt());
                let c = 1.0 / (1.0 + t * t).sqrt();
                let s = t * c;
                let turn = |x: f64, y: f64| (c * x - s * y, s * x + c * y);
                for row in d.chunks_mut(n) {
                    (row[i], row[j]) = turn(row[i], row[j]);
                }
                for k in 0..n {
                    (d[i * n + k], d[j * n + k]) = turn(d[i * n + k], d[j * n + k]);
                }
                for row in q.chunks_mut(n) {
                    (row[i], row[j]) = turn(row[i], row[j]);
                }
            }
        }
    }
}

impl Matrix {
    fn new(at: Vec<usize>, m: usize) -> Self {
        let n = at.len() / m;
        Matrix {
            m,
            n,
            left: vec![0.0; m * m],
            right: vec![0.0; n * n],
            left_basis: identity(m),
            right_basis: identity(n),
            second: vec![0.0; m * n],
            at,
        }
    }
    /// The direction of the step: first moments `first` over the roots of the second, both in the
    /// basis.
    fn step(&mut self, g: &[f32], first: &[f32], t: i32) -> Vec<f64> {
        let (m, n) = (self.m, self.n);
        let pick = |x: &[f32]| {
            self.at
                .iter()
                .map(|i| f64::from(x[*i]))
                .collect::<Vec<f64>>()
        };
        let (g, first) = (pick(g), pick(first));
        let gt = transpose(&g, n);
        let blend = |to: &mut [f64], new: Vec<f64>| {
            to.iter_mut()
                .zip(new)
                .for_each(|(to, v)| *to += (1.0 - COVARIANCE) * (v - *to));
        };
        blend(&mut self.left, multiply(&g, &gt, n, m));
        blend(&mut self.right, multiply(&gt, &g, m, n));
        if t == 1 || t % EVERY == 0 {
            let sweeps = if t == 1 { 8 } else { 1 };
            jacobi(&self.left, &mut self.left_basis, m, sweeps);
            jacobi(&self.right, &mut self.right_basis, n, sweeps);
        }
        let left_t = transpose(&self.left_basis, m);
        let project = |x: &[f64]| multiply(&multiply(&left_t, x, m, n), &self.right_basis, n, n);
        let (gp, mut u) = (project(&g), project(&first));
        for ((u, v), g) in u.iter_mut().zip(&mut self.second).zip(gp) {
            *u = adam(*u, v, g, t);
        }
        let right_t = transpose(&self.right_basis, n);
        multiply(&multiply(&self.left_basis, &u, m, n), &right_t, n, n)
    }
}

/// Updates the second moment `v` and returns the step along the first, `m`.
fn adam(m: f64, v: &mut f64, g: f64, t: i32) -> f64 {
    *v = BETA2 * *v + (1.0 - BETA2) * g * g;
    let (c1, c2) = (1.0 - f64::from(BETA1).powi(t), 1.0 - BETA2.powi(t));
    m / c1 / ((*v / c2).sqrt() + EPSILON)
}

impl Soap {
    pub(crate) fn new(shape: &Shape, layout: &Layout) -> Self {
        let (n, c) = (shape.contexts, layout.context);
        let plain =
            |start: usize, m: usize, n: usize| Matrix::new((start..start + m * n).collect(), m);
        let biased = |start: usize, bias: usize, m: usize, n: usize| {
            let row = |j: usize| (start + j * n..start + j * n + n).chain([bias + j]);
            Matrix::new((0..m).flat_map(row).collect(), m)
        };
        let mut matrices = vec![
            plain(c.w1, n, n),
            plain(c.w2, n, n),
            plain(c.w3, 2, n),
            plain(c.bypass, 2, n),
        ];
        if shape.grids > 1 {
            matrices.push(plain(layout.up, shape.grids - 1, 4));
        }
        for (head, at) in shape.heads.iter().zip(&layout.heads) {
            let (inputs, planes, hid) = (shape.grids - head.level, head.planes, shape.hidden);
            matrices.push(biased(at.hidden, at.hidden_bias, hid, inputs));
            matrices.push(plain(at.mix, planes, hid));
            matrices.push(biased(at.bypass, at.bypass_bias, planes, inputs));
            matrices.push(plain(at.conv0, planes, planes * 9));
            matrices.push(plain(at.conv1, planes, planes * 9));
        }
        let mut in_matrix = vec![false; layout.total()];
        matrices
            .iter()
            .flat_map(|m| &m.at)
            .for_each(|i| in_matrix[*i] = true);
        let total = layout.total();
        Soap {
            matrices,
            first: vec![0.0; total],
            second: vec![0.0; total],
            in_matrix,
            t: 0,
        }
    }
    /// Steps from `p` along the gradient `g`.
    pub(crate) fn step(&mut self, p: &mut [f32], g: &[f32], rate: f32) {
        self.t += 1;
        for (i, (p, g)) in p.iter_mut().zip(g).enumerate() {
            self.first[i] = BETA1 * self.first[i] + (1.0 - BETA1) * g;
            if !self.in_matrix[i] {
                let m = f64::from(self.first[i]);
                let step = adam(m, &mut self.second[i], f64::from(*g), self.t);
                *p -= (f64::from(rate) * step) as f32;
            }
        }
        for matrix in &mut self.matrices {
            let step = matrix.step(g, &self.first, self.t);
            // the first step only sets up the bases
            if self.t > 1 {
                for (i, step) in matrix.at.iter().zip(step) {
                    p[*i] -= rate * step as f32;
                }
            }
        }
    }
}
