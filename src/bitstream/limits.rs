//! Resource limits, charged before anything is allocated.

use crate::error::{Error, Result};

/// What a stream may ask of a decoder, or asks. The defaults decode 8K video and refuse nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Luma samples of a frame.
    pub frame_samples: u64,
    /// Bytes of one section's packet.
    pub section_bytes: u64,
    /// Network parameters plus latents of a group.
    pub group_values: u64,
    /// Operations of all groups of a section.
    pub section_nodes: u64,
    /// 16-bit activations in one pass: of all nodes, or of a pyramid what a fused executor holds.
    pub pass_activations: u64,
    /// Multiply-accumulates for one pass.
    pub pass_macs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            frame_samples: 1 << 26,
            section_bytes: 1 << 30,
            group_values: 1 << 27,
            section_nodes: 1 << 19,
            pass_activations: 1 << 30,
            pass_macs: 1 << 41,
        }
    }
}

impl Limits {
    /// Levels of decoders, from 1 on (spec section 7.2).
    pub const LEVELS: u32 = 4;

    /// What a decoder of `level` takes; that of the highest is the default.
    pub fn of_level(level: u32) -> Self {
        let shift = 2 * (Self::LEVELS - level.clamp(1, Self::LEVELS));
        Limits::default().map(|v| v >> shift)
    }

    /// The lowest level whose decoders take a stream that asks for this; `None` if none has to.
    pub fn level(&self) -> Option<u32> {
        (1..=Self::LEVELS).find(|&l| Self::of_level(l).larger(self) == Self::of_level(l))
    }

    /// Nothing.
    pub fn none() -> Self {
        Limits::default().map(|_| 0)
    }

    /// The larger of each.
    pub fn larger(&self, other: &Self) -> Self {
        Limits {
            frame_samples: self.frame_samples.max(other.frame_samples),
            section_bytes: self.section_bytes.max(other.section_bytes),
            group_values: self.group_values.max(other.group_values),
            section_nodes: self.section_nodes.max(other.section_nodes),
            pass_activations: self.pass_activations.max(other.pass_activations),
            pass_macs: self.pass_macs.max(other.pass_macs),
        }
    }

    fn map(&self, f: impl Fn(u64) -> u64) -> Self {
        Limits {
            frame_samples: f(self.frame_samples),
            section_bytes: f(self.section_bytes),
            group_values: f(self.group_values),
            section_nodes: f(self.section_nodes),
            pass_activations: f(self.pass_activations),
            pass_macs: f(self.pass_macs),
        }
    }

    /// An [`Error::Limits`] unless `actual <= allowed`.
    pub fn check(what: &'static str, actual: u64, allowed: u64) -> Result<()> {
        if actual > allowed {
            Err(Error::Limits {
                what,
                actual,
                allowed,
            })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_hold_what_lower_ones_do() {
        assert_eq!(Limits::of_level(4), Limits::default());
        assert_eq!(Limits::none().level(), Some(1));
        let mut asked = Limits::of_level(2);
        assert_eq!(asked.level(), Some(2));
        asked.section_nodes += 1;
        assert_eq!(asked.level(), Some(3));
        asked.pass_macs = (1 << 41) + 1;
        assert_eq!(asked.level(), None);
    }
}
