//! Adding nodes to a graph by name; any operation can be added by [`Graph::push`].

use super::graph::Graph;
use super::ops::{
    Activate, Activation, Add, Bilinear, Conv2d, Depthwise, FrameEmbedding, Grid, Op, PixelShuffle,
    PositionalEncoding, Reshape,
};
use super::tensor_spec::{NodeId, Role, TensorId, TensorSpec};

impl Graph {
    /// A graph that starts with the place of a frame among `frames`.
    pub fn with_time(levels: usize, frames: usize) -> Self {
        Graph::with_source(Op::PositionalEncoding(PositionalEncoding {
            levels,
            frames,
        }))
    }

    /// A graph that starts with the coordinates of a grid.
    pub fn with_grid(rows: usize, columns: usize) -> Self {
        Graph::with_source(Op::Grid(Grid { rows, columns }))
    }

    /// Adds the weights of a convolution and its bias.
    fn tensors_of(&mut self, name: &str, shape: [usize; 4]) -> (TensorId, TensorId) {
        let weight = self.tensors.len();
        let mut add = |part: &str, shape, role| {
            let name = format!("{name}.{part}");
            self.tensors.push(TensorSpec { name, shape, role });
        };
        add("weight", shape, Role::Weight);
        add("bias", [shape[0], 1, 1, 1], Role::Bias);
        (weight, weight + 1)
    }

    /// Adds a convolution with bias, and its two tensors.
    pub fn conv2d(&mut self, name: &str, input: NodeId, out: usize, kernel: usize) -> NodeId {
        let channels = self.nodes[input].shape[0];
        let (weight, bias) = self.tensors_of(name, [out, channels, kernel, kernel]);
        self.push(Op::Conv2d(Conv2d {
            input,
            weight,
            bias,
        }))
    }

    /// Adds a convolution of each channel by itself, and its two tensors.
    pub fn depthwise(&mut self, name: &str, input: NodeId, kernel: usize) -> NodeId {
        let channels = self.nodes[input].shape[0];
        let (weight, bias) = self.tensors_of(name, [channels, 1, kernel, kernel]);
        self.push(Op::Depthwise(Depthwise {
            input,
            weight,
            bias,
        }))
    }

    /// Adds a pixel shuffle. The input's channels must be a multiple of `factor * factor`.
    pub fn pixel_shuffle(&mut self, input: NodeId, factor: usize) -> NodeId {
        self.push(Op::PixelShuffle(PixelShuffle { input, factor }))
    }

    /// Spreads the channels of a single position over `rows` x `columns`, of which they must be a
    /// multiple.
    pub fn reshape(&mut self, input: NodeId, rows: usize, columns: usize) -> NodeId {
        self.push(Op::Reshape(Reshape {
            input,
            rows,
            columns,
        }))
    }

    /// Adds a nonlinearity.
    pub fn activate(&mut self, input: NodeId, activation: Activation) -> NodeId {
        self.push(Op::Activate(Activate { input, activation }))
    }

    /// Adds a GELU.
    pub fn gelu(&mut self, input: NodeId) -> NodeId {
        self.activate(input, Activation::Gelu)
    }

    /// Adds the sum of two nodes of one shape.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Add(Add {
            inputs: [a, b],
            fraction: None,
        }))
    }

    /// Adds a bilinear upsampling.
    pub fn bilinear(&mut self, input: NodeId, factor: usize) -> NodeId {
        self.push(Op::Bilinear(Bilinear { input, factor }))
    }

    /// Adds the embedding of frame `frame` of the pass.
    pub fn frame_embedding(&mut self, input: NodeId, frame: usize) -> NodeId {
        self.push(Op::FrameEmbedding(FrameEmbedding { input, frame }))
    }
}
