//! Binary PNM, the pictures that libjpeg-turbo's programs read and write: P5 gray, P6 RGB, 8 bits.

use std::io::Cursor;

use image::codecs::pnm::{PnmEncoder, PnmSubtype, SampleEncoding};
use image::{ExtendedColorType, ImageEncoder, ImageFormat, ImageReader, Limits};
use nvc::color::ToRgb;
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, PixelFormat, VideoInfo};
use nvc_media::{MAX_SIDE, frame_of};

/// A gray or RGB picture of 8 bits as a file.
pub(super) fn write(frame: &Frame, info: &VideoInfo) -> Result<Vec<u8>> {
    let binary = SampleEncoding::Binary;
    let (samples, color, subtype) = if info.format.chroma == Chroma::Gray {
        let samples = frame.planes[0].data.iter().map(|&v| v as u8).collect();
        (samples, ExtendedColorType::L8, PnmSubtype::Graymap(binary))
    } else {
        let samples = ToRgb::new(info).convert(frame)?.data;
        (samples, ExtendedColorType::Rgb8, PnmSubtype::Pixmap(binary))
    };
    let mut out = Vec::new();
    PnmEncoder::new(&mut out)
        .with_subtype(subtype)
        .write_image(&samples, info.width as u32, info.height as u32, color)
        .map_err(|e| Error::Unsupported(format!("PNM picture: {e}")))?;
    Ok(out)
}

/// A file as a picture; [`Error::Format`] where it is none.
pub(super) fn read(bytes: &[u8]) -> Result<(Frame, PixelFormat)> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Pnm);
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    reader.limits(limits);
    let picture = reader
        .decode()
        .map_err(|e| Error::format(0, format!("PNM picture: {e}")))?;
    frame_of(&picture, "PNM picture", &mut Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::info;

    #[test]
    fn there_and_back() {
        for (chroma, start) in [(Chroma::Gray, "P5"), (Chroma::Rgb, "P6")] {
            let info = info(chroma, 8, 3, 2);
            let mut f = Frame::new(info.format, 3, 2);
            f.planes
                .iter_mut()
                .enumerate()
                .for_each(|(p, plane)| plane.data = (0..6).map(|i| i * 40 + p as u16).collect());
            let file = write(&f, &info).unwrap();
            assert!(file.starts_with(start.as_bytes()));
            assert_eq!(read(&file).unwrap(), (f, info.format));
        }
        let (f, _) = read(b"P6 1 1 255\nrgb").unwrap();
        assert_eq!(
            f.planes.iter().map(|p| p.data[0] as u8).collect::<Vec<_>>(),
            b"gbr"
        );
    }

    #[test]
    fn torn_and_hostile() {
        for bad in [
            &b""[..],
            b"P",
            b"P3 1 1 255\n0",
            b"P5",
            b"P5 2",
            b"P5 2 2 255",
            b"P5 2 2 255\nabc",
            b"P5 99999 99999 255\n",
            b"P5 -1 1 255\n",
        ] {
            assert!(
                matches!(read(bad), Err(Error::Format { .. })),
                "{}",
                String::from_utf8_lossy(bad)
            );
        }
    }
}
