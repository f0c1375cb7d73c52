#![allow(dead_code, missing_docs)]

use nvc_encoder::pyramid::{Head, Layout, Plane, Shape};

/// A small generator.
pub struct Random(pub u64);

impl Random {
    pub fn uniform(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
    pub fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f32) as usize).min(n - 1)
    }
}

pub fn shape(contexts: usize, hidden: usize, grids: usize, heads: &[(usize, usize)]) -> Shape {
    let heads = heads
        .iter()
        .map(|&(level, planes)| Head { level, planes })
        .collect();
    Shape {
        contexts,
        hidden,
        grids,
        heads,
    }
}

/// Whether plane `p` of a head is alpha: heads of four planes have it, and those of two at level 0.
fn alpha(head: &Head, p: usize) -> bool {
    match (head.level, head.planes) {
        (0, 2) | (_, 4) => p + 1 == head.planes,
        _ => false,
    }
}

/// Planes of a shape from a function of place and plane.
pub fn planes(
    shape: &Shape,
    w: usize,
    h: usize,
    weights: &[f32],
    mut sample: impl FnMut(f32, f32, usize) -> f32,
) -> Vec<Plane> {
    let mut all = Vec::new();
    for head in &shape.heads {
        for p in 0..head.planes {
            let (width, height) = Shape::grid_size(w, h, head.level);
            let mut samples = Vec::new();
            for y in 0..height {
                for x in 0..width {
                    let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
                    samples.push(sample(u, v, all.len()));
                }
            }
            let weight = weights[all.len()];
            all.push(Plane {
                width,
                height,
                weight,
                alpha: alpha(head, p),
                samples,
            });
        }
    }
    all
}

/// Random weights: filters near the bicubic one, hidden layers that see all inputs, and residual
/// layers that do nothing yet.
pub fn random_weights(layout: &Layout) -> Vec<f32> {
    const BICUBIC: [f32; 4] = [-0.035, -0.105, 0.262, 0.879];
    let mut random = Random(1);
    let mut p = vec![0.0; layout.total()];
    for t in layout.tensors() {
        let (_, part) = t.name.split_once('.').unwrap_or(("", &t.name));
        for (i, v) in p[t.range()].iter_mut().enumerate() {
            *v = match part {
                "w3" => 0.05 * random.normal(),
                "bypass" if t.name.starts_with("context") => 0.05 * random.normal(),
                "bypass" => 0.06 + 0.01 * random.normal(),
                "bypass_bias" => 0.5,
                "hidden" | "hidden_bias" => 0.4 * random.normal(),
                "mix" => 0.03 * random.normal(),
                up if up.starts_with("up") => BICUBIC[i],
                _ => 0.0,
            };
        }
    }
    p
}
