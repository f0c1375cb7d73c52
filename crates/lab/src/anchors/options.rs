//! What a caller chooses for all codecs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nvc::frame::Siting;

/// How to run, and how to look for a size.
#[derive(Clone, Debug)]
pub struct AnchorOptions {
    /// Encoder threads. One gives the same bytes on every machine.
    pub threads: usize,
    /// Most encodes to try.
    pub max_runs: usize,
    /// Relative size error to be content with.
    pub tolerance: f64,
    /// Where 8-bit 4:2:0 chroma samples are said to lie: left, as H.264 and HEVC assume without a
    /// word, or in the middle, as JPEG. It moves no sample; some encoders spend a few bits on it.
    pub siting: Siting,
    /// Ends programs and returns [`Interrupted`](nvc::Error::Interrupted) soon after it is set.
    pub stop: Option<Arc<AtomicBool>>,
    /// Existing folder that temporary files go below; the system's if not given.
    pub dir: Option<PathBuf>,
}

impl Default for AnchorOptions {
    fn default() -> Self {
        AnchorOptions {
            threads: 1,
            max_runs: 9,
            tolerance: 0.01,
            siting: Siting::Left,
            stop: None,
            dir: None,
        }
    }
}
