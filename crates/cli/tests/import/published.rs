//! The published network in plain arithmetic.

use crate::checkpoint::{Checkpoint, Stored};

fn values(t: &Stored) -> Vec<f64> {
    let shape: Vec<usize> = t.shape.iter().copied().chain([1; 4]).take(4).collect();
    let slices: Vec<usize> = t.slices.iter().copied().chain([1; 4]).take(4).collect();
    (0..t.q.len())
        .map(|n| {
            let (mut rest, mut index) = (n, [0; 4]);
            for a in (0..4).rev() {
                (index[a], rest) = (rest % shape[a], rest / shape[a]);
            }
            let s = (0..4).fold(0, |s, a| {
                s * slices[a] + if slices[a] > 1 { index[a] } else { 0 }
            });
            f64::from(t.min[s]) + f64::from(t.scale[s]) * f64::from(t.q[n])
        })
        .collect()
}

/// The published network in the plainest way: red, green and blue of frame `t`, 0 to 255.
pub fn published(c: &Checkpoint, t: usize, strides: &[usize]) -> [Vec<f64>; 3] {
    let [_, mut channels, mut h, mut w] = c["embed"].shape[..] else {
        panic!()
    };
    let mut x = values(&c["embed"])[t * channels * h * w..][..channels * h * w].to_vec();
    let gelu = |v: f64| {
        // Phi by Simpson's rule from 0
        let d = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let (n, u) = (200, v.clamp(-8.0, 8.0));
        let sum: f64 = (1..n)
            .map(|i| d(u * f64::from(i) / f64::from(n)) * if i % 2 == 1 { 4.0 } else { 2.0 })
            .sum();
        v * (0.5 + (d(0.0) + sum + d(u)) * u / f64::from(n) / 3.0)
    };
    let conv = |x: &[f64], cin: usize, h: usize, w: usize, name: &str| -> Vec<f64> {
        let (weights, bias) = (
            values(&c[&format!("{name}.weight")]),
            values(&c[&format!("{name}.bias")]),
        );
        let k = c[&format!("{name}.weight")].shape[2];
        let mut out = Vec::new();
        for (o, b) in bias.iter().enumerate() {
            for (y, xx) in (0..h * w).map(|p| (p / w, p % w)) {
                let mut sum = *b;
                for (n, weight) in weights[o * cin * k * k..][..cin * k * k].iter().enumerate() {
                    let (i, u, v) = (n / (k * k), n / k % k, n % k);
                    let (yy, xx) = ((y + u).wrapping_sub(k / 2), (xx + v).wrapping_sub(k / 2));
                    if yy < h && xx < w {
                        sum += weight * x[(i * h + yy) * w + xx];
                    }
                }
                out.push(sum);
            }
        }
        out
    };
    x = conv(&x, channels, h, w, "decoder.0.conv.downconv")
        .into_iter()
        .map(gelu)
        .collect();
    channels = x.len() / (h * w);
    for (i, &r) in strides.iter().enumerate() {
        let before = conv(
            &x,
            channels,
            h,
            w,
            &format!("decoder.{}.conv.upconv.0", i + 1),
        );
        channels = before.len() / (h * w * r * r);
        x = vec![0.0; before.len()];
        for (n, &v) in before.iter().enumerate() {
            let (o, y, xx) = (n / (h * w), n / w % h, n % w);
            let (ch, dy, dx) = (o / (r * r), o / r % r, o % r);
            x[(ch * h * r + y * r + dy) * w * r + xx * r + dx] = gelu(v);
        }
        (h, w) = (h * r, w * r);
    }
    let head = conv(&x, channels, h, w, "head_layer");
    [0, 1, 2].map(|p| {
        head[p * h * w..][..h * w]
            .iter()
            .map(|v| (v.tanh() * 0.5 + 0.5) * 255.0)
            .collect()
    })
}
