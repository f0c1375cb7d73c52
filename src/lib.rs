//! nvc: a neural video and image codec with an exact decoder.
#![forbid(unsafe_code)]
pub mod error;
pub mod frame;
pub use error::{Error, Result};
#[cfg(feature = "encode")]
pub mod fit;
