//! YUV4MPEG2 in.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::header;
use crate::source::{FrameSource, Survey};
use nvc::error::{Error, Result};
use nvc::frame::{Frame, VideoInfo};

/// Most bytes of a frame's line.
const MAX_FRAME_LINE: usize = 1024;
const FRAME_LINE: &[u8] = b"FRAME\n";

/// Reads frames from a YUV4MPEG2 stream.
pub struct Y4mSource<R> {
    name: String,
    info: VideoInfo,
    reader: R,
    header: u64,
    at: u64,
    /// Frames read.
    frames: u64,
    /// The file, if it is one, and its length.
    file: Option<(PathBuf, u64)>,
    surveyed: Option<u64>,
    raw: Vec<u8>,
    warnings: Vec<String>,
}

impl<R: Read> Y4mSource<R> {
    /// Reads the stream header. `reader` should be buffered; `name` is for messages; `file` is the
    /// whole stream and its length where it is a file.
    pub fn new(mut reader: R, name: &str, file: Option<(PathBuf, u64)>) -> Result<Self> {
        let line = header::read(&mut reader, name)?;
        let mut warnings = Vec::new();
        let info = header::parse(&line, name, &mut warnings)?;
        let header_bytes = line.len() as u64 + 1;
        let name = name.to_string();
        Ok(Y4mSource {
            name,
            info,
            reader,
            header: header_bytes,
            at: header_bytes,
            frames: 0,
            file,
            surveyed: None,
            raw: Vec::new(),
            warnings,
        })
    }

    fn frame_bytes(&self) -> usize {
        self.info
            .format
            .frame_bytes(self.info.width, self.info.height)
    }

    fn io_error(&self, e: std::io::Error) -> Error {
        Error::io(format!("reading {}", self.name), e)
    }
}

impl<R: Read> FrameSource for Y4mSource<R> {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let start = self.at;
        let line = match frame_line(&mut self.reader) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(None),
            Err(LineError::Io(e)) => return Err(self.io_error(e)),
            Err(LineError::Other(what)) => {
                return Err(Error::source(&self.name, start, after(what, self.frames)));
            }
        };
        let want = self.frame_bytes();
        self.raw.clear();
        let got = self
            .reader
            .by_ref()
            .take(want as u64)
            .read_to_end(&mut self.raw)
            .map_err(|e| self.io_error(e))?;
        if got < want {
            return Err(cut_short(
                &self.name,
                start,
                got as u64,
                want as u64,
                self.frames,
            ));
        }
        self.at = start + line + want as u64;
        self.frames += 1;
        Frame::read_raw(
            self.info.format,
            self.info.width,
            self.info.height,
            &self.raw,
        )
        .map(Some)
        .map_err(|e| match e {
            Error::Format { offset, what } => {
                Error::source(&self.name, start + line + offset, what)
            }
            e => e,
        })
    }

    fn frames_hint(&self) -> Option<u64> {
        // frame parameters are rare enough for a hint
        let frame = (self.frame_bytes() + FRAME_LINE.len()) as u64;
        self.surveyed.or_else(|| {
            self.file
                .as_ref()
                .map(|(_, total)| total.saturating_sub(self.header) / frame)
        })
    }

    fn survey(&mut self) -> Result<Survey> {
        let Some((path, total)) = &self.file else {
            return Ok(Survey::unknown());
        };
        let mut file = File::open(path).map_err(|e| self.io_error(e))?;
        let (mut at, mut frames, want) = (self.header, 0, self.frame_bytes() as u64);
        let mut damage = None;
        while at < *total {
            file.seek(SeekFrom::Start(at))
                .map_err(|e| self.io_error(e))?;
            let line = match frame_line(&mut file) {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(LineError::Io(e)) => return Err(self.io_error(e)),
                Err(LineError::Other(what)) => {
                    damage = Some(Error::source(&self.name, at, after(what, frames)));
                    break;
                }
            };
            if at + line + want > *total {
                damage = Some(cut_short(&self.name, at, total - at - line, want, frames));
                break;
            }
            at += line + want;
            frames += 1;
        }
        self.surveyed = Some(frames);
        Ok(Survey {
            frames: Some(frames),
            damage,
        })
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

fn cut_short(name: &str, at: u64, got: u64, want: u64, frames: u64) -> Error {
    Error::source(
        name,
        at,
        format!("the last frame is cut short: {got} of {want} bytes, after {frames} whole frames"),
    )
}

fn after(what: String, frames: u64) -> String {
    format!("{what}, after {frames} whole frames")
}

enum LineError {
    Io(std::io::Error),
    Other(String),
}

/// Passes over the line before a frame; its length, or `None` at the end of the stream.
fn frame_line(reader: &mut impl Read) -> std::result::Result<Option<u64>, LineError> {
    let mut line = Vec::with_capacity(FRAME_LINE.len());
    reader
        .by_ref()
        .take(FRAME_LINE.len() as u64)
        .read_to_end(&mut line)
        .map_err(LineError::Io)?;
    if line.is_empty() {
        return Ok(None);
    }
    // FRAME, then nothing or parameters, or less of it at the stream's end
    let whole = line.starts_with(b"FRAME") && matches!(line.get(5), Some(b'\n' | b' '));
    let torn = line.len() < FRAME_LINE.len() && FRAME_LINE.starts_with(&line);
    if !whole && !torn {
        return Err(LineError::Other(format!(
            "'{}' where a frame starts with 'FRAME'",
            line.escape_ascii()
        )));
    }
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        match reader.read_exact(&mut byte) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(LineError::Other(format!(
                    "the stream ends in the line '{}' of a frame",
                    line.escape_ascii()
                )));
            }
            r => r.map_err(LineError::Io)?,
        }
        line.push(byte[0]);
        if line.len() > MAX_FRAME_LINE {
            return Err(LineError::Other(format!(
                "a frame's line of more than {MAX_FRAME_LINE} bytes"
            )));
        }
    }
    Ok(Some(line.len() as u64))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::header::{MAGIC, write};
    use super::*;
    use nvc::frame::{Chroma, PixelFormat, Range, Ratio, Siting};

    fn open(bytes: &[u8]) -> Result<Y4mSource<Cursor<Vec<u8>>>> {
        Y4mSource::new(Cursor::new(bytes.to_vec()), "test", None)
    }

    #[test]
    fn header_tags() {
        let s =
            open(b"YUV4MPEG2 W3 H5 F30000:1001 Ip A1:1 C420p10 XYSCSS=420P10 XCOLORRANGE=FULL\n")
                .unwrap();
        assert_eq!(
            (s.info.width, s.info.height, s.info.format.name()),
            (3, 5, "yuv420p10le")
        );
        assert_eq!(
            (s.info.fps, s.info.sar),
            (
                Ratio {
                    num: 30000,
                    den: 1001
                },
                Ratio { num: 1, den: 1 }
            )
        );
        assert_eq!(s.info.color.range, Range::Full);
        assert_eq!(
            open(b"YUV4MPEG2 W2 H2 F25:1\n").unwrap().info.format,
            PixelFormat::new8(Chroma::Yuv420)
        );
        let s = open(b"YUV4MPEG2\tW2 H2  F25:1 A100000:75000 C420mpeg2 Ib\n").err();
        assert!(s.is_some(), "the magic ends in a space");
        let mut s = open(b"YUV4MPEG2 \tW2 H2  F25:1 A100000:75000 C420mpeg2 Ib\n").unwrap();
        assert_eq!(
            (s.info.sar, s.info.color.siting),
            (Ratio { num: 4, den: 3 }, Siting::Left)
        );
        assert!(write(&s.info).unwrap().contains("C420mpeg2"));
        let warnings = s.take_warnings();
        assert!(
            warnings.len() == 1 && warnings[0].contains("bottom field first"),
            "{warnings:?}"
        );
    }

    #[test]
    fn whole_frames_are_counted_before_they_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.y4m");
        let head = &b"YUV4MPEG2 W2 H1 F1:1 Cmono\n"[..];
        for (frames, tail, damage) in [
            (2, &b""[..], None),
            (2, b"FRAME\nx", Some("1 of 2 bytes, after 2 whole")),
            (2, b"\n", Some("'\\n' where")),
            (1, &[0; 512], Some("'\\x00")),
            (0, b"", None),
            (1, b"FRAME X=1", Some("ends in the line")),
        ] {
            let bytes = [head, &b"FRAME Ip\nab".repeat(frames), tail].concat();
            std::fs::write(&path, &bytes).unwrap();
            let mut s = Y4mSource::new(
                &bytes[..],
                "a.y4m",
                Some((path.clone(), bytes.len() as u64)),
            )
            .unwrap();
            let survey = s.survey().unwrap();
            assert_eq!(
                (survey.frames, s.frames_hint()),
                (Some(frames as u64), Some(frames as u64))
            );
            let said = survey.damage.map(|e| e.to_string());
            assert_eq!(said.is_some(), damage.is_some());
            assert!(
                said.zip(damage)
                    .is_none_or(|(s, d)| s.starts_with("a.y4m at byte") && s.contains(d))
            );
        }
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
        for (tail, offset) in [
            (&b"FRAME\nab"[..], 30),
            (b"FRA", 30),
            (b"FRAME\nabcFRAME\nx", 39),
            (b"GRAIN\nabc", 30),
        ] {
            let mut bytes = b"YUV4MPEG2 W3 H1 F1:1 Cmono   \n".to_vec();
            bytes.extend_from_slice(tail);
            let mut s = open(&bytes).unwrap();
            let e = loop {
                match s.read() {
                    Ok(f) => assert!(f.is_some(), "ended without an error"),
                    Err(e) => break e,
                }
            };
            assert!(
                matches!(e, Error::Source { offset: Some(o), .. } if o == offset),
                "{e}"
            );
        }
    }

    #[test]
    fn hostile_headers() {
        for bad in [
            "W0 H4",
            "W4",
            "W4 H4 W8",
            "W16385 H1",
            "W18446744073709551615 H18446744073709551615",
            "W99999999999999999999 H1",
            "W-4 H4",
            "W4 H4 F1",
        ] {
            let e = open(format!("YUV4MPEG2 {bad}\n").as_bytes())
                .err()
                .unwrap_or_else(|| panic!("'{bad}' accepted"));
            assert!(
                matches!(e, Error::Source { .. } | Error::Unsupported(_)),
                "{e}"
            );
        }
        for c in ["422", "444alpha", "411", "420p12", "mono16"] {
            let e = open(format!("YUV4MPEG2 W4 H4 C{c}\n").as_bytes())
                .err()
                .unwrap();
            assert!(
                matches!(&e, Error::Unsupported(m) if m.contains("ffmpeg")),
                "{e}"
            );
        }
        let mut long = MAGIC.to_vec();
        long.resize(1 << 20, b'X');
        assert!(matches!(open(&long), Err(Error::Source { .. })));
        assert!(matches!(open(b"\x89PNG\r\n"), Err(Error::Source { .. })));
    }

    #[test]
    fn rgb_is_refused_with_the_remedy() {
        let info = VideoInfo {
            format: PixelFormat::new8(Chroma::Rgb),
            ..open(b"YUV4MPEG2 W2 H2 F25:1\n").unwrap().info
        };
        let e = write(&info).unwrap_err();
        assert!(
            matches!(&e, Error::Unsupported(m) if m.contains("--format yuv") && m.contains("png")),
            "{e}"
        );
    }
}
