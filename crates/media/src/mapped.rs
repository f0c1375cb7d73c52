//! A source whose pictures are another's, changed.

use super::source::{BoxedSource, FrameSource, Survey, Takes};
use nvc::error::Result;
use nvc::frame::{Frame, VideoInfo};

/// What changes a picture.
type Change = Box<dyn Fn(Frame) -> Frame + Send>;

/// All pictures of a source, each changed.
pub struct Mapped {
    inner: BoxedSource,
    info: VideoInfo,
    change: Change,
}

impl Mapped {
    /// Changes each picture of `inner` to one that `info` describes.
    pub fn new(
        inner: BoxedSource,
        info: VideoInfo,
        change: impl Fn(Frame) -> Frame + Send + 'static,
    ) -> Self {
        Mapped {
            inner,
            info,
            change: Box::new(change),
        }
    }
}

impl FrameSource for Mapped {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        Ok(self.inner.read()?.map(&self.change))
    }

    fn skip(&mut self, n: u64) -> Result<u64> {
        self.inner.skip(n)
    }

    fn frames_hint(&self) -> Option<u64> {
        self.inner.frames_hint()
    }

    fn survey(&mut self) -> Result<Survey> {
        self.inner.survey()
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.inner.take_warnings()
    }

    fn takes(&self) -> Takes {
        self.inner.takes()
    }
}
