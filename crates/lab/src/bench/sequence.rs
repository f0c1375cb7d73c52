//! Sequences of a plan: opened, cut and scaled as the plan says, and written once as the very file
//! that every codec gets.

use std::path::{Path, PathBuf};

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma};
use sha2::{Digest, Sha256};

use super::plan::SequencePlan;
use crate::datasets::Store;
use ::nvc::error::{Error, Result};
use ::nvc::frame::{Chroma, Frame, PixelFormat, Plane, VideoInfo};
use nvc_media::{BoxedSource, FrameSource, SourceOptions, SourceRange, open_sink, open_source};

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
        if info.format.chroma == Chroma::Rgb && frames > 1 {
            let what = format!(
                "{}: {frames} RGB frames; video is coded as YUV here: convert it, as with ffmpeg -pix_fmt yuv444p",
                plan.source
            );
            return Err(Error::Unsupported(what));
        }
        let digest = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
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
            digest,
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
            super::file_name(&self.name),
            if self.is_picture() { "png" } else { "y4m" }
        )
    }

    /// Writes the file that codecs read.
    pub fn write(&self, path: &Path, store: &Store) -> Result<()> {
        let text = path.to_str().ok_or_else(|| {
            Error::Parameter(format!("{} is not a name in UTF-8", path.display()))
        })?;
        let mut source = source(&self.plan, &self.base, store)?;
        let mut sink = open_sink(text, None, &self.info)?;
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
        super::run::write_picture(&f, &self.info, path)
    }
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
            let text = path.to_str().ok_or_else(|| {
                Error::Parameter(format!("{} is not a name in UTF-8", path.display()))
            })?;
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
            open_source(text, &opts)?
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

/// The middle of each picture.
struct Cropped {
    inner: BoxedSource,
    info: VideoInfo,
    /// First column and row, even for subsampled chroma.
    corner: (usize, usize),
}

impl Cropped {
    fn new(inner: BoxedSource, (width, height): (usize, usize)) -> Result<Self> {
        let from = *inner.info();
        if width > from.width || height > from.height {
            return Err(Error::Parameter(format!(
                "crop {width}x{height} is larger than the picture of {}x{}",
                from.width, from.height
            )));
        }
        let even = |v: usize| {
            if from.format.chroma == Chroma::Yuv420 {
                v & !1
            } else {
                v
            }
        };
        let corner = (
            even((from.width - width) / 2),
            even((from.height - height) / 2),
        );
        Ok(Cropped {
            inner,
            info: VideoInfo {
                width,
                height,
                ..from
            },
            corner,
        })
    }
}

impl FrameSource for Cropped {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let Some(from) = self.inner.read()? else {
            return Ok(None);
        };
        let mut to = Frame::new(self.info.format, self.info.width, self.info.height);
        for (p, (to, from)) in to.planes.iter_mut().zip(&from.planes).enumerate() {
            let shift = usize::from(p > 0 && self.info.format.chroma == Chroma::Yuv420);
            let (x, y) = (self.corner.0 >> shift, self.corner.1 >> shift);
            for (row, out) in to.data.chunks_exact_mut(to.width).enumerate() {
                out.copy_from_slice(&from.row(y + row)[x..x + out.len()]);
            }
        }
        Ok(Some(to))
    }

    fn frames_hint(&self) -> Option<u64> {
        self.inner.frames_hint()
    }
}

/// Each picture at another size.
struct Scaled {
    inner: BoxedSource,
    info: VideoInfo,
}

impl FrameSource for Scaled {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let Some(from) = self.inner.read()? else {
            return Ok(None);
        };
        let max = self.info.format.max_value();
        let planes = from.planes.into_iter().enumerate().map(|(p, from)| {
            let (width, height) = self
                .info
                .format
                .plane_size(p, self.info.width, self.info.height);
            let size = (from.width, from.height);
            let picture =
                ImageBuffer::<Luma<u16>, _>::from_raw(size.0 as u32, size.1 as u32, from.data)
                    .ok_or_else(|| {
                        Error::Parameter(format!("plane {p} is not of {}x{}", size.0, size.1))
                    })?;
            let mut data =
                resize(&picture, width as u32, height as u32, FilterType::Lanczos3).into_raw();
            data.iter_mut().for_each(|v| *v = (*v).min(max));
            Ok(Plane {
                width,
                height,
                data,
            })
        });
        Ok(Some(Frame {
            planes: planes.collect::<Result<_>>()?,
        }))
    }

    fn frames_hint(&self) -> Option<u64> {
        self.inner.frames_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::nvc::frame::{ColorInfo, Ratio};

    struct Ramp(VideoInfo, u64);

    impl FrameSource for Ramp {
        fn info(&self) -> &VideoInfo {
            &self.0
        }
        fn read(&mut self) -> Result<Option<Frame>> {
            if self.1 == 0 {
                return Ok(None);
            }
            self.1 -= 1;
            let mut f = Frame::new(self.0.format, self.0.width, self.0.height);
            for p in &mut f.planes {
                let w = p.width;
                p.data
                    .iter_mut()
                    .enumerate()
                    .for_each(|(i, v)| *v = (10 * (i / w) + i % w) as u16);
            }
            Ok(Some(f))
        }
    }

    fn ramp(width: usize, height: usize) -> BoxedSource {
        let (fps, sar) = (Ratio { num: 25, den: 1 }, Ratio { num: 1, den: 1 });
        let format = PixelFormat::new8(Chroma::Yuv420);
        Box::new(Ramp(
            VideoInfo {
                width,
                height,
                format,
                fps,
                sar,
                color: ColorInfo::UNSPECIFIED,
            },
            1,
        ))
    }

    #[test]
    fn crops_the_middle_on_chroma_samples() {
        let mut c = Cropped::new(ramp(10, 10), (4, 4)).unwrap();
        let f = c.read().unwrap().unwrap();
        // (10 - 4) / 2 = 3 is not a chroma sample's place: 2 is
        assert_eq!(f.planes[0].data[..5], [22, 23, 24, 25, 32]);
        assert_eq!(f.planes[1].data, [11, 12, 21, 22]);
        assert!(c.read().unwrap().is_none());
        assert!(Cropped::new(ramp(10, 10), (12, 4)).is_err());
    }

    #[test]
    fn scales_every_plane() {
        let inner = ramp(8, 8);
        let info = VideoInfo {
            width: 4,
            height: 4,
            ..*inner.info()
        };
        let f = Scaled { inner, info }.read().unwrap().unwrap();
        assert_eq!(
            (f.planes[0].width, f.planes[1].width, f.planes[1].data.len()),
            (4, 2, 4)
        );
        // a ramp stays one away from the borders: sample 1 lies between 2 and 3 on both axes
        assert!(
            (26..=29).contains(&f.planes[0].data[4 + 1]),
            "{:?}",
            f.planes[0].data
        );
    }

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
