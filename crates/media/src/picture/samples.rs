//! The samples of a decoded picture as a frame's.

use image::DynamicImage;

use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, PixelFormat};

/// A decoded picture as a frame of 8 or 10 bits. Alpha is dropped where all is opaque; else colours are
/// multiplied by it. `name` is for errors; `warnings` are told what could not be kept.
pub fn frame_of(
    picture: &DynamicImage,
    name: &str,
    warnings: &mut Vec<String>,
) -> Result<(Frame, PixelFormat)> {
    let channels = usize::from(picture.color().channel_count());
    let clear = first_clear(picture).is_some();
    let chroma = match (channels < 3, clear) {
        (true, false) => Chroma::Gray,
        (true, true) => Chroma::GrayAlpha,
        (false, false) => Chroma::Rgb,
        (false, true) => Chroma::Rgba,
    };
    // with alpha, samples of 16 bits are multiplied before they are rounded to 10
    let deep = |samples: &[u16], warnings: &mut Vec<String>| {
        let ten = to_ten(samples, warnings);
        if clear { samples.to_vec() } else { ten }
    };
    let (samples, bit_depth): (Vec<u16>, u8) = match picture {
        DynamicImage::ImageLuma8(i) => (widen(i), 8),
        DynamicImage::ImageRgb8(i) => (widen(i), 8),
        DynamicImage::ImageLumaA8(i) => (widen(i), 8),
        DynamicImage::ImageRgba8(i) => (widen(i), 8),
        DynamicImage::ImageLuma16(i) => (deep(i, warnings), 10),
        DynamicImage::ImageRgb16(i) => (deep(i, warnings), 10),
        DynamicImage::ImageLumaA16(i) => (deep(i, warnings), 10),
        DynamicImage::ImageRgba16(i) => (deep(i, warnings), 10),
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
    let order: &[usize] = match chroma {
        Chroma::GrayAlpha => &[0, 1],
        Chroma::Rgba => &[1, 2, 0, 3],
        _ if channels < 3 => &[0],
        _ => &[1, 2, 0],
    };
    let peaks = match bit_depth {
        8 => [255, 255],
        _ => [65535, 1023],
    };
    for (plane, &channel) in frame.planes.iter_mut().zip(order) {
        let pixels = plane.data.iter_mut().zip(samples.chunks_exact(channels));
        if !clear {
            pixels.for_each(|(d, s)| *d = s[channel]);
        } else if channel == channels - 1 {
            pixels.for_each(|(d, s)| *d = multiplied(s[channel], peaks[0] as u16, peaks));
        } else {
            pixels.for_each(|(d, s)| *d = multiplied(s[channel], s[channels - 1], peaks));
        }
    }
    Ok((frame, format))
}

/// A sample times `alpha`, of which the first peak is 1, in units of the second, rounded.
fn multiplied(sample: u16, alpha: u16, [from, to]: [u64; 2]) -> u16 {
    ((u64::from(sample) * u64::from(alpha) * to + from * from / 2) / (from * from)) as u16
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

/// The first pixel that is not opaque.
fn first_clear(picture: &DynamicImage) -> Option<usize> {
    fn first<T: Copy + PartialEq>(samples: &[T], channels: usize, opaque: T) -> Option<usize> {
        samples
            .chunks_exact(channels)
            .position(|p| p[channels - 1] != opaque)
    }
    match picture {
        DynamicImage::ImageLumaA8(i) => first(i, 2, 255),
        DynamicImage::ImageRgba8(i) => first(i, 4, 255),
        DynamicImage::ImageLumaA16(i) => first(i, 2, 65535),
        DynamicImage::ImageRgba16(i) => first(i, 4, 65535),
        _ => None,
    }
}

/// An error that names the first pixel that is not opaque.
pub fn opaque(picture: &DynamicImage, name: &str) -> Result<()> {
    let Some(i) = first_clear(picture) else {
        return Ok(());
    };
    let (x, y) = (i % picture.width() as usize, i / picture.width() as usize);
    Err(Error::Unsupported(format!(
        "{name}: animation with transparency (first at x={x} y={y}); flatten its alpha channel first, or encode its pictures one by one"
    )))
}
