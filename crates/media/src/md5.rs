//! MD5 of the raw planar frames, as `ffmpeg -f md5` prints it.

use std::io::Write;

use md5::{Digest, Md5};

use super::output::Output;
use super::sink::FrameSink;
use nvc::color::check_frame;
use nvc::error::Result;
use nvc::frame::{Frame, VideoInfo};

/// Bytes in lower-case hexadecimal, two digits each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Digests frames in order.
pub struct Md5Sink {
    info: VideoInfo,
    md5: Md5,
    out: Option<Output>,
    raw: Vec<u8>,
}

impl Md5Sink {
    /// Without `out`, [`FrameSink::finish`] returns the line; with it, the line is written there.
    pub fn new(out: Option<Output>, info: &VideoInfo) -> Self {
        Md5Sink {
            info: *info,
            md5: Md5::new(),
            out,
            raw: Vec::new(),
        }
    }
}

impl FrameSink for Md5Sink {
    fn write(&mut self, frame: &Frame) -> Result<()> {
        check_frame(&self.info, frame)?;
        frame.write_raw(self.info.format, &mut self.raw);
        self.md5.update(&self.raw);
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<String>> {
        let line = format!("MD5={}", hex(&self.md5.finalize_reset()));
        let Some(out) = &mut self.out else {
            return Ok(Some(line));
        };
        writeln!(out, "{line}").map_err(|e| out.error(e))?;
        out.commit()?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::info;
    use nvc::frame::Chroma;

    #[test]
    fn known_digest() {
        let info = info(Chroma::Gray, 8, 3, 1);
        let mut sink = Md5Sink::new(None, &info);
        sink.write(&Frame::read_raw(info.format, 3, 1, b"abc").unwrap())
            .unwrap();
        // RFC 1321's test suite.
        assert_eq!(
            sink.finish().unwrap().unwrap(),
            "MD5=900150983cd24fb0d6963f7d28e17f72"
        );
    }
}
