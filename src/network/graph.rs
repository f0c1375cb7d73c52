//! The graph of operations that turns a latent into a picture (spec section 5).
//!
//! Nodes stand in evaluation order; every node but [`Op::Latent`] reads nodes before it. Shapes are `[channels, rows, columns]`.

use crate::bitstream::Limits;
use crate::error::Result;

/// Index of a node in [`Graph::nodes`].
pub type NodeId = usize;
/// Index of a tensor in [`Graph::tensors`].
pub type TensorId = usize;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The frame's latent, dequantised (spec section 5.2).
    Latent,
    /// Stride-1 convolution with zero padding to the same size, plus bias (spec section 5.3).
    Conv2d {
        /// Node read.
        input: NodeId,
        /// Tensor of shape `[out, in, kernel, kernel]`.
        weight: TensorId,
        /// Tensor of shape `[out, 1, 1, 1]`.
        bias: TensorId,
    },
    /// `out[c][y*r + i][x*r + j] = in[c*r*r + i*r + j][y][x]` (spec section 5.4).
    PixelShuffle {
        /// Node read.
        input: NodeId,
        /// Upsampling factor r.
        factor: usize,
    },
    /// Gaussian error linear unit (spec section 5.5).
    Gelu {
        /// Node read.
        input: NodeId,
    },
}

impl Op {
    /// Whether the node's activations have a coded scale of their own.
    pub fn has_scale(self) -> bool {
        !matches!(self, Op::PixelShuffle { .. })
    }

    /// The node read, if any.
    pub fn input(self) -> Option<NodeId> {
        match self {
            Op::Latent => None,
            Op::Conv2d { input, .. } | Op::PixelShuffle { input, .. } | Op::Gelu { input } => Some(input),
        }
    }
}

/// One operation and the shape of what it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// `[channels, rows, columns]`.
    pub shape: [usize; 3],
}

/// What a tensor is for; decides its contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Convolution kernel.
    Weight,
    /// Bias.
    Bias,
}

/// Name, shape and role of one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// For people; not in the stream.
    pub name: String,
    /// `[out, in, kernel rows, kernel columns]`; biases have 1s after the first.
    pub shape: [usize; 4],
    /// Weight or bias.
    pub role: Role,
}

impl TensorSpec {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where a plane of the picture comes from: one channel of a node, its top left corner cropped to the plane's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputPlane {
    /// Node read.
    pub node: NodeId,
    /// Channel of it.
    pub channel: usize,
}

/// A convolution with what follows it, see [`Graph::chains`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The convolution's node.
    pub conv: NodeId,
    /// The chain's last node.
    pub end: NodeId,
    /// Node read.
    pub input: NodeId,
    /// The convolution's weights.
    pub weight: TensorId,
    /// The convolution's bias.
    pub bias: TensorId,
    /// Factor of the pixel shuffle; 1 without one.
    pub factor: usize,
    /// Whether a GELU ends the chain.
    pub gelu: bool,
}

/// A network as data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Operations in evaluation order; the first is [`Op::Latent`].
    pub nodes: Vec<Node>,
    /// Parameters in coding order.
    pub tensors: Vec<TensorSpec>,
    /// One entry for each plane of the picture.
    pub outputs: Vec<OutputPlane>,
}

impl Graph {
    /// Largest number of fraction bits of an activation.
    pub const MAX_FRACTION: u8 = 19;

    /// A graph that holds only the latent.
    pub fn new(latent: [usize; 3]) -> Self {
        Graph { nodes: vec![Node { op: Op::Latent, shape: latent }], ..Default::default() }
    }

    /// Shape of a frame's latent.
    pub fn latent_shape(&self) -> [usize; 3] {
        self.nodes[0].shape
    }

    fn push(&mut self, op: Op, shape: [usize; 3]) -> NodeId {
        self.nodes.push(Node { op, shape });
        self.nodes.len() - 1
    }

    /// Adds a convolution with bias, and its two tensors.
    pub fn conv2d(&mut self, name: &str, input: NodeId, out: usize, kernel: usize) -> NodeId {
        let [cin, h, w] = self.nodes[input].shape;
        let weight = self.tensors.len();
        self.tensors.push(TensorSpec { name: format!("{name}.weight"), shape: [out, cin, kernel, kernel], role: Role::Weight });
        self.tensors.push(TensorSpec { name: format!("{name}.bias"), shape: [out, 1, 1, 1], role: Role::Bias });
        self.push(Op::Conv2d { input, weight, bias: weight + 1 }, [out, h, w])
    }

    /// Adds a pixel shuffle. The input's channels must be a multiple of `factor * factor`.
    pub fn pixel_shuffle(&mut self, input: NodeId, factor: usize) -> NodeId {
        let [c, h, w] = self.nodes[input].shape;
        debug_assert_eq!(c % (factor * factor), 0);
        self.push(Op::PixelShuffle { input, factor }, [c / (factor * factor), h * factor, w * factor])
    }

    /// Adds a GELU.
    pub fn gelu(&mut self, input: NodeId) -> NodeId {
        let shape = self.nodes[input].shape;
        self.push(Op::Gelu { input }, shape)
    }

    /// Takes channel `channel` of `node` as the next plane of the picture.
    pub fn output(&mut self, node: NodeId, channel: usize) {
        self.outputs.push(OutputPlane { node, channel });
    }

    /// The graph as convolutions, each with the pixel shuffle and GELU that alone read it: what executors compute in one
    /// pass. `None` if some node fits no such chain.
    pub fn chains(&self) -> Option<Vec<Chain>> {
        let follower = |node: NodeId| {
            let next = self.nodes.get(node + 1).filter(|n| n.op.input() == Some(node))?;
            let read_once = self.nodes.iter().filter(|n| n.op.input() == Some(node)).count() == 1;
            let kept = self.outputs.iter().any(|o| o.node == node);
            (read_once && !kept).then_some(next.op)
        };
        let mut chains = Vec::new();
        let mut node = 1;
        while node < self.nodes.len() {
            let Op::Conv2d { input, weight, bias } = self.nodes[node].op else { return None };
            let mut c = Chain { conv: node, end: node, input, weight, bias, factor: 1, gelu: false };
            if let Some(Op::PixelShuffle { factor, .. }) = follower(c.end) {
                (c.end, c.factor) = (c.end + 1, factor);
            }
            if let Some(Op::Gelu { .. }) = follower(c.end) {
                (c.end, c.gelu) = (c.end + 1, true);
            }
            node = c.end + 1;
            chains.push(c);
        }
        // a chain may only read what another one ends with
        let ends = |n: NodeId| n == 0 || chains.iter().any(|c| c.end == n);
        (chains.iter().all(|c| ends(c.input)) && self.outputs.iter().all(|o| ends(o.node))).then_some(chains)
    }

    /// Number of network parameters.
    pub fn params(&self) -> u64 {
        self.tensors.iter().map(|t| t.shape.iter().map(|&d| d as u64).product::<u64>()).sum()
    }

    /// Multiply-accumulates for one frame.
    pub fn macs(&self) -> u64 {
        self.nodes
            .iter()
            .map(|n| match n.op {
                Op::Conv2d { weight, .. } => {
                    let [o, i, kh, kw] = self.tensors[weight].shape.map(|d| d as u64);
                    (o * i * kh * kw).saturating_mul(n.shape[1] as u64).saturating_mul(n.shape[2] as u64)
                }
                _ => 0,
            })
            .fold(0, u64::saturating_add)
    }

    /// Activations of all nodes, for one frame.
    pub fn activations(&self) -> u64 {
        self.nodes.iter().map(|n| n.shape.iter().map(|&d| d as u64).fold(1, u64::saturating_mul)).fold(0, u64::saturating_add)
    }

    /// Values of one frame's latent.
    pub fn latent_len(&self) -> usize {
        self.latent_shape().iter().product()
    }

    /// Refuses a graph that needs more than `limits` allow for a group of `frames` frames.
    pub fn check(&self, frames: usize, limits: &Limits) -> Result<()> {
        let latents = self.latent_shape().iter().map(|&d| d as u64).product::<u64>().saturating_mul(frames as u64);
        Limits::check("parameters and latents of a group", self.params().saturating_add(latents), limits.group_values)?;
        Limits::check("activations of a frame", self.activations(), limits.frame_activations)?;
        Limits::check("multiply-accumulates of a frame", self.macs(), limits.frame_macs)
    }
}
