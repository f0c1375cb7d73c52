//! YUV4MPEG2 in and out.
//!
//! The stream header is checked here before the `y4m` crate sees it, so that a hostile one allocates nothing.

use std::io::{Chain, Cursor, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::output::Output;
use super::{FrameSink, FrameSource, check_size};
use crate::color::check_frame;
use crate::error::{Error, Result};
use crate::frame::{Chroma, ColorInfo, Frame, PixelFormat, Range, Ratio, VideoInfo};

/// First bytes of every stream.
pub const MAGIC: &[u8] = b"YUV4MPEG2 ";
const MAX_HEADER: usize = 1024;

/// Counts what the crate's decoder consumes: the offset for errors, and a clean end told from a torn one.
struct Counted<R> {
    inner: R,
    at: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.at.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Reads frames from a YUV4MPEG2 stream.
pub struct Y4mSource<R: Read> {
    name: String,
    info: VideoInfo,
    hint: Option<u64>,
    at: Arc<AtomicU64>,
    decoder: y4m::Decoder<Counted<Chain<Cursor<Vec<u8>>, R>>>,
    raw: Vec<u8>,
}

impl<R: Read> Y4mSource<R> {
    /// Reads the stream header. `reader` should be buffered; `name` is for messages; `total` is the length of
    /// the whole stream where known.
    pub fn new(mut reader: R, name: &str, total: Option<u64>) -> Result<Self> {
        let line = read_header(&mut reader, name)?;
        let info = parse_header(&line)?;
        let frame = info.format.frame_bytes(info.width, info.height);
        let header = line.len() as u64 + 1;
        // "FRAME\n" goes before each picture; frame parameters are rare enough for a hint.
        let hint = total.map(|t| t.saturating_sub(header) / (frame as u64 + 6));
        // The crate knows neither 10-bit gray nor the vendor tags, so it gets a plain header of the same frame size.
        let (tag, factor) = match (info.format.chroma, info.format.bit_depth) {
            (Chroma::Gray, 8) => ("mono", 1),
            (Chroma::Gray, _) => ("mono", 2),
            (Chroma::Yuv444, 8) => ("444", 1),
            (Chroma::Yuv444, _) => ("444p10", 1),
            (_, 8) => ("420", 1),
            _ => ("420p10", 1),
        };
        let plain = format!("YUV4MPEG2 W{} H{} F25:1 C{tag}\n", info.width * factor, info.height);
        // The count then starts with the plain header; this shifts it to offsets in the stream.
        let at = Arc::new(AtomicU64::new(header.wrapping_sub(plain.len() as u64)));
        let counted = Counted { inner: Cursor::new(plain.into_bytes()).chain(reader), at: at.clone() };
        let decoder = y4m::Decoder::new_with_limits(counted, y4m::Limits { bytes: frame })
            .map_err(|e| Error::format(0, format!("{name}: y4m header: {e}")))?;
        Ok(Y4mSource { name: name.into(), info, hint, at, decoder, raw: Vec::with_capacity(frame) })
    }
}

impl<R: Read> FrameSource for Y4mSource<R> {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let start = self.at.load(Ordering::Relaxed);
        match self.decoder.read_frame() {
            Ok(f) => {
                self.raw.clear();
                for plane in [f.get_y_plane(), f.get_u_plane(), f.get_v_plane()] {
                    self.raw.extend_from_slice(plane);
                }
            }
            Err(y4m::Error::EOF) => {
                let got = self.at.load(Ordering::Relaxed).wrapping_sub(start);
                if got == 0 {
                    return Ok(None);
                }
                let want = self.info.format.frame_bytes(self.info.width, self.info.height);
                let what = format!("{}: y4m frame cut short: {got} bytes with its FRAME line, the picture alone takes {want}", self.name);
                return Err(Error::format(start, what));
            }
            Err(y4m::Error::IoError(e)) => return Err(Error::io(format!("reading {}", self.name), e)),
            Err(_) => return Err(Error::format(start, format!("{}: y4m frame does not start with 'FRAME'", self.name))),
        }
        Frame::read_raw(self.info.format, self.info.width, self.info.height, &self.raw).map(Some)
    }

    fn frames_hint(&self) -> Option<u64> {
        self.hint
    }
}

/// The header line without its newline, byte by byte: what follows belongs to the frames.
fn read_header(reader: &mut impl Read, name: &str) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() < MAX_HEADER {
        let mut byte = [0];
        match reader.read_exact(&mut byte) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
            r => r.map_err(|e| Error::io(format!("reading {name}"), e))?,
        }
        match byte[0] {
            b'\n' if line.starts_with(MAGIC) => return Ok(line),
            b'\n' => return Err(Error::format(0, format!("{name}: not y4m: the first line does not start with 'YUV4MPEG2 '"))),
            b => line.push(b),
        }
    }
    Err(Error::format(line.len() as u64, format!("{name}: y4m header without a newline in {} bytes (at most {MAX_HEADER})", line.len())))
}

fn parse_header(line: &[u8]) -> Result<VideoInfo> {
    let text = String::from_utf8_lossy(line);
    let bad = |tag: &str| Error::format(0, format!("y4m header tag '{tag}'"));
    let (mut width, mut height) = (0, 0);
    let mut format = PixelFormat::new8(Chroma::Yuv420);
    let mut fps = Ratio { num: 25, den: 1 };
    let mut sar = Ratio { num: 0, den: 0 };
    let mut color = ColorInfo::UNSPECIFIED;
    for tag in text.split(' ').skip(1).filter(|t| !t.is_empty()) {
        let Some(value) = tag.get(1..) else { return Err(bad(tag)) };
        match tag.as_bytes()[0] {
            b'W' => width = value.parse().map_err(|_| bad(tag))?,
            b'H' => height = value.parse().map_err(|_| bad(tag))?,
            b'F' => fps = parse_ratio(value).ok_or_else(|| bad(tag))?,
            b'A' => sar = parse_ratio(value).ok_or_else(|| bad(tag))?,
            b'C' => format = parse_colorspace(value)?,
            b'X' if value == "COLORRANGE=FULL" => color.range = Range::Full,
            b'X' if value == "COLORRANGE=LIMITED" => color.range = Range::Limited,
            _ => {}
        }
    }
    if fps.num == 0 || fps.den == 0 {
        fps = Ratio { num: 25, den: 1 };
    }
    check_size(width, height)?;
    Ok(VideoInfo { width, height, format, fps, sar, color })
}

fn parse_ratio(value: &str) -> Option<Ratio> {
    let (num, den) = value.split_once(':')?;
    Some(Ratio { num: num.parse().ok()?, den: den.parse().ok()? })
}

fn parse_colorspace(value: &str) -> Result<PixelFormat> {
    let (chroma, bit_depth) = match value {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => (Chroma::Yuv420, 8),
        "444" => (Chroma::Yuv444, 8),
        "mono" => (Chroma::Gray, 8),
        "420p10" => (Chroma::Yuv420, 10),
        "444p10" => (Chroma::Yuv444, 10),
        "mono10" => (Chroma::Gray, 10),
        _ => {
            return Err(Error::Unsupported(format!(
                "y4m colourspace 'C{value}' (known: 420*, 444, mono, 420p10, 444p10, mono10); convert it first, as with \
                 ffmpeg -i IN.y4m -pix_fmt yuv420p -f yuv4mpegpipe - | nvc encode -"
            )));
        }
    };
    Ok(PixelFormat { chroma, bit_depth })
}

/// Writes frames as YUV4MPEG2.
pub struct Y4mSink {
    info: VideoInfo,
    out: Output,
    raw: Vec<u8>,
}

impl Y4mSink {
    /// Writes the stream header. RGB has no y4m form and is an [`Error::Unsupported`].
    pub fn new(out: Output, info: &VideoInfo) -> Result<Self> {
        let mut sink = Y4mSink { info: *info, out, raw: Vec::new() };
        let header = header(info)?;
        sink.out.write_all(header.as_bytes()).map_err(|e| sink.out.error(e))?;
        Ok(sink)
    }
}

/// The stream header with its newline. RGB has no y4m form and is an [`Error::Unsupported`].
pub fn header(info: &VideoInfo) -> Result<String> {
    let tag = match (info.format.chroma, info.format.bit_depth) {
        (Chroma::Yuv420, 8) => "420jpeg",
        (Chroma::Yuv420, _) => "420p10 XYSCSS=420P10",
        (Chroma::Yuv444, 8) => "444",
        (Chroma::Yuv444, _) => "444p10 XYSCSS=444P10",
        (Chroma::Gray, 8) => "mono",
        (Chroma::Gray, _) => "mono10",
        (Chroma::Rgb, _) => {
            return Err(Error::Unsupported(format!(
                "{} pictures as y4m, which has no RGB; write them with --format yuv (raw planes) or --format png",
                info.format.name()
            )));
        }
    };
    let range = match info.color.range {
        Range::Unspecified => "",
        Range::Limited => " XCOLORRANGE=LIMITED",
        Range::Full => " XCOLORRANGE=FULL",
    };
    let (fps, sar) = (info.fps, info.sar);
    Ok(format!("YUV4MPEG2 W{} H{} F{}:{} Ip A{}:{} C{tag}{range}\n", info.width, info.height, fps.num, fps.den, sar.num, sar.den))
}

impl FrameSink for Y4mSink {
    fn write(&mut self, frame: &Frame) -> Result<()> {
        check_frame(&self.info, frame)?;
        frame.write_raw(self.info.format, &mut self.raw);
        self.out.write_all(b"FRAME\n").and_then(|()| self.out.write_all(&self.raw)).map_err(|e| self.out.error(e))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.out.commit()?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Result<Y4mSource<Cursor<Vec<u8>>>> {
        Y4mSource::new(Cursor::new(bytes.to_vec()), "test", Some(bytes.len() as u64))
    }

    #[test]
    fn header_tags() {
        let s = open(b"YUV4MPEG2 W3 H5 F30000:1001 Ip A1:1 C420p10 XYSCSS=420P10 XCOLORRANGE=FULL\n").unwrap();
        assert_eq!((s.info.width, s.info.height, s.info.format.name()), (3, 5, "yuv420p10le"));
        assert_eq!((s.info.fps, s.info.sar), (Ratio { num: 30000, den: 1001 }, Ratio { num: 1, den: 1 }));
        assert_eq!(s.info.color.range, Range::Full);
        assert_eq!(open(b"YUV4MPEG2 W2 H2 F25:1\n").unwrap().info.format, PixelFormat::new8(Chroma::Yuv420));
    }

    #[test]
    fn frames_and_frame_parameters() {
        let mut s = open(b"YUV4MPEG2 W2 H1 F1:1 Cmono\nFRAME\nabFRAME Ixyz\ncd").unwrap();
        assert_eq!(s.read().unwrap().unwrap().planes[0].data, [97, 98]);
        assert_eq!(s.read().unwrap().unwrap().planes[0].data, [99, 100]);
        assert!(s.read().unwrap().is_none());
        let mut s = open(b"YUV4MPEG2 W2 H1 F1:1 Cmono10\nFRAME\n\x01\x02\xff\x03").unwrap();
        assert_eq!(s.read().unwrap().unwrap().planes[0].data, [0x201, 0x3ff]);
    }

    #[test]
    fn torn_and_foreign_frames() {
        for (tail, offset) in [(&b"FRAME\nab"[..], 30), (b"FRA", 30), (b"FRAME\nabcFRAME\nx", 39), (b"GRAIN\nabc", 30)] {
            let mut bytes = b"YUV4MPEG2 W3 H1 F1:1 Cmono   \n".to_vec();
            bytes.extend_from_slice(tail);
            let mut s = open(&bytes).unwrap();
            let e = loop {
                match s.read() {
                    Ok(f) => assert!(f.is_some(), "ended without an error"),
                    Err(e) => break e,
                }
            };
            assert!(matches!(e, Error::Format { offset: o, .. } if o == offset), "{e}");
        }
    }

    #[test]
    fn hostile_headers() {
        for bad in
            ["W0 H4", "W4", "W16385 H1", "W18446744073709551615 H18446744073709551615", "W99999999999999999999 H1", "W-4 H4", "W4 H4 F1"]
        {
            let e = open(format!("YUV4MPEG2 {bad}\n").as_bytes()).err().unwrap_or_else(|| panic!("'{bad}' accepted"));
            assert!(matches!(e, Error::Format { .. } | Error::Limits { .. } | Error::Parameter(_)), "{e}");
        }
        for c in ["422", "444alpha", "411", "420p12", "mono16"] {
            let e = open(format!("YUV4MPEG2 W4 H4 C{c}\n").as_bytes()).err().unwrap();
            assert!(matches!(&e, Error::Unsupported(m) if m.contains("ffmpeg")), "{e}");
        }
        let mut long = MAGIC.to_vec();
        long.resize(1 << 20, b'X');
        assert!(matches!(open(&long), Err(Error::Format { .. })));
        assert!(matches!(open(b"\x89PNG\r\n"), Err(Error::Format { .. })));
    }

    #[test]
    fn rgb_is_refused_with_the_remedy() {
        let info = VideoInfo { format: PixelFormat::new8(Chroma::Rgb), ..open(b"YUV4MPEG2 W2 H2 F25:1\n").unwrap().info };
        let e = header(&info).unwrap_err();
        assert!(matches!(&e, Error::Unsupported(m) if m.contains("--format yuv") && m.contains("png")), "{e}");
    }
}
