//! Latent pyramid: lowering of its header to a [`Graph`] (spec section 6.6).
//!
//! Ladune et al., "COOL-CHIC: Coordinate-based Low Complexity Hierarchical Image Codec", ICCV 2023,
//! and what followed it (C3, CVPR 2024; Cool-chic 4 and 5): latent grids of halving resolution,
//! coded by a tiny network that predicts each latent from its neighbours; learned upsampling; a
//! tiny network that mixes the grids into samples, then two residual convolutions.
//!
//! Departures: all of it in integers, the synthesis too; the planes of 4:2:0 have a network each
//! resolution, so no sample is computed that is not coded.

use super::graph::Graph;
use super::ops::integer::OutputRange;
use super::ops::{self, Add, Concat, EdgeConv, LatentGrid, Op, Relu, Upsample};
use super::representation::{Representation, with_values};
use super::tensor_spec::{NodeId, Role, TensorId, TensorSpec};
use crate::bitstream::fields::{FieldSpec, Reader};
use crate::bitstream::header::PyramidHeader;
use crate::error::{Fault, Result};
use crate::frame::{Chroma, VideoInfo};

/// Most latent grids.
pub const MAX_GRIDS: usize = PyramidHeader::FIELDS[0].max as usize;
/// Most neighbours that a context network reads.
pub const MAX_CONTEXTS: usize = PyramidHeader::FIELDS[3].max as usize;
/// Most channels of a hidden layer.
pub const MAX_HIDDEN: usize = PyramidHeader::FIELDS[4].max as usize;

/// Architecture id in the group header.
pub const ARCH_ID: u32 = 6;
/// Tensors of the context network, the first of a graph's.
pub const CONTEXT_TENSORS: usize = 7;
/// Fraction bits of pictures on their way to samples.
const PICTURE_FRACTION: u8 = 13;

/// Header fields of a pyramid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pyramid {
    /// All of them.
    pub header: PyramidHeader,
}

/// A synthesis network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The grid of whose resolution its planes are; it reads this and all coarser ones.
    pub level: usize,
    /// Planes.
    pub planes: usize,
}

impl Head {
    /// Those of a picture, in the order of its planes.
    pub fn of(chroma: Chroma) -> Vec<Head> {
        let head = |level, planes| Head { level, planes };
        match chroma {
            Chroma::Gray => vec![head(0, 1)],
            Chroma::Yuv420 => vec![head(0, 1), head(1, 2)],
            Chroma::Yuv444 | Chroma::Rgb | Chroma::GrayAlpha | Chroma::Rgba => {
                vec![head(0, chroma.planes())]
            }
        }
    }
}

impl Representation for Pyramid {
    fn read(id: u32, r: &mut Reader<'_>) -> Result<Option<Self>> {
        if id != ARCH_ID {
            return Ok(None);
        }
        let header = PyramidHeader::read(r)?;
        Ok(Some(Pyramid { header }))
    }

    fn id(&self) -> u32 {
        ARCH_ID
    }

    fn name(&self) -> &'static str {
        "pyramid"
    }

    fn fields(&self) -> Vec<(&'static FieldSpec, u32)> {
        with_values(PyramidHeader::FIELDS, self.header.dump()).collect()
    }

    fn context_coded(&self) -> Option<&PyramidHeader> {
        Some(&self.header)
    }

    fn lower(&self, info: &VideoInfo, _frames: usize) -> Result<Graph, Fault> {
        let h = &self.header;
        let grids = h.grids as usize;
        let heads = Head::of(info.format.chroma);
        let least = heads.iter().map(|h| h.level + 1).max().unwrap_or(1);
        if grids < least {
            return Err(Fault::Contradiction(format!(
                "a pyramid of {grids} grids (allowed {least}..=16 for {})",
                info.format.name()
            )));
        }
        if h.empty >> grids != 0 {
            return Err(Fault::Contradiction(format!(
                "empty is {} (allowed 0..={} for {grids} grids)",
                h.empty,
                (1 << grids) - 1
            )));
        }
        let source = ops::Pyramid {
            grids,
            rows: info.height,
            columns: info.width,
            reach: h.reach as u16,
        };
        let mut g = Graph::with_source(Op::Pyramid(source));
        g.output_range = OutputRange::Unit;
        let n = h.contexts as usize;
        let mut add =
            |name: &str, shape, role| tensor(&mut g, format!("context.{name}"), shape, role);
        add("hidden0.weight", [n, n, 1, 1], Role::Weight);
        add("hidden0.bias", [n, 1, 1, 1], Role::Bias);
        add("hidden1.weight", [n, n, 1, 1], Role::Weight);
        add("hidden1.bias", [n, 1, 1, 1], Role::Bias);
        add("out.weight", [2, n, 1, 1], Role::Weight);
        add("out.bias", [2, 1, 1, 1], Role::Bias);
        add("bypass.weight", [2, n, 1, 1], Role::Weight);
        let inputs = inputs(&mut g, &source);
        for (i, head) in heads.iter().enumerate() {
            let name = format!("head{i}");
            synthesis(
                &mut g,
                &name,
                inputs[head.level],
                h.hidden as usize,
                head.planes,
            );
        }
        Ok(g)
    }
}

fn tensor(g: &mut Graph, name: String, shape: [usize; 4], role: Role) -> TensorId {
    g.tensors.push(TensorSpec { name, shape, role });
    g.tensors.len() - 1
}

/// At each level, the grid and all coarser ones brought to its resolution.
fn inputs(g: &mut Graph, source: &ops::Pyramid) -> Vec<NodeId> {
    let grid = |level| LatentGrid {
        input: 0,
        offset: source.offset(level),
        size: source.size(level),
    };
    let grids: Vec<NodeId> = (0..source.grids)
        .map(|l| g.push(Op::LatentGrid(grid(l))))
        .collect();
    let first = g.tensors.len();
    for l in 0..source.grids - 1 {
        tensor(g, format!("upsample{l}.weight"), [1, 1, 1, 4], Role::Weight);
    }
    let mut all = grids.clone();
    for level in (0..source.grids - 1).rev() {
        let input = all[level + 1];
        let (taps, size) = (first + level, source.size(level));
        let up = g.push(Op::Upsample(Upsample { input, taps, size }));
        let inputs = [grids[level], up];
        all[level] = g.push(Op::Concat(Concat { inputs }));
    }
    all
}

/// A synthesis network and its planes.
fn synthesis(g: &mut Graph, name: &str, input: NodeId, hidden: usize, planes: usize) {
    let picture = Some(PICTURE_FRACTION);
    let h = conv(g, &format!("{name}.hidden"), input, [hidden, 1], true, None);
    let h = g.push(Op::Relu(Relu { input: h }));
    let mixed = conv(g, &format!("{name}.mix"), h, [planes, 1], false, picture);
    let direct = conv(
        g,
        &format!("{name}.bypass"),
        input,
        [planes, 1],
        true,
        picture,
    );
    let x = sum(g, [mixed, direct]);
    let c = conv(g, &format!("{name}.conv0"), x, [planes, 3], true, picture);
    let x = sum(g, [x, c]);
    let x = g.push(Op::Relu(Relu { input: x }));
    let c = conv(g, &format!("{name}.conv1"), x, [planes, 3], true, picture);
    let x = sum(g, [x, c]);
    (0..planes).for_each(|p| g.output(x, p));
}

fn conv(
    g: &mut Graph,
    name: &str,
    input: NodeId,
    [out, kernel]: [usize; 2],
    bias: bool,
    fraction: Option<u8>,
) -> NodeId {
    let channels = g.nodes[input].shape[0];
    let shape = [out, channels, kernel, kernel];
    let weight = tensor(g, format!("{name}.weight"), shape, Role::Weight);
    let bias = bias.then(|| tensor(g, format!("{name}.bias"), [out, 1, 1, 1], Role::Bias));
    g.push(Op::EdgeConv(EdgeConv {
        input,
        weight,
        bias,
        fraction,
    }))
}

fn sum(g: &mut Graph, inputs: [NodeId; 2]) -> NodeId {
    let fraction = Some(PICTURE_FRACTION);
    g.push(Op::Add(Add { inputs, fraction }))
}
