//! Numbers just outside their ranges that the other lists do not have.

use nvc::entropy::Encoder;
use nvc::network::{Arch, Role};

use super::super::blocks::*;
use super::super::nets::*;
use super::families::{NERV, NIRVANA, after, with};
use super::section::twice;
use super::{Add, front, good, group_of, head};

/// A field of a header: name of the file, what is wrong, the field's place and value, the message.
type Fault = (&'static str, &'static str, usize, u8, &'static str);

#[rustfmt::skip]
const NERV_FAULTS: [Fault; 11] = [
    ("nerv-hidden-0.nvc", "no hidden channels", 1, 0, "hidden is 0"),
    ("nerv-rows-0.nvc", "no rows", 2, 0, "rows is 0"),
    ("nerv-columns-0.nvc", "no columns", 3, 0, "columns is 0"),
    ("nerv-channels-0.nvc", "no channels", 4, 0, "channels is 0"),
    ("nerv-head-kernel-17.nvc", "an output kernel of 17", 6, 17, "kernel is 17"),
    ("nerv-stages-0.nvc", "no stages", 7, 0, "stages is 0"),
    ("nerv-stages-13.nvc", "13 stages", 7, 13, "stages is 13"),
    ("nerv-stride-0.nvc", "a stride of 0", 8, 0, "stride is 0"),
    ("nerv-stride-17.nvc", "a stride of 17", 8, 17, "stride is 17"),
    ("nerv-kernel-17.nvc", "a stage's kernel of 17", 9, 17, "kernel is 17"),
    ("nerv-stage-channels-0.nvc", "a stage of no channels", 10, 0, "channels is 0"),
];

#[rustfmt::skip]
const NIRVANA_FAULTS: [Fault; 10] = [
    ("nirvana-rows-0.nvc", "no rows of patches", 0, 0, "rows is 0"),
    ("nirvana-columns-0.nvc", "no columns of patches", 1, 0, "columns is 0"),
    ("nirvana-hidden-0.nvc", "no hidden channels", 3, 0, "hidden is 0"),
    ("nirvana-features-0.nvc", "no features", 4, 0, "features is 0"),
    ("nirvana-cell-0.nvc", "patches of no positions", 5, 0, "cell is 0"),
    ("nirvana-kernel-17.nvc", "a kernel of 17", 6, 17, "kernel is 17"),
    ("nirvana-stride-0.nvc", "a stride of 0", 7, 0, "stride is 0"),
    ("nirvana-stride-17.nvc", "a stride of 17", 7, 17, "stride is 17"),
    ("nirvana-channels-0.nvc", "no channels", 8, 0, "channels is 0"),
    ("nirvana-head-kernel-17.nvc", "an output kernel of 17", 9, 17, "kernel is 17"),
];

/// Fields of the headers of NeRV and NIRVANA.
pub fn fields(add: Add) {
    let mut each = |faults: &[Fault], arch: u8, changed: &dyn Fn(usize, u8) -> Vec<u8>| {
        for &(name, what, at, value, message) in faults {
            let group = raw_group(1, arch, &changed(at, value), &[1, 2, 3], &[]);
            add(name, what, with_groups(0, 1, 1, &group), 4, message);
        }
    };
    each(&NERV_FAULTS, 2, &|at, value| with(NERV, at, value));
    each(&NIRVANA_FAULTS, 4, &|at, value| with(NIRVANA, at, value));
}

/// Of the container and the sequence header.
pub fn container(add: Add) {
    let mut tall = header(&gray8());
    tall[2] = 0;
    let mut wide = header(&gray8());
    wide.splice(1..2, [0x80, 0x80, 0x04]);
    let (n, p) = section(&gray8(), 0, &[group_of(70)]);
    let with_header = |h: Vec<u8>| assemble(&[Part::Header(h), Part::Section(n, p.clone())]);
    add(
        "height-0.nvc",
        "a picture of no rows",
        with_header(tall),
        4,
        "height is 0",
    );
    add(
        "width-65536.nvc",
        "one column too many",
        with_header(wide),
        4,
        "width is 65536",
    );
    let at = front().len();
    for (name, what, tag, message) in [
        (
            "tag-at.nvc",
            "the tag before `A`",
            b'@',
            "packet tag is 0x40",
        ),
        (
            "tag-bracket.nvc",
            "the tag after `Z`",
            b'[',
            "packet tag is 0x5b",
        ),
        (
            "tag-grave.nvc",
            "the tag before `a`",
            b'`',
            "packet tag is 0x60",
        ),
        (
            "tag-brace.nvc",
            "the tag after `z`",
            b'{',
            "packet tag is 0x7b",
        ),
    ] {
        let mut b = good();
        b[at] = tag;
        add(name, what, b, 4, message);
    }
    let (m, q) = section(&gray8(), 3, &[group_of(71)]);
    add(
        "section-gap.nvc",
        "the second section starts a frame after the first ends",
        assemble(&[head(), Part::Section(n, p.clone()), Part::Section(m, q)]),
        4,
        "section starts at frame 3",
    );
}

/// Of coded parts.
pub fn coded_values(add: Add) {
    let (net, weights, latents) = coded(&group_of(70));
    let parts = |w: &[u8], l: &[u8]| with_groups(0, 2, 1, &raw_group(2, 1, &net, w, l));
    add(
        "step-mantissa-127.nvc",
        "the latents' step has mantissa 127",
        parts(&side(&[(0, 9), (1, -1)]), &latents),
        4,
        "step mantissa - 128 is -1",
    );
    add(
        "latent-underflow.nvc",
        "residuals that add up to -65534; a decoder of 16 bits wraps",
        parts(&weights, &twice(-32767)),
        4,
        "latent value -65534",
    );

    let i = gray8();
    let [nerv_of_8x8, nervpp_of_8x8, ..] = of_8x8();
    let first = change(random(&i, nerv_of_8x8, 1, 410), |g| {
        g.network.tensors[0].values[0] = -32767;
    });
    let same = [(4, 0); 7];
    let and = |more: &[(usize, i32)]| [&same[..], more].concat();
    add(
        "residual-underflow.nvc",
        "a difference of -1 to -32767",
        after(&first, &NERV, &and(&[(3, 1), (5, 0)]), &[-1]),
        4,
        "value -32768 in stem0.weight",
    );
    // differences of 0 to all tensors there are, then to one more
    let frames = |n| {
        random(
            &i,
            Arch::Nirvana(nirvana([2, 2], 2, 5, [2, 4], [2, 3, 3])),
            n,
            411,
        )
    };
    let [one_frame, two_frames] = [1, 2].map(frames);
    let before = group_after(&i, &one_frame, None);
    let network = read_back(&i, &before, None).unwrap();
    let (mut e, graph) = (Encoder::default(), two_frames.arch.lower(&i, 2).unwrap());
    let [mut side, _, mut weights, _, mut biases, _] = network.learnt.models().unwrap();
    for (k, node) in graph.nodes.iter().enumerate() {
        let leans = network.has_frac_bits.get(k).is_some_and(|own| *own);
        if node.op.has_frac_bits() {
            let (class, v) = if leans { (4, 0) } else { (2, 12) };
            side.code(&mut e, class, v).unwrap();
        }
    }
    for (tensor, spec) in network.tensors.iter().zip(&graph.tensors) {
        side.code(&mut e, 3, 1).unwrap();
        side.code(&mut e, 5, 0).unwrap();
        let model = match spec.role {
            Role::Weight => &mut weights,
            Role::Bias => &mut biases,
        };
        for _ in &tensor.values {
            model.code(&mut e, 0, 0).unwrap();
        }
    }
    side.code(&mut e, 3, 1).unwrap();
    let second = raw_group(2, 4, &NIRVANA, &e.finish(), &[]);
    add(
        "residual-beyond.nvc",
        "a residual tensor of a higher number than the group before has tensors",
        with_groups(0, 3, 2, &[before, second].concat()),
        4,
        "a residual tensor with no tensor",
    );
    let depthwise = change(random(&i, nervpp_of_8x8, 1, 412), |g| {
        // node 6 is the first depthwise convolution, tensors 4 and 5 its weights and bias
        g.network.tensors[4].step.exponent = 30;
        g.network.tensors[5].step.exponent = 1;
    });
    add(
        "bias-depthwise.nvc",
        "a depthwise convolution's bias step 2^38 times coarser than its sums",
        one(&i, depthwise),
        4,
        "bias step exponent of node 6 is 1",
    );
}
