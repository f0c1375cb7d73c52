//! Activations: rows of channel pairs with zero borders, in a ring that holds only the rows still
//! needed.

use super::lanes::Lane;

/// Columns are computed in multiples of this; rows have room for them.
pub const COLUMNS: usize = 16;

/// Shape of an activation buffer: `[row][pair of channels][column]` of [`Lane`]s.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Channels; an odd last one has a companion of zeros.
    pub channels: usize,
    /// Rows of the picture at this resolution.
    pub height: usize,
    /// Columns of the picture at this resolution.
    pub width: usize,
    /// Zero columns on either side: half the largest kernel that reads it.
    pub pad: usize,
}

impl Geometry {
    /// Channel pairs.
    pub fn pairs(&self) -> usize {
        self.channels.div_ceil(2)
    }

    /// Lanes from a pair's row to the next pair's.
    pub fn stride(&self) -> usize {
        self.width.next_multiple_of(COLUMNS) + 2 * self.pad
    }

    /// Lanes of one row of all pairs.
    pub fn row(&self) -> usize {
        self.pairs() * self.stride()
    }
}

/// Some rows of an activation buffer. Row `y` lies at `y % rows`.
pub struct Ring {
    /// Shape.
    pub geometry: Geometry,
    /// Rows held.
    pub rows: usize,
    /// The rows, see [`Geometry`]; after them, room for differences of rows.
    pub lanes: Vec<Lane>,
    /// Where differences do not fit 16 bits: not 0, for each [`COLUMNS`] lanes of a row.
    pub clipped: Vec<i16>,
}

impl Ring {
    /// `rows` rows of zeros, whose borders stay so, and room for `differences` rows.
    pub fn new(geometry: Geometry, rows: usize, differences: usize) -> Self {
        let lanes = vec![[0; 2]; (rows + differences) * geometry.row()];
        Ring {
            geometry,
            rows,
            lanes,
            clipped: vec![0; geometry.stride().div_ceil(COLUMNS)],
        }
    }

    /// Index of the first lane of row `y`, its left border.
    #[inline]
    pub fn at(&self, y: usize) -> usize {
        y % self.rows * self.geometry.row()
    }

    /// Row `y` of channel `c`, in half `c % 2` of the lanes.
    pub fn channel(&self, y: usize, c: usize) -> &[Lane] {
        let g = &self.geometry;
        &self.lanes[self.at(y) + c / 2 * g.stride() + g.pad..][..g.width]
    }

    /// Both channels of pair `pair` in row `y`.
    pub fn pair_mut(&mut self, y: usize, pair: usize) -> &mut [Lane] {
        let (g, at) = (self.geometry, self.at(y));
        &mut self.lanes[at + pair * g.stride() + g.pad..][..g.width]
    }

    /// Takes all rows from `values`, `[channel][row][column]`.
    pub fn fill(&mut self, values: &[i16]) {
        let g = self.geometry;
        for (c, plane) in values.chunks_exact(g.height * g.width).enumerate() {
            for (y, row) in plane.chunks_exact(g.width).enumerate() {
                self.pair_mut(y, c / 2)
                    .iter_mut()
                    .zip(row)
                    .for_each(|(o, &v)| o[c % 2] = v);
            }
        }
    }
}
