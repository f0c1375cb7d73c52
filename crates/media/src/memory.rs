//! Frames that are in memory already.

use super::source::FrameSource;
use nvc::error::Result;
use nvc::frame::{Frame, VideoInfo};

/// Gives frames one after another.
pub struct MemorySource {
    info: VideoInfo,
    frames: std::vec::IntoIter<Frame>,
    count: u64,
}

impl MemorySource {
    /// `frames` are of the geometry and format of `info`.
    pub fn new(info: &VideoInfo, frames: Vec<Frame>) -> Self {
        MemorySource {
            info: *info,
            count: frames.len() as u64,
            frames: frames.into_iter(),
        }
    }
}

impl FrameSource for MemorySource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        Ok(self.frames.next())
    }

    fn frames_hint(&self) -> Option<u64> {
        Some(self.count)
    }
}
