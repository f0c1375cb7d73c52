//! Frames in and out: YUV4MPEG2, raw planar files, pictures and animations, any container through
//! ffmpeg, MD5, nothing.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod animation;
mod aspect;
mod cadence;
mod guard;
mod images;
mod md5;
#[cfg(feature = "ffmpeg")]
mod media;
mod memory;
mod output;
mod pattern;
mod picture;
mod picture_color;
mod picture_source;
mod png;
mod range;
mod raw;
mod raw_name;
mod sink;
mod stdout;
mod temporary;
#[cfg(feature = "ffmpeg")]
mod turn;
mod y4m;
mod y4m_header;

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

pub use animation::AnimationSource;
pub use guard::FileGuard;
pub use images::{ImageSink, Packing};
pub use md5::{Md5Sink, hex};
#[cfg(feature = "ffmpeg")]
pub use media::MediaSource;
pub use memory::MemorySource;
pub use output::Output;
pub use pattern::Pattern;
pub use picture::frame_of;
pub use picture_source::PictureSource;
pub use range::{KeepGoing, SourceRange};
pub use raw::{RawSink, RawSource};
pub use raw_name::is_raw_name;
pub use sink::{NullSink, SinkFormat, not_held, open_sink};
pub use stdout::{check_stdout, is_stdout, look_at_stdout};
pub use temporary::{TemporaryFolder, remove_all as remove_temporaries};
pub use y4m::{Y4mSink, Y4mSource};
pub use y4m_header::write as write_y4m_header;

use nvc::error::{Error, Result};
use nvc::frame::{Frame, PixelFormat, Ratio, VideoInfo};

/// How our own files begin (spec section 2.1): they are no sources.
const NVC_MAGIC: [u8; 8] = *b"\x8bNVC\r\n\x1a\n";

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

    /// Looks through the whole source, as far as that needs no decoding and it is a file, for what
    /// reading it would come to. To be called before the first picture is read. An error where no
    /// picture can be taken as it is.
    fn survey(&mut self) -> Result<Survey> {
        Ok(Survey {
            frames: self.frames_hint(),
            damage: None,
        })
    }

    /// What was found that cannot be kept, and what to do about it: one line each, without the
    /// source's name. Each is given once; some are known only after the last picture.
    fn take_warnings(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Which options of [`SourceOptions`] have a meaning for this source.
    fn takes(&self) -> Takes {
        Takes::default()
    }
}

/// What [`FrameSource::survey`] found.
#[derive(Debug)]
pub struct Survey {
    /// Whole pictures, where that is known.
    pub frames: Option<u64>,
    /// What ends the source after them, other than its end.
    pub damage: Option<Error>,
}

impl Survey {
    /// Of a source that cannot be looked through.
    pub fn unknown() -> Self {
        Survey {
            frames: None,
            damage: None,
        }
    }
}

/// Options of [`SourceOptions`] that a source makes use of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// Size and pixel format.
    pub geometry: bool,
    /// Frame rate.
    pub fps: bool,
    /// First number.
    pub start_number: bool,
    /// Resampling.
    pub vfr_to_cfr: bool,
}

impl Takes {
    /// What either takes.
    pub fn or(self, other: Takes) -> Takes {
        Takes {
            geometry: self.geometry || other.geometry,
            fps: self.fps || other.fps,
            start_number: self.start_number || other.start_number,
            vfr_to_cfr: self.vfr_to_cfr || other.vfr_to_cfr,
        }
    }
}

/// A place that takes pictures.
pub trait FrameSink {
    /// Takes the next picture.
    fn write(&mut self, frame: &Frame) -> Result<()>;

    /// Ends the sequence and gives files their names. A returned line (the MD5) is meant for
    /// stdout.
    fn finish(&mut self) -> Result<Option<String>>;
}

/// What a source's bytes do not say.
#[derive(Clone, Debug, Default)]
pub struct SourceOptions {
    /// Width and height of raw video; if not given, and so for the rest, what the file's name says.
    pub size_in: Option<(usize, usize)>,
    /// Format of raw video; yuv420p if not given.
    pub pix_fmt: Option<PixelFormat>,
    /// Frames per second of raw video and pictures, 25 if not given, and of what is resampled.
    pub fps: Option<Ratio>,
    /// Number of the first picture of a sequence; the lowest there is if not given.
    pub start_number: Option<u64>,
    /// Resamples a variable frame rate to a constant one.
    pub vfr_to_cfr: bool,
}

impl SourceOptions {
    /// An [`Error::Parameter`] that names an option that was given for nothing: of the source
    /// `name`, which takes `takes`.
    pub fn check_used(&self, takes: Takes, name: &str) -> Result<()> {
        let unused = [
            (
                "--size-in",
                self.size_in.is_some() && !takes.geometry,
                "raw video",
            ),
            (
                "--pix-fmt",
                self.pix_fmt.is_some() && !takes.geometry,
                "raw video",
            ),
            (
                "--start-number",
                self.start_number.is_some() && !takes.start_number,
                "numbered pictures",
            ),
            (
                "--vfr-to-cfr",
                self.vfr_to_cfr && !takes.vfr_to_cfr,
                "containers and animations",
            ),
            (
                "--fps",
                self.fps.is_some() && !takes.fps,
                "raw video, pictures and, with --vfr-to-cfr, containers",
            ),
        ];
        match unused.iter().find(|(_, idle, _)| *idle) {
            Some((option, _, what)) => Err(Error::Parameter(format!(
                "{option} has no effect on {name}: it is for {what}"
            ))),
            None => Ok(()),
        }
    }
}

/// A boxed source.
pub type BoxedSource = Box<dyn FrameSource + Send>;
/// A boxed sink.
pub type BoxedSink = Box<dyn FrameSink + Send>;

/// Opens `path` for reading: `-` is y4m on stdin (raw with `size_in`), otherwise the content
/// decides and then the extension.
pub fn open_source(path: impl AsRef<Path>, opts: &SourceOptions) -> Result<BoxedSource> {
    let path = path.as_ref();
    if path == Path::new("-") {
        return sniff(std::io::stdin(), None, opts);
    }
    if let Some(pattern) = Pattern::parse(path).filter(|_| is_picture(path) && !path.exists()) {
        return Ok(Box::new(PictureSource::sequence(pattern, opts)?));
    }
    let name = path.display().to_string();
    let io_error = |e| Error::io(format!("opening {name}"), e);
    let file = File::open(path).map_err(io_error)?;
    let meta = file.metadata().map_err(io_error)?;
    if meta.is_dir() {
        let e = std::io::Error::new(
            std::io::ErrorKind::IsADirectory,
            "is a directory; name its pictures, as in DIR/f_%05d.png",
        );
        return Err(io_error(e));
    }
    if meta.is_file() && is_raw_name(path) && !starts_as_another(&file, &name)? {
        return Ok(Box::new(RawSource::from_file(file, &name, opts)?));
    }
    sniff(
        file,
        Some((path, meta.is_file().then_some(meta.len()))),
        opts,
    )
}

/// Bytes that tell what a file is.
const HEAD: u64 = 16;

/// Whether a file begins as y4m or a picture does, whatever its name. Leaves the file at its start.
fn starts_as_another(mut file: &File, name: &str) -> Result<bool> {
    let io_error = |e| Error::io(format!("reading {name}"), e);
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).map_err(io_error)?;
    file.rewind().map_err(io_error)?;
    Ok(head.starts_with(y4m_header::MAGIC)
        || head.starts_with(&NVC_MAGIC)
        || picture::sniff(&head).is_some())
}

/// `path` and length of what is read; stdin if there is none.
fn sniff<R: Read + Send + 'static>(
    mut reader: R,
    path: Option<(&Path, Option<u64>)>,
    opts: &SourceOptions,
) -> Result<BoxedSource> {
    let name = path.map_or("stdin".into(), |(p, _)| p.display().to_string());
    let total = path.and_then(|(_, total)| total);
    let mut head = Vec::new();
    let got = reader.by_ref().take(HEAD).read_to_end(&mut head);
    got.map_err(|e| Error::io(format!("reading {name}"), e))?;
    let kind = head.clone();
    let whole = BufReader::with_capacity(1 << 18, Cursor::new(head).chain(reader));
    if kind.starts_with(y4m_header::MAGIC) {
        let file = path.and_then(|(p, total)| Some((PathBuf::from(p), total?)));
        return Ok(Box::new(Y4mSource::new(whole, &name, file)?));
    }
    if kind.starts_with(&NVC_MAGIC) {
        let what = format!(
            "{name} is an nvc file already; nvc decode {name} -o out.y4m turns it into frames, nvc info {name} describes it"
        );
        return Err(Error::Unsupported(what));
    }
    if picture::sniff(&kind).is_some() {
        let bytes = picture::read_all(whole, &name)?;
        return Ok(match animation::is_animated(&bytes) {
            true => Box::new(AnimationSource::open(bytes, &name, opts)?),
            false => Box::new(PictureSource::single(&bytes, &name, opts)?),
        });
    }
    let stdin = path.is_none();
    let raw = path.map_or(opts.size_in.is_some(), |(p, _)| is_raw_name(p));
    if raw {
        return Ok(Box::new(RawSource::new(whole, &name, total, opts)?));
    }
    if kind.is_empty() {
        return Err(Error::source(
            name,
            0,
            "an empty file (allowed: video or pictures)",
        ));
    }
    match path {
        Some((p, _)) if !stdin && extension(p) != "y4m" => {
            drop(whole);
            open_media(p, opts)
        }
        _ => Err(Error::source(
            name,
            0,
            "not y4m: it does not start with 'YUV4MPEG2 '",
        )),
    }
}

#[cfg(feature = "ffmpeg")]
fn open_media(path: &Path, opts: &SourceOptions) -> Result<BoxedSource> {
    let source = MediaSource::open(path, opts)?;
    let turn = source.turn();
    Ok(if turn == turn::Turn::NONE {
        Box::new(source)
    } else {
        Box::new(turn::Turned::new(Box::new(source), turn))
    })
}

#[cfg(not(feature = "ffmpeg"))]
fn open_media(path: &Path, _: &SourceOptions) -> Result<BoxedSource> {
    let name = path.display();
    Err(Error::Unsupported(format!(
        "{name}: neither y4m, PNG, JPEG, WebP, GIF nor .yuv, and this build has no media support; \
         use ffmpeg -i {name} -f yuv4mpegpipe - | nvc encode -"
    )))
}

fn extension(path: impl AsRef<Path>) -> String {
    path.as_ref()
        .extension()
        .map(|e| e.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

fn is_picture(path: &Path) -> bool {
    matches!(
        extension(path).as_str(),
        "png" | "jpg" | "jpeg" | "webp" | "gif"
    )
}

/// Checks the size of a source's pictures.
fn check_size(name: &str, width: usize, height: usize) -> Result<()> {
    for (what, side) in [("width", width), ("height", height)] {
        if side == 0 {
            return Err(Error::source(
                name,
                None,
                format!("picture {what} is 0 (allowed 1..={MAX_SIDE})"),
            ));
        }
        if side > MAX_SIDE {
            return Err(Error::Unsupported(format!(
                "{name}: picture {what} is {side} (allowed 1..={MAX_SIDE})"
            )));
        }
    }
    Ok(())
}
