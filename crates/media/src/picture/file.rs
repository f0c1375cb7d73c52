//! Files of pictures: what they are by their first bytes, and what is wrong with them.

use std::io::Read;

use image::ImageFormat;

use crate::size::MAX_SIDE;
use nvc::error::{Error, Result};

/// Largest picture file taken, and largest buffer its decoding may allocate.
pub const MAX_BYTES: u64 = 1 << 31;

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
