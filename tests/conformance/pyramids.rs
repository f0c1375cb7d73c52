//! Random latent pyramids.

use nvc::bitstream::header::PyramidHeader;
use nvc::entropy::tensor::{Tensor, blank_network};
use nvc::frame::VideoInfo;
use nvc::group::Group;
use nvc::network::pyramid::Pyramid;
use nvc::network::{Arch, Op, QuantStep};

use crate::common::Rng;

/// Fields of a pyramid whose grids are all coded.
pub fn pyramid(grids: u32, reach: u32, contexts: u32, hidden: u32) -> Pyramid {
    let header = PyramidHeader {
        grids,
        empty: 0,
        reach,
        contexts,
        hidden,
    };
    Pyramid { header }
}

/// Weights near those that fitting starts from, in powers of two, and latents that are mostly small.
pub fn random(info: &VideoInfo, net: Pyramid, frames: usize, seed: u64) -> Group {
    let mut rng = Rng(seed);
    let (reach, empty) = (net.header.reach as i16, net.header.empty);
    let arch = Arch::Pyramid(net);
    let graph = arch.lower(info, frames).unwrap();
    let mut network = blank_network(&graph);
    for (t, spec) in network.tensors.iter_mut().zip(&graph.tensors) {
        let (part, role) = spec.name.split_once('.').unwrap();
        // fraction bits, and values about which they spread
        let (fraction, spread, about): (u8, i64, &[i16]) = match (part, role) {
            (p, _) if p.starts_with("upsample") => (12, 60, &[-144, -432, 1072, 3600]),
            ("context", "out.bias") => (8, 4, &[0, 768]),
            ("context", r) if r.starts_with("out") => (11, 60, &[0]),
            ("context", _) => (10, 40, &[0]),
            (_, "bypass.weight") => (10, 40, &[60]),
            (_, "bypass.bias") => (10, 40, &[400]),
            (_, "mix.weight") => (11, 60, &[0]),
            (_, r) if r.starts_with("conv") => (9, 12, &[0]),
            _ => (8, 50, &[0]),
        };
        let values = about.iter().cycle().take(spec.len());
        *t = Tensor {
            step: QuantStep {
                mantissa: 128,
                exponent: 7 + fraction,
            },
            values: values
                .map(|&v| v + rng.laplace(spread, 4 * spread))
                .collect(),
            scaled: None,
        };
    }
    for (f, node) in network.frac_bits.iter_mut().zip(&graph.nodes) {
        *f = if node.op.has_frac_bits() { 8 } else { 0 };
    }
    let Op::Pyramid(source) = graph.nodes[0].op else {
        panic!("a pyramid")
    };
    let mut latents = Vec::new();
    for _ in 0..frames {
        for level in 0..source.grids {
            let len = source.size(level).iter().product::<usize>();
            let coded = i16::from(empty >> level & 1 == 0);
            // coarser grids hold larger values
            let mut one = || {
                coded
                    * rng
                        .laplace(level as i64 + 1, 4 << level)
                        .clamp(-reach, reach)
            };
            latents.extend((0..len).map(|_| one()));
        }
    }
    Group {
        arch,
        network,
        latents,
        frames,
    }
}
