//! The pointwise stem: what has a single position, computed once for each pass, before the rows of
//! anything.
//!
//! There a convolution is the product of a matrix with a vector, as only the kernel's centre meets
//! the picture; what follows it may spread over rows and columns: pixel shuffle and reshape keep
//! the order of the values.

use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Fault;
use crate::network::NodeId;
use crate::network::ops::integer::MAX_ACTIVATION;
use crate::network::ops::{Activation, Operand, Operands, Requant, activate};
use crate::network::{FusedConv, Graph, Op};

/// What one step computes; inputs are values of the stem.
enum Step {
    Product(Product),
    Node(Single),
}

/// An operation by itself, as the specification has it.
struct Single {
    op: Op,
    /// Values read, their shapes and fraction bits.
    inputs: Vec<(usize, [usize; 3], u32)>,
    shape: [usize; 3],
    frac_bits: u32,
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
    steps: Vec<Step>,
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
    ) -> Result<(), Fault> {
        let (kernel, bias) = (&net.tensors[c.weight], &net.tensors[c.bias]);
        let [_, columns, kh, kw] = graph.tensors[c.weight].shape;
        let requant = Requant::new(
            kernel.step,
            (&bias.values, bias.step),
            frac_bits[c.input],
            frac_bits[c.conv],
            c.conv,
        )?;
        let centres = kernel.values.chunks_exact(kh * kw);
        let weights: Vec<i16> = centres.map(|k| k[kh * kw / 2]).collect();
        let most = i64::from(i32::MAX) / MAX_ACTIVATION;
        let size = |w: &i16| i64::from(w.unsigned_abs());
        let sums = weights.chunks_exact(columns);
        let largest = sums.map(|w| w.iter().map(size).sum::<i64>()).max();
        let part = if largest.unwrap_or(0) <= most {
            columns
        } else {
            (most / weights.iter().map(size).max().unwrap_or(1)) as usize
        };
        self.steps.push(Step::Product(Product {
            input: self.input(c.input),
            weights,
            columns,
            part,
            depthwise: c.depthwise,
            requant,
            activation: c
                .activation
                .map(|a| (a, frac_bits[c.conv], frac_bits[c.end])),
        }));
        self.ends.push(c.end);
        Ok(())
    }

    /// Adds a node that is no convolution.
    pub fn push_node(&mut self, node: NodeId, graph: &Graph, frac_bits: &[u32]) {
        let n = graph.nodes[node];
        let read = |&i: &NodeId| (self.input(i), graph.nodes[i].shape, frac_bits[i]);
        let single = Single {
            op: n.op,
            inputs: n.op.inputs().iter().map(read).collect(),
            shape: n.shape,
            frac_bits: frac_bits[node],
        };
        self.steps.push(Step::Node(single));
        self.ends.push(node);
    }

    /// What each step gives.
    pub fn run(&self, source: &[i16]) -> Vec<Vec<i16>> {
        let mut values: Vec<Vec<i16>> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let value = |i: usize| {
                if i == 0 { source } else { &values[i - 1][..] }
            };
            let out = match step {
                Step::Product(p) => p.run(value(p.input)),
                Step::Node(s) => s.run(value),
            };
            values.push(out);
        }
        values
    }
}

impl Single {
    fn run<'a>(&self, value: impl Fn(usize) -> &'a [i16]) -> Vec<i16> {
        let operand = |&(i, shape, frac_bits): &(usize, [usize; 3], u32)| Operand {
            values: value(i),
            shape,
            frac_bits,
        };
        let inputs: Vec<Operand<'_>> = self.inputs.iter().map(operand).collect();
        self.op.evaluate(&Operands {
            inputs: &inputs,
            kernel: None,
            shape: self.shape,
            frac_bits: self.frac_bits,
        })
    }
}

impl Product {
    fn run(&self, input: &[i16]) -> Vec<i16> {
        let rows = self.weights.chunks_exact(self.columns).enumerate();
        let one = |(o, w): (usize, &[i16])| {
            let input = if self.depthwise { &input[o..=o] } else { input };
            let v = self.requant.apply(dot(w, input, self.part), o);
            self.activation
                .map_or(v, |(a, from, to)| activate(a, v, from, to))
        };
        rows.map(one).collect()
    }
}

/// Sum of products, of which those of `part` fit 32 bits.
fn dot(a: &[i16], b: &[i16], part: usize) -> i64 {
    let sum = |(a, b): (&[i16], &[i16])| {
        let products = a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b));
        i64::from(products.sum::<i32>())
    };
    a.chunks(part).zip(b.chunks(part)).map(sum).sum()
}
