//! YUV4MPEG2 in and out.

mod header;
mod sink;
mod source;

pub use header::{MAGIC, write as write_header};
pub use sink::Y4mSink;
pub use source::Y4mSource;
