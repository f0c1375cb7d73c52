//! One convolution with the shuffle and nonlinearity that follow it, prepared for the row kernel.

use super::lanes::Lane;
use super::pack::{self, Slots};
use super::requantize::{Requantizer, Tables};
use super::ring::Geometry;
use super::row_pair::{self, Source};
use crate::entropy::tensor::QuantizedNetwork;
use crate::error::{Fault, Result};
use crate::network::ops::Requant;
use crate::network::ops::integer::MAX_ACTIVATION;
use crate::network::{FusedConv, Graph, Op};

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
    ) -> Result<Self, Fault> {
        let (weights, shape, (input, from, to)) = (
            &net.tensors[c.weight],
            graph.tensors[c.weight].shape,
            shapes,
        );
        let bias = &net.tensors[c.bias];
        let requant = Requant::new(
            weights.step,
            (&bias.values, bias.step),
            frac_bits[c.input],
            frac_bits[c.conv],
            c.conv,
        )?;
        let slots = pack::slots(c.factor, &to);
        let of: Vec<Option<usize>> = slots
            .iter()
            .flat_map(|s| pack::channels(s, c.factor, &to))
            .collect();
        let bias = of
            .iter()
            .map(|c| c.map_or(0, |c| requant.bias[c]))
            .collect();
        let lowest = match graph.nodes[c.input].op {
            Op::Activate(a) => {
                let table = tables.get(a.activation, frac_bits[a.input], frac_bits[c.input]);
                table
                    .iter()
                    .min()
                    .map_or(MAX_ACTIVATION, |&v| -i64::from(v))
            }
            _ => MAX_ACTIVATION,
        };
        let narrow = pack::is_narrow(&weights.values, shape[1] * shape[2] * shape[3], lowest);
        let block = if c.depthwise {
            2
        } else {
            pack::block(slots.len())
        };
        let pack = |values: &[i16], shape| {
            if c.depthwise {
                pack::pack_depthwise(values, shape, &of)
            } else {
                pack::pack(values, shape, &of, block)
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
                pack::marks(
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

/// See [`row_pair`].
pub struct RowPair {
    /// As [`Layer::weights`], with the kernel rows of all sums one after another.
    pub weights: Vec<Lane>,
    /// Number of those rows.
    pub rows: usize,
    /// The input of each.
    pub sources: [Vec<Source>; row_pair::SUMS],
}
