//! NIRVANA: lowering of its header to a [`Graph`] (spec section 6.4).
//!
//! Maiya et al., "NIRVANA: Neural Implicit Representations of Videos with Adaptive Networks and
//! Autoregressive Patch-wise Modeling", CVPR 2023: a sine network turns the coordinates of a patch
//! into its features, to which every frame of the group adds a code of its own; then each frame has
//! a convolution, pixel shuffle, GELU and output convolution (the published grouped convolutions).
//!
//! Departures: convolutions see across the borders of patches, where the published ones see zeros,
//! so there are no seams; sines count turns, so their published factor of 30 is part of the
//! weights; chroma planes of 4:2:0 are read at half resolution.

use super::graph::Graph;
use super::lowering::{self, OutputConvs};
use super::ops::Activation;
use super::representation::{Representation, with_values};
use crate::bitstream::fields::{FieldSpec, Reader};
use crate::bitstream::header::NirvanaHeader;
use crate::error::{Fault, Result};
use crate::frame::VideoInfo;

/// Architecture id in the group header.
pub const ARCH_ID: u32 = 4;
/// Most frames of a group: each has nodes and tensors of its own.
pub const MAX_FRAMES: usize = 64;

/// Header fields of a NIRVANA network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nirvana {
    /// All of them.
    pub header: NirvanaHeader,
}

impl Nirvana {
    /// Samples of a patch's side.
    pub fn patch(&self) -> u64 {
        u64::from(self.header.cell) * u64::from(self.header.stride)
    }
}

impl Representation for Nirvana {
    fn read(id: u32, r: &mut Reader<'_>) -> Result<Option<Self>> {
        if id != ARCH_ID {
            return Ok(None);
        }
        let header = NirvanaHeader::read(r)?;
        Ok(Some(Nirvana { header }))
    }

    fn id(&self) -> u32 {
        ARCH_ID
    }

    fn name(&self) -> &'static str {
        "nirvana"
    }

    fn fields(&self) -> Vec<(&'static FieldSpec, u32)> {
        with_values(NirvanaHeader::FIELDS, self.header.dump()).collect()
    }

    /// One pass gives all frames.
    fn lower(&self, info: &VideoInfo, frames: usize) -> Result<Graph, Fault> {
        let h = &self.header;
        if frames > MAX_FRAMES {
            return Err(Fault::Contradiction(format!(
                "a NIRVANA group of {frames} frames (allowed 1..={MAX_FRAMES})"
            )));
        }
        lowering::odd_kernels("NIRVANA", [h.kernel, h.head_kernel])?;
        lowering::fits(
            "NIRVANA",
            "patches",
            [h.rows, h.columns],
            self.patch(),
            info,
        )?;
        lowering::layout("NIRVANA", h.stride, info)?;
        let mut g = Graph::with_grid(h.rows as usize, h.columns as usize);
        g.frames = frames;
        let mut x = 0;
        for i in 0..h.layers {
            let c = g.conv2d(&format!("stem{i}"), x, h.hidden as usize, 1);
            x = g.activate(c, Activation::Sine);
        }
        let c = g.conv2d("features", x, (h.features * h.cell * h.cell) as usize, 1);
        let features = g.pixel_shuffle(c, h.cell as usize);
        for frame in 0..frames {
            let name = format!("frame{frame}");
            let own = g.frame_embedding(features, frame);
            let c = g.conv2d(
                &name,
                own,
                (h.channels * h.stride * h.stride) as usize,
                h.kernel as usize,
            );
            let p = g.pixel_shuffle(c, h.stride as usize);
            let x = g.gelu(p);
            OutputConvs {
                name: &format!("{name}.head"),
                kernel: h.head_kernel,
                activation: None,
            }
            .add(&mut g, x, own, info);
        }
        Ok(g)
    }
}
