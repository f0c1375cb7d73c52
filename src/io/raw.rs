//! Raw planar video: frames one after another without any header.

use std::io::{Read, Write};

use super::output::Output;
use super::{FrameSink, FrameSource, MAX_SIDE, SourceOptions, check_size};
use crate::color::check_frame;
use crate::error::{Error, Result};
use crate::frame::{Chroma, ColorInfo, Frame, PixelFormat, Ratio, VideoInfo};

/// Reads raw planar frames.
pub struct RawSource<R> {
    name: String,
    info: VideoInfo,
    reader: R,
    total: Option<u64>,
    at: u64,
    raw: Vec<u8>,
}

impl<R: Read> RawSource<R> {
    /// Takes the geometry from `opts`: `size_in` is required, `pix_fmt` defaults to yuv420p and `fps` to 25.
    /// `total` is the length of the whole file where known.
    pub fn new(reader: R, name: &str, total: Option<u64>, opts: &SourceOptions) -> Result<Self> {
        let (width, height) = opts
            .size_in
            .ok_or_else(|| Error::Parameter(format!("{name}: raw video has no header; give its size, as in --size-in 1920x1080")))?;
        if width == 0 || height == 0 {
            return Err(Error::Parameter(format!("{name}: --size-in {width}x{height} (both sides 1..={MAX_SIDE})")));
        }
        let info = VideoInfo {
            width,
            height,
            format: opts.pix_fmt.unwrap_or(PixelFormat::new8(Chroma::Yuv420)),
            fps: opts.fps.unwrap_or(Ratio { num: 25, den: 1 }),
            sar: Ratio { num: 0, den: 0 },
            color: ColorInfo::UNSPECIFIED,
        };
        Self::with_info(reader, name, total, &info)
    }

    /// A source of known geometry.
    pub fn with_info(reader: R, name: &str, total: Option<u64>, info: &VideoInfo) -> Result<Self> {
        check_size(info.width, info.height)?;
        Ok(RawSource { name: name.into(), info: *info, reader, total, at: 0, raw: Vec::new() })
    }
}

impl<R: Read> FrameSource for RawSource<R> {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let want = self.info.format.frame_bytes(self.info.width, self.info.height);
        self.raw.clear();
        let got = self.reader.by_ref().take(want as u64).read_to_end(&mut self.raw);
        let got = got.map_err(|e| Error::io(format!("reading {}", self.name), e))?;
        if got == 0 {
            return Ok(None);
        }
        let start = self.at;
        self.at += got as u64;
        if got < want {
            let (name, f) = (&self.name, self.info.format.name());
            let what =
                format!("{name}: the last frame has {got} of {want} bytes; is it really {f} of {}x{}?", self.info.width, self.info.height);
            return Err(Error::format(start, what));
        }
        Frame::read_raw(self.info.format, self.info.width, self.info.height, &self.raw).map(Some).map_err(|e| match e {
            Error::Format { offset, what } => Error::format(start + offset, format!("{}: {what}", self.name)),
            e => e,
        })
    }

    fn frames_hint(&self) -> Option<u64> {
        self.total.map(|t| t / self.info.format.frame_bytes(self.info.width, self.info.height) as u64)
    }
}

/// Writes raw planar frames.
pub struct RawSink {
    info: VideoInfo,
    out: Output,
    raw: Vec<u8>,
}

impl RawSink {
    /// A sink for frames of `info`'s geometry.
    pub fn new(out: Output, info: &VideoInfo) -> Self {
        RawSink { info: *info, out, raw: Vec::new() }
    }
}

impl FrameSink for RawSink {
    fn write(&mut self, frame: &Frame) -> Result<()> {
        check_frame(&self.info, frame)?;
        frame.write_raw(self.info.format, &mut self.raw);
        self.out.write_all(&self.raw).map_err(|e| self.out.error(e))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.out.commit()?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_required_and_tail_is_an_error() {
        let e = RawSource::new(&b""[..], "a.yuv", None, &SourceOptions::default()).err().unwrap();
        assert!(matches!(&e, Error::Parameter(m) if m.contains("--size-in")), "{e}");
        let opts = SourceOptions { size_in: Some((2, 2)), ..Default::default() };
        let mut s = RawSource::new(&[7u8; 10][..], "a.yuv", Some(10), &opts).unwrap();
        assert_eq!(s.frames_hint(), Some(1));
        assert_eq!(s.read().unwrap().unwrap().planes[2].data, [7]);
        assert!(matches!(s.read(), Err(Error::Format { offset: 6, .. })));
    }
}
