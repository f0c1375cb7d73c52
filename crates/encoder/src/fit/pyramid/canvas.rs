//! Where latent grids lie on one plane, so that a few large operations serve them all.

use crate::pyramid::{REACH, Shape};
use std::ops::Range;

/// A plane with the finest grid on top and the others side by side below it. The gaps between them
/// are as wide as contexts reach, and zero.
pub(super) struct Canvas {
    pub(super) w: usize,
    pub(super) h: usize,
    /// Rows and columns of each grid.
    pub(super) grids: Vec<[Range<usize>; 2]>,
}

impl Canvas {
    /// For the grids of a picture.
    pub(super) fn new(width: usize, height: usize, grids: usize) -> Self {
        let below = height + REACH;
        let mut canvas = Canvas {
            w: width,
            h: height,
            grids: vec![[0..height, 0..width]],
        };
        let mut left = 0;
        for l in 1..grids {
            let (w, h) = Shape::grid_size(width, height, l);
            canvas.grids.push([below..below + h, left..left + w]);
            canvas.w = canvas.w.max(left + w);
            canvas.h = canvas.h.max(below + h);
            left += w + REACH;
        }
        canvas
    }
    /// 1 on the grids' samples, 0 between them.
    pub(super) fn mask(&self) -> Vec<f32> {
        let mut mask = vec![0.0; self.w * self.h];
        for [rows, columns] in &self.grids {
            for y in rows.clone() {
                mask[y * self.w..][columns.clone()].fill(1.0);
            }
        }
        mask
    }
    /// Grid `l` of a plane, row by row.
    pub(super) fn grid(&self, plane: &[f32], l: usize) -> Vec<f32> {
        let [rows, columns] = self.grids[l].clone();
        rows.flat_map(|y| &plane[y * self.w..][columns.clone()])
            .copied()
            .collect()
    }
}
