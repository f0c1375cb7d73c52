//! Frames to programs as y4m, and between depths.

use std::io::{self, Write};

use super::reference::SourceFactory;
use nvc::error::{Error, Result};
use nvc::frame::{ColorInfo, Frame, PixelFormat, Ratio, Siting, VideoInfo};
use nvc_media::write_y4m_header;

/// `info` as the anchors see it: coded in `format`, with a frame rate, and without a colour
/// description. Samples are never converted, so a range in the stream could only make ffmpeg
/// convert them on the way out.
pub(super) fn plain(info: &VideoInfo, format: PixelFormat) -> VideoInfo {
    let fps = if info.fps.num == 0 || info.fps.den == 0 {
        Ratio { num: 25, den: 1 }
    } else {
        info.fps
    };
    VideoInfo {
        format,
        fps,
        color: ColorInfo::UNSPECIFIED,
        ..*info
    }
}

/// The y4m header for a program.
pub(super) fn header(info: &VideoInfo, siting: Siting) -> Result<Vec<u8>> {
    let info = VideoInfo {
        color: ColorInfo {
            siting,
            ..info.color
        },
        ..*info
    };
    Ok(write_y4m_header(&info)?.into_bytes())
}

/// Writes the whole reference as y4m in `coded` to a program; ends early where the program has
/// closed its input, for its own message is the better one. Returns the number of frames written.
pub(super) fn feed(
    reference: SourceFactory,
    coded: &VideoInfo,
    siting: Siting,
    pipe: impl Write,
) -> Result<u64> {
    let mut pipe = io::BufWriter::with_capacity(1 << 18, pipe);
    let mut source = reference()?;
    let from = source.info().format.bit_depth;
    let mut frames = 0;
    let mut raw = header(coded, siting)?;
    loop {
        match pipe.write_all(&raw).and_then(|()| pipe.flush()) {
            Err(e) if is_closed(&e) => return Ok(frames),
            r => r.map_err(|e| Error::io("writing to the encoder", e))?,
        }
        let Some(mut frame) = source.read()? else {
            return Ok(frames);
        };
        change_depth(&mut frame, from, coded.format.bit_depth);
        y4m_frame(&frame, coded.format, &mut raw);
        frames += 1;
    }
}

/// One picture of a y4m stream.
pub(super) fn y4m_frame(frame: &Frame, format: PixelFormat, out: &mut Vec<u8>) {
    frame.write_raw(format, out);
    out.splice(0..0, *b"FRAME\n");
}

/// Whether the other end has gone.
pub(super) fn is_closed(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

/// More bits by zeros below, fewer by rounding.
pub(super) fn change_depth(frame: &mut Frame, from: u8, to: u8) {
    if from == to {
        return;
    }
    let (up, down) = (to.saturating_sub(from), from.saturating_sub(to));
    let (half, max) = ((1u16 << down) >> 1, ((1u32 << to) - 1) as u16);
    for v in frame.planes.iter_mut().flat_map(|p| &mut p.data) {
        *v = (((*v << up) + half) >> down).min(max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nvc::frame::Chroma;

    #[test]
    fn depths() {
        let mut f = Frame::new(PixelFormat::new8(Chroma::Gray), 4, 1);
        f.planes[0].data = vec![0, 1, 128, 255];
        change_depth(&mut f, 8, 10);
        assert_eq!(f.planes[0].data, [0, 4, 512, 1020]);
        f.planes[0].data = vec![1, 2, 514, 1023];
        change_depth(&mut f, 10, 8);
        assert_eq!(f.planes[0].data, [0, 1, 129, 255]);
        change_depth(&mut f, 8, 8);
        assert_eq!(f.planes[0].data, [0, 1, 129, 255]);
    }
}
