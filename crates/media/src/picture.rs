//! One PNG, JPEG, WebP or GIF picture with all it says of itself.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::aspect::{UNKNOWN, sample_aspect};
use super::{MAX_SIDE, check_size, picture_color};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, ColorInfo, Frame, PixelFormat, Ratio};

/// Largest picture file taken, and largest buffer its decoding may allocate.
const MAX_BYTES: u64 = 1 << 31;

/// A picture, upright.
pub struct Picture {
    pub frame: Frame,
    pub format: PixelFormat,
    pub size: (usize, usize),
    pub color: ColorInfo,
    pub sar: Ratio,
    /// What could not be kept.
    pub warnings: Vec<String>,
}

/// The format of a picture file by its first bytes, of those that are known.
pub fn sniff(head: &[u8]) -> Option<ImageFormat> {
    match head {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', ..] => Some(ImageFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Some(ImageFormat::Jpeg),
        [b'G', b'I', b'F', b'8', ..] => Some(ImageFormat::Gif),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(ImageFormat::WebP),
        _ => None,
    }
}

/// All bytes of a picture file.
pub fn read_all(reader: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io(format!("reading {name}"), e))?;
    Ok(bytes)
}

/// Opens and decodes a file.
pub fn open(path: &Path) -> Result<Picture> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| Error::io(format!("opening {name}"), e))?;
    decode(&read_all(BufReader::new(file), &name)?, &name)
}

/// Format and size of a picture, upright, from the start of its file.
pub fn peek(path: &Path) -> Result<(PixelFormat, (usize, usize))> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| Error::io(format!("opening {name}"), e))?;
    let mut reader = ImageReader::new(BufReader::new(file))
        .with_guessed_format()
        .map_err(|e| Error::io(format!("reading {name}"), e))?;
    if reader.format() == Some(ImageFormat::Pnm) {
        // no source, though there may be a decoder of it in the program
        reader.clear_format();
    }
    let mut decoder = reader.into_decoder().map_err(|e| picture_error(&name, e))?;
    let (w, h) = decoder.dimensions();
    let turned = decoder
        .orientation()
        .map_err(|e| picture_error(&name, e))?
        .to_exif()
        >= 5;
    let color = decoder.color_type();
    let chroma = if color.has_color() {
        Chroma::Rgb
    } else {
        Chroma::Gray
    };
    let wide = usize::from(color.bytes_per_pixel()) > usize::from(color.channel_count());
    let format = PixelFormat {
        chroma,
        bit_depth: if wide { 10 } else { 8 },
    };
    Ok((
        format,
        if turned {
            (h as usize, w as usize)
        } else {
            (w as usize, h as usize)
        },
    ))
}

/// Decodes a still picture.
pub fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    let fail = |e| picture_error(name, e);
    let kind = sniff(bytes).ok_or_else(|| Error::source(name, 0, "no PNG, JPEG, WebP or GIF"))?;
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), kind)
        .into_decoder()
        .map_err(fail)?;
    let (width, height) = decoder.dimensions();
    check_size(name, width as usize, height as usize)?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    decoder.set_limits(limits).map_err(fail)?;
    let mut orientation = decoder.orientation().map_err(fail)?;
    if kind == ImageFormat::Png && orientation == Orientation::NoTransforms {
        orientation = late_exif(bytes)
            .and_then(Orientation::from_exif_chunk)
            .unwrap_or(orientation);
    }
    let icc = decoder.icc_profile().map_err(fail)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(fail)?;
    opaque(&picture, name)?;
    picture.apply_orientation(orientation);

    let mut warnings = Vec::new();
    if super::animation::is_animated(bytes) {
        warnings.push("it is animated: its first picture is taken; by itself it is a video".into());
    }
    if kind == ImageFormat::Jpeg {
        match jpeg_end(bytes) {
            None => warnings.push("it ends before its end marker and seems to be cut short; what is missing is made up".into()),
            Some(end) if bytes[end..].windows(3).any(|w| w == [0xff, 0xd8, 0xff]) => {
                warnings.push("further pictures follow in the file, as in motion JPEG, and are left out; ffmpeg reads them".into());
            }
            Some(_) => {}
        }
    }
    if kind == ImageFormat::Jpeg && components(bytes) == Some(4) {
        warnings.push("CMYK is converted to RGB without its colour profile; convert it first with a colour-managed program".into());
    }
    let (frame, format) = frame_of(&picture, name, &mut warnings)?;
    let png = png_info(bytes);
    let color = picture_color::of(png.as_ref(), icc.as_deref(), format, &mut warnings);
    let mut sar = match kind {
        ImageFormat::Png => png.map_or(UNKNOWN, |i| pixel_aspect(&i, &mut warnings)),
        ImageFormat::Jpeg => jfif_aspect(bytes),
        _ => UNKNOWN,
    };
    if orientation.to_exif() >= 5 {
        sar = Ratio {
            num: sar.den,
            den: sar.num,
        };
    }
    let size = (picture.width() as usize, picture.height() as usize);
    Ok(Picture {
        frame,
        format,
        size,
        color,
        sar,
        warnings,
    })
}

/// A decoded picture as a frame of 8 or 10 bits. `name` is for errors; `warnings` are told what
/// could not be kept.
pub fn frame_of(
    picture: &DynamicImage,
    name: &str,
    warnings: &mut Vec<String>,
) -> Result<(Frame, PixelFormat)> {
    let channels = usize::from(picture.color().channel_count());
    let chroma = if channels < 3 {
        Chroma::Gray
    } else {
        Chroma::Rgb
    };
    let (samples, bit_depth): (Vec<u16>, u8) = match picture {
        DynamicImage::ImageLuma8(i) => (widen(i), 8),
        DynamicImage::ImageRgb8(i) => (widen(i), 8),
        DynamicImage::ImageLumaA8(i) => (widen(i), 8),
        DynamicImage::ImageRgba8(i) => (widen(i), 8),
        DynamicImage::ImageLuma16(i) => (to_ten(i, warnings), 10),
        DynamicImage::ImageRgb16(i) => (to_ten(i, warnings), 10),
        DynamicImage::ImageLumaA16(i) => (to_ten(i, warnings), 10),
        DynamicImage::ImageRgba16(i) => (to_ten(i, warnings), 10),
        other => {
            let what = format!(
                "{name}: picture of type {:?} (known: gray and RGB of 8 or 16 bits); convert it first",
                other.color()
            );
            return Err(Error::Unsupported(what));
        }
    };
    let format = PixelFormat { chroma, bit_depth };
    let mut frame = Frame::new(format, picture.width() as usize, picture.height() as usize);
    // plane order is G, B, R
    for (plane, channel) in
        frame
            .planes
            .iter_mut()
            .zip(if channels < 3 { [0, 0, 0] } else { [1, 2, 0] })
    {
        plane
            .data
            .iter_mut()
            .zip(samples.chunks_exact(channels))
            .for_each(|(d, s)| *d = s[channel]);
    }
    Ok((frame, format))
}

fn widen(samples: &[u8]) -> Vec<u16> {
    samples.iter().map(|&v| u16::from(v)).collect()
}

/// The nearest of 1024 levels; 16 bits are what PNG has for 10.
fn to_ten(samples: &[u16], warnings: &mut Vec<String>) -> Vec<u16> {
    let ten = |v: u16| ((u32::from(v) * 1023 + 32767) / 65535) as u16;
    let back = |v: u16| ((u32::from(v) * 65535 + 511) / 1023) as u16;
    if samples.iter().any(|&v| back(ten(v)) != v) {
        warnings.push("its 16 bits a sample are rounded to 10, the most there is".into());
    }
    samples.iter().map(|&v| ten(v)).collect()
}

/// An error that names the first pixel that is not opaque.
pub fn opaque(picture: &DynamicImage, name: &str) -> Result<()> {
    fn first<T: Copy + PartialEq>(samples: &[T], channels: usize, opaque: T) -> Option<usize> {
        samples
            .chunks_exact(channels)
            .position(|p| p[channels - 1] != opaque)
    }
    let clear = match picture {
        DynamicImage::ImageLumaA8(i) => first(i, 2, 255),
        DynamicImage::ImageRgba8(i) => first(i, 4, 255),
        DynamicImage::ImageLumaA16(i) => first(i, 2, 65535),
        DynamicImage::ImageRgba16(i) => first(i, 4, 65535),
        _ => None,
    };
    let Some(i) = clear else { return Ok(()) };
    let (x, y) = (i % picture.width() as usize, i / picture.width() as usize);
    Err(Error::Unsupported(format!(
        "{name}: picture with transparency (first at x={x} y={y}); flatten its alpha channel first"
    )))
}

/// What stands before the picture of a PNG; nothing of other files.
pub fn png_info(bytes: &[u8]) -> Option<png::Info<'static>> {
    sniff(bytes).filter(|k| *k == ImageFormat::Png)?;
    png::Decoder::new(Cursor::new(bytes))
        .read_info()
        .ok()
        .map(|r| r.info().clone())
}

/// The shape of a PNG's pixels.
fn pixel_aspect(info: &png::Info, warnings: &mut Vec<String>) -> Ratio {
    let Some(d) = info.pixel_dims else {
        return UNKNOWN;
    };
    if d.xppu == d.yppu {
        return UNKNOWN;
    }
    // the more pixels to a unit, the narrower they are
    let (sar, warning) = sample_aspect(d.yppu.into(), d.xppu.into());
    warnings.extend(warning);
    sar
}

/// Colour components of a JPEG, by its frame header.
fn components(bytes: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let marker = [*bytes.get(at)?, *bytes.get(at + 1)?];
        let length = usize::from(u16::from_be_bytes([
            *bytes.get(at + 2)?,
            *bytes.get(at + 3)?,
        ]));
        match marker {
            [0xff, 0xff] => at += 1,
            // frame headers, but not the tables among them
            [0xff, m @ 0xc0..=0xcf] if ![0xc4, 0xc8, 0xcc].contains(&m) => {
                return bytes.get(at + 9).copied();
            }
            [0xff, 0xda] => return None,
            [0xff, _] => at += 2 + length,
            _ => return None,
        }
    }
}

/// The byte behind a JPEG's end marker.
fn jpeg_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        match [*bytes.get(at)?, *bytes.get(at + 1)?] {
            [0xff, 0xd9] => return Some(at + 2),
            // stuffing and restart markers of coded data
            [0xff, 0x00 | 0x01 | 0xd0..=0xd7] => at += 2,
            [0xff, 0xff] => at += 1,
            [0xff, _] => {
                at += 2 + usize::from(u16::from_be_bytes([
                    *bytes.get(at + 2)?,
                    *bytes.get(at + 3)?,
                ]))
            }
            _ => at += 1,
        }
    }
}

/// Shape of a JPEG's pixels, which JFIF says where its densities are of no unit.
fn jfif_aspect(bytes: &[u8]) -> Ratio {
    match bytes {
        [
            _,
            _,
            0xff,
            0xe0,
            _,
            _,
            b'J',
            b'F',
            b'I',
            b'F',
            0,
            _,
            _,
            0,
            x1,
            x0,
            y1,
            y0,
            ..,
        ] => {
            let (x, y) = (
                u16::from_be_bytes([*x1, *x0]),
                u16::from_be_bytes([*y1, *y0]),
            );
            if x == y {
                UNKNOWN
            } else {
                sample_aspect(x.into(), y.into()).0
            }
        }
        _ => UNKNOWN,
    }
}

/// A PNG's Exif where it follows the picture, as the format allows.
fn late_exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
        let data = bytes.get(at + 8..(at + 8).checked_add(length)?)?;
        if &bytes[at + 4..at + 8] == b"eXIf" {
            return Some(data);
        }
        at += 12 + length;
    }
}

/// What a decoder of pictures says, in our words.
pub fn picture_error(name: &str, e: image::ImageError) -> Error {
    match e {
        image::ImageError::IoError(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            Error::source(name, None, e.to_string())
        }
        image::ImageError::IoError(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::io(format!("reading {name}"), e)
        }
        image::ImageError::IoError(_) => Error::source(
            name,
            None,
            "the picture ends too early: its file is cut short",
        ),
        image::ImageError::Limits(e) => Error::Unsupported(format!(
            "{name}: picture too large: {e} (at most {MAX_SIDE} a side)"
        )),
        image::ImageError::Unsupported(e) => Error::Unsupported(format!("{name}: {e}")),
        e => Error::source(name, None, e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::png::PngEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    use super::*;

    fn png(data: &[u8], w: u32, h: u32, color: ExtendedColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(data, w, h, color)
            .unwrap();
        bytes
    }

    #[test]
    fn opaque_alpha_is_dropped_other_alpha_refused() {
        let p = decode(
            &png(
                &[1, 2, 3, 255, 4, 5, 6, 255],
                2,
                1,
                ExtendedColorType::Rgba8,
            ),
            "x",
        )
        .unwrap();
        let [g, b, r] = &p.frame.planes[..] else {
            panic!()
        };
        assert_eq!(
            (p.format.name(), &g.data, &b.data, &r.data),
            ("gbrp", &vec![2, 5], &vec![3, 6], &vec![1, 4])
        );
        let e = decode(
            &png(
                &[1, 2, 3, 255, 4, 5, 6, 254],
                2,
                1,
                ExtendedColorType::Rgba8,
            ),
            "x",
        )
        .err()
        .unwrap();
        assert!(
            matches!(&e, Error::Unsupported(m) if m.contains("x=1 y=0")),
            "{e}"
        );
    }

    #[test]
    fn sixteen_bits_become_ten() {
        let samples: Vec<u8> = [0u16, 64, 65535, 32768]
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect();
        let p = decode(&png(&samples, 4, 1, ExtendedColorType::L16), "x").unwrap();
        assert_eq!(
            (p.format.name(), &p.frame.planes[0].data),
            ("gray10le", &vec![0, 1, 1023, 512])
        );
        // 512 stands for 32800
        assert!(
            p.warnings.len() == 1 && p.warnings[0].contains("rounded"),
            "{:?}",
            p.warnings
        );
        let samples: Vec<u8> = [0u16, 64, 65535, 32800]
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect();
        assert!(
            decode(&png(&samples, 4, 1, ExtendedColorType::L16), "x")
                .unwrap()
                .warnings
                .is_empty()
        );
    }

    #[test]
    fn torn_and_foreign_files() {
        let whole = png(&[9; 300], 10, 10, ExtendedColorType::Rgb8);
        assert!(matches!(
            decode(&whole[..whole.len() / 2], "x"),
            Err(Error::Source { .. })
        ));
        assert!(matches!(decode(b"BM....", "x"), Err(Error::Source { .. })));
        for n in 0..whole.len() {
            assert!(
                decode(&whole[..n], "x").is_err() || n > whole.len() - 12,
                "{n} bytes are a picture"
            );
        }
    }
}
