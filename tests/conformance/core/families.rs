//! NeRV, NeRV++, NIRVANA and HNeRV with tanh, alone and one after another.

use nvc::frame::{Chroma, VideoInfo};
use nvc::group::Group;
use nvc::network::Arch;

use super::super::Vector;
use super::super::blocks::*;
use super::super::nets::*;
use crate::common::info;

pub fn families() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes| out.push(Vector::valid("core", name, what, bytes));
    let mut seed = 200;
    let mut of = |i: &VideoInfo, arch: Arch, frames: usize| {
        seed += 1;
        one(i, random(i, arch, frames, seed))
    };

    let small = |swish| nerv(6, 8, [3, 4, 6], swish, &[[3, 3, 6], [2, 3, 5]]);
    let [gray, odd, rgb, deep] = [
        (24, 18, Chroma::Gray, 8),
        (23, 17, Chroma::Yuv420, 8),
        (22, 18, Chroma::Rgb, 8),
        (24, 16, Chroma::Yuv420, 10),
    ]
    .map(|(w, h, c, depth)| info(w, h, c, depth));
    add(
        "nerv-gray.nvc",
        "NeRV: the source is a code of the frame's number; nothing but the network is coded",
        of(&gray, Arch::Nerv(small(false)), 3),
    );
    add(
        "nerv-yuv420-odd.nvc",
        "NeRV with swish; 4:2:0 of odd size",
        of(&odd, Arch::Nerv(small(true)), 2),
    );
    add(
        "nerv-gbrp.nvc",
        "NeRV, GBR",
        of(&rgb, Arch::Nerv(small(false)), 2),
    );
    add(
        "nerv-yuv420-10bit.nvc",
        "NeRV, 10-bit 4:2:0",
        of(&deep, Arch::Nerv(small(true)), 2),
    );

    let residual = |swish| plus(small(swish), 1, 1, 3);
    add(
        "nervpp-gray.nvc",
        "NeRV++: residual blocks of depthwise convolutions, and a bilinear skip around each stage; fails where the skip reads what the \
         blocks before the upsampling give",
        of(&gray, Arch::Nerv(residual(true)), 3),
    );
    add(
        "nervpp-yuv420-odd.nvc",
        "NeRV++, 4:2:0: chroma is read from the sum that ends the stage before the last",
        of(&odd, Arch::Nerv(residual(true)), 2),
    );
    add(
        "nervpp-gbrp.nvc",
        "NeRV++ with GELU, GBR",
        of(&rgb, Arch::Nerv(plus(small(false), 2, 1, 5)), 2),
    );
    add(
        "nervpp-yuv420-10bit.nvc",
        "NeRV++, 10-bit 4:2:0",
        of(&deep, Arch::Nerv(plus(small(true), 1, 2, 3)), 2),
    );

    let patches = || nirvana([3, 4], 2, 8, [3, 5], [2, 3, 4]);
    add(
        "nirvana-gray.nvc",
        "NIRVANA: one pass gives all frames, each by tensors of its own; fails where convolutions see zeros at the borders of patches",
        of(&gray, Arch::Nirvana(patches()), 3),
    );
    add(
        "nirvana-yuv420-odd.nvc",
        "NIRVANA, 4:2:0: chroma is read from the features with the frame's code",
        of(&odd, Arch::Nirvana(patches()), 2),
    );
    add(
        "nirvana-gbrp.nvc",
        "NIRVANA, GBR",
        of(&rgb, Arch::Nirvana(patches()), 2),
    );
    add(
        "nirvana-yuv420-10bit.nvc",
        "NIRVANA, 10-bit 4:2:0",
        of(
            &deep,
            Arch::Nirvana(nirvana([2, 3], 3, 8, [4, 6], [2, 5, 5])),
            3,
        ),
    );

    let closed = || Arch::Hnerv(tanh([3, 3, 4], 8, &[[3, 1, 6], [2, 3, 5]]));
    add(
        "hnerv-tanh-gray.nvc",
        "HNeRV with tanh: 1 is the largest sample value, not one above it",
        of(&gray, closed(), 3),
    );
    add(
        "hnerv-tanh-yuv420-odd.nvc",
        "HNeRV with tanh, 4:2:0: a tanh after each output convolution",
        of(&odd, closed(), 2),
    );
    add(
        "hnerv-tanh-gbrp.nvc",
        "HNeRV with tanh, GBR",
        of(&rgb, closed(), 2),
    );
    add(
        "hnerv-tanh-yuv420-10bit.nvc",
        "HNeRV with tanh, 10-bit 4:2:0",
        of(&deep, closed(), 2),
    );

    let chain = |i: &VideoInfo, arch: Arch, frames: &[usize], seed: u64| {
        let mut groups: Vec<Group> = vec![random(i, arch, frames[0], seed)];
        for (k, &n) in frames.iter().enumerate().skip(1) {
            groups.push(next(i, &groups[k - 1], n, seed + k as u64));
        }
        leaning(i, groups, 100)
    };
    let i = info(24, 18, Chroma::Yuv420, 8);
    let [first, second] = [
        chain(&i, Arch::Nirvana(patches()), &[3, 3, 3, 2], 240),
        chain(&i, Arch::Nirvana(patches()), &[3, 3], 250),
    ];
    add(
        "nirvana-chain.nvc",
        "two sections of groups whose tensors are mostly differences to the group before, the last with fewer frames; fails where the \
         first group of the second section leans on the first section",
        file(&i, &[first, second]),
    );
    add(
        "nervpp-chain.nvc",
        "groups of NeRV++ as differences: fraction bits too are relative",
        file(
            &i,
            &[chain(&i, Arch::Nerv(residual(true)), &[2, 3, 2], 260)],
        ),
    );
    add(
        "hnerv-tanh-chain.nvc",
        "groups of HNeRV with tanh as differences; latents are not",
        file(&i, &[chain(&i, closed(), &[2, 2, 1], 270)]),
    );

    let i = info(16, 16, Chroma::Yuv420, 8);
    let plain = || Arch::Hnerv(hnerv([2, 2, 2], 6, 3, &[[4, 1, 5], [2, 3, 4]]));
    let nets = || {
        [
            Arch::Nerv(nerv(4, 6, [2, 2, 5], false, &[[4, 3, 5], [2, 3, 4]])),
            Arch::Nerv(plus(
                nerv(4, 6, [2, 2, 5], true, &[[4, 3, 5], [2, 3, 4]]),
                1,
                0,
                3,
            )),
            Arch::Nirvana(nirvana([2, 2], 2, 6, [4, 4], [2, 3, 4])),
            Arch::Hnerv(tanh([2, 2, 2], 6, &[[4, 1, 5], [2, 3, 4]])),
        ]
    };
    let sections = nets()
        .into_iter()
        .chain([plain()])
        .enumerate()
        .map(|(k, a)| vec![random(&i, a, 1 + k % 3, 280 + k as u64)]);
    add(
        "families.nvc",
        "a section of each architecture in one file",
        file(&i, &sections.collect::<Vec<_>>()),
    );
    let groups = [plain()]
        .into_iter()
        .chain(nets())
        .chain([plain()])
        .enumerate()
        .map(|(k, a)| random(&i, a, 1 + k % 2, 290 + k as u64));
    add(
        "families-section.nvc",
        "groups of all architectures in one section: fraction bits are relative to those of the node with the same number, of any \
         architecture, if it has some of its own",
        file(&i, &[groups.collect()]),
    );
    out
}
