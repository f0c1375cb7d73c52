//! Two sequences measured, pair by pair or as a whole.

use std::path::Path;

use super::figures::{Perceptual, VMAF_MODEL, Wanted};
use super::filter::Running;
use crate::anchors::ffmpeg::{Ffmpeg, Need};
use crate::anchors::reference::SourceFactory;
use crate::anchors::stream::plain;
use nvc::color::check_frame;
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, VideoInfo};

/// Measures while pictures come: one pair after another, bounded memory.
pub struct Measure {
    info: VideoInfo,
    running: Vec<Running>,
    missing: Vec<String>,
}

impl Measure {
    /// Starts the programs. Where no ffmpeg has a filter or the format has no such figure, the
    /// reason is kept for the end.
    pub fn start(info: &VideoInfo, wanted: Wanted, threads: usize) -> Result<Self> {
        Self::start_in(info, wanted, threads, None)
    }

    /// As [`Measure::start`], with the programs' logs in a temporary folder below `dir`, the
    /// system's if not given.
    pub fn start_in(
        info: &VideoInfo,
        wanted: Wanted,
        threads: usize,
        dir: Option<&Path>,
    ) -> Result<Self> {
        let mut missing = Vec::new();
        let chroma = info.format.chroma;
        let mut having = |want: bool, what: &str, filter, defined: bool| {
            if !want {
                return None;
            }
            if !defined {
                missing.push(format!("{what} is not measured on {}", info.format.name()));
                return None;
            }
            Ffmpeg::having(Need::Filter(filter))
                .map_err(|e| missing.push(format!("{what}: {e}")))
                .ok()
        };
        let vmaf = having(
            wanted.vmaf,
            "VMAF",
            "libvmaf",
            matches!(chroma, Chroma::Yuv420 | Chroma::Yuv444),
        );
        let xpsnr = having(wanted.xpsnr, "XPSNR", "xpsnr", chroma != Chroma::Rgb);
        let mut running = Vec::new();
        match (vmaf, xpsnr) {
            // in one run where one program has both
            (Some(a), Some(b)) if a.program == b.program => {
                running.push(Running::start(&a, info, wanted, threads, dir)?)
            }
            (a, b) => {
                if let Some(a) = a {
                    running.push(Running::start(
                        &a,
                        info,
                        Wanted {
                            vmaf: true,
                            xpsnr: false,
                        },
                        threads,
                        dir,
                    )?);
                }
                if let Some(b) = b {
                    running.push(Running::start(
                        &b,
                        info,
                        Wanted {
                            vmaf: false,
                            xpsnr: true,
                        },
                        threads,
                        dir,
                    )?);
                }
            }
        }
        Ok(Measure {
            info: plain(info, info.format),
            running,
            missing,
        })
    }

    /// Adds a pair of pictures.
    pub fn add(&mut self, reference: &Frame, distorted: &Frame) -> Result<()> {
        for frame in [reference, distorted] {
            check_frame(&self.info, frame)?;
        }
        for r in &mut self.running {
            r.send([reference, distorted], &self.info);
        }
        Ok(())
    }

    /// The figures of all pairs.
    pub fn finish(self) -> Result<Perceptual> {
        let mut out = Perceptual {
            missing: self.missing,
            ..Perceptual::default()
        };
        for r in self.running {
            r.finish(&mut out)?;
        }
        Ok(out)
    }
}

/// Measures two sequences that can be opened.
pub fn perceptual(
    reference: SourceFactory,
    distorted: SourceFactory,
    info: &VideoInfo,
    wanted: Wanted,
    threads: usize,
) -> Result<Perceptual> {
    let (mut a, mut b) = (reference()?, distorted()?);
    let mut measure = Measure::start(info, wanted, threads)?;
    let mut frames = 0u64;
    loop {
        match (a.read()?, b.read()?) {
            (Some(a), Some(b)) => measure.add(&a, &b)?,
            (None, None) => return measure.finish(),
            (a, _) => {
                let shorter = if a.is_some() {
                    "distorted"
                } else {
                    "reference"
                };
                return Err(Error::Mismatch(format!(
                    "the {shorter} sequence ends after {frames} frames, the other goes on"
                )));
            }
        }
        frames += 1;
    }
}

/// What measures the wanted figures here, for telling results of one program from those of another:
/// the first line of `ffmpeg -version` or `absent` for each, with VMAF's model. Empty where nothing
/// is wanted. Where the program lies does not matter.
pub fn perceptual_identity(wanted: Wanted) -> String {
    let of = |name: String, filter| {
        let version = Ffmpeg::having(Need::Filter(filter))
            .ok()
            .and_then(|f| f.version());
        format!("{name}: {}", version.unwrap_or_else(|| "absent".into()))
    };
    let vmaf = wanted
        .vmaf
        .then(|| of(format!("VMAF {VMAF_MODEL}"), "libvmaf"));
    let xpsnr = wanted.xpsnr.then(|| of("XPSNR".into(), "xpsnr"));
    vmaf.into_iter().chain(xpsnr).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::info;

    #[test]
    fn what_no_figure_is_defined_for_has_its_reason() {
        let info = info(Chroma::Rgb, 8, 8, 8);
        let mut m = Measure::start(
            &info,
            Wanted {
                vmaf: true,
                xpsnr: true,
            },
            1,
        )
        .unwrap();
        m.add(
            &Frame::new(info.format, 8, 8),
            &Frame::new(info.format, 8, 8),
        )
        .unwrap();
        let p = m.finish().unwrap();
        assert!(
            p.vmaf.is_none()
                && p.xpsnr.is_none()
                && p.missing.len() == 2
                && p.missing[0].contains("gbrp"),
            "{p:?}"
        );
    }
}
