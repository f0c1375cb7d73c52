//! The graph of operations that turns a latent into a picture (spec section 5).
//!
//! Nodes stand in evaluation order; every node but the first, its source, reads nodes before it.
//! Shapes are `[channels, rows, columns]`. Methods that add nodes by name stand in `build`.

use super::ops::integer::OutputRange;
use super::ops::{FracBits, Latent, Op};
use super::tensor_spec::{NodeId, TensorSpec};
use crate::bitstream::limits::Limits;
use crate::error::Result;

/// One operation and the shape of what it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// `[channels, rows, columns]`.
    pub shape: [usize; 3],
}

/// Where a plane of the picture comes from: one channel of a node, its top left corner cropped to
/// the plane's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputPlane {
    /// Node read.
    pub node: NodeId,
    /// Channel of it.
    pub channel: usize,
}

/// A network as data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Operations in evaluation order; the first is a source, and the only one.
    pub nodes: Vec<Node>,
    /// Parameters in coding order.
    pub tensors: Vec<TensorSpec>,
    /// One entry for each plane of each picture of a pass.
    pub outputs: Vec<OutputPlane>,
    /// Pictures of one evaluation.
    pub frames: usize,
    /// Which output is which sample (spec section 5.6).
    pub output_range: OutputRange,
}

impl Graph {
    /// Largest number of fraction bits of an activation.
    pub const MAX_FRACTION: u8 = 19;

    /// A graph that holds only the latent.
    pub fn new(latent: [usize; 3]) -> Self {
        Graph::with_source(Op::Latent(Latent { shape: latent }))
    }

    /// A graph that holds only its source.
    pub fn with_source(op: Op) -> Self {
        let mut graph = Graph {
            frames: 1,
            ..Default::default()
        };
        graph.push(op);
        graph
    }

    /// Adds a node; its shape follows from those of the nodes it reads.
    pub fn push(&mut self, op: Op) -> NodeId {
        let read: Vec<[usize; 3]> = op.inputs().iter().map(|&i| self.nodes[i].shape).collect();
        let shape = op.shape(&read, &self.tensors);
        self.nodes.push(Node { op, shape });
        self.nodes.len() - 1
    }

    /// Takes channel `channel` of `node` as the next plane of the picture.
    pub fn output(&mut self, node: NodeId, channel: usize) {
        self.outputs.push(OutputPlane { node, channel });
    }

    /// Shape of what is coded for each pass: the latent's, or zeros where the source is not coded.
    pub fn latent_shape(&self) -> [usize; 3] {
        if self.has_latents() {
            self.nodes[0].shape
        } else {
            [0; 3]
        }
    }

    /// Whether the source is coded.
    pub fn has_latents(&self) -> bool {
        matches!(self.nodes[0].op, Op::Latent(_) | Op::Pyramid(_))
    }

    /// Whether latents have a step of their own; those of a pyramid are in units of one.
    pub fn has_latent_step(&self) -> bool {
        matches!(self.nodes[0].op, Op::Latent(_))
    }

    /// Passes that `frames` pictures take.
    pub fn passes(&self, frames: usize) -> usize {
        frames.div_ceil(self.frames.max(1))
    }

    /// Fraction bits of every node (spec section 5.1), `coded` being those of the stream.
    pub fn frac_bits(&self, coded: &[u8]) -> Vec<u32> {
        let mut all: Vec<u32> = Vec::with_capacity(self.nodes.len());
        for (i, n) in self.nodes.iter().enumerate() {
            all.push(match n.op.frac_bits() {
                FracBits::Coded => coded[i].into(),
                FracBits::Fixed(f) => f.into(),
                FracBits::Input => all[n.op.inputs()[0]],
            });
        }
        all
    }

    /// Number of network parameters.
    pub fn params(&self) -> u64 {
        let values = |t: &TensorSpec| t.shape.iter().map(|&d| d as u64).product::<u64>();
        self.tensors.iter().map(values).sum()
    }

    /// Multiply-accumulates of one pass.
    pub fn macs(&self) -> u64 {
        let macs = |n: &Node| n.op.macs(n.shape, &self.tensors);
        self.nodes.iter().map(macs).fold(0, u64::saturating_add)
    }

    /// Activations of all nodes, for one pass.
    pub fn activations(&self) -> u64 {
        let size = |n: &Node| {
            let sides = n.shape.iter().map(|&d| d as u64);
            sides.fold(1, u64::saturating_mul)
        };
        self.nodes.iter().map(size).fold(0, u64::saturating_add)
    }

    /// Coded values of one pass: those of the latent, if there is one.
    pub fn latent_len(&self) -> usize {
        self.latent_shape().iter().product()
    }

    /// What it asks of a decoder for a group of `frames` frames.
    pub fn asks(&self, frames: usize) -> Limits {
        let latent = self.latent_shape().map(|d| d as u64);
        let latents = latent.iter().product::<u64>();
        let latents = latents.saturating_mul(self.passes(frames) as u64);
        Limits {
            group_values: self.params().saturating_add(latents),
            // a pyramid's full resolution is computed in strips
            pass_activations: match self.nodes[0].op {
                Op::Pyramid(p) => p.held(),
                _ => self.activations(),
            },
            pass_macs: self.macs(),
            section_nodes: self.nodes.len() as u64,
            ..Limits::none()
        }
    }

    /// Refuses a graph that asks for more than `limits` allow for a group of `frames` frames.
    pub fn check(&self, frames: usize, limits: &Limits) -> Result<()> {
        let asks = self.asks(frames);
        Limits::check(
            "parameters and latents of a group",
            asks.group_values,
            limits.group_values,
        )?;
        Limits::check(
            "activations of a pass",
            asks.pass_activations,
            limits.pass_activations,
        )?;
        Limits::check(
            "multiply-accumulates of a pass",
            asks.pass_macs,
            limits.pass_macs,
        )
    }
}
