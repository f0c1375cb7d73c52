//! nvc: a neural video and image codec with an exact decoder.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
pub mod bitstream;
pub mod decoder;
#[cfg(feature = "encode")]
pub mod fit;
#[cfg(feature = "encode")]
pub mod rng;
pub mod entropy;
pub mod error;
pub mod frame;
pub mod group;
pub mod network;
pub mod synth;
pub use error::{Error, Result};
