//! Binary PNM, the pictures that libjpeg-turbo's programs read and write: P5 gray, P6 RGB, 8 bits.

use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, PixelFormat};
use nvc_media::MAX_SIDE;

/// A gray or RGB picture as a file.
pub(super) fn write(frame: &Frame) -> Vec<u8> {
    let [p, rest @ ..] = &frame.planes[..] else {
        return Vec::new();
    };
    let kind = if rest.is_empty() { 5 } else { 6 };
    let mut out = format!("P{kind}\n{} {}\n255\n", p.width, p.height).into_bytes();
    match rest {
        // plane order is G, B, R
        [b, r] => out.extend(
            (0..p.data.len()).flat_map(|i| [r.data[i] as u8, p.data[i] as u8, b.data[i] as u8]),
        ),
        _ => out.extend(p.data.iter().map(|&v| v as u8)),
    }
    out
}

/// A file as a picture.
pub(super) fn read(bytes: &[u8]) -> Result<(Frame, PixelFormat)> {
    let bad = |at: usize, what: String| Error::format(at as u64, format!("PNM picture: {what}"));
    let channels = match bytes.get(..2) {
        Some(b"P5") => 1,
        Some(b"P6") => 3,
        _ => return Err(bad(0, "starts with neither P5 nor P6".into())),
    };
    let (mut at, mut numbers) = (2, [0usize; 3]);
    for (n, what) in numbers
        .iter_mut()
        .zip(["width", "height", "largest sample"])
    {
        let start = at
            + bytes[at..]
                .iter()
                .take_while(|b| b.is_ascii_whitespace())
                .count();
        let end = start
            + bytes[start..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count();
        let text = String::from_utf8_lossy(&bytes[start..end]);
        *n = text
            .parse()
            .ok()
            .filter(|n| (1..=MAX_SIDE).contains(n))
            .ok_or_else(|| bad(start, format!("{what} '{text}' (allowed 1..={MAX_SIDE})")))?;
        at = end;
    }
    let [width, height, max] = numbers;
    if max != 255 {
        return Err(bad(at, format!("largest sample {max} (only 255 is known)")));
    }
    // one white-space character before the samples
    let samples = bytes.get(at + 1..).unwrap_or(&[]);
    if samples.len() < width * height * channels {
        return Err(bad(
            at,
            format!(
                "{} bytes of samples, {width}x{height} needs {}",
                samples.len(),
                width * height * channels
            ),
        ));
    }
    let chroma = if channels == 1 {
        Chroma::Gray
    } else {
        Chroma::Rgb
    };
    let format = PixelFormat::new8(chroma);
    let mut frame = Frame::new(format, width, height);
    for (plane, channel) in
        frame
            .planes
            .iter_mut()
            .zip(if channels == 1 { [0; 3] } else { [1, 2, 0] })
    {
        plane
            .data
            .iter_mut()
            .zip(samples.chunks_exact(channels))
            .for_each(|(d, s)| *d = u16::from(s[channel]));
    }
    Ok((frame, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for chroma in [Chroma::Gray, Chroma::Rgb] {
            let format = PixelFormat::new8(chroma);
            let mut f = Frame::new(format, 3, 2);
            f.planes
                .iter_mut()
                .enumerate()
                .for_each(|(p, plane)| plane.data = (0..6).map(|i| i * 40 + p as u16).collect());
            assert_eq!(read(&write(&f)).unwrap(), (f, format));
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
            b"P5 0 2 255\n",
            b"P6 1 1 65535\naaaaaa",
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
