//! NeRV and NeRV++: lowering of their headers to a [`Graph`] (spec sections 6.2 and 6.3).
//!
//! Chen et al., "NeRV: Neural Representations for Videos", NeurIPS 2021: a positional code of the
//! frame's place, two layers that become a small feature map, then blocks of convolution, pixel
//! shuffle and nonlinearity. No content is coded beside the network.
//!
//! Ghorbel et al., "NeRV++: An Enhanced Implicit Neural Video Representation", 2024, puts residual
//! blocks of separable convolutions before and after each upsampling and a bilinear skip around it.
//! The inner layout of those blocks is not public; this one is a reconstruction:
//! `x + pointwise(activation(depthwise(x)))`.
//!
//! Departures: the output is linear and clamped, and chroma planes of 4:2:0 are read before the
//! last stage, as in [`hnerv`](super::hnerv).

use super::graph::Graph;
use super::lowering::{self, OutputConvs};
use super::ops::Activation;
use super::representation::{Representation, read_stages, with_values};
use super::tensor_spec::NodeId;
use crate::bitstream::fields::{FieldSpec, Reader};
use crate::bitstream::header::{HnervStage, NervHeader, NervppHeader};
use crate::error::{Fault, Result};
use crate::frame::VideoInfo;

/// Architecture id of NeRV in the group header.
pub const ARCH_ID: u32 = 2;
/// Architecture id of NeRV++.
pub const PLUS_ARCH_ID: u32 = 3;

/// Header fields of a NeRV or NeRV++ network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nerv {
    /// Fixed part.
    pub header: NervHeader,
    /// What NeRV++ adds.
    pub plus: Option<NervppHeader>,
    /// One entry a stage.
    pub stages: Vec<HnervStage>,
}

impl Representation for Nerv {
    fn read(id: u32, r: &mut Reader<'_>) -> Result<Option<Self>> {
        if id != ARCH_ID && id != PLUS_ARCH_ID {
            return Ok(None);
        }
        let header = NervHeader::read(r)?;
        let plus = (id == PLUS_ARCH_ID)
            .then(|| NervppHeader::read(r))
            .transpose()?;
        let stages = read_stages(r, header.stages)?;
        Ok(Some(Nerv {
            header,
            plus,
            stages,
        }))
    }

    fn id(&self) -> u32 {
        if self.plus.is_some() {
            PLUS_ARCH_ID
        } else {
            ARCH_ID
        }
    }

    fn name(&self) -> &'static str {
        if self.plus.is_some() {
            "nervpp"
        } else {
            "nerv"
        }
    }

    fn fields(&self) -> Vec<(&'static FieldSpec, u32)> {
        let plus = self.plus.iter();
        let plus = plus.flat_map(|p| with_values(NervppHeader::FIELDS, p.dump()));
        with_values(NervHeader::FIELDS, self.header.dump())
            .chain(plus)
            .collect()
    }

    fn stages(&self) -> &[HnervStage] {
        &self.stages
    }

    fn lower(&self, info: &VideoInfo, frames: usize) -> Result<Graph, Fault> {
        let (h, name) = (&self.header, self.title());
        if self.stages.len() != h.stages as usize {
            return Err(Fault::Contradiction(format!(
                "{name} has {} stages, its header says {}",
                self.stages.len(),
                h.stages
            )));
        }
        let kernels = self
            .stages
            .iter()
            .map(|s| s.kernel)
            .chain([h.head_kernel])
            .chain(self.plus.as_ref().map(|p| p.kernel));
        lowering::odd_kernels(name, kernels)?;
        lowering::fits(
            name,
            "feature map",
            [h.rows, h.columns],
            self.upsampling(),
            info,
        )?;
        lowering::layout(name, self.stages.last().map_or(1, |s| s.stride), info)?;
        // fields are below 2^12, 2^10 and 2^10
        let spread = u64::from(h.channels) * u64::from(h.rows) * u64::from(h.columns);
        if spread > 1 << 26 {
            return Err(Fault::Limits {
                what: "channels of the stem's second layer",
                actual: spread,
                allowed: 1 << 26,
            });
        }
        let mut g = Graph::with_time(h.levels as usize, frames);
        let c = g.conv2d("stem0", 0, h.hidden as usize, 1);
        let x = g.activate(c, self.activation());
        let c = g.conv2d("stem1", x, spread as usize, 1);
        let c = g.reshape(c, h.rows as usize, h.columns as usize);
        let mut x = g.activate(c, self.activation());
        let mut before = x;
        for (i, s) in self.stages.iter().enumerate() {
            before = x;
            x = self.stage(&mut g, &format!("stage{i}"), x, s);
        }
        OutputConvs {
            name: "head",
            kernel: h.head_kernel,
            activation: None,
        }
        .add(&mut g, x, before, info);
        Ok(g)
    }
}

impl Nerv {
    /// Name in error messages.
    fn title(&self) -> &'static str {
        if self.plus.is_some() {
            "NeRV++"
        } else {
            "NeRV"
        }
    }

    /// Product of the strides.
    pub fn upsampling(&self) -> u64 {
        lowering::upsampling(&self.stages)
    }

    fn activation(&self) -> Activation {
        if self.header.curve == 0 {
            Activation::Gelu
        } else {
            Activation::Swish
        }
    }

    fn stage(&self, g: &mut Graph, name: &str, input: NodeId, s: &HnervStage) -> NodeId {
        let mut x = input;
        for i in 0..self.plus.as_ref().map_or(0, |p| p.before) {
            x = self.residual(g, &format!("{name}.before{i}"), x);
        }
        let c = g.conv2d(
            name,
            x,
            (s.channels * s.stride * s.stride) as usize,
            s.kernel as usize,
        );
        let p = g.pixel_shuffle(c, s.stride as usize);
        let mut x = g.activate(p, self.activation());
        if let Some(plus) = &self.plus {
            for i in 0..plus.after {
                x = self.residual(g, &format!("{name}.after{i}"), x);
            }
            // a pointwise convolution commutes with the upsampling, and costs less before it
            let skip = g.conv2d(&format!("{name}.skip"), input, s.channels as usize, 1);
            let skip = g.bilinear(skip, s.stride as usize);
            x = g.add(x, skip);
        }
        x
    }

    fn residual(&self, g: &mut Graph, name: &str, x: NodeId) -> NodeId {
        let kernel = self.plus.as_ref().map_or(1, |p| p.kernel) as usize;
        let channels = g.nodes[x].shape[0];
        let d = g.depthwise(&format!("{name}.depthwise"), x, kernel);
        let a = g.activate(d, self.activation());
        let p = g.conv2d(&format!("{name}.pointwise"), a, channels, 1);
        g.add(x, p)
    }
}
