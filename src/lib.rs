//! nvc: a neural video and image codec with an exact decoder.
//!
//! An encoder fits a small neural network to each group of frames, quantises its weights and
//! entropy-codes them; the decoder turns them back into frames with integer arithmetic alone, so a
//! file gives the same samples everywhere. This crate is the format and its decoder;
//! `bitstream-spec/` is the normative document. Start with [`Decoder`].
//!
//! ```no_run
//! # fn main() -> nvc::Result<()> {
//! let file = std::fs::File::open("clip.nvc").map_err(|e| nvc::Error::io("opening clip.nvc", e))?;
//! let decoder = nvc::Decoder::new(std::io::BufReader::new(file))?;
//! println!("{:?}", decoder.info());
//! for frame in decoder.frames(0..u64::MAX) {
//!     let (number, frame) = frame?;
//!     println!("frame {number}: first luma sample {}", frame.planes[0].data[0]);
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(not(feature = "internals"), allow(dead_code, unused_imports))]

// The encoder, tests, benches and fuzzing reach into these with the feature `internals`, which
// promises nothing. Between a file's bytes and its samples nothing is computed in floating point.
#[cfg(feature = "internals")]
#[doc(hidden)]
#[deny(clippy::float_arithmetic)]
pub mod bitstream;
#[cfg(not(feature = "internals"))]
mod bitstream;
#[cfg(feature = "internals")]
#[doc(hidden)]
#[deny(clippy::float_arithmetic)]
pub mod decoder;
#[cfg(not(feature = "internals"))]
mod decoder;
#[cfg(feature = "internals")]
#[doc(hidden)]
#[deny(clippy::float_arithmetic)]
pub mod entropy;
#[cfg(not(feature = "internals"))]
mod entropy;
#[cfg(feature = "internals")]
#[doc(hidden)]
#[deny(clippy::float_arithmetic)]
pub mod group;
#[cfg(not(feature = "internals"))]
mod group;
#[cfg(feature = "internals")]
#[doc(hidden)]
#[deny(clippy::float_arithmetic)]
pub mod network;
#[cfg(not(feature = "internals"))]
mod network;
#[cfg(feature = "internals")]
#[doc(hidden)]
#[deny(clippy::float_arithmetic)]
pub mod synth;
#[cfg(not(feature = "internals"))]
mod synth;

pub mod color;
pub mod error;
#[deny(clippy::float_arithmetic)]
pub mod frame;
mod frames;
pub mod metrics;

pub use bitstream::Limits;
pub use decoder::Options;
pub use error::{Error, Result};
pub use frame::{Frame, VideoInfo};
pub use frames::{Decoder, Frames};
pub use synth::SimdLevel;
