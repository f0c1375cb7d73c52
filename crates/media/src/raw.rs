//! Raw planar video: frames one after another without any header.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};

use super::output::Output;
use super::raw_name::Named;
use super::sink::FrameSink;
use super::size::{MAX_SIDE, check_size};
use super::source::{FrameSource, Survey, Takes};
use super::source_options::SourceOptions;
use nvc::color::check_frame;
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, PixelFormat, Ratio, VideoInfo};

/// Reads raw planar frames.
pub struct RawSource<R> {
    name: String,
    info: VideoInfo,
    reader: R,
    total: Option<u64>,
    at: u64,
    raw: Vec<u8>,
    /// How the reader goes to a byte, if it can.
    seek: Option<fn(&mut R, u64) -> std::io::Result<u64>>,
    notes: Vec<String>,
}

impl RawSource<BufReader<File>> {
    /// A raw file, with the geometry of `opts` or of its name.
    pub fn from_file(file: File, name: &str, opts: &SourceOptions) -> Result<Self> {
        let total = file
            .metadata()
            .map_err(|e| Error::io(format!("opening {name}"), e))?
            .len();
        Ok(RawSource::new(BufReader::new(file), name, Some(total), opts)?.seekable())
    }

    /// A raw file of known geometry.
    pub fn open(path: &str, info: &VideoInfo) -> Result<Self> {
        let error = |e| Error::io(format!("opening {path}"), e);
        let file = File::open(path).map_err(error)?;
        let total = file.metadata().map_err(error)?.len();
        Ok(RawSource::with_info(BufReader::new(file), path, Some(total), info)?.seekable())
    }
}

impl<R: Read + Seek> RawSource<R> {
    /// Pictures are passed over by seeking, if the length is known. The reader stands at the first
    /// picture, at byte 0.
    pub fn seekable(mut self) -> Self {
        self.seek = Some(|r, byte| r.seek(SeekFrom::Start(byte)));
        self
    }
}

impl<R: Read> RawSource<R> {
    /// Takes the geometry from `opts`, and what that leaves open from the name
    /// (`Beauty_1920x1080_120fps_420_8bit_YUV.yuv`). A size is required; the format defaults to
    /// yuv420p and the rate to 25. `total` is the length of the whole file where known.
    pub fn new(reader: R, name: &str, total: Option<u64>, opts: &SourceOptions) -> Result<Self> {
        let (opts, note) = Named::parse(name).fill(opts, name)?;
        let (width, height) = opts.size_in.ok_or_else(|| {
            let what = "raw video has no header, and the name does not say its size; give it, as in --size-in 1920x1080";
            Error::Parameter(format!("{name}: {what}"))
        })?;
        if width == 0 || height == 0 {
            return Err(Error::Parameter(format!(
                "{name}: --size-in {width}x{height} (both sides 1..={MAX_SIDE})"
            )));
        }
        let info = VideoInfo {
            fps: opts.fps.unwrap_or(Ratio { num: 25, den: 1 }),
            ..VideoInfo::new(
                width,
                height,
                opts.pix_fmt.unwrap_or(PixelFormat::new8(Chroma::Yuv420)),
            )
        };
        let mut source = Self::with_info(reader, name, total, &info)?;
        source.notes.extend(note);
        Ok(source)
    }

    /// A source of known geometry.
    pub fn with_info(reader: R, name: &str, total: Option<u64>, info: &VideoInfo) -> Result<Self> {
        check_size(name, info.width, info.height)?;
        Ok(RawSource {
            name: name.into(),
            info: *info,
            reader,
            total,
            at: 0,
            raw: Vec::new(),
            seek: None,
            notes: Vec::new(),
        })
    }

    /// The last frame, at byte `start`, has only `got` bytes.
    fn torn(&self, start: u64, got: u64) -> Error {
        let (
            want,
            VideoInfo {
                width,
                height,
                format,
                ..
            },
        ) = (self.frame_bytes(), self.info);
        let whole = start / want;
        let what = format!(
            "the last frame has {got} of {want} bytes, after {whole} whole frames; are they really {} of {width}x{height}?",
            format.name()
        );
        Error::source(&self.name, start, what)
    }

    fn frame_bytes(&self) -> u64 {
        self.info
            .format
            .frame_bytes(self.info.width, self.info.height) as u64
    }
}

impl<R: Read> FrameSource for RawSource<R> {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let want = self.frame_bytes() as usize;
        self.raw.clear();
        if let Some(total) = self.total {
            // exactly one frame, instead of what doubling makes of it
            self.raw
                .reserve_exact(want.min(total.saturating_sub(self.at) as usize));
        }
        let got = self
            .reader
            .by_ref()
            .take(want as u64)
            .read_to_end(&mut self.raw);
        let got = got.map_err(|e| Error::io(format!("reading {}", self.name), e))?;
        if got == 0 {
            return Ok(None);
        }
        let start = self.at;
        self.at += got as u64;
        if got < want {
            return Err(self.torn(start, got as u64));
        }
        Frame::read_raw(
            self.info.format,
            self.info.width,
            self.info.height,
            &self.raw,
        )
        .map(Some)
        .map_err(|e| match e {
            Error::Format { offset, what } => Error::source(&self.name, start + offset, what),
            e => e,
        })
    }

    fn frames_hint(&self) -> Option<u64> {
        self.total.map(|t| t / self.frame_bytes())
    }

    fn skip(&mut self, n: u64) -> Result<u64> {
        let mut passed = 0;
        if let (Some(seek), Some(total)) = (self.seek, self.total) {
            passed = n.min(total.saturating_sub(self.at) / self.frame_bytes());
            let to = self.at + passed * self.frame_bytes();
            if passed > 0 {
                self.at = seek(&mut self.reader, to)
                    .map_err(|e| Error::io(format!("seeking in {}", self.name), e))?;
            }
        }
        while passed < n && self.read()?.is_some() {
            passed += 1;
        }
        Ok(passed)
    }

    fn survey(&mut self) -> Result<Survey> {
        let Some(total) = self.total else {
            return Ok(Survey::unknown());
        };
        let (frames, rest) = (total / self.frame_bytes(), total % self.frame_bytes());
        Ok(Survey {
            frames: Some(frames),
            damage: (rest > 0).then(|| self.torn(total - rest, rest)),
        })
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn takes(&self) -> Takes {
        Takes {
            geometry: true,
            fps: true,
            ..Takes::default()
        }
    }
}

/// Writes raw planar frames.
pub struct RawSink {
    info: VideoInfo,
    out: Output,
    raw: Vec<u8>,
}

impl RawSink {
    /// A sink for frames of `info`'s geometry.
    pub fn new(out: Output, info: &VideoInfo) -> Self {
        RawSink {
            info: *info,
            out,
            raw: Vec::new(),
        }
    }
}

impl FrameSink for RawSink {
    fn write(&mut self, frame: &Frame) -> Result<()> {
        check_frame(&self.info, frame)?;
        frame.write_raw(self.info.format, &mut self.raw);
        self.out.write_all(&self.raw).map_err(|e| self.out.error(e))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.out.commit()?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_required_and_tail_is_an_error() {
        let e = RawSource::new(&b""[..], "a.yuv", None, &SourceOptions::default())
            .err()
            .unwrap();
        assert!(
            matches!(&e, Error::Parameter(m) if m.contains("--size-in")),
            "{e}"
        );
        let opts = SourceOptions {
            size_in: Some((2, 2)),
            ..Default::default()
        };
        let mut s = RawSource::new(&[7u8; 10][..], "a.yuv", Some(10), &opts).unwrap();
        assert_eq!(s.frames_hint(), Some(1));
        assert_eq!(s.read().unwrap().unwrap().planes[2].data, [7]);
        assert!(matches!(
            s.read(),
            Err(Error::Source {
                offset: Some(6),
                ..
            })
        ));
        assert_eq!(s.survey().unwrap().frames, Some(1));
        assert!(s.survey().unwrap().damage.is_some());
    }

    /// Counts the bytes that are read.
    struct Watched(
        std::io::Cursor<Vec<u8>>,
        std::sync::Arc<std::sync::atomic::AtomicUsize>,
    );

    impl Read for Watched {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.read(buf)?;
            self.1.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
            Ok(n)
        }
    }

    impl Seek for Watched {
        fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn passing_over_frames_seeks() {
        let read = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
        let opts = SourceOptions {
            size_in: Some((4, 4)),
            ..Default::default()
        };
        let source = |tail: usize| {
            let bytes: Vec<u8> = (0..10 * 24 + tail).map(|i| (i / 24) as u8).collect();
            let total = Some(bytes.len() as u64);
            read.store(0, std::sync::atomic::Ordering::Relaxed);
            RawSource::new(
                Watched(std::io::Cursor::new(bytes), read.clone()),
                "a.yuv",
                total,
                &opts,
            )
            .unwrap()
        };
        let mut s = source(0).seekable();
        assert_eq!(s.skip(7).unwrap(), 7);
        assert_eq!(s.read().unwrap().unwrap().planes[1].data, [7; 4]);
        assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), 24);
        assert_eq!(s.skip(7).unwrap(), 2);
        assert!(s.read().unwrap().is_none());
        // a pipe is read
        let mut s = source(0);
        assert_eq!(s.skip(7).unwrap(), 7);
        assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), 7 * 24);
        // and a torn frame is noticed either way
        assert!(matches!(
            source(5).seekable().skip(11),
            Err(Error::Source {
                offset: Some(240),
                ..
            })
        ));
        assert!(matches!(
            source(5).skip(11),
            Err(Error::Source {
                offset: Some(240),
                ..
            })
        ));
    }
}
