//! Parts of sources: a range of frames, and what comes before damage.

use std::ops::Range;

use super::source::{BoxedSource, FrameSource, Survey, Takes};
use nvc::error::{Error, Result};
use nvc::frame::{Frame, VideoInfo};

/// `A..B`, `..B` or `A..`, half open; it may be empty.
pub fn parse_range(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once("..")?;
    let number = |text: &str, default| match text {
        "" => Some(default),
        _ => text.parse().ok(),
    };
    Some(number(start, 0)?..number(end, u64::MAX)?)
}

/// Part of a source: pictures `range.start..range.end`. An end beyond the source's is its end; a
/// start beyond it is an [`Error::Parameter`].
pub struct SourceRange {
    inner: BoxedSource,
    range: Range<u64>,
    next: u64,
}

impl SourceRange {
    /// Limits `inner` to a half-open, non-empty range.
    pub fn new(inner: BoxedSource, range: Range<u64>) -> Result<Self> {
        if range.is_empty() {
            return Err(Error::Parameter(format!(
                "frames {}..{}: the range is half open and must not be empty",
                range.start, range.end
            )));
        }
        Ok(SourceRange {
            inner,
            range,
            next: 0,
        })
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
        let frame = if self.next < self.range.start {
            None
        } else {
            self.inner.read()?
        };
        if frame.is_some() {
            self.next += 1;
        } else if self.next <= self.range.start {
            let Range { start, end } = self.range;
            return Err(Error::Parameter(format!(
                "frames {start}..{end}: the source has only {}",
                self.next
            )));
        } else {
            self.range.end = self.next;
        }
        Ok(frame)
    }

    fn skip(&mut self, n: u64) -> Result<u64> {
        // the first picture of the range is read: whether it is there decides whether the range is
        // sound
        if n == 0 || self.read()?.is_none() {
            return Ok(0);
        }
        let more = (n - 1).min(self.range.end - self.next);
        let passed = self.inner.skip(more)?;
        self.next += passed;
        Ok(1 + passed)
    }

    fn frames_hint(&self) -> Option<u64> {
        self.inner
            .frames_hint()
            .map(|n| self.range.end.min(n).saturating_sub(self.range.start))
    }

    fn survey(&mut self) -> Result<Survey> {
        let Survey { frames, damage } = self.inner.survey()?;
        let within = |n: u64| self.range.end.min(n).saturating_sub(self.range.start);
        // damage behind the range is none of its
        let damage = damage.filter(|_| frames.is_none_or(|n| n < self.range.end));
        Ok(Survey {
            frames: frames.map(within),
            damage,
        })
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.inner.take_warnings()
    }

    fn takes(&self) -> Takes {
        self.inner.takes()
    }
}

/// A source that ends where it turns out to be damaged, if there were pictures before.
pub struct KeepGoing {
    inner: BoxedSource,
    frames: u64,
    ended: bool,
    warnings: Vec<String>,
}

impl KeepGoing {
    /// Keeps what `inner` gives before it fails.
    pub fn new(inner: BoxedSource) -> Self {
        KeepGoing {
            inner,
            frames: 0,
            ended: false,
            warnings: Vec::new(),
        }
    }

    fn end(&mut self, e: Error) -> Result<()> {
        // what the world does is no damage
        if self.frames == 0 || !matches!(e, Error::Source { .. } | Error::Unsupported(_)) {
            return Err(e);
        }
        self.ended = true;
        let frames = self.frames;
        self.warnings.push(format!(
            "damaged after {frames} frames, which are kept (--keep-going): {e}"
        ));
        Ok(())
    }
}

impl FrameSource for KeepGoing {
    fn info(&self) -> &VideoInfo {
        self.inner.info()
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        if self.ended {
            return Ok(None);
        }
        match self.inner.read() {
            Ok(f) => {
                self.frames += u64::from(f.is_some());
                Ok(f)
            }
            Err(e) => self.end(e).map(|()| None),
        }
    }

    fn frames_hint(&self) -> Option<u64> {
        self.inner.frames_hint()
    }

    fn survey(&mut self) -> Result<Survey> {
        let survey = self.inner.survey()?;
        match (survey.damage, survey.frames) {
            // the damage is told when it is reached
            (Some(e), Some(0)) => Ok(Survey {
                frames: Some(0),
                damage: Some(e),
            }),
            (_, frames) => Ok(Survey {
                frames,
                damage: None,
            }),
        }
    }

    fn take_warnings(&mut self) -> Vec<String> {
        let mut all = self.inner.take_warnings();
        all.append(&mut self.warnings);
        all
    }

    fn takes(&self) -> Takes {
        self.inner.takes()
    }
}
