//! nvc: a neural video and image codec with an exact decoder.
#![forbid(unsafe_code)]
pub mod anchors;
pub mod color;
pub mod error;
pub mod frame;
pub mod io;
pub mod metrics;
pub use error::{Error, Result};
