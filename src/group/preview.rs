//! Smaller pictures of a pyramid: what its coarser grids say by themselves.
//!
//! A pyramid without its finest grids is one of a smaller picture: synthesis works at the finest
//! resolution that is left, and its first layer reads the grids that there are.

use super::Group;
use crate::entropy::tensor::blank_network;
use crate::error::{Error, Result};
use crate::frame::VideoInfo;
use crate::network::pyramid::{Head, MAX_GRIDS, Pyramid};
use crate::network::{Arch, Graph, Op};

/// Most halvings that any pyramid has.
const MAX_HALVINGS: u8 = MAX_GRIDS as u8 - 1;

/// Pictures like those of `info`, their sides halved `halvings` times and rounded up.
pub fn info(info: &VideoInfo, halvings: u8) -> Result<VideoInfo> {
    if halvings > MAX_HALVINGS {
        return Err(Error::Parameter(format!(
            "{halvings} halvings of a picture (allowed 0..={MAX_HALVINGS})"
        )));
    }
    Ok(VideoInfo {
        width: info.width.div_ceil(1 << halvings),
        height: info.height.div_ceil(1 << halvings),
        ..*info
    })
}

/// Whether groups of `arch` have pictures of the size of `info`, halved `halvings` times.
fn check(arch: &Arch, info: &VideoInfo, halvings: u8) -> Result<()> {
    let Some(header) = arch.context_coded() else {
        return Err(Error::Unsupported(format!(
            "scale 1/{} of {}: only a pyramid has pictures of several sizes",
            1u32 << halvings,
            arch.name()
        )));
    };
    let heads = Head::of(info.format.chroma);
    let coarsest = heads.iter().map(|h| h.level).max().unwrap_or(0) as u32;
    let most = header.grids.saturating_sub(1 + coarsest);
    if u32::from(halvings) > most {
        return Err(Error::Parameter(format!(
            "scale 1/{} of {} grids (allowed 1/1 to 1/{})",
            1u32 << halvings,
            header.grids,
            1u32 << most
        )));
    }
    Ok(())
}

/// A group of smaller pictures.
pub struct Reduced {
    /// Its integers.
    pub group: Group,
    /// What its representation is lowered to.
    pub graph: Graph,
    /// Its pictures.
    pub info: VideoInfo,
}

/// A group of pictures of `full`, whose representation is lowered to `graph`, without the grids that
/// `halvings` leave out.
pub fn reduced(group: &Group, graph: &Graph, full: &VideoInfo, halvings: u8) -> Result<Reduced> {
    check(&group.arch, full, halvings)?;
    let (Some(header), Op::Pyramid(source)) = (group.arch.context_coded(), graph.nodes[0].op)
    else {
        return Err(Error::Parameter("a graph without a pyramid".into()));
    };
    let left_out = usize::from(halvings);
    let mut header = header.clone();
    header.grids -= u32::from(halvings);
    header.empty >>= halvings;
    let arch = Arch::Pyramid(Pyramid { header });
    let info = info(full, halvings)?;
    let small = arch.lower(&info, group.frames)?;
    let mut network = blank_network(&small);
    // upsamplings to the grids that are left out come first
    let is_upsampling = |name: &str| name.starts_with("upsample");
    let mut tensors = graph.tensors.iter().zip(&group.network.tensors).filter({
        let mut seen = 0;
        move |(spec, _)| {
            seen += usize::from(is_upsampling(&spec.name));
            !is_upsampling(&spec.name) || seen > left_out
        }
    });
    for (spec, to) in small.tensors.iter().zip(&mut network.tensors) {
        let Some((old, from)) = tensors.next() else {
            return Err(Error::Parameter("a tensor is missing".into()));
        };
        let row = old.shape[1..].iter().product::<usize>();
        let dropped = (old.shape[1] - spec.shape[1]) * old.shape[2] * old.shape[3];
        to.step = from.step;
        to.values = from
            .values
            .chunks_exact(row)
            .flat_map(|r| &r[dropped..])
            .copied()
            .collect();
    }
    let old = graph.nodes.iter().zip(&group.network.frac_bits);
    let mut own = old
        .filter(|(node, _)| node.op.has_frac_bits())
        .map(|(_, f)| *f);
    for (node, f) in small.nodes.iter().zip(&mut network.frac_bits) {
        if node.op.has_frac_bits() {
            *f = own.next().unwrap_or(0);
        }
    }
    let frames = group.latents.chunks_exact(source.offset(source.grids));
    let latents = frames.flat_map(|f| &f[source.offset(left_out)..]);
    let group = Group {
        arch,
        network,
        latents: latents.copied().collect(),
        frames: group.frames,
    };
    Ok(Reduced {
        group,
        graph: small,
        info,
    })
}
