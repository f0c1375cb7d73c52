//! HNeRV: lowering of its header to a [`Graph`] (spec sections 6.1 and 6.5).
//!
//! Chen et al., "HNeRV: A Hybrid Neural Representation for Videos", CVPR 2023: a per-frame
//! embedding, a 1x1 convolution, then blocks of convolution, pixel shuffle and GELU, then an output
//! convolution. Two departures: the output is linear and clamped (theirs is a scaled tanh, which
//! the second form of the architecture has), and for 4:2:0 the chroma planes are read from the
//! half-resolution features before the last block, so no sample is computed that is not coded.

use super::graph::Graph;
use super::lowering::{self, OutputConvs};
use super::ops::Activation;
use super::ops::integer::OutputRange;
use super::representation::{Representation, read_stages, with_values};
use crate::bitstream::fields::{FieldSpec, Reader};
use crate::bitstream::header::{HnervHeader, HnervStage};
use crate::error::{Fault, Result};
use crate::frame::VideoInfo;

/// Architecture id in the group header.
pub const ARCH_ID: u32 = 1;
/// Architecture id of the form with the published output.
pub const TANH_ARCH_ID: u32 = 5;

/// Header fields of an HNeRV network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hnerv {
    /// Fixed part.
    pub header: HnervHeader,
    /// One entry a stage.
    pub stages: Vec<HnervStage>,
    /// Whether the output is a tanh whose 1 is the largest sample, as published.
    pub tanh: bool,
}

impl Hnerv {
    /// Product of the strides.
    pub fn upsampling(&self) -> u64 {
        lowering::upsampling(&self.stages)
    }
}

impl Representation for Hnerv {
    fn read(id: u32, r: &mut Reader<'_>) -> Result<Option<Self>> {
        if id != ARCH_ID && id != TANH_ARCH_ID {
            return Ok(None);
        }
        let header = HnervHeader::read(r)?;
        let stages = read_stages(r, header.stages)?;
        let tanh = id == TANH_ARCH_ID;
        Ok(Some(Hnerv {
            header,
            stages,
            tanh,
        }))
    }

    fn id(&self) -> u32 {
        if self.tanh { TANH_ARCH_ID } else { ARCH_ID }
    }

    fn name(&self) -> &'static str {
        "hnerv"
    }

    fn fields(&self) -> Vec<(&'static FieldSpec, u32)> {
        with_values(HnervHeader::FIELDS, self.header.dump()).collect()
    }

    fn stages(&self) -> &[HnervStage] {
        &self.stages
    }

    fn tensor_modes(&self) -> bool {
        self.tanh
    }

    fn scaled_latents(&self) -> bool {
        self.tanh
    }

    fn lower(&self, info: &VideoInfo, _frames: usize) -> Result<Graph, Fault> {
        let h = &self.header;
        if self.stages.len() != h.stages as usize {
            return Err(Fault::Contradiction(format!(
                "HNeRV has {} stages, its header says {}",
                self.stages.len(),
                h.stages
            )));
        }
        lowering::odd_kernels(
            "HNeRV",
            self.stages.iter().map(|s| s.kernel).chain([h.head_kernel]),
        )?;
        lowering::fits(
            "HNeRV",
            "latent",
            [h.latent_height, h.latent_width],
            self.upsampling(),
            info,
        )?;
        lowering::layout("HNeRV", self.stages.last().map_or(1, |s| s.stride), info)?;
        let mut g = Graph::new([
            h.latent_channels as usize,
            h.latent_height as usize,
            h.latent_width as usize,
        ]);
        let stem = g.conv2d("stem", 0, h.stem_channels as usize, 1);
        let mut x = g.gelu(stem);
        let mut before = x;
        for (i, s) in self.stages.iter().enumerate() {
            before = x;
            let c = g.conv2d(
                &format!("stage{i}"),
                x,
                (s.channels * s.stride * s.stride) as usize,
                s.kernel as usize,
            );
            let p = g.pixel_shuffle(c, s.stride as usize);
            x = g.gelu(p);
        }
        if self.tanh {
            g.output_range = OutputRange::Full;
        }
        let heads = OutputConvs {
            name: "head",
            kernel: h.head_kernel,
            activation: self.tanh.then_some(Activation::Tanh),
        };
        heads.add(&mut g, x, before, info);
        Ok(g)
    }
}
