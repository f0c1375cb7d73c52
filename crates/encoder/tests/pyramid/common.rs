#![allow(dead_code, missing_docs)]

use nvc_encoder::pyramid::{Head, Plane, Shape};

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
        for _ in 0..head.planes {
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
                samples,
            });
        }
    }
    all
}
