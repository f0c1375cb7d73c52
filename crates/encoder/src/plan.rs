//! Groups, presets and sizes: what to spend where.

use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;

/// Bits a parameter when only the model size is given.
pub const MODEL_SIZE_BITS: f64 = 6.0;
/// Bits a parameter at which the network is sized for a wanted number of bytes.
const SIZED_BITS: f64 = 4.2;
/// Frames of a group unless asked otherwise.
const AUTO_GROUP: usize = 132;
/// Frames of a group that starts warm unless asked otherwise (NIRVANA's published 3).
pub const WARM_GROUP: usize = 3;
/// Bytes of a group's frames in memory unless asked otherwise.
const AUTO_GROUP_BYTES: usize = 1 << 30;

/// Parameters (latents included) for a number of coded bytes.
pub fn params_for(bytes: f64) -> f64 {
    bytes * 8.0 / SIZED_BITS
}

/// Coded bytes for a number of parameters (latents included).
pub fn bytes_for(params: f64) -> f64 {
    params * SIZED_BITS / 8.0
}

/// Declares [`Preset`]: a row for each.
macro_rules! presets {
    ($($(#[$meta:meta])* $preset:ident = $passes:literal, $still:expr;)*) => {
        /// Effort: how many passes over the frames of a group, or iterations for a picture.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
        #[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
        #[serde(rename_all = "lowercase")]
        pub enum Preset {
            $($(#[$meta])* $preset,)*
        }

        impl Preset {
            /// Passes over the frames of a group.
            pub fn passes(self) -> usize {
                match self {
                    $(Preset::$preset => $passes,)*
                }
            }

            /// Iterations and sweeps of the integer search for a picture by itself.
            pub fn still_steps(self) -> (usize, usize) {
                match self {
                    $(Preset::$preset => $still,)*
                }
            }
        }
    };
}

presets! {
    /// 8 passes over the frames of a group, or 150 iterations for a picture.
    Ultrafast = 8, (150, 32);
    /// 25 passes, or 1000 iterations.
    Fast = 25, (1000, 48);
    /// 75 passes, or 3600 iterations.
    #[default]
    Medium = 75, (3600, 96);
    /// 250 passes, or 15000 iterations.
    Slow = 250, (15000, 200);
    /// 1000 passes, or 60000 iterations.
    Veryslow = 1000, (60000, 400);
}

impl Preset {
    /// Optimiser steps for a group at `batch` frames a step, of `passes` passes in place of the
    /// preset's if given; short groups get as many as one of 16 frames.
    pub fn steps(self, passes: Option<usize>, frames: usize, batch: usize) -> usize {
        (passes.unwrap_or(self.passes()) * frames.max(16)).div_ceil(batch)
    }
}

/// How a sequence splits into groups.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    size: usize,
    /// Frames and groups in all, where known.
    known: Option<(usize, usize)>,
    /// Whether all groups are as long as they can be alike; else all but the last have the full
    /// size.
    equal: bool,
}

impl Groups {
    /// Frames of group `i`: as equal as they can be where the length is known.
    pub fn size(&self, i: usize) -> usize {
        match self.known {
            // a source may hold more than it said; what is left over goes into further groups
            Some((frames, count)) if self.equal && i < count => {
                // a long raw file of tiny pictures has more frames than a product of two numbers
                // holds
                let before = |i: usize| (i as u128 * frames as u128 / count as u128) as usize;
                before(i + 1) - before(i)
            }
            _ => self.size,
        }
    }

    /// Number of groups, where known.
    pub fn count(&self) -> Option<usize> {
        self.known.map(|(_, count)| count)
    }
}

/// Bytes of a frame in memory: 16-bit samples.
fn frame_bytes(info: &VideoInfo) -> usize {
    (info.format.frame_bytes(info.width, info.height) / info.format.bytes_per_sample() * 2).max(1)
}

/// Whether all of `frames` frames may be held at once.
pub fn fits_in_memory(info: &VideoInfo, frames: usize) -> bool {
    frames.saturating_mul(frame_bytes(info)) <= AUTO_GROUP_BYTES
}

/// Groups of `size` frames that a warm-started section has unless asked otherwise.
pub fn warm_section_groups(info: &VideoInfo, size: usize) -> usize {
    ((AUTO_GROUP_BYTES / frame_bytes(info)).clamp(1, AUTO_GROUP) / size.max(1)).max(1)
}

/// Groups for a sequence of `frames` frames, of at most `wanted` frames each, `equal` in length or
/// all but the last full.
pub fn groups(
    info: &VideoInfo,
    frames: Option<usize>,
    wanted: Option<usize>,
    equal: bool,
) -> Result<Groups> {
    let size = match wanted {
        Some(n @ 1..=65535) => n,
        Some(n) => {
            return Err(Error::Parameter(format!(
                "group of {n} frames (allowed 1..=65535)"
            )));
        }
        None => (AUTO_GROUP_BYTES / frame_bytes(info)).clamp(1, AUTO_GROUP),
    };
    let known = frames.filter(|&n| n > 0).map(|n| (n, n.div_ceil(size)));
    Ok(Groups { size, known, equal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nvc::frame::{Chroma, PixelFormat, Ratio};

    fn info(width: usize, height: usize) -> VideoInfo {
        let ratio = Ratio { num: 0, den: 0 };
        VideoInfo {
            fps: ratio,
            sar: ratio,
            ..VideoInfo::new(width, height, PixelFormat::new8(Chroma::Yuv420))
        }
    }

    #[test]
    fn groups_are_equal_and_complete() {
        for (frames, wanted) in [
            (1, None),
            (48, None),
            (300, None),
            (300, Some(7)),
            (5, Some(5)),
            (6, Some(5)),
        ] {
            let g = groups(&info(416, 240), Some(frames), wanted, true).unwrap();
            let sizes: Vec<usize> = (0..g.count().unwrap()).map(|i| g.size(i)).collect();
            assert_eq!(sizes.iter().sum::<usize>(), frames);
            assert!(
                sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1
                    && *sizes.iter().max().unwrap() <= wanted.unwrap_or(132)
            );
        }
    }

    #[test]
    fn large_pictures_make_short_groups() {
        let g = groups(&info(7680, 4320), None, None, true).unwrap();
        assert!(
            g.size(0) >= 1 && g.size(0) * 7680 * 4320 * 3 <= 1 << 30,
            "{}",
            g.size(0)
        );
        assert!(groups(&info(64, 64), None, Some(0), true).is_err());
    }
}
