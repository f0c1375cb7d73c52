//! nvc: a neural video and image codec with an exact decoder.
//!
//! An encoder fits a small neural network to each group of frames, quantises its weights and entropy-codes them; the
//! decoder turns them back into frames with integer arithmetic alone, so a file gives the same samples everywhere. Start
//! with [`decoder`]; `bitstream-spec/` is the normative document.
//!
//! ```no_run
//! use nvc::decoder::{Options, StreamDecoder};
//!
//! # fn main() -> nvc::Result<()> {
//! let file = std::fs::File::open("clip.nvc").map_err(|e| nvc::Error::io("opening clip.nvc", e))?;
//! let mut decoder = StreamDecoder::new(std::io::BufReader::new(file), Options::default())?;
//! println!("{:?}", decoder.info());
//! decoder.decode(0..u64::MAX, &mut |index, frame| {
//!     println!("frame {index}: first luma sample {}", frame.planes[0].data[0]);
//!     Ok(())
//! })
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod bitstream;
pub mod color;
pub mod decoder;
pub mod entropy;
pub mod error;
pub mod frame;
pub mod group;
pub mod metrics;
pub mod network;
pub mod synth;

pub use error::{Error, Result};
