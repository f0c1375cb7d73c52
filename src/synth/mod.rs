//! The normative executor (spec section 5): graph, integer tensors and a latent to a picture, in
//! integers only.
//!
//! [`reference`] follows the specification op by op; [`fast`] fuses and vectorises and gives the
//! same bits.

mod depthwise;
mod elementwise;
pub mod fast;
mod kernel;
pub mod lanes;
mod layer;
mod level;
pub mod math;
mod parts;
pub mod reference;
mod requantize;
mod ring;
mod row_pair;
mod schedule;
mod stem;
pub mod tables;

pub use level::SimdLevel;

use crate::entropy::tensor::{QuantStep, QuantizedNetwork};
use crate::error::Result;
use crate::frame::{Frame, VideoInfo};
use crate::network::{Graph, Node, Op};

/// Fraction bits of every node: its own, or those of its input, or fixed ones.
pub fn node_frac_bits(graph: &Graph, net: &QuantizedNetwork) -> Vec<u32> {
    let mut frac_bits: Vec<u32> = Vec::with_capacity(graph.nodes.len());
    for (i, n) in graph.nodes.iter().enumerate() {
        let f = match n.op {
            Op::PositionalEncoding { .. } | Op::Grid => Graph::SOURCE_FRACTION.into(),
            Op::PixelShuffle { input, .. } | Op::Reshape { input } | Op::Bilinear { input, .. } => {
                frac_bits[input]
            }
            _ => u32::from(net.frac_bits[i]),
        };
        frac_bits.push(f);
    }
    frac_bits
}

/// Activations of a graph's source for one pass (spec section 5.2).
pub struct Source(pub Vec<i16>);

/// Activations in pass `pass` of a source that is not coded (spec section 5.2); none of a latent.
pub fn constant_source(node: &Node, pass: usize) -> Vec<i16> {
    let [channels, rows, columns] = node.shape;
    match node.op {
        Op::PositionalEncoding { frames, .. } => (0..channels)
            .map(|c| math::positional_encoding(pass, frames, c))
            .collect(),
        Op::Grid => (0..channels * rows * columns)
            .map(|i| match i / (rows * columns) {
                0 => math::coordinate(i / columns, rows),
                _ => math::coordinate(i % columns, columns),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A network made ready to compute pictures.
pub struct Synth {
    info: VideoInfo,
    exec: Exec,
    source: Node,
    latent: Option<(QuantStep, u32)>,
    per_pass: usize,
}

enum Exec {
    Reference(reference::Reference),
    Fast(fast::Fast),
}

/// Buffers of one worker, reused from pass to pass.
pub struct Workspace(Option<fast::Strips>);

impl Synth {
    /// Prepares `net` for pictures of `info`. Fails if its steps and fraction bits contradict each
    /// other.
    pub fn new(
        graph: &Graph,
        net: &QuantizedNetwork,
        info: &VideoInfo,
        level: SimdLevel,
    ) -> Result<Self> {
        let exec = match level {
            SimdLevel::Reference => Exec::Reference(reference::Reference::new(graph, net)?),
            // a graph the fused executor has no pattern for runs on the reference
            level => match fast::Fast::new(graph, net, info, level)? {
                Some(f) => Exec::Fast(f),
                None => Exec::Reference(reference::Reference::new(graph, net)?),
            },
        };
        let latent = graph
            .has_latents()
            .then(|| math::latent_shift(net))
            .transpose()?;
        Ok(Synth {
            info: *info,
            exec,
            source: graph.nodes[0],
            latent,
            per_pass: graph.frames.max(1),
        })
    }

    /// What the pictures are.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Whether pictures are computed by the fused executor, not op by op.
    pub fn is_fused(&self) -> bool {
        matches!(self.exec, Exec::Fast(_))
    }

    /// Pictures that one pass gives.
    pub fn per_pass(&self) -> usize {
        self.per_pass
    }

    /// The source's activations in pass `pass`; `latents` are those of the whole group.
    pub fn source(&self, pass: usize, latents: &[i16]) -> Source {
        let values = self.latent.map_or_else(
            || constant_source(&self.source, pass),
            |(step, shift)| {
                let n = self.source.shape.iter().product::<usize>();
                latents[pass * n..][..n]
                    .iter()
                    .map(|&q| math::latent_value(q, step, shift))
                    .collect()
            },
        );
        Source(values)
    }

    /// Buffers for one worker.
    pub fn workspace(&self) -> Workspace {
        self.workspace_in_strips(1)
    }

    /// Buffers for pictures of which `strips` strips are computed at once, by the threads of the
    /// pool that [`Synth::frames`] is called in.
    pub fn workspace_in_strips(&self, strips: usize) -> Workspace {
        Workspace(match &self.exec {
            Exec::Fast(f) => Some(f.strips(strips.clamp(1, self.info.height))),
            Exec::Reference(_) => None,
        })
    }

    /// Computes the pictures of one pass.
    pub fn frames(&self, source: &Source, ws: &mut Workspace) -> Vec<Frame> {
        match (&self.exec, &mut ws.0) {
            (Exec::Fast(f), Some(strips)) => f.frames(source, strips),
            (Exec::Fast(f), none) => f.frames(source, none.insert(f.strips(1))),
            (Exec::Reference(r), _) => r.frames(source, &self.info),
        }
    }
}
