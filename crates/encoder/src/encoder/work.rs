//! What passes between the parts of an encode: frames, sections to code, sections coded.

use std::collections::VecDeque;

use super::report::GroupReport;
use nvc::bitstream::header::SectionHeader;
use nvc::error::{Error, Result};
use nvc::frame::Frame;
use nvc_media::FrameSource;

/// One section on its way to the file.
pub(super) struct Work {
    pub(super) section: usize,
    /// Number of its first group.
    pub(super) index: usize,
    pub(super) groups: Option<usize>,
    pub(super) first_frame: usize,
    /// Frames of each group.
    pub(super) parts: Vec<Vec<Frame>>,
    /// Bytes wanted for all networks and latents, `None` if they follow from the model size or the
    /// quality.
    pub(super) coded: Option<f64>,
    /// Bytes to start from where they follow from the quality.
    pub(super) start: Option<f64>,
    pub(super) threads: usize,
}

/// A section ready to be written.
pub(super) struct Coded {
    pub(super) section: usize,
    pub(super) reports: Vec<GroupReport>,
    pub(super) payload: Vec<u8>,
    pub(super) frames: Vec<Frame>,
    pub(super) decoded: Vec<Frame>,
    /// Bytes that pictures had in their smallest and their largest fits; 0 for networks of frames.
    pub(super) span: (u64, u64),
}

impl Coded {
    /// Nothing of `work` but its section's header.
    pub(super) fn new(work: &Work) -> Self {
        let frames: usize = work.parts.iter().map(Vec::len).sum();
        let mut coded = Coded {
            section: work.section,
            reports: Vec::new(),
            payload: Vec::new(),
            frames: Vec::new(),
            decoded: Vec::new(),
            span: (0, 0),
        };
        SectionHeader {
            first_frame: work.first_frame as u32,
            frames: frames as u32,
            groups: work.parts.len() as u32,
        }
        .write(&mut coded.payload);
        coded
    }
}

/// A source whose first frames may have been looked at before.
pub(super) struct Queued<'a> {
    pub(super) source: &'a mut dyn FrameSource,
    pub(super) frames: VecDeque<Frame>,
}

impl Queued<'_> {
    /// Whether there is one frame and no more.
    pub(super) fn is_single(&mut self, stop: &dyn Fn() -> bool) -> Result<bool> {
        self.look_ahead(2, stop)?;
        Ok(self.frames.len() == 1)
    }

    /// Reads `n` frames ahead, as far as there are so many.
    pub(super) fn look_ahead(&mut self, n: usize, stop: &dyn Fn() -> bool) -> Result<()> {
        while self.frames.len() < n {
            let Some(f) = self.source.read()? else { break };
            if stop() {
                return Err(Error::Interrupted);
            }
            self.frames.push_back(f);
        }
        Ok(())
    }

    pub(super) fn group(&mut self, size: usize, stop: &dyn Fn() -> bool) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        while frames.len() < size {
            let Some(f) = self
                .frames
                .pop_front()
                .map_or_else(|| self.source.read(), |f| Ok(Some(f)))?
            else {
                break;
            };
            if stop() {
                return Err(Error::Interrupted);
            }
            frames.push(f);
        }
        Ok(frames)
    }
}
