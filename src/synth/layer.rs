//! One convolution with the shuffle and nonlinearity that follow it, prepared for the row kernel.

use super::depthwise;
use super::lanes::Lane;
use super::math::{MAX_ACTIVATION, Requant};
use super::parts;
use super::requantize::{Requantizer, Tables};
use super::ring::Geometry;
use super::row_pair::{self, Source};
use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Result;
use crate::network::graph::FusedConv;
use crate::network::{Graph, Op};

/// Where two output channels of the convolution go: the two channels of `pair`, shuffled to row
/// `dy`, column `dx` of each `factor` x `factor` square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Channel pair of the output buffer.
    pub pair: usize,
    /// Row within the square.
    pub dy: usize,
    /// Column within the square.
    pub dx: usize,
}

/// A layer ready to run.
pub struct Layer {
    /// Index of the buffer read.
    pub input: usize,
    /// Kernel size, odd.
    pub kernel: usize,
    /// Factor of the pixel shuffle.
    pub factor: usize,
    /// Shape of the buffer read.
    pub from: Geometry,
    /// Shape of the buffer written.
    pub to: Geometry,
    /// Whether each channel has a kernel of its own.
    pub depthwise: bool,
    /// Output channels computed together: 2, 4 or 8.
    pub block: usize,
    /// `[block][kernel row][input pair][kernel column][channel of the block]`; depthwise, without
    /// the input pair.
    pub weights: Vec<Lane>,
    /// The kernel in the form that computes two rows at once, where that pays.
    pub row_pair: Option<RowPair>,
    /// Where sums may leave 32 bits, `[block][kernel row][input pair][kernel column]`: whether
    /// those before must be put by first.
    pub parts: Option<Vec<bool>>,
    /// Two output channels each, in the order of `weights`.
    pub slots: Vec<Slots>,
    /// From sums to activations.
    pub requantizer: Requantizer,
}

impl Layer {
    /// The convolution of `c` with what follows it, from `input` of shape `from` to a buffer of
    /// shape `to`.
    pub fn new(
        c: &FusedConv,
        graph: &Graph,
        net: &QuantizedNetwork,
        frac_bits: &[u32],
        shapes: (usize, Geometry, Geometry),
        tables: &mut Tables,
    ) -> Result<Self> {
        let (weights, shape, (input, from, to)) = (
            &net.tensors[c.weight],
            graph.tensors[c.weight].shape,
            shapes,
        );
        let requant = Requant::new(
            weights,
            &net.tensors[c.bias],
            frac_bits[c.input],
            frac_bits[c.conv],
            c.conv,
        )?;
        let slots = slots(c.factor, &to);
        let of: Vec<Option<usize>> = slots
            .iter()
            .flat_map(|s| channels(s, c.factor, &to))
            .collect();
        let bias = of
            .iter()
            .map(|c| c.map_or(0, |c| requant.bias[c]))
            .collect();
        let lowest = match graph.nodes[c.input].op {
            Op::Activation { input, activation } => {
                let table = tables.get(activation, frac_bits[input], frac_bits[c.input]);
                table
                    .iter()
                    .min()
                    .map_or(MAX_ACTIVATION, |&v| -i64::from(v))
            }
            _ => MAX_ACTIVATION,
        };
        let narrow = is_narrow(&weights.values, shape[1] * shape[2] * shape[3], lowest);
        let block = if c.depthwise { 2 } else { block(slots.len()) };
        let pack = |values: &[i16], shape| {
            if c.depthwise {
                depthwise::pack(values, shape, &of)
            } else {
                pack(values, shape, &of, block)
            }
        };
        let pair = |(values, rows): (Vec<i16>, [usize; 4])| RowPair {
            weights: pack(&values, rows),
            rows: rows[2],
            sources: row_pair::sources(shape[2]),
        };
        let packed = pack(&weights.values, shape);
        Ok(Layer {
            input,
            kernel: shape[2],
            factor: c.factor,
            from,
            to,
            depthwise: c.depthwise,
            block,
            row_pair: (narrow && !c.depthwise && shape[2] > 1)
                .then(|| row_pair::weights(&weights.values, shape))
                .flatten()
                .map(pair),
            parts: (!narrow).then(|| {
                parts::marks(
                    &packed,
                    block,
                    packed.len() / of.len().next_multiple_of(block),
                )
            }),
            weights: packed,
            requantizer: Requantizer::new(
                Requant { bias, ..requant },
                narrow,
                c.activation
                    .map(|k| tables.get(k, frac_bits[c.conv], frac_bits[c.end])),
            ),
            slots,
        })
    }
}

/// See [`row_pair`](super::row_pair).
pub struct RowPair {
    /// As [`Layer::weights`], with the kernel rows of all sums one after another.
    pub weights: Vec<Lane>,
    /// Number of those rows.
    pub rows: usize,
    /// The input of each.
    pub sources: [Vec<Source>; row_pair::SUMS],
}

/// The convolution's channel in each half of a pair of slots; `None` for the companion of an odd
/// last channel.
pub fn channels(s: &Slots, factor: usize, to: &Geometry) -> [Option<usize>; 2] {
    [0, 1].map(|half| {
        let c = 2 * s.pair + half;
        (c < to.channels).then_some((c * factor + s.dy) * factor + s.dx)
    })
}

/// All pairs of output channels, those next to each other that land next to each other.
pub fn slots(factor: usize, to: &Geometry) -> Vec<Slots> {
    let mut out = Vec::with_capacity(to.pairs() * factor * factor);
    for pair in 0..to.pairs() {
        for dy in 0..factor {
            for dx in 0..factor {
                out.push(Slots { pair, dy, dx });
            }
        }
    }
    out
}

/// Output channels to compute together for `slots` pairs of them.
pub fn block(slots: usize) -> usize {
    match slots {
        0..=1 => 2,
        2..=3 => 4,
        _ => 8,
    }
}

/// Whether no sum of `weights[out][in * kernel * kernel]` with activations of at least `-lowest`
/// leaves 32 bits. Nonlinearities hardly go below 0, so what the negative weights take off counts
/// little against what the positive ones add.
pub fn is_narrow(weights: &[i16], per_channel: usize, lowest: i64) -> bool {
    weights.chunks_exact(per_channel).all(|w| {
        let sum = |sign: i64| w.iter().map(|&v| (sign * i64::from(v)).max(0)).sum::<i64>();
        let (up, down) = (sum(1), sum(-1));
        up.max(down) * MAX_ACTIVATION + up.min(down) * lowest <= i64::from(i32::MAX)
    })
}

/// Weights in the order of [`Layer::weights`], `of` being the channel of each slot.
pub fn pack(
    weights: &[i16],
    [_, cin, kh, kw]: [usize; 4],
    of: &[Option<usize>],
    block: usize,
) -> Vec<Lane> {
    let mut out = Vec::with_capacity(of.len().next_multiple_of(block) * cin.div_ceil(2) * kh * kw);
    for first in (0..of.len()).step_by(block) {
        for i in 0..kh {
            for pair in 0..cin.div_ceil(2) {
                for j in 0..kw {
                    for slot in first..first + block {
                        let channel = of.get(slot).copied().flatten();
                        out.push([0, 1].map(|half| match (channel, 2 * pair + half) {
                            (Some(co), ci) if ci < cin => {
                                weights[((co * cin + ci) * kh + i) * kw + j]
                            }
                            _ => 0,
                        }));
                    }
                }
            }
        }
    }
    out
}
