//! Faults of a section: its header, its groups' headers, networks of impossible or too great size,
//! coded parts.

use nvc::entropy::{Bit, Coder, Encoder, ValueModel};
use nvc::frame::Chroma;
use nvc::group::Group;
use nvc::network::hnerv::Hnerv;

use super::super::blocks::*;
use super::{Add, front, group_of};
use crate::common::info;

pub fn headers(add: Add) {
    let (net, weights, latents) = coded(&group_of(70));
    let whole = raw_group(2, 1, &net, &weights, &latents);
    add(
        "section-first-frame.nvc",
        "the first section starts at frame 1",
        with_groups(1, 2, 1, &whole),
        4,
        "section starts at frame 1",
    );
    add(
        "section-sum.nvc",
        "the section promises three frames, its group holds two",
        with_groups(0, 3, 1, &whole),
        4,
        "groups hold 2 frames",
    );
    add(
        "section-no-groups.nvc",
        "a section of no groups",
        with_groups(0, 2, 0, &[]),
        4,
        "groups is 0",
    );
    add(
        "section-missing-group.nvc",
        "two groups promised, one there",
        with_groups(0, 2, 2, &whole),
        4,
        "frames needs 1 bytes",
    );
    let mut long = whole.clone();
    long.push(0);
    add(
        "section-trailing.nvc",
        "a byte after the last group",
        with_groups(0, 2, 1, &long),
        4,
        "1 bytes after the section's last group",
    );
    add(
        "group-no-frames.nvc",
        "a group of no frames",
        with_groups(0, 1, 1, &raw_group(0, 1, &net, &weights, &latents)),
        4,
        "frames is 0",
    );
    add(
        "arch-7.nvc",
        "an architecture of the future",
        with_groups(0, 2, 1, &raw_group(2, 7, &net, &weights, &latents)),
        5,
        "architecture 7",
    );
    add(
        "arch-0.nvc",
        "architecture 0, which there cannot be",
        with_groups(0, 2, 1, &raw_group(2, 0, &net, &weights, &latents)),
        4,
        "arch is 0",
    );
    add(
        "parts-too-long.nvc",
        "coded parts that reach beyond the section",
        with_groups(0, 2, 1, &whole[..whole.len() - 1]),
        4,
        "coded parts of a group needs",
    );
    let mut huge = vec![2, 1];
    varint(&mut huge, 0x7fff_ffff);
    varint(&mut huge, 0x7fff_ffff);
    huge.extend(&net);
    add(
        "parts-4-gib.nvc",
        "coded parts of 2^32 - 2 bytes; a decoder that adds the two sizes in 32 signed bits gets -2",
        with_groups(0, 2, 1, &huge),
        4,
        "coded parts of a group needs 4294967294 bytes",
    );
    // 65 frames of 1024 latents, and 12 parameters
    let many = net_bytes(&hnerv([64, 4, 4], 1, 1, &[[2, 1, 1]]));
    add(
        "values-per-byte.nvc",
        "66 634 values from 0 bytes (65 536 is the most): a decoder without the rule computes them all from nothing",
        with_groups(0, 65, 1, &raw_group(65, 1, &many, &[], &[])),
        4,
        "at most 8192 a byte",
    );
}

pub fn hnerv_fields(add: Add) {
    let (_, weights, latents) = coded(&group_of(70));
    let with_net = |net: Hnerv| {
        with_groups(
            0,
            2,
            1,
            &raw_group(2, 1, &net_bytes(&net), &weights, &latents),
        )
    };
    let n = gray8_net;
    add(
        "even-kernel.nvc",
        "a stage's kernel of 2 has no centre",
        with_net(hnerv([2, 2, 2], 4, 3, &[[2, 2, 4], [2, 3, 3]])),
        4,
        "kernel size is 2",
    );
    add(
        "even-head-kernel.nvc",
        "an output kernel of 4",
        with_net(hnerv([2, 2, 2], 4, 4, &[[2, 1, 4], [2, 3, 3]])),
        4,
        "kernel size is 4",
    );
    add(
        "kernel-17.nvc",
        "a kernel beyond the range",
        with_net(hnerv([2, 2, 2], 4, 3, &[[2, 17, 4], [2, 3, 3]])),
        4,
        "kernel is 17",
    );
    add(
        "stride-0.nvc",
        "a stride of 0; a decoder divides by it",
        with_net(hnerv([2, 2, 2], 4, 3, &[[0, 1, 4], [2, 3, 3]])),
        4,
        "stride is 0",
    );
    add(
        "stride-17.nvc",
        "a stride beyond the range",
        with_net(hnerv([2, 2, 2], 4, 3, &[[17, 1, 4], [2, 3, 3]])),
        4,
        "stride is 17",
    );
    add(
        "no-stages.nvc",
        "no stages",
        with_net(hnerv([2, 8, 8], 4, 3, &[])),
        4,
        "stages is 0",
    );
    let thirteen: Vec<[u32; 3]> = (0..13).map(|_| [1, 1, 1]).collect();
    add(
        "stages-13.nvc",
        "one stage too many",
        with_net(hnerv([2, 8, 8], 4, 3, &thirteen)),
        4,
        "stages is 13",
    );
    add(
        "latent-0.nvc",
        "a latent of no rows",
        with_net(change_latent(n(), [2, 0, 2])),
        4,
        "latent_height is 0",
    );
    add(
        "channels-0.nvc",
        "a stage of no channels",
        with_net(hnerv([2, 2, 2], 4, 3, &[[2, 1, 0], [2, 3, 3]])),
        4,
        "channels is 0",
    );
    add(
        "channels-4097.nvc",
        "a stage of too many channels",
        with_net(hnerv([2, 2, 2], 4, 3, &[[2, 1, 4097], [2, 3, 3]])),
        4,
        "channels is 4097",
    );
    add(
        "too-small.nvc",
        "a network whose output is smaller than the picture; a decoder reads past its end",
        with_net(change_latent(n(), [2, 2, 1])),
        4,
        "does not fit",
    );
    add(
        "too-much-padding.nvc",
        "a row of latents that no sample needs",
        with_net(change_latent(n(), [2, 3, 2])),
        4,
        "does not fit",
    );
    let sixteens = [[16, 1, 4096]; 12];
    add(
        "upsampling-2-48.nvc",
        "strides with the product 2^48, which the fit rule allows from a latent of 1x1: a count of activations in 64 bits overflows. \
         Refused for its size; a decoder without limits finds too many values for its bytes",
        with_net(hnerv([2, 1, 1], 4, 3, &sixteens)),
        5,
        "parameters and latents of a group",
    );
    let thin = [[16, 1, 1]; 12];
    add(
        "over-large-padding.nvc",
        "the same with one channel: few parameters, 2^96 activations",
        with_net(hnerv([2, 1, 1], 1, 3, &thin)),
        5,
        "activations of a pass",
    );
    let yuv = info(8, 8, Chroma::Yuv420, 8);
    let mut p = vec![0, 2, 1];
    p.extend(raw_group(
        2,
        1,
        &net_bytes(&hnerv([2, 2, 2], 4, 3, &[[2, 1, 4], [2, 3, 3], [1, 1, 3]])),
        &weights,
        &latents,
    ));
    add(
        "last-stride-420.nvc",
        "4:2:0 whose last stride is 1: there are no features of half the size",
        assemble(&[Part::Header(header(&yuv)), Part::Section(2, p)]),
        4,
        "last HNeRV stride is 1",
    );
}

/// Limits of policy.
pub fn over_large(add: Add) {
    let sized = |w: u64, h: u64, net: &Hnerv| {
        let mut head = vec![1];
        varint(&mut head, w);
        varint(&mut head, h);
        head.extend(&header(&gray8())[3..]);
        let mut p = vec![0, 1, 1];
        p.extend(raw_group(1, 1, &net_bytes(net), &[], &[]));
        assemble(&[Part::Header(head), Part::Section(1, p)])
    };
    let small = hnerv([1, 1, 1], 1, 1, &[[1, 1, 1]]);
    add(
        "over-large-picture.nvc",
        "65535x65535 samples",
        sized(65535, 65535, &small),
        5,
        "luma samples of a frame",
    );
    let mut b = front();
    b.extend([b'S', 0, 0, 0, 0x80]);
    add(
        "over-large-packet.nvc",
        "a packet that claims 2 GiB",
        b,
        5,
        "bytes of a packet",
    );
    add(
        "over-large-network.nvc",
        "15 thousand million parameters",
        sized(
            8,
            8,
            &hnerv([1, 1, 1], 4096, 1, &[[2, 15, 4096], [4, 1, 1]]),
        ),
        5,
        "parameters and latents of a group",
    );
    add(
        "over-large-activations.nvc",
        "8192x8192 from 4096 channels",
        sized(8192, 8192, &hnerv([1, 512, 512], 4096, 1, &[[16, 1, 1]])),
        5,
        "activations of a pass",
    );
    add(
        "over-large-computation.nvc",
        "8 million million multiplications a frame",
        sized(8192, 8192, &hnerv([1, 512, 512], 128, 1, &[[16, 15, 4]])),
        5,
        "multiply-accumulates of a pass",
    );
}

pub fn coded_parts(add: Add) {
    let (net, weights, latents) = coded(&group_of(70));
    let with_parts = |w: &[u8], l: &[u8]| with_groups(0, 2, 1, &raw_group(2, 1, &net, w, l));
    add(
        "range-coder-weights.nvc",
        "coded weights of FF bytes: the point lies outside every interval",
        with_parts(&[0xff; 40], &latents),
        4,
        "not a valid range-coder stream",
    );
    add(
        "range-coder-latents.nvc",
        "coded latents of FF bytes",
        with_parts(&weights, &[0xff; 40]),
        4,
        "not a valid range-coder stream",
    );
    add(
        "step-exponent-41.nvc",
        "the latents' step has exponent 41",
        with_parts(&side(&[(0, 41)]), &latents),
        4,
        "step exponent is 41",
    );
    add(
        "step-exponent-negative.nvc",
        "the latents' step has exponent -1",
        with_parts(&side(&[(0, -1)]), &latents),
        4,
        "step exponent is -1",
    );
    add(
        "step-mantissa-256.nvc",
        "the latents' step has mantissa 256",
        with_parts(&side(&[(0, 9), (1, 128)]), &latents),
        4,
        "step mantissa - 128 is 128",
    );
    add(
        "fraction-20.nvc",
        "20 fraction bits; a decoder's GELU shifts by -1 unless it checks",
        with_parts(&side(&[(0, 9), (1, 0), (2, 20)]), &latents),
        4,
        "activation fraction bits is 20",
    );
    add(
        "fraction-negative.nvc",
        "-1 fraction bits",
        with_parts(&side(&[(0, 9), (1, 0), (2, -1)]), &latents),
        4,
        "activation fraction bits is -1",
    );
    add(
        "latent-overflow.nvc",
        "residuals that add up to 65534; a decoder of 16 bits wraps",
        with_parts(&weights, &twice(32767)),
        4,
        "latent value 65534",
    );
}

/// Latents of two frames: the residual `v`, seven zeros, then the same again on top of it.
pub fn twice(v: i32) -> Vec<u8> {
    let (mut e, mut m) = (Encoder::default(), ValueModel::new(20));
    e.code(&mut Bit::default(), true).unwrap();
    let zeros = [19, 19, 0, 19, 0, 0, 0].map(|class| (class, 0));
    for (class, v) in [(0, v)].into_iter().chain(zeros).chain([(19, v)]) {
        m.code(&mut e, class, v).unwrap();
    }
    e.finish()
}

/// Fraction bits that contradict steps.
pub fn frac_bits(add: Add) {
    let with_change = |f: &dyn Fn(&mut Group)| one(&gray8(), change(group_of(72), |g| f(g)));
    add(
        "scale-latent.nvc",
        "the latent has more fraction bits than its step: a negative shift",
        with_change(&|g| g.network.latent_step.exponent = 8),
        4,
        "fraction bits of node 0 are 9",
    );
    add(
        "scale-convolution.nvc",
        "a convolution with more fraction bits than its sums have: a negative shift",
        with_change(&|g| {
            g.network.frac_bits[1] = 18;
            g.network.tensors[0].step.exponent = 8;
        }),
        4,
        "fraction bits of node 1 are 18",
    );
    add(
        "bias-exponent.nvc",
        "a bias step 2^38 times coarser than the sums: its shift would leave 64 bits",
        with_change(&|g| {
            g.network.tensors[0].step.exponent = 30;
            g.network.tensors[1].step.exponent = 1;
        }),
        4,
        "bias step exponent of node 1 is 1",
    );
}

fn change_latent(mut net: Hnerv, [c, h, w]: [u32; 3]) -> Hnerv {
    (
        net.header.latent_channels,
        net.header.latent_height,
        net.header.latent_width,
    ) = (c, h, w);
    net
}
