//! Frames in and out: YUV4MPEG2, raw planar files, pictures, any container through ffmpeg, MD5, nothing.

mod images;
mod md5;
#[cfg(feature = "ffmpeg")]
mod media;
mod output;
mod png;
mod raw;
mod raw_name;
mod y4m;

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::ops::Range;
use std::path::Path;

pub use images::{ImageSink, ImageSource, Packing, Pattern};
pub use md5::Md5Sink;
#[cfg(feature = "ffmpeg")]
pub use media::MediaSource;
pub use output::Output;
pub use raw::{RawSink, RawSource};
pub use raw_name::is_raw_name;
pub use y4m::{Y4mSink, Y4mSource, header as y4m_header};

use crate::error::{Error, Result};
use crate::frame::{Frame, PixelFormat, Ratio, VideoInfo};

/// Largest width and height of a picture.
pub const MAX_SIDE: usize = 16384;

/// A sequence of pictures to read, in display order.
pub trait FrameSource {
    /// Geometry, format and rate; fixed for the whole sequence.
    fn info(&self) -> &VideoInfo;

    /// The next picture, or `None` after the last one.
    fn read(&mut self) -> Result<Option<Frame>>;

    /// Passes over the next `n` pictures; how many there were, fewer than `n` only at the end.
    fn skip(&mut self, n: u64) -> Result<u64> {
        for passed in 0..n {
            if self.read()?.is_none() {
                return Ok(passed);
            }
        }
        Ok(n)
    }

    /// Number of pictures in all, where it can be told beforehand; a hint only.
    fn frames_hint(&self) -> Option<u64> {
        None
    }

    /// What the reader should know about how the source is read, such as a conversion that loses something.
    fn warnings(&self) -> &[String] {
        &[]
    }
}

/// A place that takes pictures.
pub trait FrameSink {
    /// Takes the next picture.
    fn write(&mut self, frame: &Frame) -> Result<()>;

    /// Ends the sequence and gives files their names. A returned line (the MD5) is meant for stdout.
    fn finish(&mut self) -> Result<Option<String>>;
}

/// What a source's bytes do not say.
#[derive(Clone, Debug, Default)]
pub struct SourceOptions {
    /// Width and height of raw video; if not given, and so for the rest, what the file's name says.
    pub size_in: Option<(usize, usize)>,
    /// Format of raw video; yuv420p if not given.
    pub pix_fmt: Option<PixelFormat>,
    /// Frames per second of raw video and pictures; 25 if not given.
    pub fps: Option<Ratio>,
}

/// A boxed source.
pub type BoxedSource = Box<dyn FrameSource + Send>;
/// A boxed sink.
pub type BoxedSink = Box<dyn FrameSink + Send>;

/// Opens `path` for reading: `-` is y4m on stdin (raw with `size_in`), otherwise the content decides and then the
/// extension.
pub fn open_source(path: &str, opts: &SourceOptions) -> Result<BoxedSource> {
    if path == "-" {
        return sniff(std::io::stdin(), "stdin", None, opts);
    }
    if is_picture(path)
        && !Path::new(path).exists()
        && let Some(pattern) = Pattern::parse(path)
    {
        return Ok(Box::new(ImageSource::sequence(pattern, opts)?));
    }
    let io_error = |e| Error::io(format!("opening {path}"), e);
    let file = File::open(path).map_err(io_error)?;
    let meta = file.metadata().map_err(io_error)?;
    if meta.is_dir() {
        let e = std::io::Error::new(std::io::ErrorKind::IsADirectory, "is a directory; name its pictures, as in DIR/f_%05d.png");
        return Err(io_error(e));
    }
    if meta.is_file() && is_raw_name(path) && !starts_as_another(&file, path)? {
        return Ok(Box::new(RawSource::from_file(file, path, opts)?));
    }
    sniff(file, path, meta.is_file().then_some(meta.len()), opts)
}

/// Whether a file begins as y4m, PNG or JPEG does, whatever its name. Leaves the file at its start.
fn starts_as_another(mut file: &File, path: &str) -> Result<bool> {
    let io_error = |e| Error::io(format!("reading {path}"), e);
    let mut head = Vec::new();
    file.take(y4m::MAGIC.len() as u64).read_to_end(&mut head).map_err(io_error)?;
    file.rewind().map_err(io_error)?;
    Ok(head == y4m::MAGIC || picture_magic(&head))
}

fn picture_magic(head: &[u8]) -> bool {
    head.starts_with(b"\x89PNG\r\n") || head.starts_with(b"\xff\xd8\xff")
}

fn sniff<R: Read + Send + 'static>(mut reader: R, name: &str, total: Option<u64>, opts: &SourceOptions) -> Result<BoxedSource> {
    let mut head = Vec::new();
    let got = reader.by_ref().take(y4m::MAGIC.len() as u64).read_to_end(&mut head);
    got.map_err(|e| Error::io(format!("reading {name}"), e))?;
    let kind = head.clone();
    let whole = BufReader::with_capacity(1 << 18, Cursor::new(head).chain(reader));
    if kind == y4m::MAGIC {
        return Ok(Box::new(Y4mSource::new(whole, name, total)?));
    }
    if picture_magic(&kind) {
        return Ok(Box::new(ImageSource::single(whole, name, opts)?));
    }
    let extension = extension(name);
    if is_raw_name(name) || (name == "stdin" && opts.size_in.is_some()) {
        return Ok(Box::new(RawSource::new(whole, name, total, opts)?));
    }
    if kind.is_empty() {
        return Err(Error::format(0, format!("{name}: empty")));
    }
    if extension == "y4m" || name == "stdin" {
        return Err(Error::format(0, format!("{name}: not y4m: it does not start with 'YUV4MPEG2 '")));
    }
    drop(whole);
    open_media(name)
}

#[cfg(feature = "ffmpeg")]
fn open_media(path: &str) -> Result<BoxedSource> {
    Ok(Box::new(MediaSource::open(path)?))
}

#[cfg(not(feature = "ffmpeg"))]
fn open_media(path: &str) -> Result<BoxedSource> {
    Err(Error::Unsupported(format!(
        "{path}: neither y4m, PNG, JPEG nor .yuv, and this build has no media support; \
         use ffmpeg -i {path} -f yuv4mpegpipe - | nvc encode -"
    )))
}

fn extension(path: &str) -> String {
    Path::new(path).extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn is_picture(path: &str) -> bool {
    matches!(extension(path).as_str(), "png" | "jpg" | "jpeg")
}

/// What a sink writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkFormat {
    /// YUV4MPEG2.
    Y4m,
    /// Raw planar frames.
    Yuv,
    /// PNG pictures.
    Png,
    /// JPEG pictures.
    Jpeg,
    /// One line with the MD5 of the raw planar frames.
    Md5,
    /// Nothing.
    Null,
}

impl std::str::FromStr for SinkFormat {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "y4m" => SinkFormat::Y4m,
            "yuv" => SinkFormat::Yuv,
            "png" => SinkFormat::Png,
            "jpg" | "jpeg" => SinkFormat::Jpeg,
            "md5" => SinkFormat::Md5,
            "null" => SinkFormat::Null,
            _ => return Err(Error::Parameter(format!("output format '{name}' (known: y4m, yuv, png, jpg, md5, null)"))),
        })
    }
}

/// Opens `path` for writing: `-` is stdout (y4m unless told otherwise), `null:` takes frames and keeps nothing;
/// `format` overrides the extension.
pub fn open_sink(path: &str, format: Option<SinkFormat>, info: &VideoInfo) -> Result<BoxedSink> {
    let format = match format {
        _ if path == "null:" && format != Some(SinkFormat::Md5) => SinkFormat::Null,
        Some(format) => format,
        None if path == "-" => SinkFormat::Y4m,
        None => match extension(path).as_str() {
            "yuv" | "raw" => SinkFormat::Yuv,
            other => other.parse().map_err(|_| {
                Error::Unsupported(format!(
                    "{path}: output of extension '{other}' (known: y4m, yuv, png, jpg; or choose --format); \
                     for others use -o - | ffmpeg -i - {path}"
                ))
            })?,
        },
    };
    Ok(match format {
        SinkFormat::Y4m => Box::new(Y4mSink::new(Output::create(path)?, info)?),
        SinkFormat::Yuv => Box::new(RawSink::new(Output::create(path)?, info)),
        SinkFormat::Png => Box::new(ImageSink::new(path, Packing::Png, info)?),
        SinkFormat::Jpeg => Box::new(ImageSink::new(path, Packing::Jpeg, info)?),
        SinkFormat::Md5 if path == "-" || path == "null:" => Box::new(Md5Sink::new(None, info)),
        SinkFormat::Md5 => Box::new(Md5Sink::new(Some(Output::create(path)?), info)),
        SinkFormat::Null => Box::new(NullSink),
    })
}

/// Takes frames and keeps nothing.
pub struct NullSink;

impl FrameSink for NullSink {
    fn write(&mut self, _: &Frame) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

/// Part of a source: pictures `range.start..range.end`. An end beyond the source's is its end; a start beyond it
/// is an [`Error::Parameter`].
pub struct SourceRange {
    inner: BoxedSource,
    range: Range<u64>,
    next: u64,
}

impl SourceRange {
    /// Limits `inner` to a half-open, non-empty range.
    pub fn new(inner: BoxedSource, range: Range<u64>) -> Result<Self> {
        if range.is_empty() {
            return Err(Error::Parameter(format!("frames {}..{}: the range is half open and must not be empty", range.start, range.end)));
        }
        Ok(SourceRange { inner, range, next: 0 })
    }
}

impl FrameSource for SourceRange {
    fn info(&self) -> &VideoInfo {
        self.inner.info()
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        if self.next < self.range.start {
            self.next += self.inner.skip(self.range.start - self.next)?;
        }
        if self.next >= self.range.end {
            return Ok(None);
        }
        let frame = if self.next < self.range.start { None } else { self.inner.read()? };
        if frame.is_some() {
            self.next += 1;
        } else if self.next <= self.range.start {
            let Range { start, end } = self.range;
            return Err(Error::Parameter(format!("frames {start}..{end}: the source has only {}", self.next)));
        } else {
            self.range.end = self.next;
        }
        Ok(frame)
    }

    fn skip(&mut self, n: u64) -> Result<u64> {
        // the first picture of the range is read: whether it is there decides whether the range is sound
        if n == 0 || self.read()?.is_none() {
            return Ok(0);
        }
        let more = (n - 1).min(self.range.end - self.next);
        let passed = self.inner.skip(more)?;
        self.next += passed;
        Ok(1 + passed)
    }

    fn frames_hint(&self) -> Option<u64> {
        self.inner.frames_hint().map(|n| self.range.end.min(n).saturating_sub(self.range.start))
    }

    fn warnings(&self) -> &[String] {
        self.inner.warnings()
    }
}

fn check_size(width: usize, height: usize) -> Result<()> {
    for (what, side) in [("picture width in samples", width), ("picture height in samples", height)] {
        if side == 0 {
            return Err(Error::format(0, format!("{what} is 0 or missing (allowed 1..={MAX_SIDE})")));
        }
        if side > MAX_SIDE {
            return Err(Error::Limits { what, actual: side as u64, allowed: MAX_SIDE as u64 });
        }
    }
    Ok(())
}
