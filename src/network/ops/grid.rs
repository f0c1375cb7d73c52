//! Coordinates (spec section 5.2).

use super::integer::SOURCE_FRACTION;
use super::operation::{FracBits, Operation};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// Source: row and column of each position, -1 to 1, `[2, rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl Operation for Grid {
    fn inputs(&self) -> &[NodeId] {
        &[]
    }

    fn shape(&self, _: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        [2, self.rows, self.columns]
    }

    fn frac_bits(&self) -> FracBits {
        FracBits::Fixed(SOURCE_FRACTION)
    }

    fn constant(&self, _pass: usize) -> Option<Vec<i16>> {
        let places = 0..self.rows * self.columns;
        let rows = places
            .clone()
            .map(|i| coordinate(i / self.columns, self.rows));
        let columns = places.map(|i| coordinate(i % self.columns, self.columns));
        Some(rows.chain(columns).collect())
    }
}

/// Coordinate of position `i` of `n`.
fn coordinate(i: usize, n: usize) -> i16 {
    (((2 * i as i64 + 1) << 14) / n.max(1) as i64 - (1 << 14)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_lie_in_the_middle_of_their_positions() {
        assert_eq!(
            [0, 1, 2, 3].map(|i| coordinate(i, 4)),
            [-12288, -4096, 4096, 12288]
        );
        assert_eq!(coordinate(0, 1), 0);
        let grid = Grid {
            rows: 1,
            columns: 2,
        };
        assert_eq!(grid.constant(0), Some(vec![0, 0, -8192, 8192]));
    }
}
