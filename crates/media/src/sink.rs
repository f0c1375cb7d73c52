//! Sinks by name.

use std::path::Path;

use super::{
    BoxedSink, FrameSink, ImageSink, Md5Sink, Output, Packing, RawSink, Y4mSink, extension,
    is_stdout,
};
use nvc::error::{Error, Result};
use nvc::frame::{Frame, VideoInfo};

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
            _ => {
                return Err(Error::Parameter(format!(
                    "output format '{name}' (known: y4m, yuv, png, jpg, md5, null)"
                )));
            }
        })
    }
}

impl SinkFormat {
    /// What is written to `path` unless told otherwise: by its extension; y4m to stdout (`-`),
    /// nothing to `null:`.
    pub fn of(path: &Path, asked: Option<SinkFormat>) -> Result<Self> {
        if path == Path::new("null:") && asked != Some(SinkFormat::Md5) {
            return Ok(SinkFormat::Null);
        }
        if let Some(format) = asked {
            return Ok(format);
        }
        if is_stdout(path) {
            return Ok(SinkFormat::Y4m);
        }
        match extension(path).as_str() {
            "yuv" | "raw" => Ok(SinkFormat::Yuv),
            other => other.parse().map_err(|_| {
                let name = path.display();
                Error::Unsupported(format!(
                    "{name}: output of extension '{other}' (known: y4m, yuv, png, jpg; or choose --format); \
                     for others use -o - | ffmpeg -i - {name}"
                ))
            }),
        }
    }

    /// Whether each picture is a file of its own.
    pub fn is_pictures(self) -> bool {
        matches!(self, SinkFormat::Png | SinkFormat::Jpeg)
    }
}

/// What of a sequence's description `format` cannot hold, where that changes how the pictures look.
pub fn not_held(format: SinkFormat, info: &VideoInfo) -> Option<String> {
    let c = &info.color;
    // PQ and HLG
    let bright = c.light.is_some() || [16, 18].contains(&c.transfer);
    let (name, lost) = match format {
        SinkFormat::Y4m if bright => ("y4m", "no primaries, transfer, matrix or light levels"),
        SinkFormat::Jpeg if bright => ("JPEG", "8 bits a sample and no such colour description"),
        _ => return None,
    };
    Some(format!(
        "the pictures are of high dynamic range, and {name} holds {lost}; nvc info tells them"
    ))
}

/// Opens `path` for writing: `-` is stdout (y4m unless told otherwise), `null:` takes frames and
/// keeps nothing; `format` overrides the extension.
pub fn open_sink(
    path: impl AsRef<Path>,
    format: Option<SinkFormat>,
    info: &VideoInfo,
) -> Result<BoxedSink> {
    let path = path.as_ref();
    Ok(match SinkFormat::of(path, format)? {
        SinkFormat::Y4m => Box::new(Y4mSink::new(Output::create(path)?, info)?),
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
