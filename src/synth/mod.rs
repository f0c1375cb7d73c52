//! The normative executor (spec section 5): graph, integer tensors and a latent to a picture, in integers only.
//!
//! [`reference`] follows the specification op by op; [`fast`] fuses and vectorises and gives the same bits.

pub mod fast;
mod finish;
mod kernel;
pub mod lanes;
mod layer;
mod level;
pub mod math;
mod paired;
pub mod reference;
mod ring;
mod schedule;
pub mod tables;

pub use level::Level;

use crate::entropy::tensor::Network;
use crate::error::Result;
use crate::frame::{Frame, VideoInfo};
use crate::network::{Graph, Op};

/// Fraction bits of every node: its own, or for a pixel shuffle those of its input.
pub fn node_scales(graph: &Graph, net: &Network) -> Vec<u32> {
    let mut scales: Vec<u32> = Vec::with_capacity(graph.nodes.len());
    for (i, n) in graph.nodes.iter().enumerate() {
        let f = match n.op {
            Op::PixelShuffle { input, .. } => scales[input],
            _ => u32::from(net.scales[i]),
        };
        scales.push(f);
    }
    scales
}

/// A network made ready to compute pictures.
pub struct Synth {
    info: VideoInfo,
    exec: Exec,
}

enum Exec {
    Reference(reference::Reference),
    Fast(fast::Fast),
}

/// Buffers of one worker, reused from frame to frame.
pub struct Workspace(Option<fast::Strips>);

impl Synth {
    /// Prepares `net` for pictures of `info`. Fails if its steps and scales contradict each other.
    pub fn new(graph: &Graph, net: &Network, info: &VideoInfo, level: Level) -> Result<Self> {
        let exec = match level {
            Level::Reference => Exec::Reference(reference::Reference::new(graph, net)?),
            // a graph the fused executor has no pattern for runs on the reference
            level => match fast::Fast::new(graph, net, info, level)? {
                Some(f) => Exec::Fast(f),
                None => Exec::Reference(reference::Reference::new(graph, net)?),
            },
        };
        Ok(Synth { info: *info, exec })
    }

    /// What the pictures are.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Buffers for one worker.
    pub fn workspace(&self) -> Workspace {
        self.workspace_in_strips(1)
    }

    /// Buffers for pictures of which `strips` strips are computed at once, by the threads of the pool that
    /// [`Synth::frame`] is called in.
    pub fn workspace_in_strips(&self, strips: usize) -> Workspace {
        Workspace(match &self.exec {
            Exec::Fast(f) => Some(f.strips(strips.clamp(1, self.info.height))),
            Exec::Reference(_) => None,
        })
    }

    /// Computes the picture of one latent.
    pub fn frame(&self, latent: &[i16], ws: &mut Workspace) -> Frame {
        match (&self.exec, &mut ws.0) {
            (Exec::Fast(f), Some(strips)) => f.frame(latent, strips),
            (Exec::Fast(f), none) => f.frame(latent, none.insert(f.strips(1))),
            (Exec::Reference(r), _) => r.frame(latent, &self.info),
        }
    }
}
