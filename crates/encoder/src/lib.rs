//! The encoder of nvc: fits networks to groups of frames, quantises and codes them. Start with
//! [`encode`].
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod calibrate;
mod encoder;
pub mod fit;
mod frac_bits;
pub mod import;
pub mod plan;
pub mod pyramid;
pub mod rng;
pub mod size;
#[cfg(test)]
mod size_tests;
pub mod steps;

pub use encoder::*;
