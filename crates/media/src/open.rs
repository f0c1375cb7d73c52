//! Sources and sinks by name.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use super::extension::{extension, is_picture};
use super::images::{ImageSink, Packing};
use super::md5::Md5Sink;
#[cfg(feature = "ffmpeg")]
use super::media::MediaSource;
use super::output::Output;
use super::pattern::Pattern;
use super::picture::{self, AnimationSource, PictureSource};
use super::raw::{RawSink, RawSource};
use super::raw_name::is_raw_name;
use super::sink::{BoxedSink, NullSink};
use super::sink_format::{SinkFormat, no_alpha};
use super::source::BoxedSource;
use super::source_options::SourceOptions;
use super::stdout::is_stdout;
#[cfg(feature = "ffmpeg")]
use super::turn::{Turn, turned};
use super::y4m::{self, Y4mSink, Y4mSource};
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;

/// How our own files begin (spec section 2.1): they are no sources.
const NVC_MAGIC: [u8; 8] = *b"\x8bNVC\r\n\x1a\n";

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
    Ok(head.starts_with(y4m::MAGIC)
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
    if kind.starts_with(y4m::MAGIC) {
        let file = path.and_then(|(p, total)| Some((PathBuf::from(p), total?)));
        return Ok(Box::new(Y4mSource::new(whole, &name, file)?));
    }
    if kind.starts_with(&NVC_MAGIC) {
        let what = format!(
            "{name} is an nvc file already; nvc decode {name} -o out.y4m, or out.png, gives its frames, nvc info {name} describes it"
        );
        return Err(Error::Unsupported(what));
    }
    if picture::sniff(&kind).is_some() {
        let bytes = picture::read_all(whole, &name)?;
        return Ok(match picture::is_animated(&bytes) {
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
    Ok(if turn == Turn::NONE {
        Box::new(source)
    } else {
        Box::new(turned(Box::new(source), turn))
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

/// Opens `path` for writing: `-` is stdout (y4m unless told otherwise), `null:` takes frames and
/// keeps nothing; `format` overrides the extension.
pub fn open_sink(
    path: impl AsRef<Path>,
    format: Option<SinkFormat>,
    info: &VideoInfo,
) -> Result<BoxedSink> {
    let path = path.as_ref();
    let alpha = info.format.chroma.has_alpha();
    Ok(match SinkFormat::of(path, format)? {
        SinkFormat::Y4m => Box::new(Y4mSink::new(Output::create(path)?, info)?),
        SinkFormat::Yuv if alpha => return Err(no_alpha("raw planes", info)),
        SinkFormat::Jpeg if alpha => return Err(no_alpha("JPEG", info)),
        SinkFormat::Yuv => Box::new(RawSink::new(Output::create(path)?, info)),
        SinkFormat::Png => Box::new(ImageSink::new(path, Packing::Png, info)?),
        SinkFormat::Jpeg => Box::new(ImageSink::new(path, Packing::Jpeg, info)?),
        SinkFormat::Md5 if is_stdout(path) || path == Path::new("null:") => {
            Box::new(Md5Sink::new(None, info))
        }
        SinkFormat::Md5 => Box::new(Md5Sink::new(Some(Output::create(path)?), info)),
        SinkFormat::Null => Box::new(NullSink),
    })
}
