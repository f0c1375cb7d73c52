//! Adding nodes to a graph; shapes follow.

use super::{Activation, Graph, Node, NodeId, Op, OutputPlane, Role, TensorId, TensorSpec};

impl Graph {
    fn push(&mut self, op: Op, shape: [usize; 3]) -> NodeId {
        self.nodes.push(Node { op, shape });
        self.nodes.len() - 1
    }

    fn tensors_of(&mut self, name: &str, shape: [usize; 4]) -> (TensorId, TensorId) {
        let weight = self.tensors.len();
        self.tensors.push(TensorSpec {
            name: format!("{name}.weight"),
            shape,
            role: Role::Weight,
        });
        self.tensors.push(TensorSpec {
            name: format!("{name}.bias"),
            shape: [shape[0], 1, 1, 1],
            role: Role::Bias,
        });
        (weight, weight + 1)
    }

    /// Adds a convolution with bias, and its two tensors.
    pub fn conv2d(&mut self, name: &str, input: NodeId, out: usize, kernel: usize) -> NodeId {
        let [cin, h, w] = self.nodes[input].shape;
        let (weight, bias) = self.tensors_of(name, [out, cin, kernel, kernel]);
        self.push(
            Op::Conv2d {
                input,
                weight,
                bias,
            },
            [out, h, w],
        )
    }

    /// Adds a convolution of each channel by itself, and its two tensors.
    pub fn depthwise(&mut self, name: &str, input: NodeId, kernel: usize) -> NodeId {
        let shape = self.nodes[input].shape;
        let (weight, bias) = self.tensors_of(name, [shape[0], 1, kernel, kernel]);
        self.push(
            Op::Depthwise {
                input,
                weight,
                bias,
            },
            shape,
        )
    }

    /// Adds a pixel shuffle. The input's channels must be a multiple of `factor * factor`.
    pub fn pixel_shuffle(&mut self, input: NodeId, factor: usize) -> NodeId {
        let [c, h, w] = self.nodes[input].shape;
        debug_assert_eq!(c % (factor * factor), 0);
        self.push(
            Op::PixelShuffle { input, factor },
            [c / (factor * factor), h * factor, w * factor],
        )
    }

    /// Spreads the channels of a single position over `rows` x `columns`, of which they must be a
    /// multiple.
    pub fn reshape(&mut self, input: NodeId, rows: usize, columns: usize) -> NodeId {
        let [c, h, w] = self.nodes[input].shape;
        debug_assert_eq!((h, w, c % (rows * columns)), (1, 1, 0));
        self.push(Op::Reshape { input }, [c / (rows * columns), rows, columns])
    }

    /// Adds a nonlinearity.
    pub fn activate(&mut self, input: NodeId, activation: Activation) -> NodeId {
        let shape = self.nodes[input].shape;
        self.push(Op::Activation { input, activation }, shape)
    }

    /// Adds a GELU.
    pub fn gelu(&mut self, input: NodeId) -> NodeId {
        self.activate(input, Activation::Gelu)
    }

    /// Adds the sum of two nodes of one shape.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let shape = self.nodes[a].shape;
        debug_assert_eq!(shape, self.nodes[b].shape);
        self.push(Op::Add { inputs: [a, b] }, shape)
    }

    /// Adds a bilinear upsampling.
    pub fn bilinear(&mut self, input: NodeId, factor: usize) -> NodeId {
        let [c, h, w] = self.nodes[input].shape;
        self.push(Op::Bilinear { input, factor }, [c, h * factor, w * factor])
    }

    /// Adds the code of frame `frame` of the pass.
    pub fn frame_embedding(&mut self, input: NodeId, frame: usize) -> NodeId {
        let shape = self.nodes[input].shape;
        self.push(Op::FrameEmbedding { input, frame }, shape)
    }

    /// Takes channel `channel` of `node` as the next plane of the picture.
    pub fn output(&mut self, node: NodeId, channel: usize) {
        self.outputs.push(OutputPlane { node, channel });
    }
}
