//! The samples of a decoded picture as a frame's.

use image::DynamicImage;

use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, PixelFormat};

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
