//! YUV4MPEG2 out.

use std::io::Write;

use super::header::write;
use crate::output::Output;
use crate::sink::FrameSink;
use nvc::color::check_frame;
use nvc::error::Result;
use nvc::frame::{Frame, VideoInfo};

/// Writes frames as YUV4MPEG2.
pub struct Y4mSink {
    info: VideoInfo,
    out: Output,
    raw: Vec<u8>,
}

impl Y4mSink {
    /// Writes the stream header. RGB has no y4m form and is an [`Unsupported`](nvc::Error::Unsupported).
    pub fn new(out: Output, info: &VideoInfo) -> Result<Self> {
        let mut sink = Y4mSink {
            info: *info,
            out,
            raw: Vec::new(),
        };
        let header = write(info)?;
        sink.out
            .write_all(header.as_bytes())
            .map_err(|e| sink.out.error(e))?;
        Ok(sink)
    }
}

impl FrameSink for Y4mSink {
    fn write(&mut self, frame: &Frame) -> Result<()> {
        check_frame(&self.info, frame)?;
        frame.write_raw(self.info.format, &mut self.raw);
        self.out
            .write_all(b"FRAME\n")
            .and_then(|()| self.out.write_all(&self.raw))
            .map_err(|e| self.out.error(e))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.out.commit()?;
        Ok(None)
    }
}
