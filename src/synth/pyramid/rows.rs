//! Rows between the layers of a synthesis network.

use crate::synth::lanes::Lane;
use crate::synth::requantize::CHUNK;

/// Rows kept of what a residual layer reads: three, rounded up.
const HELD: usize = 4;

/// Rows of pairs of channels that a residual layer reads, with a column repeated at either end.
pub struct Rows {
    stride: usize,
    pairs: usize,
    lanes: Vec<Lane>,
}

impl Rows {
    /// Of pictures of `columns` columns.
    pub fn new(columns: usize, pairs: usize) -> Self {
        let stride = columns.next_multiple_of(CHUNK) + 2 + CHUNK;
        Rows {
            stride,
            pairs,
            lanes: vec![[0; 2]; HELD * pairs * stride],
        }
    }

    /// Pair `pair` of row `y`, from the repeated column on.
    #[inline(always)]
    pub fn row(&self, y: usize, pair: usize) -> &[Lane] {
        &self.lanes[(y % HELD * self.pairs + pair) * self.stride..][..self.stride]
    }

    /// Writes columns `x..` of channel `c` of row `y`.
    #[inline(always)]
    pub fn put(&mut self, y: usize, c: usize, x: usize, values: &[i16; CHUNK]) {
        let at = (y % HELD * self.pairs + c / 2) * self.stride + 1 + x;
        let lanes = self.lanes[at..][..CHUNK].iter_mut();
        lanes.zip(values).for_each(|(l, &v)| l[c % 2] = v);
    }

    /// Columns `x..` of channel `c` of row `y`.
    #[inline(always)]
    pub fn get(&self, y: usize, c: usize, x: usize) -> [i16; CHUNK] {
        let lanes = &self.row(y, c / 2)[1 + x..][..CHUNK];
        std::array::from_fn(|i| lanes[i][c % 2])
    }

    /// Repeats the first and last column of row `y`.
    pub fn repeat_edges(&mut self, y: usize, columns: usize) {
        for pair in 0..self.pairs {
            let at = (y % HELD * self.pairs + pair) * self.stride;
            self.lanes[at] = self.lanes[at + 1];
            self.lanes[at + columns + 1] = self.lanes[at + columns];
        }
    }
}
