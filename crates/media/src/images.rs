//! PNG and JPEG pictures to write, single or as numbered sequences (`f_%05d.png`).

use std::io::Write;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::output::Output;
use super::pattern::Pattern;
use super::sink::FrameSink;
use nvc::color::{ToRgb, check_frame};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, PixelFormat, VideoInfo};

const JPEG_QUALITY: u8 = 95;

/// How pictures are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Lossless.
    Png,
    /// JPEG at quality 95.
    Jpeg,
}

/// Writes a picture, or a sequence numbered from 1. YUV is converted to RGB; ten bits become
/// sixteen in PNG, eight in JPEG.
pub struct ImageSink {
    info: VideoInfo,
    convert: ToRgb,
    packing: Packing,
    path: String,
    pattern: Option<Pattern>,
    written: u64,
    /// A single picture takes its name only at the end, as every file does.
    single: Option<Output>,
}

impl ImageSink {
    /// `path` is a file, a pattern, or `-`.
    pub fn new(path: impl AsRef<Path>, packing: Packing, info: &VideoInfo) -> Result<Self> {
        let path = path.as_ref();
        let pattern = Pattern::parse(path);
        let single = if pattern.is_none() {
            Some(Output::create(path)?)
        } else {
            None
        };
        if let Some(p) = &pattern {
            // what will fail at the first picture shall not wait for it
            drop(Output::create(p.path(1))?);
            let folder = p
                .numbers()?
                .into_iter()
                .map(|n| p.path(n))
                .find(|f| f.is_dir());
            if let Some(f) = folder {
                return Err(Error::io(
                    format!("creating {}", f.display()),
                    std::io::ErrorKind::IsADirectory.into(),
                ));
            }
        }
        Ok(ImageSink {
            info: *info,
            convert: ToRgb::new(info),
            packing,
            path: path.display().to_string(),
            pattern,
            written: 0,
            single,
        })
    }

    fn pack(&self, frame: &Frame) -> Result<Vec<u8>> {
        if self.packing == Packing::Png {
            return super::png::pack(&self.path, frame, &self.info, &self.convert);
        }
        let (w, h) = (self.info.width as u32, self.info.height as u32);
        let (data, color) = if self.info.format == PixelFormat::new8(Chroma::Gray) {
            (
                frame.planes[0].data.iter().map(|&v| v as u8).collect(),
                ExtendedColorType::L8,
            )
        } else {
            (self.convert.convert(frame)?.data, ExtendedColorType::Rgb8)
        };
        let mut bytes = Vec::new();
        let written =
            JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).write_image(&data, w, h, color);
        written.map_err(|e| {
            Error::Unsupported(format!("{}: packing a {w}x{h} picture: {e}", self.path))
        })?;
        Ok(bytes)
    }
}

impl FrameSink for ImageSink {
    fn write(&mut self, frame: &Frame) -> Result<()> {
        check_frame(&self.info, frame)?;
        if self.pattern.is_none() && self.written > 0 {
            let what = format!(
                "{}: more than one frame for one picture file; number them, as in f_%05d.png, or choose --frames",
                self.path
            );
            return Err(Error::Parameter(what));
        }
        let bytes = self.pack(frame)?;
        self.written += 1;
        let put = |out: &mut Output| out.write_all(&bytes).map_err(|e| out.error(e));
        match (&mut self.single, &self.pattern) {
            (Some(out), _) => put(out),
            (None, Some(pattern)) => {
                let mut out = Output::create(pattern.path(self.written))?;
                put(&mut out)?;
                out.commit()
            }
            (None, None) => Err(Error::Parameter(format!("{}: finished already", self.path))),
        }
    }

    fn finish(&mut self) -> Result<Option<String>> {
        if self.written == 0 {
            return Err(Error::Parameter(format!(
                "{}: no frame to write",
                self.path
            )));
        }
        if let Some(mut out) = self.single.take() {
            out.commit()?;
        }
        Ok(None)
    }
}
