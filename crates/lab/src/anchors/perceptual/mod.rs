//! VMAF and XPSNR, by an ffmpeg that has the filters.

mod figures;
mod filter;
mod measure;

pub use figures::{Perceptual, VMAF_MODEL, Wanted, Xpsnr};
pub use measure::{Measure, perceptual, perceptual_identity};
