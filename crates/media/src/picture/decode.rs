//! One PNG, JPEG, WebP or GIF picture with all it says of itself.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::animation::is_animated;
use super::color;
use super::file::{MAX_BYTES, picture_error, read_all, sniff};
use super::jpeg::{components, jfif_aspect, jpeg_end};
use super::png_info::{late_exif, pixel_aspect, png_info};
use super::samples::frame_of;
use crate::aspect::UNKNOWN;
use crate::size::check_size;
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, ColorInfo, Frame, PixelFormat, Ratio};

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
    picture.apply_orientation(orientation);

    let mut warnings = Vec::new();
    if is_animated(bytes) {
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
    let color = color::of(png.as_ref(), icc.as_deref(), format, &mut warnings);
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
    fn opaque_alpha_is_dropped_other_alpha_multiplied() {
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
        let samples = [1, 2, 3, 255, 200, 100, 50, 128, 9, 9, 9, 0];
        let p = decode(&png(&samples, 3, 1, ExtendedColorType::Rgba8), "x").unwrap();
        let planes: Vec<&[u16]> = p.frame.planes.iter().map(|p| &p.data[..]).collect();
        assert_eq!(p.format.name(), "gbrap");
        assert_eq!(planes, [[2, 50, 0], [3, 25, 0], [1, 100, 0], [255, 128, 0]]);
        // 16 bits are rounded once, not before and after
        let samples: Vec<u8> = [40_000u16, 30_000, 65_535, 0]
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect();
        let p = decode(&png(&samples, 2, 1, ExtendedColorType::La16), "x").unwrap();
        let planes: Vec<&[u16]> = p.frame.planes.iter().map(|p| &p.data[..]).collect();
        assert_eq!(p.format.name(), "graya10le");
        // 1023 * 40000 * 30000 / 65535^2 = 285.8
        assert_eq!(planes, [[286, 0], [468, 0]]);
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
