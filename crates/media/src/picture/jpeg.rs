//! What the markers of a JPEG say.

use crate::aspect::{UNKNOWN, sample_aspect};
use nvc::frame::Ratio;

/// Colour components of a JPEG, by its frame header.
pub fn components(bytes: &[u8]) -> Option<u8> {
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
pub fn jpeg_end(bytes: &[u8]) -> Option<usize> {
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
pub fn jfif_aspect(bytes: &[u8]) -> Ratio {
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
