//! What lowerings have in common: rules that every architecture's fields obey, and the output
//! convolutions.

use super::graph::Graph;
use super::ops::Activation;
use super::tensor_spec::NodeId;
use crate::bitstream::header::HnervStage;
use crate::error::{Fault, Result};
use crate::frame::{Chroma, VideoInfo};

/// Refuses even kernel sizes of the architecture `arch`.
pub fn odd_kernels(arch: &str, kernels: impl IntoIterator<Item = u32>) -> Result<(), Fault> {
    match kernels.into_iter().find(|k| k % 2 == 0) {
        Some(k) => Err(Fault::Contradiction(format!(
            "{arch} kernel size is {k} (allowed: odd)"
        ))),
        None => Ok(()),
    }
}

/// Product of the strides.
pub fn upsampling(stages: &[HnervStage]) -> u64 {
    stages
        .iter()
        .map(|s| u64::from(s.stride))
        .fold(1, u64::saturating_mul)
}

/// Refuses an output of `rows` x `columns`, each `up` times that many samples, that is smaller than
/// the picture or exceeds it by a whole `up`, `what` being the name of what is upsampled: more is
/// waste that no encoder writes.
pub fn fits(
    arch: &str,
    what: &str,
    [rows, columns]: [u32; 2],
    up: u64,
    info: &VideoInfo,
) -> Result<(), Fault> {
    let (ph, pw) = (
        u64::from(rows).saturating_mul(up),
        u64::from(columns).saturating_mul(up),
    );
    let fits =
        |padded: u64, size: usize| padded >= size as u64 && padded - (size as u64) < up.max(2);
    if fits(ph, info.height) && fits(pw, info.width) {
        return Ok(());
    }
    Err(Fault::Contradiction(format!(
        "{arch} output of {pw}x{ph} does not fit the {}x{} picture ({what} times {up})",
        info.width, info.height
    )))
}

/// Refuses alpha, and a last stride other than 2 for 4:2:0, whose chroma is read before the last
/// upsampling.
pub fn layout(arch: &str, last: u32, info: &VideoInfo) -> Result<(), Fault> {
    if info.format.chroma.has_alpha() {
        return Err(Fault::Contradiction(format!(
            "{arch} pictures of {} (allowed with alpha: pyramid)",
            info.format.name()
        )));
    }
    if info.format.chroma == Chroma::Yuv420 && last != 2 {
        return Err(Fault::Contradiction(format!(
            "last {arch} stride is {last} (allowed: 2 for 4:2:0 pictures)"
        )));
    }
    Ok(())
}

/// The output convolutions of one picture.
pub struct OutputConvs<'a> {
    /// What their tensors' names start with.
    pub name: &'a str,
    /// Kernel size.
    pub kernel: u32,
    /// What follows each.
    pub activation: Option<Activation>,
}

impl OutputConvs<'_> {
    /// Adds them and their planes: `x` at full resolution, `before` at half, from which chroma
    /// planes of 4:2:0 are read.
    pub fn add(&self, g: &mut Graph, x: NodeId, before: NodeId, info: &VideoInfo) {
        let mut head = |name: String, input: NodeId, planes: usize| {
            let conv = g.conv2d(&name, input, planes, self.kernel as usize);
            let node = self.activation.map_or(conv, |c| g.activate(conv, c));
            (0..planes).for_each(|c| g.output(node, c));
        };
        if info.format.chroma == Chroma::Yuv420 {
            head(format!("{}_luma", self.name), x, 1);
            head(format!("{}_chroma", self.name), before, 2);
        } else {
            head(self.name.to_string(), x, info.format.chroma.planes());
        }
    }
}
