//! What an engine holds.

use super::engine::Engine;
use super::shape::{Layout, Plane, Shape};

impl Engine {
    /// An engine as [`Engine::new`] makes it, with all grids set as by [`Engine::set_latents`].
    ///
    /// # Panics
    /// As [`Engine::new`].
    pub fn with_latents(
        shape: &Shape,
        (width, height): (usize, usize),
        planes: &[Plane],
        latents: &[Vec<i32>],
    ) -> Self {
        let mut engine = Engine::new(shape, width, height, planes);
        for (l, grid) in latents.iter().enumerate() {
            engine.set_latents(l, grid);
        }
        engine
    }
    /// Order and shapes of the weights.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
    /// Sets grid `grid`, row by row.
    pub fn set_latents(&mut self, grid: usize, values: &[i32]) {
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        self.set_values(grid, &values);
    }
    /// The latents of grid `grid`, row by row, rounded.
    pub fn latents(&self, grid: usize) -> Vec<i32> {
        self.values(grid).iter().map(|v| v.round() as i32).collect()
    }
    /// Sets grid `grid` to values between integers, row by row.
    pub fn set_values(&mut self, grid: usize, values: &[f32]) {
        let g = &self.grids[grid];
        for (y, row) in values.chunks(g.w).enumerate().take(g.h) {
            self.latents[g.row(y)..][..row.len()].copy_from_slice(row);
        }
    }
    /// The values of grid `grid`, row by row.
    pub fn values(&self, grid: usize) -> Vec<f32> {
        self.collect(grid, &self.latents)
    }
    /// Gradient of the loss for grid `grid`, row by row, at the last evaluation with gradients.
    pub fn latent_gradients(&self, grid: usize) -> Vec<f32> {
        self.collect(grid, &self.latent_gradients)
    }
    fn collect(&self, grid: usize, from: &[f32]) -> Vec<f32> {
        let g = &self.grids[grid];
        (0..g.h)
            .flat_map(|y| &from[g.row(y)..][..g.w])
            .copied()
            .collect()
    }
    /// Gradient of the loss for the weights at the last evaluation with gradients.
    pub fn gradients(&self) -> &[f32] {
        &self.gradients
    }
    /// Bits of each grid at the last evaluation of the rate.
    pub fn grid_bits(&self) -> Vec<f64> {
        let of = |l| self.tasks.iter().filter(move |t| t.grid == l);
        (0..self.grids.len())
            .map(|l| of(l).map(|t| t.bits).sum())
            .collect()
    }
    /// The samples of every plane, row by row, at the last evaluation of the distortion **without**
    /// gradients.
    pub fn reconstruction(&self) -> Vec<Vec<f32>> {
        let mut planes = Vec::new();
        for head in &self.heads {
            for c in 0..head.out.planes {
                let rows = (0..head.out.h).flat_map(|y| head.out.samples(c, y));
                planes.push(rows.copied().collect());
            }
        }
        planes
    }
}
