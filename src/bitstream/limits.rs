//! Resource limits, charged before anything is allocated.

use crate::error::{Error, Result};

/// What a stream may ask of a decoder. The defaults decode 8K video and refuse nonsense.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Luma samples of a frame.
    pub frame_samples: u64,
    /// Bytes of one section's packet.
    pub section_bytes: u64,
    /// Network parameters plus latents of a group.
    pub group_values: u64,
    /// Operations of all groups of a section.
    pub section_nodes: u64,
    /// 16-bit activations of all nodes in one pass.
    pub pass_activations: u64,
    /// Multiply-accumulates for one pass.
    pub pass_macs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            frame_samples: 1 << 26,
            section_bytes: 1 << 30,
            group_values: 1 << 26,
            section_nodes: 1 << 19,
            pass_activations: 1 << 30,
            pass_macs: 1 << 41,
        }
    }
}

impl Limits {
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
