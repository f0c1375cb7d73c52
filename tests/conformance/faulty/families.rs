//! Faults of NeRV, NeRV++, NIRVANA, HNeRV with tanh, and of networks with modes.

use nvc::frame::{Chroma, VideoInfo};
use nvc::group::Group;
use nvc::network::Arch;

use super::super::blocks::*;
use super::super::nets::*;
use super::Add;
use crate::common::info;

/// Fields of a NeRV of 8x8 gray with one stage.
pub const NERV: [u8; 11] = [3, 5, 2, 2, 4, 0, 3, 1, 4, 3, 4];
/// The same of NeRV++.
const NERVPP: [u8; 14] = [3, 5, 2, 2, 4, 1, 3, 1, 1, 1, 3, 4, 3, 4];
/// The same of NIRVANA: rows, columns, layers, hidden, features, cell, kernel, stride, channels,
/// kernel.
pub const NIRVANA: [u8; 10] = [2, 2, 2, 5, 4, 2, 3, 2, 3, 3];

/// The fields with one of them changed.
pub fn with<const N: usize>(mut fields: [u8; N], at: usize, v: u8) -> Vec<u8> {
    fields[at] = v;
    fields.to_vec()
}

fn sized(i: &VideoInfo, frames: u32, group: &[u8]) -> Vec<u8> {
    let mut p = Vec::new();
    [0, frames.into(), 1]
        .iter()
        .for_each(|&v| varint(&mut p, v));
    p.extend(group);
    assemble(&[Part::Header(header(i)), Part::Section(frames, p)])
}

pub fn fields(add: Add) {
    let of = |frames: u64, arch: u8, fields: &[u8]| {
        with_groups(
            0,
            frames,
            1,
            &raw_group(frames, arch, fields, &[1, 2, 3], &[]),
        )
    };
    add(
        "arch-255.nvc",
        "an architecture of the far future",
        of(1, 255, &NERV),
        5,
        "architecture 255",
    );
    add(
        "nerv-levels-0.nvc",
        "NeRV without a frequency",
        of(1, 2, &with(NERV, 0, 0)),
        4,
        "levels is 0",
    );
    add(
        "nerv-levels-41.nvc",
        "one frequency too many: its time code needs more than 128 bits",
        of(1, 2, &with(NERV, 0, 41)),
        4,
        "levels is 41",
    );
    add(
        "nerv-curve-2.nvc",
        "an unknown nonlinearity",
        of(1, 2, &with(NERV, 5, 2)),
        4,
        "curve is 2",
    );
    add(
        "nerv-even-kernel.nvc",
        "NeRV whose stage has a kernel of 4",
        of(1, 2, &with(NERV, 9, 4)),
        4,
        "NeRV kernel size is 4",
    );
    add(
        "nerv-even-head-kernel.nvc",
        "NeRV with an output kernel of 2",
        of(1, 2, &with(NERV, 6, 2)),
        4,
        "NeRV kernel size is 2",
    );
    add(
        "nerv-too-small.nvc",
        "NeRV of 4x8 for 8x8",
        of(1, 2, &with(NERV, 2, 1)),
        4,
        "does not fit",
    );
    add(
        "nerv-latents.nvc",
        "coded latents of an architecture that has none",
        with_groups(0, 1, 1, &raw_group(1, 2, &NERV, &[], &[7])),
        4,
        "latents_bytes is 1",
    );
    add(
        "nervpp-even-kernel.nvc",
        "NeRV++ whose blocks have a kernel of 2",
        of(1, 3, &with(NERVPP, 10, 2)),
        4,
        "NeRV++ kernel size is 2",
    );
    let mut none = NERVPP;
    (none[8], none[9], none[10]) = (0, 0, 2);
    add(
        "nervpp-even-kernel-unused.nvc",
        "the same without blocks that would have it",
        of(1, 3, &none),
        4,
        "NeRV++ kernel size is 2",
    );
    add(
        "nervpp-blocks-5.nvc",
        "NeRV++ with a block too many",
        of(1, 3, &with(NERVPP, 9, 5)),
        4,
        "after is 5",
    );
    add(
        "nirvana-even-kernel.nvc",
        "NIRVANA with a kernel of 2",
        of(1, 4, &with(NIRVANA, 6, 2)),
        4,
        "NIRVANA kernel size is 2",
    );
    add(
        "nirvana-layers-0.nvc",
        "NIRVANA without sines",
        of(1, 4, &with(NIRVANA, 2, 0)),
        4,
        "layers is 0",
    );
    add(
        "nirvana-layers-9.nvc",
        "NIRVANA with a layer too many",
        of(1, 4, &with(NIRVANA, 2, 9)),
        4,
        "layers is 9",
    );
    add(
        "nirvana-cell-65.nvc",
        "patches of too many positions",
        of(1, 4, &with(NIRVANA, 5, 65)),
        4,
        "cell is 65",
    );
    add(
        "nirvana-too-many-patches.nvc",
        "a column of patches that no sample needs",
        of(1, 4, &with(NIRVANA, 1, 3)),
        4,
        "does not fit",
    );
    add(
        "nirvana-65-frames.nvc",
        "one frame too many for a pass",
        of(65, 4, &NIRVANA),
        4,
        "a NIRVANA group of 65 frames",
    );
    add(
        "nirvana-65535-frames.nvc",
        "the most frames that a group header can promise: a decoder that builds the graph first takes 400 000 nodes",
        of(65535, 4, &NIRVANA),
        4,
        "a NIRVANA group of 65535 frames",
    );
    add(
        "nirvana-latents.nvc",
        "coded latents of a grid",
        with_groups(0, 1, 1, &raw_group(1, 4, &NIRVANA, &[], &[7])),
        4,
        "latents_bytes is 1",
    );
    let yuv = info(8, 8, Chroma::Yuv420, 8);
    let of_yuv =
        |arch: u8, fields: &[u8]| sized(&yuv, 1, &raw_group(1, arch, fields, &[1, 2, 3], &[]));
    add(
        "nerv-last-stride-420.nvc",
        "4:2:0 by a NeRV whose last stride is 4",
        of_yuv(2, &NERV),
        4,
        "last NeRV stride is 4",
    );
    add(
        "nervpp-last-stride-420.nvc",
        "4:2:0 by a NeRV++ whose last stride is 4",
        of_yuv(3, &NERVPP),
        4,
        "last NeRV++ stride is 4",
    );
    let mut four = NIRVANA;
    (four[5], four[7]) = (1, 4);
    add(
        "nirvana-last-stride-420.nvc",
        "4:2:0 by a NIRVANA whose stride is 4",
        of_yuv(4, &four),
        4,
        "last NIRVANA stride is 4",
    );
}

/// Limits of policy.
pub fn over_large(add: Add) {
    let mut stem = vec![1, 1];
    [1024, 1024, 4096]
        .iter()
        .for_each(|&v| varint(&mut stem, v));
    stem.extend([0, 1, 1, 1, 1, 1]);
    add(
        "over-large-stem.nvc",
        "NeRV whose stem has 2^32 channels: counted in 32 bits they are none",
        sized(
            &info(1024, 1024, Chroma::Gray, 8),
            1,
            &raw_group(1, 2, &stem, &[], &[]),
        ),
        5,
        "channels of the stem's second layer",
    );
    let mut wide = Vec::new();
    [8, 8].iter().for_each(|&v| varint(&mut wide, v));
    wide.extend([1, 1, 1, 64, 1, 16, 1, 1]);
    add(
        "over-large-pass.nvc",
        "64 frames of 8192x8192 by NIRVANA: each alone would be small enough",
        sized(
            &info(8192, 8192, Chroma::Gray, 8),
            64,
            &raw_group(64, 4, &wide, &[], &[]),
        ),
        5,
        "activations of a pass",
    );
    let i = info(2, 2, Chroma::Yuv420, 8);
    let group = raw_group(64, 4, &[1, 1, 8, 1, 1, 1, 1, 2, 1, 1], &[], &[]);
    let mut p = Vec::new();
    [0, 1400 * 64, 1400].iter().for_each(|&v| varint(&mut p, v));
    (0..1400).for_each(|_| p.extend(&group));
    add(
        "over-large-section.nvc",
        "1400 groups of 14 bytes whose graphs have 403 nodes each: a decoder that keeps all graphs takes a thousand times the file",
        assemble(&[Part::Header(header(&i)), Part::Section(1400 * 64, p)]),
        5,
        "operations of a section",
    );
}

/// A NeRV of the given fields, whose network is coded as these integers, after a group of the same
/// section.
pub fn after(before: &Group, fields: &[u8], side: &[(usize, i32)], values: &[i32]) -> Vec<u8> {
    let before = group_after(&gray8(), before, None);
    let network = read_back(&gray8(), &before, None).unwrap();
    let coded = side_after(Some(&network), side, values);
    let content = [before, raw_group(1, 2, fields, &coded, &[])].concat();
    with_groups(0, 2, 2, &content)
}

pub fn networks(add: Add) {
    let i = gray8();
    let [nerv, _, _, tanh] = of_8x8();
    let first = random(&i, nerv, 1, 400);
    let first = change(first, |g| {
        g.network.frac_bits[2] = 19;
        g.network.frac_bits[5] = 0;
        g.network.tensors[0].values[0] = 32767;
    });
    // fraction bits of nodes 1, 2, 3, 5, 6, 8 and 9, alone and relative to the first group's
    let fresh: Vec<(usize, i32)> = vec![(2, 12); 7];
    let same: Vec<(usize, i32)> = vec![(4, 0); 7];
    let and = |before: &[(usize, i32)], more: &[(usize, i32)]| [before, more].concat();
    let alone = |side_of: &[(usize, i32)]| {
        with_groups(0, 1, 1, &raw_group(1, 2, &NERV, &side(side_of), &[]))
    };
    add(
        "residual-first.nvc",
        "a residual tensor in the first group of a section",
        alone(&and(&fresh, &[(3, 1)])),
        4,
        "a residual tensor with no tensor",
    );
    let two_sections = {
        let (n, p) = section(&i, 0, std::slice::from_ref(&first));
        let mut q = vec![1, 1, 1];
        q.extend(raw_group(1, 2, &NERV, &side(&and(&fresh, &[(3, 1)])), &[]));
        assemble(&[
            Part::Header(header(&i)),
            Part::Section(n, p),
            Part::Section(1, q),
        ])
    };
    add(
        "residual-other-section.nvc",
        "the same in a second section: the group before it is in another one",
        two_sections,
        4,
        "a residual tensor with no tensor",
    );
    add(
        "residual-other-size.nvc",
        "a residual tensor where the group before has one of another size",
        after(&first, &with(NERV, 1, 6), &and(&same, &[(3, 1)]), &[]),
        4,
        "a residual tensor with no tensor",
    );
    add(
        "residual-overflow.nvc",
        "a difference of 1 to 32767",
        after(&first, &NERV, &and(&same, &[(3, 1), (5, 0)]), &[1]),
        4,
        "value 32768 in stem0.weight",
    );
    let marked = |mark: i32| after(&first, &NERV, &and(&same, &[(3, 0), (5, mark)]), &[]);
    let what = "the mark that says whether a step is that of the group before is neither 0 nor 1";
    add(
        "step-mark-2.nvc",
        what,
        marked(2),
        4,
        "mark of another step is 2",
    );
    add(
        "step-mark-negative.nvc",
        what,
        marked(-1),
        4,
        "mark of another step is -1",
    );
    add(
        "mode-3.nvc",
        "an unknown mode of a tensor",
        alone(&and(&fresh, &[(3, 3)])),
        4,
        "tensor mode is 3",
    );
    add(
        "mode-negative.nvc",
        "a mode of -1",
        alone(&and(&fresh, &[(3, -1)])),
        4,
        "tensor mode is -1",
    );
    add(
        "mode-step-exponent.nvc",
        "a tensor's step, after its mode, has exponent 41",
        alone(&and(&fresh, &[(3, 0), (0, 41)])),
        4,
        "step exponent is 41",
    );
    add(
        "fraction-relative-20.nvc",
        "fraction bits of one more than 19",
        after(&first, &NERV, &[(4, 0), (4, 1)], &[]),
        4,
        "activation fraction bits is 20",
    );
    add(
        "fraction-relative-negative.nvc",
        "fraction bits of one less than 0",
        after(&first, &NERV, &[(4, 0), (4, 0), (4, 0), (4, -1)], &[]),
        4,
        "activation fraction bits is -1",
    );
    add(
        "fraction-fresh-20.nvc",
        "20 fraction bits in a group that leans on none",
        alone(&[(2, 20)]),
        4,
        "activation fraction bits is 20",
    );
    // the latent of an HNeRV is no node that a NeRV has a scale for: its fraction bits are coded by
    // themselves
    let before = read_back(&i, &group_after(&i, &first, None), None).unwrap();
    let values = side_after(Some(&before), &[(0, 9), (1, 0), (2, 20)], &[]);
    let latent = raw_group(1, 5, &net_bytes(&arch_hnerv(&tanh)), &values, &[]);
    add(
        "fraction-of-source.nvc",
        "20 fraction bits of a latent after a group whose source has none of its own",
        with_groups(0, 2, 2, &[group_after(&i, &first, None), latent].concat()),
        4,
        "activation fraction bits is 20",
    );
    let g = random(&i, tanh, 2, 401);
    add(
        "scale-tanh.nvc",
        "a tanh network whose latent has more fraction bits than its step",
        one(&i, change(g, |g| g.network.latent_step.exponent = 8)),
        4,
        "fraction bits of node 0 are 9",
    );
    let depthwise = change(random(&i, of_8x8()[1].clone(), 1, 402), |g| {
        // node 6 is the first depthwise convolution, tensor 4 its weights
        g.network.frac_bits[6] = 19;
        g.network.tensors[4].step.exponent = 2;
    });
    add(
        "scale-depthwise.nvc",
        "a depthwise convolution with more fraction bits than its sums have",
        one(&i, depthwise),
        4,
        "fraction bits of node 6 are 19",
    );
}

fn arch_hnerv(arch: &Arch) -> nvc::network::hnerv::Hnerv {
    match arch {
        Arch::Hnerv(h) => h.clone(),
        _ => panic!("an HNeRV"),
    }
}
