//! A sample of a picture: some of its blocks, side by side.

use super::shape::{Plane, Shape};

/// Least side of a block.
const SIDE: usize = 128;

/// Blocks that are spread over a picture.
pub(super) struct Mosaic {
    /// Columns and rows of blocks in the picture.
    blocks: Vec<(usize, usize)>,
    across: usize,
    /// Of a block, in samples of level 0.
    side: usize,
    /// Samples of the picture for each of the mosaic.
    ratio: f64,
}

/// The side of a block: no sample of a grid lies in two of them.
fn side(shape: &Shape) -> usize {
    SIDE.max(1 << (shape.grids - 1))
}

impl Mosaic {
    /// Samples of a block.
    pub(super) fn block(shape: &Shape) -> f64 {
        (side(shape) * side(shape)) as f64
    }

    /// A rectangle of about `count` blocks; `None` if a picture has less than twice as many.
    pub(super) fn new(
        shape: &Shape,
        (width, height): (usize, usize),
        count: usize,
    ) -> Option<Self> {
        let side = side(shape);
        let (columns, rows) = (width / side, height / side);
        let across = ((count as f64).sqrt().round() as usize).max(1);
        let count = count.max(1).div_ceil(across) * across;
        let all = columns * rows;
        (all >= 2 * count).then(|| Mosaic {
            blocks: (0..count)
                .map(|i| (i * all + all / 2) / count)
                .map(|k| (k % columns, k / columns))
                .collect(),
            across,
            side,
            ratio: (width * height) as f64 / (count * side * side) as f64,
        })
    }

    /// Width and height of the mosaic.
    pub(super) fn size(&self) -> (usize, usize) {
        let down = self.blocks.len() / self.across;
        (self.across * self.side, down * self.side)
    }

    /// Samples of the picture for each of the mosaic.
    pub(super) fn ratio(&self) -> f64 {
        self.ratio
    }

    /// The mosaic of the picture's planes.
    pub(super) fn planes(&self, shape: &Shape, planes: &[Plane]) -> Vec<Plane> {
        let (w, h) = self.size();
        let heads = shape.heads.iter();
        let levels = heads.flat_map(|h| std::iter::repeat_n(h.level, h.planes));
        let own = |(level, plane): (usize, &Plane)| Plane {
            width: w >> level,
            height: h >> level,
            weight: plane.weight,
            alpha: plane.alpha,
            samples: self.gather(&plane.samples, plane.width, level),
        };
        levels.zip(planes).map(own).collect()
    }

    /// The mosaic of an array of `level`, whose rows are `stride` long.
    pub(super) fn gather<T: Copy + Default>(
        &self,
        from: &[T],
        stride: usize,
        level: usize,
    ) -> Vec<T> {
        let side = self.side >> level;
        let width = self.across * side;
        let mut to = vec![T::default(); self.blocks.len() * side * side];
        for (i, (x, y)) in self.blocks.iter().enumerate() {
            let first = i / self.across * side * width + i % self.across * side;
            for row in 0..side {
                let source = &from[(y * side + row) * stride + x * side..][..side];
                to[first + row * width..][..side].copy_from_slice(source);
            }
        }
        to
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Head;
    use super::*;

    fn shape(grids: usize, level: usize) -> Shape {
        let head = |level| Head { level, planes: 1 };
        Shape {
            contexts: 16,
            hidden: 4,
            grids,
            heads: vec![head(0), head(level)],
        }
    }

    #[test]
    fn blocks_are_the_pictures_at_every_level() {
        let (w, h) = (5 * 128 + 3, 4 * 128 + 1);
        let shape = shape(7, 1);
        let plane = |level: usize| {
            let (width, height) = Shape::grid_size(w, h, level);
            Plane {
                width,
                height,
                weight: 0.5,
                alpha: false,
                // where it is, in units of level 0
                samples: (0..width * height)
                    .map(|i| (((i / width) << level) * 1000 + ((i % width) << level)) as f32)
                    .collect(),
            }
        };
        let mosaic = Mosaic::new(&shape, (w, h), 6).unwrap();
        assert_eq!(mosaic.size(), (2 * 128, 3 * 128));
        let [full, half] = &mosaic.planes(&shape, &[plane(0), plane(1)])[..] else {
            panic!("two planes")
        };
        assert_eq!((half.width, half.height), (128, 192));
        for y in 0..half.height {
            for x in 0..half.width {
                let at = full.samples[2 * y * full.width + 2 * x];
                assert_eq!(half.samples[y * half.width + x], at, "{x}, {y}");
            }
        }
        let firsts: Vec<f32> = (0..6)
            .map(|i| full.samples[i / 2 * 128 * full.width + i % 2 * 128])
            .collect();
        // blocks 1, 5, 8, 11, 15 and 18 of 20
        let wanted = [1, 5, 8, 11, 15, 18].map(|k| (k / 5 * 128_000 + k % 5 * 128) as f32);
        assert_eq!(firsts, wanted);
    }

    #[test]
    fn small_pictures_have_none() {
        assert!(Mosaic::new(&shape(7, 1), (352, 288), 3).is_none());
        assert!(Mosaic::new(&shape(7, 1), (352, 288), 2).is_some());
        assert!(Mosaic::new(&shape(9, 1), (511, 511), 1).is_none());
        assert!(Mosaic::new(&shape(7, 1), (1, 1), 1).is_none());
    }
}
