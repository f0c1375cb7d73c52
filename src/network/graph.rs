//! The graph of operations that turns a latent into a picture (spec section 5).
//!
//! Nodes stand in evaluation order; every node but [`Op::Latent`] reads nodes before it. Shapes are
//! `[channels, rows, columns]`.

mod build;

use crate::bitstream::Limits;
use crate::error::Result;

/// Index of a node in [`Graph::nodes`].
pub type NodeId = usize;
/// Index of a tensor in [`Graph::tensors`].
pub type TensorId = usize;

/// A nonlinearity, by table (spec section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Gaussian error linear unit.
    Gelu,
    /// `x / (1 + e^-x)`.
    Swish,
    /// `sin(2 pi x)`: the input counts turns.
    Sine,
    /// Hyperbolic tangent.
    Tanh,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Source: the frame's latent, dequantised (spec section 5.2).
    Latent,
    /// Source: positional code of a frame's place in its group, `[2 * levels, 1, 1]` (spec section
    /// 5.2).
    PositionalEncoding {
        /// Frequencies, each with a sine and a cosine.
        levels: usize,
        /// Frames of the group.
        frames: usize,
    },
    /// Source: coordinates of a grid, `[2, rows, columns]` (spec section 5.2).
    Grid,
    /// Stride-1 convolution with zero padding to the same size, plus bias (spec section 5.3).
    Conv2d {
        /// Node read.
        input: NodeId,
        /// Tensor of shape `[out, in, kernel, kernel]`.
        weight: TensorId,
        /// Tensor of shape `[out, 1, 1, 1]`.
        bias: TensorId,
    },
    /// The same, each channel by a kernel of its own (spec section 5.3).
    Depthwise {
        /// Node read.
        input: NodeId,
        /// Tensor of shape `[channels, 1, kernel, kernel]`.
        weight: TensorId,
        /// Tensor of shape `[channels, 1, 1, 1]`.
        bias: TensorId,
    },
    /// `out[c][y*r + i][x*r + j] = in[c*r*r + i*r + j][y][x]` (spec section 5.4).
    PixelShuffle {
        /// Node read.
        input: NodeId,
        /// Upsampling factor r.
        factor: usize,
    },
    /// `out[c][y][x] = in[(c * rows + y) * columns + x][0][0]` of a single position (spec section
    /// 5.4).
    Reshape {
        /// Node read, of one row and column.
        input: NodeId,
    },
    /// A nonlinearity (spec section 5.5).
    Activation {
        /// Node read.
        input: NodeId,
        /// Which.
        activation: Activation,
    },
    /// Sum of two nodes (spec section 5.7).
    Add {
        /// Nodes read.
        inputs: [NodeId; 2],
    },
    /// Bilinear upsampling (spec section 5.8).
    Bilinear {
        /// Node read.
        input: NodeId,
        /// Upsampling factor.
        factor: usize,
    },
    /// Adds to each channel a constant that tells frame `frame` of the pass (spec section 5.9).
    FrameEmbedding {
        /// Node read.
        input: NodeId,
        /// Frame of the pass.
        frame: usize,
    },
}

impl Op {
    /// Whether the node's activations have coded fraction bits of their own.
    pub fn has_frac_bits(self) -> bool {
        !matches!(
            self,
            Op::PositionalEncoding { .. }
                | Op::Grid
                | Op::PixelShuffle { .. }
                | Op::Reshape { .. }
                | Op::Bilinear { .. }
        )
    }

    /// The nodes read.
    pub fn inputs(&self) -> &[NodeId] {
        match self {
            Op::Latent | Op::PositionalEncoding { .. } | Op::Grid => &[],
            Op::Conv2d { input, .. }
            | Op::Depthwise { input, .. }
            | Op::PixelShuffle { input, .. }
            | Op::Reshape { input }
            | Op::Activation { input, .. }
            | Op::Bilinear { input, .. }
            | Op::FrameEmbedding { input, .. } => std::slice::from_ref(input),
            Op::Add { inputs } => inputs,
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

/// Where a plane of the picture comes from: one channel of a node, its top left corner cropped to
/// the plane's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputPlane {
    /// Node read.
    pub node: NodeId,
    /// Channel of it.
    pub channel: usize,
}

/// A convolution with what follows it, see [`Graph::fused_ops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FusedConv {
    /// The convolution's node.
    pub conv: NodeId,
    /// The last node that is fused.
    pub end: NodeId,
    /// Node read.
    pub input: NodeId,
    /// The convolution's weights.
    pub weight: TensorId,
    /// The convolution's bias.
    pub bias: TensorId,
    /// Whether each channel has a kernel of its own.
    pub depthwise: bool,
    /// Factor of the pixel shuffle; 1 without one.
    pub factor: usize,
    /// Rows and columns that a single position becomes.
    pub reshape: Option<[usize; 2]>,
    /// The nonlinearity at its end.
    pub activation: Option<Activation>,
}

/// What executors compute in one pass over memory, see [`Graph::fused_ops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FusedOp {
    /// A convolution with what follows it.
    Conv(FusedConv),
    /// [`Op::Add`], [`Op::Bilinear`] or [`Op::FrameEmbedding`] by itself.
    Node(NodeId),
}

impl FusedOp {
    /// The node that the step ends with.
    pub fn end(&self) -> NodeId {
        match *self {
            FusedOp::Conv(c) => c.end,
            FusedOp::Node(n) => n,
        }
    }

    /// The convolution, if it is one.
    pub fn conv(&self) -> Option<FusedConv> {
        match *self {
            FusedOp::Conv(c) => Some(c),
            FusedOp::Node(_) => None,
        }
    }
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
    /// Whether the output 1 is the largest sample, not one above it (spec section 5.6).
    pub full_range_output: bool,
}

impl Graph {
    /// Largest number of fraction bits of an activation.
    pub const MAX_FRACTION: u8 = 19;

    /// Fraction bits of sources that are not coded.
    pub const SOURCE_FRACTION: u8 = 14;

    /// A graph that holds only the latent.
    pub fn new(latent: [usize; 3]) -> Self {
        Graph::with_source(Op::Latent, latent)
    }

    /// A graph that holds only its source.
    pub fn with_source(op: Op, shape: [usize; 3]) -> Self {
        Graph {
            nodes: vec![Node { op, shape }],
            frames: 1,
            ..Default::default()
        }
    }

    /// A graph that starts with the place of a frame among `frames`.
    pub fn with_time(levels: usize, frames: usize) -> Self {
        Graph::with_source(
            Op::PositionalEncoding { levels, frames },
            [2 * levels, 1, 1],
        )
    }

    /// A graph that starts with the coordinates of a grid.
    pub fn with_grid(rows: usize, columns: usize) -> Self {
        Graph::with_source(Op::Grid, [2, rows, columns])
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
        self.nodes[0].op == Op::Latent
    }

    /// Passes that `frames` pictures take.
    pub fn passes(&self, frames: usize) -> usize {
        frames.div_ceil(self.frames.max(1))
    }

    /// The graph as convolutions, each with the shuffle and nonlinearity that alone read it, and
    /// what stands between them: what executors compute in one pass over memory. `None` if some
    /// node fits no such step.
    pub fn fused_ops(&self) -> Option<Vec<FusedOp>> {
        let follower = |node: NodeId| {
            let next = self
                .nodes
                .get(node + 1)
                .filter(|n| n.op.inputs() == [node])?;
            let read_once = self
                .nodes
                .iter()
                .filter(|n| n.op.inputs().contains(&node))
                .count()
                == 1;
            let kept = self.outputs.iter().any(|o| o.node == node);
            (read_once && !kept).then_some(next)
        };
        let mut steps = Vec::new();
        let mut node = 1;
        while node < self.nodes.len() {
            let (input, weight, bias, depthwise) = match self.nodes[node].op {
                Op::Conv2d {
                    input,
                    weight,
                    bias,
                } => (input, weight, bias, false),
                Op::Depthwise {
                    input,
                    weight,
                    bias,
                } => (input, weight, bias, true),
                Op::Add { .. } | Op::Bilinear { .. } | Op::FrameEmbedding { .. } => {
                    steps.push(FusedOp::Node(node));
                    node += 1;
                    continue;
                }
                _ => return None,
            };
            let mut c = FusedConv {
                conv: node,
                end: node,
                input,
                weight,
                bias,
                depthwise,
                factor: 1,
                reshape: None,
                activation: None,
            };
            match follower(c.end) {
                Some(Node {
                    op: Op::PixelShuffle { factor, .. },
                    ..
                }) => (c.end, c.factor) = (c.end + 1, *factor),
                Some(Node {
                    op: Op::Reshape { .. },
                    shape: [_, h, w],
                }) => (c.end, c.reshape) = (c.end + 1, Some([*h, *w])),
                _ => {}
            }
            if let Some(Node {
                op: Op::Activation { activation, .. },
                ..
            }) = follower(c.end)
            {
                (c.end, c.activation) = (c.end + 1, Some(*activation));
            }
            node = c.end + 1;
            steps.push(FusedOp::Conv(c));
        }
        // a step may only read what another one ends with
        let ends = |n: NodeId| n == 0 || steps.iter().any(|s| s.end() == n);
        let reads = |s: &FusedOp| match *s {
            FusedOp::Conv(c) => ends(c.input),
            FusedOp::Node(n) => self.nodes[n].op.inputs().iter().all(|&i| ends(i)),
        };
        (steps.iter().all(reads) && self.outputs.iter().all(|o| ends(o.node))).then_some(steps)
    }

    /// The convolutions of [`Graph::fused_ops`], in order.
    pub fn fused_convs(&self) -> Option<Vec<FusedConv>> {
        Some(self.fused_ops()?.iter().filter_map(FusedOp::conv).collect())
    }

    /// Number of network parameters.
    pub fn params(&self) -> u64 {
        self.tensors
            .iter()
            .map(|t| t.shape.iter().map(|&d| d as u64).product::<u64>())
            .sum()
    }

    /// Multiply-accumulates of all convolutions for one pass.
    pub fn macs(&self) -> u64 {
        self.nodes
            .iter()
            .map(|n| match n.op {
                Op::Conv2d { weight, .. } | Op::Depthwise { weight, .. } => {
                    let [o, i, kh, kw] = self.tensors[weight].shape.map(|d| d as u64);
                    (o * i * kh * kw)
                        .saturating_mul(n.shape[1] as u64)
                        .saturating_mul(n.shape[2] as u64)
                }
                _ => 0,
            })
            .fold(0, u64::saturating_add)
    }

    /// Activations of all nodes, for one pass.
    pub fn activations(&self) -> u64 {
        self.nodes
            .iter()
            .map(|n| {
                n.shape
                    .iter()
                    .map(|&d| d as u64)
                    .fold(1, u64::saturating_mul)
            })
            .fold(0, u64::saturating_add)
    }

    /// Coded values of one pass: those of the latent, if there is one.
    pub fn latent_len(&self) -> usize {
        self.latent_shape().iter().product()
    }

    /// Refuses a graph that needs more than `limits` allow for a group of `frames` frames.
    pub fn check(&self, frames: usize, limits: &Limits) -> Result<()> {
        let latents = self
            .latent_shape()
            .iter()
            .map(|&d| d as u64)
            .product::<u64>()
            .saturating_mul(self.passes(frames) as u64);
        Limits::check(
            "parameters and latents of a group",
            self.params().saturating_add(latents),
            limits.group_values,
        )?;
        Limits::check(
            "activations of a pass",
            self.activations(),
            limits.frame_activations,
        )?;
        Limits::check(
            "multiply-accumulates of a pass",
            self.macs(),
            limits.frame_macs,
        )
    }
}
