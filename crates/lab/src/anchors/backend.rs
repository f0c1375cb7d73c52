//! What every codec is: something that encodes the reference at a quality, and decodes it again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::options::AnchorOptions;
use super::reference::SourceFactory;
use crate::program::RunDir;
use nvc::error::Result;
use nvc::frame::{Frame, Siting, VideoInfo};

/// What every codec needs to know of the work.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub reference: SourceFactory<'a>,
    pub info: &'a VideoInfo,
    pub threads: usize,
    pub siting: Siting,
    pub dir: &'a Path,
    pub stop: Option<&'a Arc<AtomicBool>>,
}

impl<'a> Job<'a> {
    pub fn new(
        reference: SourceFactory<'a>,
        info: &'a VideoInfo,
        opts: &'a AnchorOptions,
        dir: &'a Path,
    ) -> Self {
        Job {
            reference,
            info,
            threads: opts.threads,
            siting: opts.siting,
            dir,
            stop: opts.stop.as_ref(),
        }
    }

    pub fn run_dir(&self) -> RunDir<'a> {
        RunDir {
            dir: self.dir,
            stop: self.stop,
        }
    }
}

/// A codec, ready for one sequence.
pub(super) trait Backend {
    /// Encodes the reference.
    fn encode(&self, quality: f64) -> Result<Run>;
    /// Decodes a run's streams, picture by picture, in the reference's format; returns the seconds
    /// that decoding takes.
    fn decode(&self, run: &Run, each: &mut dyn FnMut(Frame) -> Result<()>) -> Result<f64>;
    /// Command lines with names of files replaced.
    fn command(&self, quality: f64) -> String;
}

/// One encode.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub quality: f64,
    /// Bytes that count.
    pub bytes: u64,
    /// Bytes with the encoder's identification.
    pub whole: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Names of the streams: one, or one a picture.
    pub streams: Vec<PathBuf>,
}
