//! What gives frames.

use nvc::error::{Error, Result};
use nvc::frame::{Frame, VideoInfo};

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

    /// Which options of [`SourceOptions`](crate::SourceOptions) have a meaning for this source.
    fn takes(&self) -> Takes {
        Takes::default()
    }
}

/// A boxed source.
pub type BoxedSource = Box<dyn FrameSource + Send>;

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

/// Options of [`SourceOptions`](crate::SourceOptions) that a source makes use of.
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
