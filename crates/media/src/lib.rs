//! Frames in and out: YUV4MPEG2, raw planar files, pictures and animations, any container through
//! ffmpeg, MD5, nothing.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod aspect;
mod cadence;
mod extension;
mod guard;
mod images;
mod mapped;
mod md5;
#[cfg(feature = "ffmpeg")]
mod media;
mod memory;
mod opaque;
mod open;
mod output;
mod pattern;
mod picture;
mod png;
mod range;
mod raw;
mod raw_name;

mod sink;
mod sink_format;
mod size;
mod source;
mod source_options;
mod stdout;
mod temporary;
#[cfg(feature = "ffmpeg")]
mod turn;
mod y4m;

pub use guard::FileGuard;
pub use images::{ImageSink, Packing};
pub use md5::{Md5Sink, hex};
#[cfg(feature = "ffmpeg")]
pub use media::MediaSource;
pub use memory::MemorySource;
pub use opaque::with_alpha_of;
pub use open::{open_sink, open_source};
pub use output::Output;
pub use pattern::Pattern;
pub use picture::{AnimationSource, PictureSource, frame_of};
pub use range::{KeepGoing, SourceRange, parse_range};
pub use raw::{RawSink, RawSource};
pub use raw_name::is_raw_name;
pub use sink::{BoxedSink, FrameSink, NullSink};
pub use sink_format::{SinkFormat, not_held};
pub use size::{MAX_SIDE, parse_size};
pub use source::{BoxedSource, FrameSource, Survey, Takes};
pub use source_options::SourceOptions;
pub use stdout::{check_stdout, is_stdout, look_at_stdout};
pub use temporary::{TemporaryFolder, remove_all as remove_temporaries};
pub use y4m::{Y4mSink, Y4mSource, write_header as write_y4m_header};

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
