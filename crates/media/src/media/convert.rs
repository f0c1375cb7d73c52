//! Pictures of ffmpeg's formats as frames.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling::{Context as Scaler, Flags};

use super::notes::{self, Notes};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, PixelFormat, VideoInfo};

/// Makes frames of the pictures of one stream.
pub struct Converter {
    file: String,
    /// What the pictures come as, and the way from there to our format where it is another.
    conversion: Option<(Pixel, Scaler)>,
}

impl Converter {
    /// For a stream that begins with `picture`; also the format to deliver, and whether its very
    /// name means full range. `file` is named in errors.
    pub fn new(file: &str, picture: &Video, notes: &Notes) -> Result<(Self, PixelFormat, bool)> {
        let descriptor = picture.format().descriptor();
        let d = descriptor
            .ok_or_else(|| Error::Unsupported(format!("{file}: pictures of unknown format")))?;
        let name = d.name();
        let full = name.starts_with("yuvj");
        let native = PixelFormat::from_name(&name.replace("yuvj", "yuv"));
        let upside_down = picture.planes() == 0 || picture.stride(0) > isize::MAX as usize;
        if let (Ok(format), false) = (&native, upside_down) {
            let plain = Converter {
                file: file.into(),
                conversion: None,
            };
            return Ok((plain, *format, full));
        }
        let starts = |list: &[&str]| list.iter().any(|p| name.starts_with(p));
        let chroma = if starts(&["gray", "ya", "mono"]) {
            Chroma::Gray
        } else if starts(&[
            "rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr", "bayer",
        ]) {
            Chroma::Rgb
        } else if d.log2_chroma_h() > 0 && d.log2_chroma_w() > 0 {
            Chroma::Yuv420
        } else {
            Chroma::Yuv444
        };
        // Formats above 8 bits have a byte order in their name.
        let bit_depth = if name.ends_with("le") || name.ends_with("be") {
            10
        } else {
            8
        };
        let format = native.unwrap_or(PixelFormat { chroma, bit_depth });
        let target = match (format.chroma, full) {
            (Chroma::Yuv420, true) => Pixel::YUVJ420P,
            (Chroma::Yuv444, true) => Pixel::YUVJ444P,
            _ => format.name().parse().map_err(|_| {
                Error::Unsupported(format!("ffmpeg does not know {}", format.name()))
            })?,
        };
        let (w, h) = (picture.width(), picture.height());
        let flags = Flags::BICUBIC | Flags::ACCURATE_RND | Flags::BITEXACT;
        let scaler = Scaler::get(picture.format(), w, h, target, w, h, flags).map_err(|e| {
            Error::Unsupported(format!(
                "{file}: converting {name} to {}: {e}",
                format.name()
            ))
        })?;
        // only the order of samples changes
        let same = ["rgb24", "bgr24", "rgb0", "bgr0", "0rgb", "0bgr"].contains(&name);
        if !upside_down && !same {
            let more = if name.contains('a') && !starts(&["gray", "bayer", "pal8"]) {
                ", alpha is dropped; flatten it first where it matters"
            } else {
                ""
            };
            notes::add(
                notes,
                format!("{name} pictures are converted to {}{more}", format.name()),
            );
        }
        let converting = Converter {
            file: file.into(),
            conversion: Some((picture.format(), scaler)),
        };
        Ok((converting, format, full))
    }

    /// A picture as a frame of the geometry and format of `info`.
    pub fn copy(&mut self, picture: &Video, info: &VideoInfo) -> Result<Frame> {
        let (w, h) = (picture.width() as usize, picture.height() as usize);
        if (w, h) != (info.width, info.height) {
            let what = format!(
                "{}: the picture size changes from {}x{} to {w}x{h} within the stream",
                self.file, info.width, info.height
            );
            return Err(Error::Unsupported(what));
        }
        let mut converted = Video::empty();
        let source = match &mut self.conversion {
            Some((from, scaler)) if *from == picture.format() => {
                scaler.run(picture, &mut converted).map_err(|e| {
                    Error::Unsupported(format!("{}: converting a picture: {e}", self.file))
                })?;
                &converted
            }
            _ => picture,
        };
        let name = source
            .format()
            .descriptor()
            .map_or("unknown", |d| d.name())
            .replace("yuvj", "yuv");
        if name != info.format.name() {
            return Err(Error::Unsupported(format!(
                "{}: the pixel format changes from {} to {name} within the stream",
                self.file,
                info.format.name()
            )));
        }
        let bytes = info.format.bytes_per_sample();
        let mut frame = Frame::new(info.format, w, h);
        for (p, plane) in frame.planes.iter_mut().enumerate() {
            let short =
                || Error::Unsupported(format!("{}: plane {p} of a picture is missing", self.file));
            if p >= source.planes() || source.stride(p) > isize::MAX as usize {
                return Err(short());
            }
            let (stride, data, width) = (source.stride(p), source.data(p), plane.width);
            for (y, row) in plane.data.chunks_exact_mut(width).enumerate() {
                let from = data
                    .get(y * stride..y * stride + width * bytes)
                    .ok_or_else(short)?;
                if bytes == 1 {
                    row.iter_mut()
                        .zip(from)
                        .for_each(|(d, &s)| *d = u16::from(s));
                } else {
                    let max = info.format.max_value();
                    row.iter_mut()
                        .zip(from.chunks_exact(2))
                        .for_each(|(d, s)| *d = u16::from_le_bytes([s[0], s[1]]).min(max));
                }
            }
        }
        Ok(frame)
    }
}
