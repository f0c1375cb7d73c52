//! Tables of BD-rates and of points, as data and in Markdown.
//!
//! Rows and columns stand in the order of the results. What is not defined is `n/a` with its reason
//! in a note.

mod bd_rate;
mod markdown;
mod points;

pub use bd_rate::{BdLine, BdTable, Cell, percent};
pub use points::points;
pub(super) use points::{Column, is_text, point_columns};

#[cfg(test)]
mod tests;
