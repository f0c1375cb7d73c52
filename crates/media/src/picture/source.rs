//! Pictures as a source: one, or a numbered sequence (`f_%05d.png`).

use std::path::Path;

use super::decode::{self, Picture};
use crate::pattern::Pattern;
use crate::source::{FrameSource, Survey, Takes};
use crate::source_options::SourceOptions;
use nvc::error::{Error, Result};
use nvc::frame::{Frame, PixelFormat, Ratio, VideoInfo};

/// Reads one picture, or a sequence of them.
pub struct PictureSource {
    info: VideoInfo,
    first: Option<Frame>,
    rest: Option<Sequence>,
    frames: u64,
    warnings: Vec<String>,
    /// Warnings given, each once.
    given: Vec<String>,
}

/// Refuses a picture of a sequence that has alpha: whether others have it too shows only when they are
/// decoded.
fn opaque(path: &Path, format: PixelFormat) -> Result<()> {
    if format.chroma.has_alpha() {
        return Err(Error::Unsupported(format!(
            "{}: picture with transparency in a sequence; flatten its alpha channel first, or encode the pictures one by one",
            path.display()
        )));
    }
    Ok(())
}

struct Sequence {
    pattern: Pattern,
    start: u64,
    next: u64,
    end: u64,
}

impl PictureSource {
    /// A single picture, from the bytes of its file.
    pub fn single(bytes: &[u8], name: &str, opts: &SourceOptions) -> Result<Self> {
        Ok(Self::new(decode::decode(bytes, name)?, None, 1, opts))
    }

    /// A sequence, from `start_number` or the lowest number on.
    pub fn sequence(pattern: Pattern, opts: &SourceOptions) -> Result<Self> {
        let numbers = pattern.numbers()?;
        let missing = |path: &Path| {
            let what = format!("opening picture sequence: {}", path.display());
            Err(Error::io(what, std::io::ErrorKind::NotFound.into()))
        };
        let start = match (opts.start_number, numbers.first()) {
            (Some(n), _) if !numbers.contains(&n) => return missing(&pattern.path(n)),
            (Some(n), _) => n,
            (None, Some(&n)) => n,
            (None, None) => return missing(&pattern.path(1)),
        };
        let from = numbers.iter().filter(|&&n| n >= start);
        let frames = from
            .clone()
            .zip(start..)
            .take_while(|(a, b)| **a == *b)
            .count() as u64;
        let end = start + frames;
        let first = decode::open(&pattern.path(start))?;
        opaque(&pattern.path(start), first.format)?;
        let left_out = from.count() as u64 - frames;
        let warning = numbers.last().filter(|_| left_out > 0).map(|&last| {
            let (gap, last) = (pattern.path(end), pattern.path(last));
            format!(
                "{} is missing: {left_out} pictures after it, up to {}, are left out; number the pictures without gaps",
                gap.display(),
                last.display()
            )
        });
        let mut source = Self::new(
            first,
            Some(Sequence {
                pattern,
                start,
                next: start + 1,
                end,
            }),
            frames,
            opts,
        );
        source.warnings.extend(warning);
        Ok(source)
    }

    fn new(first: Picture, rest: Option<Sequence>, frames: u64, opts: &SourceOptions) -> Self {
        let Picture {
            frame,
            format,
            size: (width, height),
            color,
            sar,
            warnings,
        } = first;
        let fps = opts.fps.unwrap_or(Ratio { num: 25, den: 1 });
        let info = VideoInfo {
            fps,
            sar,
            color,
            ..VideoInfo::new(width, height, format)
        };
        PictureSource {
            info,
            first: Some(frame),
            rest,
            frames,
            warnings,
            given: Vec::new(),
        }
    }

    fn check(&self, path: &Path, format: PixelFormat, size: (usize, usize)) -> Result<()> {
        let i = &self.info;
        if format == i.format && size == (i.width, i.height) {
            return Ok(());
        }
        let ((w, h), name) = (size, format.name());
        Err(Error::Unsupported(format!(
            "{} is {name} {w}x{h}, the pictures before it {} {}x{}; all pictures of a sequence must be alike",
            path.display(),
            i.format.name(),
            i.width,
            i.height
        )))
    }
}

impl FrameSource for PictureSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        if let Some(frame) = self.first.take() {
            return Ok(Some(frame));
        }
        let Some(s) = self.rest.as_mut().filter(|s| s.next < s.end) else {
            return Ok(None);
        };
        let path = s.pattern.path(s.next);
        s.next += 1;
        let p = decode::open(&path)?;
        opaque(&path, p.format)?;
        self.check(&path, p.format, p.size)?;
        self.warnings.extend(p.warnings);
        let (a, b) = (p.color, self.info.color);
        if (a.primaries, a.transfer, a.range) != (b.primaries, b.transfer, b.range) {
            self.warnings.push("some of the pictures have another colour than the first, whose colour all are given".into());
        }
        Ok(Some(p.frame))
    }

    fn frames_hint(&self) -> Option<u64> {
        Some(self.frames)
    }

    fn survey(&mut self) -> Result<Survey> {
        let Some(s) = &self.rest else {
            return Ok(Survey {
                frames: Some(1),
                damage: None,
            });
        };
        for n in s.start..s.end {
            let path = s.pattern.path(n);
            if let Err(e) =
                decode::peek(&path).and_then(|(format, size)| self.check(&path, format, size))
            {
                return Ok(Survey {
                    frames: Some(n - s.start),
                    damage: Some(e),
                });
            }
        }
        Ok(Survey {
            frames: Some(self.frames),
            damage: None,
        })
    }

    fn take_warnings(&mut self) -> Vec<String> {
        let mut new = std::mem::take(&mut self.warnings);
        new.retain(|w| {
            let first = !self.given.contains(w);
            if first {
                self.given.push(w.clone());
            }
            first
        });
        new
    }

    fn takes(&self) -> Takes {
        Takes {
            fps: true,
            start_number: self.rest.is_some(),
            ..Takes::default()
        }
    }
}
