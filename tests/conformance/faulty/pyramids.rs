//! Faults of latent pyramids.

use nvc::entropy::Encoder;
use nvc::entropy::tensor::{Syntax, code_network};
use nvc::frame::Chroma;

use super::super::blocks::*;
use super::super::pyramids::{pyramid, random};
use super::Add;
use crate::common::info;

/// Grids, empty ones, reach, contexts, hidden channels.
const FIELDS: [u8; 5] = [3, 0, 10, 4, 5];

pub fn pyramids(add: Add) {
    let of = |fields: &[u8]| with_groups(0, 1, 1, &raw_group(1, 6, fields, &[1, 2, 3], &[]));
    let with = |at: usize, v: u8| {
        let mut fields = FIELDS;
        fields[at] = v;
        of(&fields)
    };
    for (name, what, bytes, message) in [
        (
            "pyramid-grids-0.nvc",
            "a pyramid without grids",
            with(0, 0),
            "grids is 0",
        ),
        (
            "pyramid-grids-17.nvc",
            "one grid too many",
            with(0, 17),
            "grids is 17",
        ),
        (
            "pyramid-reach-0.nvc",
            "latents that can only be 0",
            with(2, 0),
            "reach is 0",
        ),
        (
            "pyramid-reach-2048.nvc",
            "latents that 4 fraction bits do not fit",
            of(&[3, 0, 0x80, 0x10, 4, 5]),
            "reach is 2048",
        ),
        (
            "pyramid-contexts-41.nvc",
            "a neighbour too many",
            with(3, 41),
            "contexts is 41",
        ),
        (
            "pyramid-hidden-0.nvc",
            "no hidden channels",
            with(4, 0),
            "hidden is 0",
        ),
        (
            "pyramid-empty-8.nvc",
            "the fourth of three grids is empty",
            with(1, 8),
            "empty is 8 (allowed 0..=7",
        ),
    ] {
        add(name, what, bytes, 4, message);
    }
    let i = info(8, 8, Chroma::Yuv420, 8);
    let mut section = Vec::new();
    [0, 1, 1].iter().for_each(|&v| varint(&mut section, v));
    section.extend(raw_group(1, 6, &[1, 0, 10, 4, 5], &[1, 2, 3], &[]));
    add(
        "pyramid-grids-420.nvc",
        "4:2:0 without a grid at the resolution of its chroma",
        assemble(&[Part::Header(header(&i)), Part::Section(1, section)]),
        4,
        "1 grids (allowed 2..=16",
    );
    let i = gray8();
    let of_reach = |reach: u32, change: &dyn Fn(&mut nvc::group::Group)| {
        let mut g = random(&i, pyramid(3, reach, 4, 5), 1, 501);
        change(&mut g);
        let graph = g.arch.lower(&i, 1).unwrap();
        let mut e = Encoder::default();
        code_network(
            &mut e,
            &graph,
            &g.network,
            Syntax::Modes {
                previous: None,
                laws: true,
            },
        )
        .unwrap();
        let mut fields = FIELDS[..2].to_vec();
        varint(&mut fields, reach.into());
        fields.extend(&FIELDS[3..]);
        with_groups(
            0,
            1,
            1,
            &raw_group(1, 6, &fields, &e.finish(), &[1, 2, 3, 4]),
        )
    };
    let network = |change: &dyn Fn(&mut nvc::group::Group)| of_reach(10, change);
    for (name, what, bytes, message) in [
        (
            "pyramid-step-mantissa.nvc",
            "a context network with a step that is no power of two",
            network(&|g| g.network.tensors[2].step.mantissa = 129),
            "context.hidden1: step 129",
        ),
        (
            "pyramid-step-coarse.nvc",
            "a context network with a step above 1",
            network(&|g| g.network.tensors[1].step.exponent = 6),
            "context.hidden0: step 128 * 2^-6",
        ),
        (
            "pyramid-step-fine.nvc",
            "weights of a context network with 15 fraction bits",
            network(&|g| g.network.tensors[6].step.exponent = 22),
            "context.bypass: weights of 15 fraction bits",
        ),
        (
            "pyramid-products.nvc",
            "products of fewer fraction bits than the layer's outputs have",
            of_reach(2047, &|g| g.network.tensors[6].step.exponent = 10),
            "context.bypass: weights of 3 fraction bits (allowed 4..=14)",
        ),
        (
            "pyramid-identity.nvc",
            "a weight that leaves 16 bits with the identity added",
            network(&|g| {
                (
                    g.network.tensors[0].values[5],
                    g.network.tensors[0].step.exponent,
                ) = (20000, 21)
            }),
            "context.hidden0: weight 36384",
        ),
        (
            "pyramid-sums.nvc",
            "sums of a context network that may leave 30 bits",
            network(&|g| g.network.tensors[4].values.fill(9000)),
            "context.out: sums of up to",
        ),
        (
            "pyramid-fraction.nvc",
            "a hidden layer with more fraction bits than its sums have",
            network(&|g| {
                // after the context network and two upsamplings
                g.network.tensors[9].step.exponent = 2;
                all_frac_bits(g, &i, 19);
            }),
            "fraction bits of node",
        ),
    ] {
        add(name, what, bytes, 4, message);
    }
    laws(add);
}

/// Faults of tensors that a Laplace distribution codes.
fn laws(add: Add) {
    let i = gray8();
    let g = random(&i, pyramid(3, 10, 4, 5), 1, 501);
    let graph = g.arch.lower(&i, 1).unwrap();
    let own = graph.nodes.iter().filter(|n| n.op.has_frac_bits()).count();
    let after = |more: &[(usize, i32)]| {
        let side_of = [vec![(2, 8); own], more.to_vec()].concat();
        with_groups(0, 1, 1, &raw_group(1, 6, &FIELDS, &side(&side_of), &[]))
    };
    for (name, what, bytes, message) in [
        (
            "pyramid-mode-5.nvc",
            "an unknown mode of a tensor",
            after(&[(3, 5)]),
            "tensor mode is 5 (allowed 0..=4)",
        ),
        (
            "pyramid-residual-first.nvc",
            "a residual tensor in the first group of a section",
            after(&[(3, 4)]),
            "a residual tensor with no tensor",
        ),
        (
            "pyramid-level-37.nvc",
            "a scale above the largest",
            after(&[(3, 3), (0, 17), (1, 0), (6, 37)]),
            "level of a scale is 37 (allowed 0..=36)",
        ),
        (
            "pyramid-level-negative.nvc",
            "a scale below the smallest",
            after(&[(3, 3), (0, 17), (1, 0), (6, -1)]),
            "level of a scale is -1",
        ),
    ] {
        add(name, what, bytes, 4, message);
    }
}
