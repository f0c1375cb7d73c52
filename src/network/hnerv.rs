//! HNeRV: lowering of its header to a [`Graph`] (spec section 6.1).
//!
//! Chen et al., "HNeRV: A Hybrid Neural Representation for Videos", CVPR 2023: a per-frame embedding, a 1x1 convolution,
//! then blocks of convolution, pixel shuffle and GELU, then an output convolution. Two departures: the output is linear and
//! clamped (theirs is a scaled tanh), and for 4:2:0 the chroma planes are read from the half-resolution features before the
//! last block, so no sample is computed that is not coded.

use super::graph::Graph;
use crate::bitstream::header::{HnervHeader, HnervStage};
use crate::error::{Error, Result};
use crate::frame::{Chroma, VideoInfo};

/// Architecture id in the group header.
pub const ARCH_ID: u32 = 1;

/// Header fields of an HNeRV network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hnerv {
    /// Fixed part.
    pub header: HnervHeader,
    /// One entry a stage.
    pub stages: Vec<HnervStage>,
}

impl Hnerv {
    /// Product of the strides.
    pub fn upsampling(&self) -> u64 {
        self.stages.iter().map(|s| u64::from(s.stride)).fold(1, u64::saturating_mul)
    }

    /// The graph for pictures of `info`. Fails if the fields contradict each other or the picture.
    pub fn lower(&self, info: &VideoInfo) -> Result<Graph> {
        let h = &self.header;
        let bad = |what: String| Err(Error::format(0, what));
        if self.stages.len() != h.stages as usize {
            return bad(format!("HNeRV has {} stages, its header says {}", self.stages.len(), h.stages));
        }
        for k in self.stages.iter().map(|s| s.kernel).chain([h.head_kernel]) {
            if k % 2 == 0 {
                return bad(format!("HNeRV kernel size is {k} (allowed: odd)"));
            }
        }
        let up = self.upsampling();
        let (ph, pw) = (u64::from(h.latent_height) * up, u64::from(h.latent_width) * up);
        // at most one latent row or column of padding: anything more is waste that no encoder writes
        let fits = |padded: u64, size: usize| padded >= size as u64 && padded - (size as u64) < up.max(2);
        if !fits(ph, info.height) || !fits(pw, info.width) {
            return bad(format!("HNeRV output of {pw}x{ph} does not fit the {}x{} picture (latent times {up})", info.width, info.height));
        }
        let last = self.stages.last().map_or(1, |s| s.stride);
        let subsampled = info.format.chroma == Chroma::Yuv420;
        if subsampled && last != 2 {
            return bad(format!("last HNeRV stride is {last} (allowed: 2 for 4:2:0 pictures)"));
        }
        let mut g = Graph::new([h.latent_channels as usize, h.latent_height as usize, h.latent_width as usize]);
        let stem = g.conv2d("stem", 0, h.stem_channels as usize, 1);
        let mut x = g.gelu(stem);
        let mut before = x;
        for (i, s) in self.stages.iter().enumerate() {
            before = x;
            let c = g.conv2d(&format!("stage{i}"), x, (s.channels * s.stride * s.stride) as usize, s.kernel as usize);
            let p = g.pixel_shuffle(c, s.stride as usize);
            x = g.gelu(p);
        }
        let k = h.head_kernel as usize;
        if subsampled {
            let luma = g.conv2d("head_luma", x, 1, k);
            let chroma = g.conv2d("head_chroma", before, 2, k);
            g.output(luma, 0);
            g.output(chroma, 0);
            g.output(chroma, 1);
        } else {
            let planes = info.format.chroma.planes();
            let head = g.conv2d("head", x, planes, k);
            (0..planes).for_each(|c| g.output(head, c));
        }
        Ok(g)
    }
}
