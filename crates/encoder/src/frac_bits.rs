//! Fraction bits of activations that the format allows.

use nvc::entropy::tensor::QuantizedNetwork;
use nvc::network::ops::Op;
use nvc::network::{Graph, NodeId, TensorId};

/// The most fraction bits that node `node` may have: no more than what it computes from leaves.
pub fn most_frac_bits(graph: &Graph, net: &QuantizedNetwork, node: NodeId) -> u8 {
    let products = |input: NodeId, weight: TensorId| {
        graph.frac_bits(&net.frac_bits)[input] as u8 + net.tensors[weight].step.exponent
    };
    match graph.nodes[node].op {
        Op::Latent(_) => net.latent_step.exponent,
        Op::Conv2d(c) => products(c.input, c.weight),
        Op::EdgeConv(c) => products(c.input, c.weight),
        Op::Depthwise(c) => products(c.input, c.weight),
        _ => Graph::MAX_FRACTION,
    }
}
