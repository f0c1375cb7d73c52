//! nvc: a neural video and image codec with an exact decoder.
//!
//! An encoder fits a small neural network to each group of frames, quantises its weights and
//! entropy-codes them; the decoder turns them back into frames with integer arithmetic alone, so a
//! file gives the same samples everywhere. This crate is the format and its decoder;
//! `bitstream-spec/` is the normative document. [`Decoder`] is the short way in, [`decoder`] the
//! tour's start.
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

// Between a file's bytes and its samples nothing is computed in floating point; what is, is the
// encoder's, and says so.
#[deny(clippy::float_arithmetic)]
pub mod bitstream;
pub mod color;
#[deny(clippy::float_arithmetic)]
pub mod decoder;
#[deny(clippy::float_arithmetic)]
pub mod entropy;
pub mod error;
#[deny(clippy::float_arithmetic)]
pub mod frame;
mod frames;
#[deny(clippy::float_arithmetic)]
pub mod group;
pub mod metrics;
#[deny(clippy::float_arithmetic)]
pub mod network;
#[deny(clippy::float_arithmetic)]
pub mod synth;

pub use bitstream::Limits;
pub use decoder::Options;
pub use error::{Error, Result};
pub use frame::{Frame, VideoInfo};
pub use frames::{Decoder, Frames};
