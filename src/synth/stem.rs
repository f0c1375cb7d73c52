//! What has a single position, NeRV's stem: computed once for each pass, before the rows of
//! anything.
//!
//! There a convolution is the product of a matrix with a vector, as only the kernel's centre meets
//! the picture; what follows it may spread over rows and columns: pixel shuffle and reshape keep
//! the order of the values.

use super::Source;
use super::math::{self, MAX_ACTIVATION, Requant};
use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Result;
use crate::network::graph::{FusedConv, NodeId};
use crate::network::{Activation, Graph, Op};

/// What one step computes; inputs are values of the stem.
enum Kind {
    Product(Product),
    Add {
        inputs: [usize; 2],
        from: [u32; 2],
        to: u32,
    },
    Code {
        input: usize,
        frame: usize,
        from: u32,
        to: u32,
    },
    Bilinear {
        input: usize,
        factor: usize,
    },
}

struct Product {
    input: usize,
    /// A row for each output.
    weights: Vec<i16>,
    /// Values of each row.
    columns: usize,
    /// Products whose sum fits 32 bits.
    part: usize,
    depthwise: bool,
    requant: Requant,
    activation: Option<(Activation, u32, u32)>,
}

/// All of these steps; value 0 is the source, value `i + 1` what step `i` gives.
#[derive(Default)]
pub struct PointwiseStem {
    steps: Vec<Kind>,
    ends: Vec<NodeId>,
}

impl PointwiseStem {
    /// Whether the stem takes what reads `inputs`.
    pub fn takes(graph: &Graph, inputs: &[NodeId]) -> bool {
        inputs.iter().all(|&i| graph.nodes[i].shape[1..] == [1, 1])
    }

    /// The value of `node`, if a step or the source gives it.
    pub fn value(&self, node: NodeId) -> Option<usize> {
        if node == 0 {
            Some(0)
        } else {
            self.ends.iter().position(|&e| e == node).map(|i| i + 1)
        }
    }

    fn input(&self, node: NodeId) -> usize {
        self.value(node)
            .expect("a single position comes from others")
    }

    /// Adds a convolution.
    pub fn push(
        &mut self,
        c: &FusedConv,
        graph: &Graph,
        net: &QuantizedNetwork,
        frac_bits: &[u32],
    ) -> Result<()> {
        let (values, [_, columns, kh, kw]) =
            (&net.tensors[c.weight].values, graph.tensors[c.weight].shape);
        let requant = Requant::new(
            &net.tensors[c.weight],
            &net.tensors[c.bias],
            frac_bits[c.input],
            frac_bits[c.conv],
            c.conv,
        )?;
        let weights: Vec<i16> = values
            .chunks_exact(kh * kw)
            .map(|k| k[kh * kw / 2])
            .collect();
        let most = i64::from(i32::MAX) / MAX_ACTIVATION;
        let sizes = || weights.iter().map(|w| i64::from(w.unsigned_abs()));
        let sums = weights
            .chunks_exact(columns)
            .map(|w| w.iter().map(|w| i64::from(w.unsigned_abs())).sum::<i64>());
        let part = if sums.max().unwrap_or(0) <= most {
            columns
        } else {
            (most / sizes().max().unwrap_or(1)) as usize
        };
        let activation = c
            .activation
            .map(|k| (k, frac_bits[c.conv], frac_bits[c.end]));
        let (input, depthwise) = (self.input(c.input), c.depthwise);
        self.steps.push(Kind::Product(Product {
            input,
            weights,
            columns,
            part,
            depthwise,
            requant,
            activation,
        }));
        self.ends.push(c.end);
        Ok(())
    }

    /// Adds a node that is no convolution. Returns whether it could.
    pub fn push_node(&mut self, node: NodeId, graph: &Graph, frac_bits: &[u32]) -> bool {
        let to = frac_bits[node];
        let kind = match graph.nodes[node].op {
            Op::Add { inputs } => Kind::Add {
                inputs: inputs.map(|i| self.input(i)),
                from: inputs.map(|i| frac_bits[i]),
                to,
            },
            Op::FrameEmbedding { input, frame } => Kind::Code {
                input: self.input(input),
                frame,
                from: frac_bits[input],
                to,
            },
            Op::Bilinear { input, factor } => Kind::Bilinear {
                input: self.input(input),
                factor,
            },
            _ => return false,
        };
        self.steps.push(kind);
        self.ends.push(node);
        true
    }

    /// What each step gives.
    pub fn run(&self, source: &Source) -> Vec<Vec<i16>> {
        let mut values: Vec<Vec<i16>> = Vec::with_capacity(self.steps.len());
        for kind in &self.steps {
            let value = |i: usize| {
                if i == 0 {
                    &source.0[..]
                } else {
                    &values[i - 1][..]
                }
            };
            let out = match kind {
                Kind::Product(p) => p.run(value(p.input)),
                Kind::Add {
                    inputs: [a, b],
                    from,
                    to,
                } => value(*a)
                    .iter()
                    .zip(value(*b))
                    .map(|(&a, &b)| math::sum([a, b], *from, *to))
                    .collect(),
                Kind::Code {
                    input,
                    frame,
                    from,
                    to,
                } => value(*input)
                    .iter()
                    .enumerate()
                    .map(|(c, &v)| math::plus(v, *from, math::frame_embedding(*frame, c), *to))
                    .collect(),
                // a mean of equals
                Kind::Bilinear { input, factor } => value(*input)
                    .iter()
                    .flat_map(|&v| std::iter::repeat_n(v, factor * factor))
                    .collect(),
            };
            values.push(out);
        }
        values
    }
}

impl Product {
    fn run(&self, input: &[i16]) -> Vec<i16> {
        let outputs = self.weights.chunks_exact(self.columns).enumerate();
        outputs
            .map(|(o, w)| {
                let input = if self.depthwise { &input[o..=o] } else { input };
                let v = self.requant.apply(dot(w, input, self.part), o);
                self.activation.map_or(v, |(activation, from, to)| {
                    math::activate(activation, v, from, to)
                })
            })
            .collect()
    }
}

/// Sum of products, of which those of `part` fit 32 bits.
fn dot(a: &[i16], b: &[i16], part: usize) -> i64 {
    let parts = a.chunks(part).zip(b.chunks(part));
    parts
        .map(|(a, b)| {
            i64::from(
                a.iter()
                    .zip(b)
                    .map(|(&a, &b)| i32::from(a) * i32::from(b))
                    .sum::<i32>(),
            )
        })
        .sum()
}
