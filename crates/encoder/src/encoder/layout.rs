//! How a source splits into groups and sections, and what these take beside networks and latents.

use super::networks::{self, LEAST_BYTES};
use super::options::Options;
use crate::plan::{self, Groups};
use nvc::bitstream::container::PACKET_OVERHEAD;
use nvc::bitstream::limits::Limits;
use nvc::error::Result;
use nvc::frame::VideoInfo;

/// Share of the wanted size that fits aim at, so that what the last shift misses is not over it.
const AIM: f64 = 0.995;
/// Headers of a section's first group, and of each further one, bytes at most.
const FIRST_HEADERS: u64 = 45;
const HEADERS: u64 = 20;
/// Bytes that a section of pictures takes beside its groups with their headers, and its line in the
/// index beyond those that are counted, about.
const STILL_HEADERS: u64 = 6;
/// Frames that a section's header can count.
const SECTION_FRAMES: u64 = 0x00ff_ffff;

pub(super) struct Layout {
    pub(super) groups: Groups,
    pub(super) per_section: usize,
    /// Samples of a frame.
    samples: f64,
    /// Whether groups are pictures, whose sizes count their headers.
    still: bool,
}

impl Layout {
    /// The layout for the family of `options`. Fails if that has no network for these pictures.
    pub(super) fn new(info: &VideoInfo, known: Option<usize>, options: &Options) -> Result<Self> {
        let warm = options.arch.starts_warm();
        let groups = plan::groups(
            info,
            known,
            options
                .group
                .0
                .or(warm.then_some(plan::WARM_GROUP))
                .or(options.arch.is_still().then_some(1)),
            !warm,
        )?;
        let size = groups.size(0);
        let (arch, _) = networks::network(info, size, Some(LEAST_BYTES), options)?;
        let nodes = arch.lower(info, size)?.nodes.len() as u64;
        // decoders refuse longer sections
        let most = (Limits::default().section_nodes / nodes.max(1))
            .min(SECTION_FRAMES / (size as u64).max(1))
            .max(1) as usize;
        let wanted = options.section.0.unwrap_or_else(|| {
            if warm {
                plan::warm_section_groups(info, size)
            } else {
                1
            }
        });
        Ok(Layout {
            groups,
            per_section: wanted.min(most),
            samples: info.width as f64 * info.height as f64,
            still: options.arch.is_still(),
        })
    }

    /// Number of sections, where known.
    pub(super) fn sections(&self) -> Option<usize> {
        self.groups.count().map(|n| n.div_ceil(self.per_section))
    }

    /// Bytes of a section of `groups` groups beside their networks and latents, of pictures beside
    /// whole groups; those of the file are `fixed`, for which the first section pays, and which are
    /// 0 for others.
    fn overhead(&self, groups: usize, fixed: u64) -> f64 {
        let headers = if self.still {
            STILL_HEADERS
        } else {
            FIRST_HEADERS + HEADERS * (groups as u64).saturating_sub(1)
        };
        (PACKET_OVERHEAD + headers + fixed) as f64
    }

    /// Bytes for networks and latents of a section at `bpp`, of pictures for whole groups.
    pub(super) fn coded_bytes(&self, bpp: f64, groups: usize, frames: usize, fixed: u64) -> f64 {
        let aim = if self.still { 1.0 } else { AIM };
        aim * bpp * frames as f64 * self.samples / 8.0 - self.overhead(groups, fixed)
    }

    /// What to say where `bpp` are fewer than headers and the smallest networks, each of `least`
    /// bytes, take; for the whole file where its length is `known`, else for its first section.
    pub(super) fn too_few(
        &self,
        bpp: f64,
        known: Option<usize>,
        least: f64,
        fixed: u64,
    ) -> Option<String> {
        let (groups, sections, frames) = match (self.groups.count(), self.sections(), known) {
            (Some(g), Some(s), Some(n)) => (g, s, n),
            _ => (self.per_section, 1, self.per_section * self.groups.size(0)),
        };
        let headers =
            self.overhead(self.per_section.min(groups), 0) * sections as f64 + fixed as f64;
        let (need, have) = (
            headers + groups as f64 * least,
            bpp * frames as f64 * self.samples / 8.0,
        );
        (have < need).then(|| {
            format!(
                "{have:.0} bytes for {frames} frames: headers and the smallest network{} alone take about {need:.0}; the file will be larger",
                if groups > 1 { format!("s of {groups} groups") } else { String::new() }
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::families::Family;
    use super::super::numbers::Count;
    use super::super::tests::{info, options};
    use super::*;

    #[test]
    fn sections_are_no_longer_than_decoders_take() {
        let long = Options {
            arch: Family::Nirvana,
            section: Count(Some(65535)),
            group: Count(Some(64)),
            ..options(|o| o.bpp = Some(1.0))
        };
        let layout = Layout::new(&info(64, 48), Some(10_000_000), &long).unwrap();
        let (arch, _) = networks::network(&info(64, 48), 64, Some(LEAST_BYTES), &long).unwrap();
        let nodes = arch.lower(&info(64, 48), 64).unwrap().nodes.len();
        assert!(
            layout.per_section > 1
                && (layout.per_section * nodes) as u64 <= Limits::default().section_nodes
        );
        let long = Options {
            arch: Family::Hnerv,
            group: Count(Some(65535)),
            ..long
        };
        let layout = Layout::new(&info(1, 1), Some(10_000_000), &long).unwrap();
        assert!(
            layout.per_section * layout.groups.size(0) <= 0x00ff_ffff,
            "{}",
            layout.per_section
        );
    }

    #[test]
    fn budgets_that_hold_nothing_are_said() {
        let layout = Layout::new(&info(64, 48), Some(4), &options(|o| o.bpp = Some(1.0))).unwrap();
        let text = layout.too_few(0.001, Some(4), 400.0, 60).unwrap();
        assert!(
            text.starts_with("2 bytes for 4 frames: ")
                && text.contains("the smallest network alone take about 5"),
            "{text}"
        );
        assert_eq!(layout.too_few(4.0, Some(4), 400.0, 60), None);
        assert!(layout.too_few(1e-9, None, 400.0, 60).is_some());
    }
}
