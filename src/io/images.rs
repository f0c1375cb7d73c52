//! PNG and JPEG pictures, single or as numbered sequences (`f_%05d.png`).

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Write};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, ImageReader};

use super::output::Output;
use super::{FrameSink, FrameSource, MAX_SIDE, SourceOptions};
use crate::color::{ToRgb, check_frame};
use crate::error::{Error, Result};
use crate::frame::{Chroma, ColorInfo, Frame, PixelFormat, Range, Ratio, VideoInfo};

const JPEG_QUALITY: u8 = 95;
/// Largest picture file taken, and largest buffer its decoding may allocate.
const MAX_BYTES: u64 = 1 << 31;

/// A file name with one frame number in it, as in `f_%05d.png` or `f%d.png`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    prefix: String,
    digits: usize,
    suffix: String,
}

impl Pattern {
    /// Finds the frame number in `path`; `None` if there is none or more than one.
    pub fn parse(path: &str) -> Option<Self> {
        let (prefix, rest) = path.split_once('%')?;
        let (number, suffix) = rest.split_once('d')?;
        let digits = if number.is_empty() { 0 } else { number.strip_prefix('0')?.parse().ok().filter(|&n| n <= 18)? };
        if !number.bytes().all(|b| b.is_ascii_digit()) || suffix.contains('%') {
            return None;
        }
        Some(Pattern { prefix: prefix.into(), digits, suffix: suffix.into() })
    }

    /// The name of picture `n`.
    pub fn path(&self, n: u64) -> String {
        format!("{}{n:0digits$}{}", self.prefix, self.suffix, digits = self.digits)
    }
}

/// Reads one picture, or a sequence of them.
pub struct ImageSource {
    info: VideoInfo,
    first: Option<Frame>,
    rest: Option<(Pattern, u64)>,
    frames: u64,
}

impl ImageSource {
    /// Reads a single picture from `reader`.
    pub fn single(reader: impl Read, name: &str, opts: &SourceOptions) -> Result<Self> {
        let (frame, format, (width, height)) = load(reader, name)?;
        let info = info(format, width, height, opts);
        Ok(ImageSource { info, first: Some(frame), rest: None, frames: 1 })
    }

    /// Opens a sequence; its first picture has number 0 or 1.
    pub fn sequence(pattern: Pattern, opts: &SourceOptions) -> Result<Self> {
        let there = |n: u64| Path::new(&pattern.path(n)).exists();
        let Some(start) = [0, 1].into_iter().find(|&n| there(n)) else {
            let what = format!("opening picture sequence: neither {} nor {}", pattern.path(0), pattern.path(1));
            return Err(Error::io(what, std::io::ErrorKind::NotFound.into()));
        };
        let frames = (start..).take_while(|&n| there(n)).count() as u64;
        let (frame, format, (width, height)) = open(&pattern.path(start))?;
        let info = info(format, width, height, opts);
        Ok(ImageSource { info, first: Some(frame), rest: Some((pattern, start + 1)), frames })
    }
}

impl FrameSource for ImageSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        if let Some(frame) = self.first.take() {
            return Ok(Some(frame));
        }
        let Some((pattern, next)) = &mut self.rest else { return Ok(None) };
        let path = pattern.path(*next);
        if !Path::new(&path).exists() {
            return Ok(None);
        }
        *next += 1;
        let (frame, format, size) = open(&path)?;
        let i = &self.info;
        if format != i.format || size != (i.width, i.height) {
            let (name, (w, h)) = (format.name(), size);
            let what = format!("{path} is {name} {w}x{h}, the pictures before it {} {}x{}", i.format.name(), i.width, i.height);
            return Err(Error::Unsupported(what));
        }
        Ok(Some(frame))
    }

    fn frames_hint(&self) -> Option<u64> {
        Some(self.frames)
    }
}

fn info(format: PixelFormat, width: usize, height: usize, opts: &SourceOptions) -> VideoInfo {
    VideoInfo {
        width,
        height,
        format,
        fps: opts.fps.unwrap_or(Ratio { num: 25, den: 1 }),
        sar: Ratio { num: 0, den: 0 },
        // Unlabelled pictures are sRGB.
        color: ColorInfo {
            primaries: 1,
            transfer: 13,
            matrix: if format.chroma == Chroma::Rgb { 0 } else { 2 },
            range: Range::Full,
            ..ColorInfo::UNSPECIFIED
        },
    }
}

type Loaded = (Frame, PixelFormat, (usize, usize));

fn open(path: &str) -> Result<Loaded> {
    let file = File::open(path).map_err(|e| Error::io(format!("opening {path}"), e))?;
    load(BufReader::new(file), path)
}

fn load(reader: impl Read, name: &str) -> Result<Loaded> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|e| Error::io(format!("reading {name}"), e))?;
    let format = image::guess_format(&bytes).ok().filter(|f| matches!(f, ImageFormat::Png | ImageFormat::Jpeg));
    let format = format.ok_or_else(|| Error::format(0, format!("{name}: neither PNG nor JPEG")))?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| picture_error(name, e))?;
    let size = (picture.width() as usize, picture.height() as usize);
    let (samples, step) = match picture {
        DynamicImage::ImageLuma8(i) => (i.into_raw(), 1),
        DynamicImage::ImageRgb8(i) => (i.into_raw(), 3),
        DynamicImage::ImageLumaA8(i) => (i.into_raw(), 2),
        DynamicImage::ImageRgba8(i) => (i.into_raw(), 4),
        other => {
            let what =
                format!("{name}: picture of type {:?} (known: 8-bit gray and RGB); reduce it to 8 bits a sample first", other.color());
            return Err(Error::Unsupported(what));
        }
    };
    if step % 2 == 0
        && let Some(i) = samples.chunks_exact(step).position(|p| p[step - 1] != 255)
    {
        let (x, y) = (i % size.0, i / size.0);
        return Err(Error::Unsupported(format!(
            "{name}: picture with transparency (first at x={x} y={y}); flatten its alpha channel first"
        )));
    }
    let chroma = if step < 3 { Chroma::Gray } else { Chroma::Rgb };
    let mut frame = Frame::new(PixelFormat::new8(chroma), size.0, size.1);
    // Plane order is G, B, R.
    for (plane, channel) in frame.planes.iter_mut().zip(if step < 3 { [0, 0, 0] } else { [1, 2, 0] }) {
        plane.data.iter_mut().zip(samples.chunks_exact(step)).for_each(|(d, s)| *d = u16::from(s[channel]));
    }
    Ok((frame, PixelFormat::new8(chroma), size))
}

fn picture_error(name: &str, e: image::ImageError) -> Error {
    match e {
        image::ImageError::IoError(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Error::io(format!("reading {name}"), e),
        image::ImageError::Limits(e) => Error::Unsupported(format!("{name}: picture too large: {e} (at most {MAX_SIDE} a side)")),
        image::ImageError::Unsupported(e) => Error::Unsupported(format!("{name}: {e}")),
        e => Error::format(0, format!("{name}: {e}")),
    }
}

/// How pictures are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Lossless.
    Png,
    /// JPEG at quality 95.
    Jpeg,
}

/// Writes a picture, or a sequence numbered from 1. YUV is converted to RGB; ten bits become sixteen in PNG, eight in JPEG.
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
    pub fn new(path: &str, packing: Packing, info: &VideoInfo) -> Result<Self> {
        let pattern = Pattern::parse(path);
        let single = if pattern.is_none() { Some(Output::create(path)?) } else { None };
        Ok(ImageSink { info: *info, convert: ToRgb::new(info), packing, path: path.into(), pattern, written: 0, single })
    }

    fn pack(&self, frame: &Frame) -> Result<Vec<u8>> {
        if self.packing == Packing::Png {
            return super::png::pack(&self.path, frame, &self.info, &self.convert);
        }
        let (w, h) = (self.info.width as u32, self.info.height as u32);
        let (data, color) = if self.info.format == PixelFormat::new8(Chroma::Gray) {
            (frame.planes[0].data.iter().map(|&v| v as u8).collect(), ExtendedColorType::L8)
        } else {
            (self.convert.convert(frame)?.data, ExtendedColorType::Rgb8)
        };
        let mut bytes = Vec::new();
        let written = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).write_image(&data, w, h, color);
        written.map_err(|e| Error::Unsupported(format!("{}: packing a {w}x{h} picture: {e}", self.path)))?;
        Ok(bytes)
    }
}

impl FrameSink for ImageSink {
    fn write(&mut self, frame: &Frame) -> Result<()> {
        check_frame(&self.info, frame)?;
        if self.pattern.is_none() && self.written > 0 {
            let what =
                format!("{}: more than one frame for one picture file; number them, as in f_%05d.png, or choose --frames", self.path);
            return Err(Error::Parameter(what));
        }
        let bytes = self.pack(frame)?;
        self.written += 1;
        let put = |out: &mut Output| out.write_all(&bytes).map_err(|e| out.error(e));
        match (&mut self.single, &self.pattern) {
            (Some(out), _) => put(out),
            (None, Some(pattern)) => {
                let mut out = Output::create(&pattern.path(self.written))?;
                put(&mut out)?;
                out.commit()
            }
            (None, None) => Err(Error::Parameter(format!("{}: finished already", self.path))),
        }
    }

    fn finish(&mut self) -> Result<Option<String>> {
        if self.written == 0 {
            return Err(Error::Parameter(format!("{}: no frame to write", self.path)));
        }
        if let Some(mut out) = self.single.take() {
            out.commit()?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::png::PngEncoder;

    use super::*;

    #[test]
    fn patterns() {
        let p = Pattern::parse("d/f_%05d.png").unwrap();
        assert_eq!(p.path(7), "d/f_00007.png");
        assert_eq!(Pattern::parse("%d.jpg").unwrap().path(12), "12.jpg");
        for no in ["a.png", "100%.png", "a%5d.png", "a%0xd.png", "a%03d%03d.png", "a%099d.png"] {
            assert_eq!(Pattern::parse(no), None, "{no}");
        }
    }

    fn png(data: &[u8], w: u32, h: u32, color: ExtendedColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes).write_image(data, w, h, color).unwrap();
        bytes
    }

    #[test]
    fn opaque_alpha_is_dropped_other_alpha_refused() {
        let (f, format, _) = load(&png(&[1, 2, 3, 255, 4, 5, 6, 255], 2, 1, ExtendedColorType::Rgba8)[..], "x").unwrap();
        assert_eq!(
            (format.name(), &f.planes[0].data, &f.planes[1].data, &f.planes[2].data),
            ("gbrp", &vec![2, 5], &vec![3, 6], &vec![1, 4])
        );
        let e = load(&png(&[1, 2, 3, 255, 4, 5, 6, 254], 2, 1, ExtendedColorType::Rgba8)[..], "x").unwrap_err();
        assert!(matches!(&e, Error::Unsupported(m) if m.contains("x=1 y=0")), "{e}");
        let e = load(&png(&[0; 4], 2, 1, ExtendedColorType::L16)[..], "x").unwrap_err();
        assert!(matches!(e, Error::Unsupported(_)), "{e}");
    }

    #[test]
    fn torn_and_foreign_files() {
        let whole = png(&[9; 300], 10, 10, ExtendedColorType::Rgb8);
        assert!(matches!(load(&whole[..whole.len() / 2], "x"), Err(Error::Format { .. })));
        assert!(matches!(load(&b"GIF89a"[..], "x"), Err(Error::Format { .. })));
    }
}
