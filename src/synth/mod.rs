//! The normative executor (spec section 5): graph, integer tensors and a latent to a picture, in
//! integers only.
//!
//! [`reference`](mod@reference) follows the specification op by op; [`fast`] fuses and vectorises
//! and gives the same bits.

mod dense;
mod depthwise;
pub mod dispatch;
mod elementwise;
pub mod fast;
mod kernel;
pub mod lanes;
mod layer;
mod level;
mod pack;
mod predict;
mod pyramid;
pub mod reference;
mod requantize;
mod ring;
mod row_pair;
mod schedule;
mod shuffle;
mod source;
mod stem;
mod tile;
mod wide;
#[cfg(target_arch = "x86_64")]
pub mod x86;

pub use level::SimdLevel;
pub use pack::is_narrow;
pub use predict::predictor;

use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Fault;
use crate::frame::{Frame, VideoInfo};
use crate::network::Graph;
use source::Source;

/// Activations of which each thread may hold as many.
const SMALL_PASS: u64 = 1 << 24;

/// A network made ready to compute pictures.
pub struct Synth {
    info: VideoInfo,
    exec: Exec,
    source: Source,
    per_pass: usize,
    activations: u64,
}

enum Exec {
    Reference(reference::Reference),
    Fast(fast::Fast),
    Pyramid(pyramid::Pyramid),
}

/// Buffers of one worker, reused from pass to pass.
pub struct Workspace {
    strips: usize,
    fast: Option<fast::Strips>,
}

impl Synth {
    /// Prepares `net` for pictures of `info`. Fails if its steps and fraction bits contradict each
    /// other.
    pub fn new(
        graph: &Graph,
        net: &QuantizedNetwork,
        info: &VideoInfo,
        level: SimdLevel,
    ) -> Result<Self, Fault> {
        let exec = match level {
            SimdLevel::Reference => Exec::Reference(reference::Reference::new(graph, net)?),
            // a graph the fused executor has no pattern for runs on the reference
            level => {
                let pyramid = pyramid::Pyramid::new(graph, net, info, level)?;
                match (pyramid, fast::Fast::new(graph, net, info, level)?) {
                    (Some(p), _) => Exec::Pyramid(p),
                    (_, Some(f)) => Exec::Fast(f),
                    _ => Exec::Reference(reference::Reference::new(graph, net)?),
                }
            }
        };
        Ok(Synth {
            info: *info,
            exec,
            source: Source::new(graph, net)?,
            per_pass: graph.frames.max(1),
            activations: graph.activations(),
        })
    }

    /// What the pictures are.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Whether pictures are computed by the fused executor, not op by op.
    pub fn is_fused(&self) -> bool {
        !matches!(self.exec, Exec::Reference(_))
    }

    /// Activations that are there at once, those of all nodes, where the executor is not fused; else 0.
    pub fn unfused(&self) -> u64 {
        if self.is_fused() { 0 } else { self.activations }
    }

    /// Passes that are computed at once with `threads` threads: where limits bound what one holds,
    /// no more than that one.
    pub fn at_once(&self, threads: usize) -> usize {
        if self.unfused() > SMALL_PASS {
            1
        } else {
            threads
        }
    }

    /// Pictures that one pass gives.
    pub fn per_pass(&self) -> usize {
        self.per_pass
    }

    /// The source's activations in pass `pass`; `latents` are those of the whole group.
    pub fn source(&self, pass: usize, latents: &[i16]) -> Vec<i16> {
        self.source.values(pass, latents)
    }

    /// Buffers for one worker.
    pub fn workspace(&self) -> Workspace {
        self.workspace_in_strips(1)
    }

    /// Buffers for pictures of which `strips` strips are computed at once, by the threads of the
    /// pool that [`Synth::frames`] is called in.
    pub fn workspace_in_strips(&self, strips: usize) -> Workspace {
        let strips = strips.clamp(1, self.info.height);
        let fast = match &self.exec {
            Exec::Fast(f) => Some(f.strips(strips)),
            Exec::Pyramid(_) | Exec::Reference(_) => None,
        };
        Workspace { strips, fast }
    }

    /// Computes the pictures of one pass.
    pub fn frames(&self, source: &[i16], ws: &mut Workspace) -> Vec<Frame> {
        let mut frames = match (&self.exec, &mut ws.fast) {
            (Exec::Fast(f), Some(strips)) => f.frames(source, strips),
            (Exec::Fast(f), none) => f.frames(source, none.insert(f.strips(1))),
            (Exec::Pyramid(p), _) => vec![p.frame(source, ws.strips)],
            (Exec::Reference(r), _) => r.frames(source, &self.info),
        };
        if self.info.format.chroma.has_alpha() {
            frames.iter_mut().for_each(Frame::clip_to_alpha);
        }
        frames
    }
}
