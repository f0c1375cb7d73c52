//! What a PNG says of its picture.

use std::io::Cursor;

use image::ImageFormat;

use super::file::sniff;
use crate::aspect::{UNKNOWN, sample_aspect};
use nvc::frame::Ratio;

/// What stands before the picture of a PNG; nothing of other files.
pub fn png_info(bytes: &[u8]) -> Option<png::Info<'static>> {
    sniff(bytes).filter(|k| *k == ImageFormat::Png)?;
    png::Decoder::new(Cursor::new(bytes))
        .read_info()
        .ok()
        .map(|r| r.info().clone())
}

/// The shape of a PNG's pixels.
pub fn pixel_aspect(info: &png::Info, warnings: &mut Vec<String>) -> Ratio {
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

/// A PNG's Exif where it follows the picture, as the format allows.
pub fn late_exif(bytes: &[u8]) -> Option<&[u8]> {
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
