//! Sample layouts, depths and numbers of layers that each architecture may have and the core vectors
//! do not combine.

use nvc::frame::{Chroma, VideoInfo};
use nvc::network::Arch;

use super::super::Vector;
use super::super::blocks::*;
use super::super::nets::*;
use crate::common::info;

pub fn formats() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes| out.push(Vector::valid("uncommon", name, what, bytes));
    let mut seed = 600;
    let mut of = |i: &VideoInfo, arch: Arch, frames: usize| {
        seed += 1;
        one(i, random(i, arch, frames, seed))
    };
    let [gray, full, deep] = [
        (13, 10, Chroma::Gray, 10),
        (13, 10, Chroma::Yuv444, 8),
        (14, 9, Chroma::Rgb, 10),
    ]
    .map(|(w, h, c, depth)| info(w, h, c, depth));
    let small = |swish| nerv(4, 6, [2, 3, 5], swish, &[[3, 3, 5], [2, 3, 4]]);
    let patches = || Arch::Nirvana(nirvana([2, 2], 2, 6, [4, 4], [2, 3, 4]));
    let closed = || Arch::Hnerv(tanh([2, 2, 3], 6, &[[3, 1, 5], [2, 3, 4]]));
    let open = Arch::Hnerv(hnerv([2, 2, 3], 6, 3, &[[3, 1, 5], [2, 3, 4]]));
    add("gray-10bit.nvc", "10-bit gray", of(&gray, open, 2));
    for (name, what, arch) in [
        (
            "nerv-yuv444.nvc",
            "NeRV, 4:4:4: all planes from one output convolution, which adds nothing to chroma",
            Arch::Nerv(small(true)),
        ),
        (
            "nervpp-yuv444.nvc",
            "NeRV++, 4:4:4",
            Arch::Nerv(plus(small(false), 1, 1, 3)),
        ),
        ("nirvana-yuv444.nvc", "NIRVANA, 4:4:4", patches()),
    ] {
        add(name, what, of(&full, arch, 2));
    }
    for (name, what, arch) in [
        (
            "nerv-gbrp-10bit.nvc",
            "NeRV, 10-bit GBR",
            Arch::Nerv(small(false)),
        ),
        (
            "nervpp-gbrp-10bit.nvc",
            "NeRV++, 10-bit GBR",
            Arch::Nerv(plus(small(true), 1, 0, 3)),
        ),
        ("nirvana-gbrp-10bit.nvc", "NIRVANA, 10-bit GBR", patches()),
        (
            "hnerv-tanh-gbrp-10bit.nvc",
            "HNeRV with tanh, 10-bit GBR",
            closed(),
        ),
    ] {
        add(name, what, of(&deep, arch, 2));
    }

    let i = info(31, 32, Chroma::Yuv420, 8);
    let stages = [[2, 1, 6], [2, 3, 5], [1, 3, 5], [4, 1, 4], [2, 3, 3]];
    let five = |swish| nerv(4, 5, [1, 1, 6], swish, &stages);
    add(
        "nerv-five-stages.nvc",
        "NeRV of five stages, one of which enlarges nothing",
        of(&i, Arch::Nerv(five(true)), 1),
    );
    add(
        "nervpp-five-stages.nvc",
        "NeRV++ of five stages: a skip around each, one of them the identity",
        of(&i, Arch::Nerv(plus(five(false), 1, 0, 3)), 1),
    );
    add(
        "nirvana-eight-layers.nvc",
        "NIRVANA of eight layers of sines, the most there can be",
        of(
            &gray8(),
            Arch::Nirvana(nirvana([2, 2], 8, 5, [2, 4], [2, 3, 3])),
            2,
        ),
    );
    out
}
