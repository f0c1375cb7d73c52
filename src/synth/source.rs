//! What a graph computes from: its first node's activations (spec section 5.2).

use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Fault;
use crate::network::ops::Dequant;
use crate::network::{Graph, Op};

/// The source of a group's graph.
pub struct Source {
    op: Op,
    len: usize,
    dequant: Option<Dequant>,
}

impl Source {
    /// That of `graph`. Fails if its step and fraction bits contradict each other.
    pub fn new(graph: &Graph, net: &QuantizedNetwork) -> Result<Self, Fault> {
        let dequant = graph
            .has_latent_step()
            .then(|| Dequant::new(net.latent_step, net.frac_bits[0].into()));
        Ok(Source {
            op: graph.nodes[0].op,
            len: graph.nodes[0].shape.iter().product(),
            dequant: dequant.transpose()?,
        })
    }

    /// Its activations in pass `pass`; `latents` are those of the whole group.
    pub fn values(&self, pass: usize, latents: &[i16]) -> Vec<i16> {
        let own = || latents[pass * self.len..][..self.len].iter();
        match (self.dequant, self.op) {
            (Some(d), _) => own().map(|&q| d.apply(q)).collect(),
            (None, Op::Pyramid(p)) => own().map(|&q| p.activation(q)).collect(),
            (None, op) => op.constant(pass).unwrap_or_default(),
        }
    }
}
