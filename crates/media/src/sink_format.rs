//! What can be written, and what the name of an output says of it.

use std::path::Path;

use super::extension::extension;
use super::stdout::is_stdout;
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;

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
                     for others use -o - | ffmpeg -i - {name}, of RGB a PNG between"
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

/// What writers without alpha say of pictures that have it.
pub(crate) fn no_alpha(what: &str, info: &VideoInfo) -> Error {
    Error::Unsupported(format!(
        "{} pictures as {what}: alpha is written in PNG alone; name the output .png, or choose --format png",
        info.format.name()
    ))
}
