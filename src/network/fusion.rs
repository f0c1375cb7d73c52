//! What executors compute in one pass over memory: convolutions with what follows them, and what
//! stands between them.

use super::graph::{Graph, Node};
use super::ops::{Activation, Op};
use super::tensor_spec::{NodeId, TensorId};

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
    /// An operation by itself.
    Node(NodeId),
}

impl FusedOp {
    /// The node that it ends with.
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

    /// Nodes that it reads.
    pub fn inputs<'a>(&'a self, graph: &'a Graph) -> &'a [NodeId] {
        match self {
            FusedOp::Conv(c) => std::slice::from_ref(&c.input),
            FusedOp::Node(n) => graph.nodes[*n].op.inputs(),
        }
    }
}

impl FusedConv {
    /// The convolution of node `node` alone, if it is one.
    fn of(op: Op, node: NodeId) -> Option<Self> {
        let (input, weight, bias, depthwise) = match op {
            Op::Conv2d(c) => (c.input, c.weight, c.bias, false),
            Op::Depthwise(c) => (c.input, c.weight, c.bias, true),
            _ => return None,
        };
        Some(FusedConv {
            conv: node,
            end: node,
            input,
            weight,
            bias,
            depthwise,
            factor: 1,
            reshape: None,
            activation: None,
        })
    }
}

impl Graph {
    /// The graph as convolutions, each with the shuffle and nonlinearity that alone read it, and
    /// what stands between them. `None` if some node fits neither.
    pub fn fused_ops(&self) -> Option<Vec<FusedOp>> {
        let mut ops = Vec::new();
        let mut node = 1;
        while node < self.nodes.len() {
            let op = self.nodes[node].op;
            let fused = match FusedConv::of(op, node) {
                Some(c) => FusedOp::Conv(self.fuse(c)),
                None if op.stands_alone() => FusedOp::Node(node),
                None => return None,
            };
            node = fused.end() + 1;
            ops.push(fused);
        }
        // each may only read what another one ends with
        let ends = |n: NodeId| n == 0 || ops.iter().any(|s| s.end() == n);
        let reads = |s: &FusedOp| s.inputs(self).iter().all(|&i| ends(i));
        let whole = ops.iter().all(reads) && self.outputs.iter().all(|o| ends(o.node));
        whole.then_some(ops)
    }

    /// The convolutions of [`Graph::fused_ops`], in order.
    pub fn fused_convs(&self) -> Option<Vec<FusedConv>> {
        Some(self.fused_ops()?.iter().filter_map(FusedOp::conv).collect())
    }

    /// `c` with the nodes after it that alone read it.
    fn fuse(&self, mut c: FusedConv) -> FusedConv {
        match self.only_reader(c.end).map(|n| n.op) {
            Some(Op::PixelShuffle(s)) => (c.end, c.factor) = (c.end + 1, s.factor),
            Some(Op::Reshape(r)) => (c.end, c.reshape) = (c.end + 1, Some([r.rows, r.columns])),
            _ => {}
        }
        if let Some(Op::Activate(a)) = self.only_reader(c.end).map(|n| n.op) {
            (c.end, c.activation) = (c.end + 1, Some(a.activation));
        }
        c
    }

    /// The node after `node`, if it alone reads it.
    fn only_reader(&self, node: NodeId) -> Option<&Node> {
        let next = self.nodes.get(node + 1)?;
        let reads = |n: &&Node| n.op.inputs().contains(&node);
        let once = next.op.inputs() == [node] && self.nodes.iter().filter(reads).count() == 1;
        let kept = self.outputs.iter().any(|o| o.node == node);
        (once && !kept).then_some(next)
    }
}
