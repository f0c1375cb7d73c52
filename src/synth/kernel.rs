//! The row kernel: which of its bodies computes rows of a convolution.

use super::dense::Narrow;
use super::depthwise::ByChannel;
use super::dispatch::{vectorize, vectorize_seldom};
use super::level::SimdLevel;
use super::tile::Rows;
use super::wide::Wide;

/// Computes rows with the instructions of `level`, or the best below that the processor has.
pub fn run(level: SimdLevel, rows: Rows<'_>) {
    match (rows.layer.depthwise, rows.layer.parts.is_some()) {
        (false, false) => vectorize(level, Narrow(rows)),
        (false, true) => vectorize_seldom(level, Wide(rows)),
        (true, false) => vectorize(level, ByChannel::<i32>::new(rows)),
        (true, true) => vectorize_seldom(level, ByChannel::<i64>::new(rows)),
    }
}
