//! Any container and codec that ffmpeg reads.
//!
//! The decoder runs on a thread of its own, a few pictures ahead of its reader.

mod color;
mod convert;
mod decoder;
mod notes;
mod scan;
mod source;
mod worker;

pub use source::MediaSource;
