//! Interpolants of rate-distortion curves and their integrals.

/// Integral from `low` to `high` of the least-squares cubic.
pub fn cubic(p: &[(f64, f64)], low: f64, high: f64) -> f64 {
    // Legendre polynomials on the points' own interval keep the system well conditioned
    let (first, last) = (p[0].0, p[p.len() - 1].0);
    let (mid, half) = ((first + last) / 2.0, (last - first) / 2.0);
    let unit = |x: f64| (x - mid) / half;
    let basis = |t: f64| {
        [
            1.0,
            t,
            (3.0 * t * t - 1.0) / 2.0,
            (5.0 * t * t - 3.0) * t / 2.0,
        ]
    };
    let mut columns: [Vec<f64>; 4] = Default::default();
    for &(x, _) in p {
        for (c, b) in columns.iter_mut().zip(basis(unit(x))) {
            c.push(b);
        }
    }
    let coefficients = least_squares(columns, p.iter().map(|p| p.1).collect());
    // the integral of the k-th Legendre polynomial is (P[k+1] - P[k-1]) / (2k + 1)
    let integrals = |t: f64| {
        let [_, p1, p2, p3] = basis(t);
        let p4 = ((35.0 * t * t - 30.0) * t * t + 3.0) / 8.0;
        [t, (p2 - 1.0) / 3.0, (p3 - p1) / 5.0, (p4 - p2) / 7.0]
    };
    let (from, to) = (integrals(unit(low)), integrals(unit(high)));
    half * (0..4)
        .map(|k| coefficients[k] * (to[k] - from[k]))
        .sum::<f64>()
}

/// Coefficients of the columns that come closest to `y`, by modified Gram-Schmidt, twice over for
/// accuracy.
fn least_squares(mut columns: [Vec<f64>; 4], mut y: Vec<f64>) -> [f64; 4] {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut r = [[0.0; 4]; 4];
    let mut projected = [0.0; 4];
    for k in 0..4 {
        let (done, rest) = columns.split_at_mut(k);
        let column = &mut rest[0];
        for _ in 0..2 {
            for (j, q) in done.iter().enumerate() {
                let part = dot(q, column);
                r[j][k] += part;
                column.iter_mut().zip(q).for_each(|(c, q)| *c -= part * q);
            }
        }
        r[k][k] = dot(column, column).sqrt();
        column.iter_mut().for_each(|c| *c /= r[k][k]);
        projected[k] = dot(column, &y);
        y.iter_mut()
            .zip(column.iter())
            .for_each(|(y, c)| *y -= projected[k] * c);
    }
    let mut x = [0.0; 4];
    for k in (0..4).rev() {
        x[k] = (projected[k] - (k + 1..4).map(|j| r[k][j] * x[j]).sum::<f64>()) / r[k][k];
    }
    x
}

/// Secants between neighbours.
fn secants(p: &[(f64, f64)]) -> Vec<f64> {
    p.windows(2)
        .map(|w| (w[1].1 - w[0].1) / (w[1].0 - w[0].0))
        .collect()
}

/// Derivatives at the points: weighted harmonic means of the secants, 0 where those turn.
pub fn pchip_slopes(p: &[(f64, f64)]) -> Vec<f64> {
    let n = p.len();
    let h: Vec<f64> = p.windows(2).map(|w| w[1].0 - w[0].0).collect();
    let s = secants(p);
    let end = |h0: f64, h1: f64, s0: f64, s1: f64| {
        let d = ((2.0 * h0 + h1) * s0 - h0 * s1) / (h0 + h1);
        if d * s0 <= 0.0 {
            0.0
        } else if s0 * s1 <= 0.0 && d.abs() > 3.0 * s0.abs() {
            3.0 * s0
        } else {
            d
        }
    };
    let mut slopes = vec![end(h[0], h[1], s[0], s[1])];
    for k in 1..n - 1 {
        let (w0, w1) = (2.0 * h[k] + h[k - 1], h[k] + 2.0 * h[k - 1]);
        slopes.push(if s[k - 1] * s[k] <= 0.0 {
            0.0
        } else {
            (w0 + w1) / (w0 / s[k - 1] + w1 / s[k])
        });
    }
    slopes.push(end(h[n - 2], h[n - 3], s[n - 2], s[n - 3]));
    slopes
}

/// Derivatives at the points by Akima's weights, with two extrapolated secants at each end.
pub fn akima_slopes(p: &[(f64, f64)]) -> Vec<f64> {
    let s = secants(p);
    let n = s.len();
    let mut m = vec![0.0; n + 4];
    m[2..n + 2].copy_from_slice(&s);
    m[1] = 2.0 * m[2] - m[3];
    m[0] = 2.0 * m[1] - m[2];
    m[n + 2] = 2.0 * m[n + 1] - m[n];
    m[n + 3] = 2.0 * m[n + 2] - m[n + 1];
    let weights: Vec<(f64, f64)> = (0..p.len())
        .map(|i| ((m[i + 3] - m[i + 2]).abs(), (m[i + 1] - m[i]).abs()))
        .collect();
    let largest = weights.iter().map(|w| w.0 + w.1).fold(0.0, f64::max);
    let slope = |(i, (after, before)): (usize, &(f64, f64))| {
        if after + before > 1e-9 * largest {
            m[i + 1] + before / (after + before) * (m[i + 2] - m[i + 1])
        } else {
            (m[i] + m[i + 3]) / 2.0
        }
    };
    weights.iter().enumerate().map(slope).collect()
}

/// Integral from `low` to `high` of the cubic pieces with these values and derivatives at the
/// points.
pub fn hermite(p: &[(f64, f64)], slopes: &[f64], low: f64, high: f64) -> f64 {
    let mut sum = 0.0;
    for (i, w) in p.windows(2).enumerate() {
        let ((x0, y0), (x1, y1)) = (w[0], w[1]);
        let (from, to) = (low.max(x0), high.min(x1));
        if from >= to {
            continue;
        }
        let (h, s) = (x1 - x0, (y1 - y0) / (x1 - x0));
        let (d0, d1) = (slopes[i], slopes[i + 1]);
        let (c2, c3) = ((3.0 * s - 2.0 * d0 - d1) / h, (d0 + d1 - 2.0 * s) / (h * h));
        let primitive = |u: f64| u * (y0 + u * (d0 / 2.0 + u * (c2 / 3.0 + u * c3 / 4.0)));
        sum += primitive(to - x0) - primitive(from - x0);
    }
    sum
}
