//! Sequences of a plan: opened, cut and scaled as the plan says, and written once as the very file
//! that every codec gets.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::geometry::{Cropped, Scaled};
use super::names::file_name;
use super::plan::SequencePlan;
use crate::datasets::Store;
use crate::files::utf8;
use ::nvc::error::{Error, Result};
use ::nvc::frame::{Chroma, Frame, PixelFormat, VideoInfo};
use nvc_media::{
    BoxedSource, FrameSource, SourceOptions, SourceRange, hex, open_sink, open_source,
};

/// A sequence that is ready to be coded.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Name in the results.
    pub name: String,
    /// Where it comes from and what was done to it, for the report.
    pub origin: String,
    /// Geometry and format after cutting and scaling.
    pub info: VideoInfo,
    /// Frames.
    pub frames: u64,
    /// SHA-256 over geometry, format, rate and samples: what results are filed under.
    pub digest: String,
    plan: SequencePlan,
    base: PathBuf,
}

impl Sequence {
    /// Reads the whole sequence once, a frame at a time, to count and to digest it. `base` is the
    /// folder that relative names of the plan are below.
    pub fn open(plan: &SequencePlan, base: &Path, store: &Store) -> Result<Self> {
        let mut source = source(plan, base, store)?;
        let info = *source.info();
        let mut hash = Sha256::new();
        hash.update(format!(
            "{}x{} {} {:?} {:?} {:?}",
            info.width,
            info.height,
            info.format.name(),
            info.fps,
            info.sar,
            info.color
        ));
        let (mut raw, mut frames) = (Vec::new(), 0);
        while let Some(f) = source.read()? {
            f.write_raw(info.format, &mut raw);
            hash.update(&raw);
            frames += 1;
        }
        if frames == 0 {
            return Err(Error::Parameter(format!("{}: no frames", plan.source)));
        }
        if info.format.chroma.has_alpha() {
            let what = format!(
                "{}: a picture with transparency, which other codecs are not given here; flatten it first",
                plan.source
            );
            return Err(Error::Unsupported(what));
        }
        if info.format.chroma == Chroma::Rgb && frames > 1 {
            let what = format!(
                "{}: {frames} RGB frames; video is coded as YUV here: convert it, as with ffmpeg -pix_fmt yuv444p",
                plan.source
            );
            return Err(Error::Unsupported(what));
        }
        let name = plan
            .name
            .clone()
            .unwrap_or_else(|| default_name(&plan.source));
        let base = base.to_path_buf();
        Ok(Sequence {
            name,
            origin: origin(plan),
            info,
            frames,
            digest: hex(&hash.finalize()),
            plan: plan.clone(),
            base,
        })
    }

    /// Whether it is one picture, RGB or gray, as codecs of pictures take it.
    pub fn is_picture(&self) -> bool {
        self.frames == 1 && matches!(self.info.format.chroma, Chroma::Rgb | Chroma::Gray)
    }

    /// Its file name below the folder of results.
    pub fn file_name(&self) -> String {
        format!(
            "{}.{}",
            file_name(&self.name),
            if self.is_picture() { "png" } else { "y4m" }
        )
    }

    /// Writes the file that codecs read.
    pub fn write(&self, path: &Path, store: &Store) -> Result<()> {
        let mut source = source(&self.plan, &self.base, store)?;
        let mut sink = open_sink(utf8(path)?, None, &self.info)?;
        while let Some(f) = source.read()? {
            sink.write(&f)?;
        }
        sink.finish().map(drop)
    }
}

impl Sequence {
    /// Writes one frame as a PNG in RGB.
    pub fn write_picture(&self, frame: u64, path: &Path, store: &Store) -> Result<()> {
        let mut source =
            SourceRange::new(source(&self.plan, &self.base, store)?, frame..frame + 1)?;
        let Some(f) = source.read()? else {
            return Err(Error::Parameter(format!(
                "{}: no frame {frame} (it has {})",
                self.name, self.frames
            )));
        };
        write_picture(&f, &self.info, path)
    }
}

/// Opens a prepared sequence.
pub fn open(path: &Path) -> Result<BoxedSource> {
    open_source(utf8(path)?, &SourceOptions::default())
}

/// Writes one frame as a PNG in RGB.
pub fn write_picture(frame: &Frame, info: &VideoInfo, path: &Path) -> Result<()> {
    let mut sink = open_sink(utf8(path)?, None, info)?;
    sink.write(frame)?;
    sink.finish().map(drop)
}

/// The last part of a data set's name or of a path, without extensions.
fn default_name(source: &str) -> String {
    let last = source.rsplit(['/', ':']).next().unwrap_or(source);
    last.split('.').next().unwrap_or(last).to_string()
}

fn origin(plan: &SequencePlan) -> String {
    let mut text = plan.source.rsplit('/').next().unwrap_or("").to_string();
    if plan.source.starts_with("dataset:") {
        text = plan.source.clone();
    }
    for (what, value) in [
        ("frames", &plan.frames),
        ("centre crop", &plan.crop),
        ("scaled to", &plan.scale),
    ] {
        if let Some(v) = value {
            text += &format!(", {what} {v}");
        }
    }
    text
}

fn source(plan: &SequencePlan, base: &Path, store: &Store) -> Result<BoxedSource> {
    let mut source = match plan.source.strip_prefix("dataset:") {
        Some(name) => store.open_source(name)?,
        None => {
            let path = base.join(&plan.source);
            let opts = SourceOptions {
                size_in: plan.size_in()?,
                pix_fmt: plan
                    .pix_fmt
                    .as_deref()
                    .map(PixelFormat::from_name)
                    .transpose()?,
                fps: plan
                    .fps
                    .as_deref()
                    .map(str::parse)
                    .transpose()
                    .map_err(|m| Error::Parameter(format!("{}: {m}", plan.source)))?,
                ..SourceOptions::default()
            };
            open_source(utf8(&path)?, &opts)?
        }
    };
    if let Some(range) = plan.frames()? {
        source = Box::new(SourceRange::new(source, range)?);
    }
    if let Some(size) = plan.crop()? {
        source = Box::new(Cropped::new(source, size)?);
    }
    if let Some((width, height)) = plan.scale()? {
        let info = VideoInfo {
            width,
            height,
            ..*source.info()
        };
        source = Box::new(Scaled {
            inner: source,
            info,
        });
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_origins() {
        assert_eq!(default_name("dataset:uvg/Beauty"), "Beauty");
        assert_eq!(default_name("/a/b.c/clip_1.y4m"), "clip_1");
        let plan = SequencePlan {
            frames: Some("0..4".into()),
            scale: Some("4x4".into()),
            ..SequencePlan::of("/secret/place/a.y4m")
        };
        assert_eq!(origin(&plan), "a.y4m, frames 0..4, scaled to 4x4");
    }
}
