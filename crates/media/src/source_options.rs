//! What has to be said of a source beside its name.

use super::source::Takes;
use nvc::error::{Error, Result};
use nvc::frame::{PixelFormat, Ratio};

/// What a source's bytes do not say.
#[derive(Clone, Debug, Default)]
pub struct SourceOptions {
    /// Width and height of raw video; if not given, and so for the rest, what the file's name says.
    pub size_in: Option<(usize, usize)>,
    /// Format of raw video; yuv420p if not given.
    pub pix_fmt: Option<PixelFormat>,
    /// Frames per second of raw video and pictures, 25 if not given, and of what is resampled.
    pub fps: Option<Ratio>,
    /// Number of the first picture of a sequence; the lowest there is if not given.
    pub start_number: Option<u64>,
    /// Resamples a variable frame rate to a constant one.
    pub vfr_to_cfr: bool,
}

impl SourceOptions {
    /// An [`Error::Parameter`] that names an option that was given for nothing: of the source
    /// `name`, which takes `takes`.
    pub fn check_used(&self, takes: Takes, name: &str) -> Result<()> {
        let unused = [
            (
                "--size-in",
                self.size_in.is_some() && !takes.geometry,
                "raw video",
            ),
            (
                "--pix-fmt",
                self.pix_fmt.is_some() && !takes.geometry,
                "raw video",
            ),
            (
                "--start-number",
                self.start_number.is_some() && !takes.start_number,
                "numbered pictures",
            ),
            (
                "--vfr-to-cfr",
                self.vfr_to_cfr && !takes.vfr_to_cfr,
                "containers and animations",
            ),
            (
                "--fps",
                self.fps.is_some() && !takes.fps,
                "raw video, pictures and, with --vfr-to-cfr, containers",
            ),
        ];
        match unused.iter().find(|(_, idle, _)| *idle) {
            Some((option, _, what)) => Err(Error::Parameter(format!(
                "{option} has no effect on {name}: it is for {what}"
            ))),
            None => Ok(()),
        }
    }
}
