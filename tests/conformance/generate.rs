//! Makes the conformance vectors from random networks. Nothing here is fitted; the pictures are noise with structure.

use nvc::bitstream::MAGIC;
use nvc::bitstream::header::{HnervHeader, HnervStage, SectionHeader, SequenceHeader};
use nvc::decoder::{Options, StreamDecoder};
use nvc::entropy::tensor::{Step, blank_network};
use nvc::entropy::{Bit, Coder, Encoder, ValueModel};
use nvc::frame::{Chroma, ColorInfo, Range, Ratio, VideoInfo};
use nvc::group::{Arch, Group};
use nvc::network::hnerv::Hnerv;
use nvc::network::{Op, Role};
use nvc::synth::reference::Reference;

use crate::common::{Rng, info};

pub struct Vector {
    pub folder: &'static str,
    pub name: &'static str,
    /// What it tests, and how a decoder that did not think of it breaks.
    pub what: &'static str,
    pub bytes: Vec<u8>,
    /// Exit code and part of the message.
    pub error: Option<(u8, &'static str)>,
}

pub fn introduction(folder: &str) -> &'static str {
    match folder {
        "core" => {
            "# Core\n\nFiles with what every encoder writes. A decoder that fails here decodes nothing. MD5s are in `../md5.txt`.\n\n\
             | file | tests, and how a naive decoder breaks |\n|---|---|"
        }
        "uncommon" => {
            "# Uncommon\n\nValid files that a fitted network rarely gives. MD5s are in `../md5.txt`.\n\n\
             | file | tests, and how a naive decoder breaks |\n|---|---|"
        }
        _ => {
            "# Faulty\n\nInvalid files, files of the future, and files beyond the default limits of `nvc-decode` (their names start with\n\
             `over-large`: a decoder with greater limits may go on, and then finds other faults or none). All CRCs are right unless\n\
             the name says otherwise, so that parsers are tested, not checksums. A decoder must refuse each with an error and without\n\
             a crash, a hang or a large allocation. `errors.txt` has the exit code of `nvc-decode` and a part of its message.\n\n\
             | file | the fault, and how a naive decoder breaks |\n|---|---|"
        }
    }
}

// ---- building blocks ----

fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn packet(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![tag];
    p.extend((payload.len() as u32).to_le_bytes());
    p.extend(payload);
    let crc = crc32fast::hash(&p);
    p.extend(crc.to_le_bytes());
    p
}

/// Sequence header payload.
fn header(info: &VideoInfo) -> Vec<u8> {
    let mut p = Vec::new();
    SequenceHeader::new(info).unwrap().write(&mut p);
    p
}

fn group_bytes(info: &VideoInfo, g: &Group) -> Vec<u8> {
    let mut out = Vec::new();
    g.write(&g.arch.lower(info).unwrap(), &mut out).unwrap();
    out
}

/// A section of groups, with its number of frames.
fn section(info: &VideoInfo, first_frame: u32, groups: &[Group]) -> (u32, Vec<u8>) {
    let frames: u32 = groups.iter().map(|g| g.frames as u32).sum();
    let mut p = Vec::new();
    SectionHeader { first_frame, frames, groups: groups.len() as u32 }.write(&mut p);
    groups.iter().for_each(|g| p.extend(group_bytes(info, g)));
    (frames, p)
}

enum Part {
    Header(Vec<u8>),
    Section(u32, Vec<u8>),
    Other(u8, Vec<u8>),
}

/// Magic, the parts, a right index.
fn assemble(parts: &[Part]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let mut index = Vec::new();
    for p in parts {
        match p {
            Part::Header(p) => out.extend(packet(b'H', p)),
            Part::Other(tag, p) => out.extend(packet(*tag, p)),
            Part::Section(frames, p) => {
                out.extend(packet(b'S', p));
                varint(&mut index, (*frames).into());
                varint(&mut index, p.len() as u64 + 9);
            }
        }
    }
    index.extend((out.len() as u64).to_le_bytes());
    out.extend(packet(b'I', &index));
    out
}

/// A file of sections, each a list of groups.
fn file(info: &VideoInfo, sections: &[Vec<Group>]) -> Vec<u8> {
    let mut parts = vec![Part::Header(header(info))];
    let mut first = 0;
    for groups in sections {
        let (frames, p) = section(info, first, groups);
        parts.push(Part::Section(frames, p));
        first += frames;
    }
    assemble(&parts)
}

fn one(info: &VideoInfo, g: Group) -> Vec<u8> {
    file(info, &[vec![g]])
}

/// `latent` is channels, rows, columns; a stage is stride, kernel, channels.
fn hnerv(latent: [u32; 3], stem_channels: u32, head_kernel: u32, stages: &[[u32; 3]]) -> Hnerv {
    let [latent_channels, latent_height, latent_width] = latent;
    let n = stages.len() as u32;
    let header = HnervHeader { latent_channels, latent_height, latent_width, stem_channels, head_kernel, stages: n };
    Hnerv { header, stages: stages.iter().map(|&[stride, kernel, channels]| HnervStage { stride, kernel, channels }).collect() }
}

/// Random weights with a gain near 1, latents with a gentle change from frame to frame.
fn group(info: &VideoInfo, net: Hnerv, frames: usize, seed: u64) -> Group {
    let mut rng = Rng(seed);
    let graph = net.lower(info).unwrap();
    let mut network = blank_network(&graph);
    network.latent_step = Step { mantissa: 160, exponent: 11 };
    for (t, spec) in network.tensors.iter_mut().zip(&graph.tensors) {
        let fan_in = (spec.shape[1] * spec.shape[2] * spec.shape[3]) as f64;
        let gain = if spec.name.starts_with("head") { 0.05 } else { 0.11 };
        t.step = Step::nearest(if spec.role == Role::Weight { gain / fan_in.sqrt() } else { 0.01 });
        t.values.iter_mut().for_each(|v| *v = rng.laplace(8, 200));
    }
    network.scales.iter_mut().zip(&graph.nodes).for_each(|(s, n)| *s = if n.op.has_scale() { 12 } else { 0 });
    network.scales[0] = 9;
    let latents = (0..graph.latent_len() * frames).map(|_| rng.laplace(12, 120)).collect();
    Group { arch: Arch::Hnerv(net), network, latents, frames }
}

/// Latents that change little: prediction from the frame before pays.
fn slow(mut g: Group, info: &VideoInfo, seed: u64) -> Group {
    let mut rng = Rng(seed);
    let n = g.arch.lower(info).unwrap().latent_len();
    for i in n..g.latents.len() {
        g.latents[i] = g.latents[i - n] + rng.laplace(1, 3);
    }
    g
}

fn change(mut g: Group, f: impl FnOnce(&mut Group)) -> Group {
    f(&mut g);
    g
}

/// Sets the fraction bits of all nodes that have them.
fn all_scales(g: &mut Group, info: &VideoInfo, f: u8) {
    let graph = g.arch.lower(info).unwrap();
    g.network.scales.iter_mut().zip(&graph.nodes).for_each(|(s, n)| *s = if n.op.has_scale() { f } else { 0 });
}

const GRAY8: (usize, usize) = (8, 8);

fn gray8() -> VideoInfo {
    info(GRAY8.0, GRAY8.1, Chroma::Gray, 8)
}

fn gray8_net() -> Hnerv {
    hnerv([2, 2, 2], 4, 3, &[[2, 1, 4], [2, 3, 3]])
}

/// The file of annex B: two stages would be too long to print.
fn tiny() -> Vec<u8> {
    let info = VideoInfo { fps: Ratio { num: 0, den: 0 }, ..info(3, 2, Chroma::Gray, 8) };
    let net = hnerv([2, 1, 2], 2, 3, &[[2, 1, 1]]);
    let mut g = group(&info, net, 1, 0);
    let step = |mantissa, exponent| Step { mantissa, exponent };
    let tensors: [(Step, &[i16]); 6] = [
        (step(128, 10), &[5, -2, 1, 4]),
        (step(128, 10), &[1, 0]),
        (step(200, 11), &[4, 1, -3, 2, 0, 5, 2, 2]),
        (step(128, 10), &[0, 0, -1, 2]),
        (step(160, 12), &[1, 2, 1, 3, 12, 2, 0, 2, 1]),
        (step(128, 12), &[-9]),
    ];
    for (t, (s, values)) in g.network.tensors.iter_mut().zip(tensors) {
        (t.step, t.values) = (s, values.to_vec());
    }
    g.network.latent_step = step(128, 9);
    g.network.scales = vec![8, 9, 9, 9, 0, 9, 10];
    g.latents = vec![3, -4, 1, 6];
    one(&info, g)
}

fn core() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes| out.push(Vector { folder: "core", name, what, bytes, error: None });
    add("tiny.nvc", "the worked example of annex B: start here", tiny());

    let i = info(64, 48, Chroma::Yuv420, 8);
    let net = || hnerv([4, 3, 4], 12, 3, &[[4, 1, 10], [2, 3, 9], [2, 5, 7]]);
    add("yuv420.nvc", "8-bit 4:2:0; chroma is computed from the features before the last stage", one(&i, group(&i, net(), 3, 1)));
    let i = info(61, 35, Chroma::Yuv420, 8);
    add(
        "yuv420-odd.nvc",
        "odd width and height: chroma planes are rounded up, pictures are cropped at the right and bottom; fails with `width / 2`",
        one(&i, group(&i, net(), 2, 2)),
    );
    let i = info(40, 30, Chroma::Rgb, 8);
    let net = || hnerv([3, 3, 4], 12, 3, &[[5, 1, 10], [2, 3, 9]]);
    add("gbrp.nvc", "planes in the order G, B, R; fails where R comes first", one(&i, group(&i, net(), 2, 3)));
    let i = info(29, 31, Chroma::Gray, 8);
    add("gray.nvc", "one plane", one(&i, group(&i, hnerv([3, 4, 4], 10, 3, &[[4, 3, 8], [2, 5, 6]]), 2, 4)));
    let i = info(33, 50, Chroma::Yuv444, 10);
    add(
        "yuv444-10bit.nvc",
        "10-bit 4:4:4: samples are written in two bytes, little endian, and clamped to 1023",
        one(&i, group(&i, hnerv([3, 5, 4], 12, 3, &[[5, 1, 10], [2, 3, 9]]), 2, 5)),
    );
    let i = info(30, 22, Chroma::Yuv420, 10);
    add("yuv420-10bit.nvc", "10-bit 4:2:0", one(&i, group(&i, hnerv([3, 2, 3], 8, 3, &[[6, 1, 7], [2, 3, 6]]), 2, 6)));
    let i = info(24, 16, Chroma::Rgb, 10);
    add("gbrp-10bit.nvc", "10-bit GBR", one(&i, group(&i, hnerv([2, 2, 3], 10, 5, &[[4, 3, 8], [2, 3, 6]]), 1, 7)));

    let i = info(24, 16, Chroma::Yuv420, 8);
    let net = |c: u32| hnerv([2, 2, 3], c, 3, &[[4, 1, c], [2, 3, 6]]);
    let g = |frames, seed: u64| group(&i, net(6 + seed as u32 % 3), frames, seed);
    add(
        "sections.nvc",
        "three sections of 1, 2 and 3 groups with networks of different sizes; contexts start afresh in every group",
        file(&i, &[vec![g(2, 10)], vec![g(1, 11), g(3, 12)], vec![g(1, 13), g(1, 14), g(2, 15)]]),
    );
    let still = VideoInfo { fps: Ratio { num: 0, den: 0 }, ..info(48, 32, Chroma::Rgb, 8) };
    add(
        "still.nvc",
        "one frame, frame rate 0/0; fails where a player divides by the denominator",
        one(&still, group(&still, hnerv([4, 2, 3], 14, 3, &[[4, 1, 12], [2, 3, 12], [2, 3, 8]]), 1, 20)),
    );
    let i = info(32, 24, Chroma::Yuv420, 8);
    let net = || hnerv([6, 3, 4], 8, 3, &[[4, 1, 8], [2, 3, 6]]);
    let g = slow(group(&i, net(), 12, 21), &i, 22);
    assert!(is_temporal(&i, &g));
    add("temporal.nvc", "latents predicted from the frame before (`temporal` = 1); classes use the residuals, not the sums", one(&i, g));
    let g = group(&i, net(), 6, 23);
    assert!(!is_temporal(&i, &g));
    add("not-temporal.nvc", "several frames, latents not predicted: classes still use the frame before", one(&i, g));
    let i = info(33, 17, Chroma::Rgb, 8);
    add(
        "padded.nvc",
        "33x17 in 64x32, the greatest padding that is allowed: the border is computed, then cropped",
        one(&i, group(&i, hnerv([4, 1, 2], 12, 3, &[[4, 1, 10], [4, 3, 8], [2, 3, 8]]), 2, 24)),
    );
    let i = info(70, 38, Chroma::Yuv420, 8);
    add(
        "five-stages.nvc",
        "strides 5, 4, 4, 2, 2 are the published ones for 1280x640; here the latent is one row and one column",
        one(
            &VideoInfo { width: 311, height: 167, ..i },
            group(
                &VideoInfo { width: 311, height: 167, ..i },
                hnerv([16, 1, 1], 6, 3, &[[5, 1, 5], [4, 3, 4], [4, 5, 3], [2, 5, 2], [2, 5, 2]]),
                1,
                25,
            ),
        ),
    );
    let i = VideoInfo {
        fps: Ratio { num: 30000, den: 1001 },
        sar: Ratio { num: 4320, den: 4739 },
        color: ColorInfo { primaries: 9, transfer: 16, matrix: 9, range: Range::Limited },
        ..info(300, 2, Chroma::Yuv420, 10)
    };
    add(
        "header-fields.nvc",
        "fields of more than one byte, aspect ratio and colour description; a 300x2 picture. None of them changes samples",
        one(&i, group(&i, hnerv([2, 1, 75], 6, 3, &[[2, 3, 5], [2, 3, 4]]), 1, 26)),
    );
    out
}

/// Whether the group's latents are coded with `temporal` = 1.
fn is_temporal(info: &VideoInfo, g: &Group) -> bool {
    let bytes = file(info, &[vec![g.clone()]]);
    let mut d = StreamDecoder::new(&bytes[..], Options::default()).unwrap();
    let s = d.next_section().unwrap().unwrap();
    let latents = s.groups[0].1.header.latents_bytes as usize;
    let coded = &s.packet.payload[s.packet.payload.len() - latents..];
    nvc::entropy::Decoder::new(coded, 0).unwrap().code(&mut Bit::default(), false).unwrap()
}

fn uncommon() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes| out.push(Vector { folder: "uncommon", name, what, bytes, error: None });
    let i = info(24, 16, Chroma::Yuv420, 8);
    let net = || hnerv([3, 2, 3], 8, 3, &[[4, 1, 7], [2, 3, 5]]);

    let g = change(group(&i, net(), 1, 30), |g| {
        let mut rng = Rng(31);
        let graph = g.arch.lower(&i).unwrap();
        for (t, spec) in g.network.tensors.iter_mut().zip(&graph.tensors) {
            if spec.role == Role::Weight {
                // weights of 16 bits, step so small that the gain stays near 1
                t.values.iter_mut().for_each(|v| *v = rng.laplace(9000, 32767));
                let fan_in = (spec.shape[1] * spec.shape[2] * spec.shape[3]) as f64;
                t.step = Step::nearest(0.8 / 9000.0 / fan_in.sqrt());
            }
        }
    });
    add("wide-sums.nvc", "weights of 16 bits: sums of products need more than 32 bits; fails with `int` accumulators", one(&i, g));

    let g = change(group(&i, net(), 1, 32), |g| {
        let graph = g.arch.lower(&i).unwrap();
        for (k, (t, spec)) in g.network.tensors.iter_mut().zip(&graph.tensors).enumerate().filter(|(k, _)| k % 2 == 0) {
            let taps: usize = spec.shape[1..].iter().product();
            // each channel's magnitudes add up to 65538 (32 bits just suffice) or, in some layers, to one more
            let total = if k % 4 == 0 { 65538 } else { 65539 };
            let signs: Vec<bool> = t.values.iter().map(|v| *v < 0).collect();
            for (w, s) in t.values.chunks_mut(taps).zip(signs.chunks(taps)) {
                let mut left = total;
                for (j, v) in w.iter_mut().enumerate() {
                    let part = if j + 1 == taps { left } else { (total / taps as i32).min(left) };
                    let part = part.min(32767);
                    left -= part;
                    *v = if s[j] { -part as i16 } else { part as i16 };
                }
            }
            t.step = Step { mantissa: 255, exponent: 21 };
        }
        all_scales(g, &i, 15);
        g.network.scales[0] = 9;
    });
    add(
        "32-bit-edge.nvc",
        "layers whose weights' magnitudes add up to 65538, the most for which 32-bit sums suffice, and to 65539; activations \
         saturate. Fails where the bound for a 32-bit path is one too high",
        one(&i, g),
    );

    let g = change(group(&i, net(), 2, 33), |g| {
        all_scales(g, &i, 16);
        g.network.scales[0] = 11;
        g.latents.iter_mut().for_each(|v| *v = v.saturating_mul(270));
    });
    add(
        "saturation.nvc",
        "most activations saturate at 32767 and -32767; fails where they wrap, or where -32768 is let through",
        one(&i, g),
    );
    let big = |g: &mut Group, e: u8, f: u8| {
        g.network.latent_step = Step { mantissa: 128, exponent: e };
        all_scales(g, &i, f);
    };
    let g = change(group(&i, net(), 1, 34), |g| {
        big(g, 0, 0);
        g.latents.iter_mut().enumerate().for_each(|(k, v)| *v = (k as i16 % 11) - 5);
        for (k, t) in g.network.tensors.iter_mut().enumerate() {
            // the coarse numbers of the features reach the picture through small output weights
            t.step = Step { mantissa: 140, exponent: [10, 10, 11, 11, 11, 11, 22, 14, 22, 14][k] };
        }
        g.network.scales[9..].fill(7);
    });
    add(
        "fraction-0.nvc",
        "fraction bits 0 in all nodes but the outputs, the latent's step 128 with exponent 0: a shift by 0, GELU of whole numbers",
        one(&i, g),
    );
    let g = change(group(&i, net(), 1, 35), |g| {
        big(g, 19, 19);
        g.latents.iter_mut().for_each(|v| *v = v.saturating_mul(2));
        for (k, t) in g.network.tensors.iter_mut().enumerate() {
            match k {
                1 | 3 | 5 => t.step.exponent += 4,
                6 | 8 => t.step.exponent -= 5,
                _ => {}
            }
        }
        g.network.scales[9..].fill(14);
    });
    add("fraction-19.nvc", "fraction bits 19 in all nodes but the outputs: activations stand for at most 1/16", one(&i, g));
    let g = change(group(&i, net(), 1, 36), |g| {
        for (k, t) in g.network.tensors.iter_mut().enumerate() {
            let real = t.step.value();
            // weights' steps down to 2^-33: coarse values, long shifts
            t.step.exponent = if k % 2 == 0 { t.step.exponent } else { [40, 25, 8, 0, 12][k / 2 % 5] };
            let ratio = real / t.step.value();
            if k % 2 == 1 {
                t.values.iter_mut().for_each(|v| *v = (f64::from(*v) * ratio).clamp(-32767.0, 32767.0) as i16);
            }
        }
        g.network.tensors[0].step = Step { mantissa: 255, exponent: 40 };
        g.network.tensors[0].values.iter_mut().for_each(|v| *v = v.saturating_mul(160));
        g.network.scales[0] = 2;
        g.network.scales[1] = 19;
        g.network.tensors[1].step = Step { mantissa: 128, exponent: 36 };
        g.network.tensors[1].values.iter_mut().enumerate().for_each(|(k, v)| *v = if k % 2 == 0 { 30000 } else { -30001 });
    });
    add(
        "bias-steps.nvc",
        "biases in steps much finer and much coarser than the sums: shifted right with halves up, also negative ones, and left; \
         weights with exponent 40",
        one(&i, g),
    );
    let g = change(group(&i, net(), 1, 37), |g| {
        // F = 9 + 30 = 39 with bias exponent 2: the left shift is 37, the most that is allowed
        g.network.tensors[0].step = Step { mantissa: 200, exponent: 30 };
        g.network.tensors[1].step = Step { mantissa: 255, exponent: 2 };
        g.network.tensors[1].values.iter_mut().enumerate().for_each(|(k, v)| *v = [0, 1, -1, 32767, -32767][k % 5]);
    });
    add(
        "bias-shift-37.nvc",
        "biases of 2^60 units: sums need 62 bits and saturate; fails where bias and sum are added in 32 bits",
        one(&i, g),
    );

    let i2 = info(16, 16, Chroma::Gray, 8);
    let g = change(group(&i2, hnerv([2, 8, 8], 1, 1, &[[2, 1, 4]]), 1, 38), |g| {
        // two opposite channels, at the ends of the range in half of the columns, that cancel unless -32768 is let through
        for k in 0..64 {
            let v = if k % 2 == 0 { 32767 } else { g.latents[k] };
            (g.latents[k], g.latents[64 + k]) = (v, -v);
        }
        g.network.latent_step = Step { mantissa: 255, exponent: 9 };
        (g.network.tensors[0].step, g.network.tensors[0].values) = (Step { mantissa: 128, exponent: 0 }, vec![4, 4]);
        (g.network.tensors[1].step, g.network.tensors[1].values) = (Step { mantissa: 128, exponent: 7 }, vec![2]);
        g.network.scales[1] = 9;
    });
    add(
        "symmetric-range.nvc",
        "latents that saturate at both ends and cancel in the stem; fails where the lower end is -32768",
        one(&i2, g),
    );
    let g = change(group(&i2, hnerv([3, 4, 4], 8, 3, &[[2, 3, 6], [2, 3, 5]]), 1, 39), |g| {
        g.network.tensors[0].step.exponent -= 7;
        g.network.tensors[2].step.exponent += 5;
        (g.network.scales[1], g.network.scales[2]) = (7, 9);
    });
    add(
        "gelu-tails.nvc",
        "GELU of numbers far beyond 8 and -8, from 7 to 9 fraction bits: the table's last entry, 0, holds from there on; fails \
         where the index wraps",
        one(&i2, g),
    );
    let i3 = info(8, 8, Chroma::Rgb, 8);
    let g = change(group(&i3, gray8_net(), 1, 39), |g| {
        let n = g.network.tensors.len();
        g.network.tensors[n - 2].values.fill(0);
        g.network.tensors[n - 2].step = Step { mantissa: 128, exponent: 5 };
        // F = 7 = f_out, one activation a sample value: -2.5, 2.5 and 0.75 round to -2, 3 and 1
        (g.network.tensors[n - 1].step, g.network.tensors[n - 1].values) = (Step { mantissa: 128, exponent: 16 }, vec![-10, 10, 3]);
        let last = g.network.scales.len() - 1;
        (g.network.scales[last - 1], g.network.scales[last]) = (2, 7);
    });
    add("bias-rounding.nvc", "biases alone make the picture and lie halfway between activations: halves go up, also below 0", one(&i3, g));

    let i2 = info(9, 11, Chroma::Gray, 8);
    add(
        "kernel-15.nvc",
        "kernels of 15 on 3x3, 6x6 and 12x12 activations: windows larger than the picture; fails where borders are narrower",
        one(&i2, group(&i2, hnerv([2, 3, 3], 3, 15, &[[2, 15, 3], [2, 15, 2]]), 1, 40)),
    );
    let i2 = info(12, 10, Chroma::Yuv444, 8);
    add(
        "stride-1.nvc",
        "stages of stride 1: pixel shuffles that move nothing, still nodes of the graph; without padding",
        one(&i2, group(&i2, hnerv([4, 10, 12], 8, 1, &[[1, 3, 8], [1, 5, 6]]), 2, 41)),
    );
    let i2 = info(6, 5, Chroma::Gray, 8);
    add(
        "padding-of-one.nvc",
        "the product of the strides is 1 and the padding one row: allowed, since `max(U, 2)`",
        one(&i2, group(&i2, hnerv([3, 6, 6], 4, 3, &[[1, 3, 3]]), 1, 42)),
    );
    let i2 = info(48, 16, Chroma::Gray, 8);
    add("stride-16.nvc", "one stage of stride 16", one(&i2, group(&i2, hnerv([3, 1, 3], 8, 3, &[[16, 1, 3]]), 1, 43)));
    let i2 = info(14, 10, Chroma::Yuv420, 8);
    add(
        "one-stage-420.nvc",
        "4:2:0 with a single stage: chroma is read from the GELU after the stem",
        one(&i2, group(&i2, hnerv([3, 5, 7], 6, 3, &[[2, 3, 4]]), 1, 44)),
    );
    let i2 = info(1, 1, Chroma::Yuv420, 8);
    add("one-pixel-420.nvc", "1x1 with 1x1 chroma planes", one(&i2, group(&i2, hnerv([2, 1, 1], 4, 3, &[[2, 1, 3]]), 2, 45)));
    let i2 = info(1, 150, Chroma::Rgb, 8);
    add("one-column.nvc", "1x150 from a latent of 38x1", one(&i2, group(&i2, hnerv([1, 38, 1], 6, 3, &[[2, 3, 5], [2, 3, 4]]), 1, 46)));
    let i2 = info(16, 16, Chroma::Gray, 8);
    add(
        "twelve-stages.nvc",
        "twelve stages, the most there can be, eight of stride 1",
        one(
            &i2,
            change(
                group(
                    &i2,
                    hnerv(
                        [3, 1, 1],
                        4,
                        3,
                        &[
                            [1, 1, 4],
                            [1, 1, 4],
                            [2, 1, 4],
                            [1, 3, 4],
                            [2, 3, 4],
                            [1, 3, 3],
                            [1, 3, 4],
                            [2, 3, 4],
                            [1, 3, 4],
                            [2, 3, 4],
                            [1, 3, 5],
                            [1, 3, 4],
                        ],
                    ),
                    1,
                    47,
                ),
                |g| g.network.tensors.iter_mut().step_by(2).for_each(|t| t.step.exponent -= 1),
            ),
        ),
    );

    let empty = |frames: usize| {
        let mut g = group(&gray8(), gray8_net(), frames, 0);
        g.network = blank_network(&g.arch.lower(&gray8()).unwrap());
        g.latents.fill(0);
        g
    };
    let bytes = one(&gray8(), empty(3));
    add(
        "empty-parts.nvc",
        "an all-zero network: both coded parts have 0 bytes; steps are 128, fraction bits 0, and every sample is 128. Fails where \
         words past the end are not 0",
        bytes,
    );
    let g = change(group(&gray8(), gray8_net(), 2, 48), |g| {
        g.network.tensors.iter_mut().step_by(2).for_each(|t| t.values.fill(0));
        g.latents.fill(0);
        g.latents[0] = 1;
    });
    add("zero-weights.nvc", "all weights 0, biases and one latent not", one(&gray8(), g));

    let i2 = info(16, 16, Chroma::Gray, 8);
    let g = change(group(&i2, hnerv([60, 2, 2], 64, 3, &[[2, 5, 16], [4, 1, 3]]), 8, 49), |g| {
        let mut rng = Rng(50);
        let t = &mut g.network.tensors[2];
        t.values.iter_mut().for_each(|v| *v = if rng.next().is_multiple_of(250) { rng.laplace(60, 300) } else { 0 });
        t.step.exponent -= 2;
        g.latents.iter_mut().for_each(|v| *v = if rng.next().is_multiple_of(90) { rng.laplace(30, 300) } else { 0 });
    });
    add(
        "sparse.nvc",
        "over 100 000 weights, nearly all 0: contexts reach the end of their range, and their `seen` counters stop at 127",
        one(&i2, g),
    );
    let g = change(group(&i2, hnerv([8, 4, 4], 12, 3, &[[2, 3, 10], [2, 3, 6]]), 4, 51), |g| {
        let mut rng = Rng(52);
        for t in &mut g.network.tensors {
            t.values.iter_mut().for_each(|v| {
                let m = (rng.next() & 0x7fff) as i16 >> (rng.next() % 15);
                *v = if rng.next() & 1 == 0 { m } else { -m };
            });
            t.step.exponent += 9;
        }
        g.latents.iter_mut().for_each(|v| {
            let m = (rng.next() & 0x3fff) as i16 >> (rng.next() % 14);
            *v = if rng.next() & 1 == 0 { m } else { -m };
        });
        g.latents[0] = 32767;
        g.latents[1] = -32767;
        g.network.latent_step.exponent = 18;
    });
    add(
        "all-magnitudes.nvc",
        "weights and latents of every bit length up to 15, all contexts of the binarisation and the highest magnitude classes; \
         fails where `Length` has a 15th context",
        one(&i2, g),
    );

    let g = |seed| group(&gray8(), gray8_net(), 2, seed);
    let (n1, s1) = section(&gray8(), 0, &[g(60)]);
    let (n2, s2) = section(&gray8(), 2, &[g(61)]);
    add(
        "ancillary.nvc",
        "lower-case packets, one of them empty, after the header, between the sections and before the index; offsets of sections \
         do not follow from the index alone",
        assemble(&[
            Part::Header(header(&gray8())),
            Part::Other(b't', b"encoder=random".to_vec()),
            Part::Section(n1, s1.clone()),
            Part::Other(b'z', Vec::new()),
            Part::Section(n2, s2.clone()),
            Part::Other(b's', vec![0; 40]),
        ]),
    );
    let mut long = header(&gray8());
    long.extend([7, 0x80, 0x80, 0xff]);
    add(
        "header-extension.nvc",
        "four more bytes at the end of the sequence header, which later extensions may add: skipped",
        assemble(&[Part::Header(long), Part::Section(n1, s1.clone())]),
    );
    add("no-frames.nvc", "no section at all: a valid file of 0 frames", assemble(&[Part::Header(header(&gray8()))]));
    let mut p = Vec::new();
    SectionHeader { first_frame: 0, frames: 2, groups: 1 }.write(&mut p);
    let (net, weights, latents) = coded(&g(62));
    let padded = |mut part: Vec<u8>| {
        part.resize(part.len().next_multiple_of(4) + 8, 0);
        part.extend(b"never read");
        part
    };
    p.extend(raw_group(2, 1, &net, &padded(weights), &padded(latents)));
    add(
        "unread-bytes.nvc",
        "coded parts with bytes after the last word that the range decoder needs: ignored, and the sizes in the group header tell \
         where the next part starts",
        assemble(&[Part::Header(header(&gray8())), Part::Section(2, p)]),
    );
    let tiny_net = || hnerv([1, 4, 4], 3, 1, &[[2, 1, 2]]);
    let groups: Vec<Group> = (0..140).map(|k| group(&gray8(), tiny_net(), 1, 100 + k)).collect();
    add("many-groups.nvc", "140 groups of one frame in a section: `groups` and `frames` take two bytes", file(&gray8(), &[groups]));
    let g = slow(group(&gray8(), gray8_net(), 300, 63), &gray8(), 64);
    add("many-frames.nvc", "300 frames in one group", one(&gray8(), g));
    out
}

/// HNeRV fields as bytes, and the coded parts, of a group of 8x8 gray.
fn coded(g: &Group) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let bytes = one(&gray8(), g.clone());
    let mut d = StreamDecoder::new(&bytes[..], Options::default()).unwrap();
    let s = d.next_section().unwrap().unwrap();
    let (_, l) = &s.groups[0];
    let payload = &s.packet.payload;
    let at = payload.len() - l.header.latents_bytes as usize;
    let weights_at = at - l.header.weights_bytes as usize;
    let Arch::Hnerv(h) = &g.arch;
    (net_bytes(h), payload[weights_at..at].to_vec(), payload[at..].to_vec())
}

/// HNeRV fields, whatever their values.
fn net_bytes(net: &Hnerv) -> Vec<u8> {
    let mut out = Vec::new();
    let h = &net.header;
    for v in [h.latent_channels, h.latent_height, h.latent_width, h.stem_channels] {
        varint(&mut out, v.into());
    }
    out.extend([h.head_kernel as u8, h.stages as u8]);
    for s in &net.stages {
        out.extend([s.stride as u8, s.kernel as u8]);
        varint(&mut out, s.channels.into());
    }
    out
}

fn raw_group(frames: u64, arch: u8, net: &[u8], weights: &[u8], latents: &[u8]) -> Vec<u8> {
    let mut p = Vec::new();
    varint(&mut p, frames);
    p.push(arch);
    varint(&mut p, weights.len() as u64);
    varint(&mut p, latents.len() as u64);
    p.extend(net);
    p.extend(weights);
    p.extend(latents);
    p
}

/// An 8x8 gray file of one section with the given payload after its header fields.
fn with_groups(first: u64, frames: u64, groups: u64, content: &[u8]) -> Vec<u8> {
    let mut p = Vec::new();
    varint(&mut p, first);
    varint(&mut p, frames);
    varint(&mut p, groups);
    p.extend(content);
    assemble(&[Part::Header(header(&gray8())), Part::Section(frames as u32, p)])
}

/// Integers of the side model in the given classes.
fn side(values: &[(usize, i32)]) -> Vec<u8> {
    let (mut e, mut m) = (Encoder::default(), ValueModel::new(3));
    for &(class, v) in values {
        m.code(&mut e, class, v).unwrap();
    }
    e.finish()
}

fn faulty() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes, code, message| out.push(Vector { folder: "faulty", name, what, bytes, error: Some((code, message)) });
    let i = gray8();
    let group_of = |seed| group(&i, gray8_net(), 2, seed);
    let good = file(&i, &[vec![group_of(70)], vec![group_of(71)]]);
    let (net, weights, latents) = coded(&group_of(70));
    let section_at = 8 + 9 + header(&i).len();
    let section_len = u32::from_le_bytes(good[section_at + 1..section_at + 5].try_into().unwrap()) as usize + 9;
    let head = || Part::Header(header(&i));
    let part = || {
        let (n, p) = section(&i, 0, &[group_of(70)]);
        Part::Section(n, p)
    };
    let flipped = |at: usize| {
        let mut b = good.clone();
        b[at] ^= 1;
        b
    };
    let with_header = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut h = header(&i);
        change(&mut h);
        assemble(&[Part::Header(h), part()])
    };
    // offsets of the fields of this header: version 0, width 1, height 2, chroma 3, depth 4, rate 5 6, aspect 7 8, colour 9 to 12

    // container
    add("empty.nvc", "0 bytes", Vec::new(), 4, "empty file");
    let mut b = good.clone();
    b[0] = 0x0b;
    add("bad-magic.nvc", "the first byte lost its high bit, as on a seven-bit line", b, 4, "not an NVC file");
    let mut b = good.clone();
    b.remove(4);
    add("text-mode.nvc", "CR LF became LF: the file went through a text-mode transfer", b, 4, "not an NVC file");
    add("magic-short.nvc", "five bytes of the magic and no more", good[..5].to_vec(), 4, "not an NVC file");
    add("magic-only.nvc", "nothing after the magic", good[..8].to_vec(), 4, "file ends before its header");
    add("truncated-head.nvc", "ends inside tag and length of a section", good[..section_at + 3].to_vec(), 4, "truncated packet: 3 of 5");
    add("truncated-section.nvc", "ends inside a section's payload", good[..section_at + 60].to_vec(), 4, "truncated 'S' packet");
    add("truncated-crc.nvc", "ends inside a section's CRC", good[..section_at + section_len - 1].to_vec(), 4, "truncated 'S' packet");
    add("no-index.nvc", "ends after a whole section", good[..section_at + section_len].to_vec(), 4, "file ends without its index");
    add("truncated-index.nvc", "ends inside the index", good[..good.len() - 7].to_vec(), 4, "truncated 'I' packet");
    let mut b = good[..section_at].to_vec();
    b.extend([b'S', 0xf0, 0xff, 0xff, 0x3f, 1, 2, 3]);
    add(
        "lying-length.nvc",
        "a packet that claims 2^30 - 16 bytes and holds three; a decoder that trusts it allocates 1 GiB",
        b,
        4,
        "truncated 'S' packet",
    );
    add("bad-crc-header.nvc", "a flipped bit in the sequence header", flipped(8 + 6), 4, "CRC-32 of the 'H' packet");
    add("bad-crc-section.nvc", "a flipped bit in coded weights", flipped(section_at + 40), 4, "CRC-32 of the 'S' packet");
    add("bad-crc-index.nvc", "a flipped bit in the index's CRC", flipped(good.len() - 1), 4, "CRC-32 of the 'I' packet");
    let mut b = good[..section_at].to_vec();
    let mut p = packet(b'x', b"abc");
    p[5] ^= 1;
    b.extend(p);
    b.extend(&good[section_at..]);
    add("bad-crc-ancillary.nvc", "a flipped bit in a packet that is skipped", b, 4, "CRC-32 of the 'x' packet");
    let mut b = good.clone();
    b[section_at] = b'1';
    add("tag-digit.nvc", "a tag that is no letter", b, 4, "packet tag is 0x31");
    add(
        "critical-packet.nvc",
        "an unknown packet with an upper-case tag",
        assemble(&[head(), Part::Other(b'X', vec![1]), part()]),
        5,
        "packet 'X'",
    );
    add("no-header.nvc", "the first packet is a section", assemble(&[part()]), 4, "first packet is 'S'");
    add(
        "ancillary-first.nvc",
        "an ancillary packet before the header",
        assemble(&[Part::Other(b'x', vec![]), head(), part()]),
        4,
        "first packet is 'x'",
    );
    add("two-headers.nvc", "a second sequence header", assemble(&[head(), part(), head()]), 4, "a second 'H' packet");
    let mut b = good.clone();
    b.extend(packet(b'x', &[]));
    add("after-index.nvc", "an ancillary packet after the index", b, 4, "data after the index");
    let mut b = good.clone();
    b.extend([0, 0, 0]);
    add("bytes-after-index.nvc", "three bytes after the index", b, 4, "truncated packet");

    // sequence header
    add("version-2.nvc", "a version of the future", with_header(&|h| h[0] = 2), 5, "format version 2");
    add("version-0.nvc", "version 0", with_header(&|h| h[0] = 0), 4, "format_version is 0");
    add("width-0.nvc", "a picture of no columns", with_header(&|h| h[1] = 0), 4, "width is 0");
    add("height-65536.nvc", "one row too many", with_header(&|h| drop(h.splice(2..3, [0x80, 0x80, 0x04]))), 4, "height is 65536");
    add("chroma-4.nvc", "an unknown sample layout", with_header(&|h| h[3] = 4), 4, "chroma is 4");
    add("depth-9.nvc", "a bit depth between the two", with_header(&|h| h[4] = 9), 4, "bit_depth is 9");
    add("depth-16.nvc", "a bit depth beyond the range", with_header(&|h| h[4] = 16), 4, "bit_depth is 16");
    add("range-3.nvc", "an unknown sample range", with_header(&|h| h[12] = 3), 4, "range is 3");
    add("header-short.nvc", "the header ends before its last field", with_header(&|h| h.truncate(12)), 4, "range needs 1 bytes");
    add(
        "varint-long-form.nvc",
        "width 8 in two bytes: a second form of the same header",
        with_header(&|h| drop(h.splice(1..2, [0x88, 0x00]))),
        4,
        "width is not a shortest-form",
    );
    add(
        "varint-6-bytes.nvc",
        "a varint that goes on; a decoder without a bound shifts by more than 31",
        with_header(&|h| drop(h.splice(5..6, [0xff; 6]))),
        4,
        "fps_num is a varint of more than 5 bytes",
    );
    add(
        "varint-33-bits.nvc",
        "a varint of 2^32; a decoder of 32 bits reads 0",
        with_header(&|h| drop(h.splice(5..6, [0x80, 0x80, 0x80, 0x80, 0x10]))),
        4,
        "fps_num is not a shortest-form 32-bit varint",
    );

    // section and group
    let whole = raw_group(2, 1, &net, &weights, &latents);
    add("section-first-frame.nvc", "the first section starts at frame 1", with_groups(1, 2, 1, &whole), 4, "section starts at frame 1");
    add(
        "section-sum.nvc",
        "the section promises three frames, its group holds two",
        with_groups(0, 3, 1, &whole),
        4,
        "groups hold 2 frames",
    );
    add("section-no-groups.nvc", "a section of no groups", with_groups(0, 2, 0, &[]), 4, "groups is 0");
    add("section-missing-group.nvc", "two groups promised, one there", with_groups(0, 2, 2, &whole), 4, "frames needs 1 bytes");
    let mut long = whole.clone();
    long.push(0);
    add("section-trailing.nvc", "a byte after the last group", with_groups(0, 2, 1, &long), 4, "1 bytes after the section's last group");
    add("group-no-frames.nvc", "a group of no frames", with_groups(0, 1, 1, &raw_group(0, 1, &net, &weights, &latents)), 4, "frames is 0");
    add(
        "arch-2.nvc",
        "an architecture of the future",
        with_groups(0, 2, 1, &raw_group(2, 2, &net, &weights, &latents)),
        5,
        "architecture 2",
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

    // HNeRV fields
    let with_net = |net: Hnerv| with_groups(0, 2, 1, &raw_group(2, 1, &net_bytes(&net), &weights, &latents));
    let n = gray8_net;
    add(
        "even-kernel.nvc",
        "a stage's kernel of 2 has no centre",
        with_net(hnerv([2, 2, 2], 4, 3, &[[2, 2, 4], [2, 3, 3]])),
        4,
        "kernel size is 2",
    );
    add("even-head-kernel.nvc", "an output kernel of 4", with_net(hnerv([2, 2, 2], 4, 4, &[[2, 1, 4], [2, 3, 3]])), 4, "kernel size is 4");
    add("kernel-17.nvc", "a kernel beyond the range", with_net(hnerv([2, 2, 2], 4, 3, &[[2, 17, 4], [2, 3, 3]])), 4, "kernel is 17");
    add(
        "stride-0.nvc",
        "a stride of 0; a decoder divides by it",
        with_net(hnerv([2, 2, 2], 4, 3, &[[0, 1, 4], [2, 3, 3]])),
        4,
        "stride is 0",
    );
    add("stride-17.nvc", "a stride beyond the range", with_net(hnerv([2, 2, 2], 4, 3, &[[17, 1, 4], [2, 3, 3]])), 4, "stride is 17");
    add("no-stages.nvc", "no stages", with_net(hnerv([2, 8, 8], 4, 3, &[])), 4, "stages is 0");
    let thirteen: Vec<[u32; 3]> = (0..13).map(|_| [1, 1, 1]).collect();
    add("stages-13.nvc", "one stage too many", with_net(hnerv([2, 8, 8], 4, 3, &thirteen)), 4, "stages is 13");
    add("latent-0.nvc", "a latent of no rows", with_net(change_latent(n(), [2, 0, 2])), 4, "latent_height is 0");
    add("channels-0.nvc", "a stage of no channels", with_net(hnerv([2, 2, 2], 4, 3, &[[2, 1, 0], [2, 3, 3]])), 4, "channels is 0");
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
    add("too-much-padding.nvc", "a row of latents that no sample needs", with_net(change_latent(n(), [2, 3, 2])), 4, "does not fit");
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
        "activations of a frame",
    );
    let yuv = info(8, 8, Chroma::Yuv420, 8);
    let mut p = vec![0, 2, 1];
    p.extend(raw_group(2, 1, &net_bytes(&hnerv([2, 2, 2], 4, 3, &[[2, 1, 4], [2, 3, 3], [1, 1, 3]])), &weights, &latents));
    add(
        "last-stride-420.nvc",
        "4:2:0 whose last stride is 1: there are no features of half the size",
        assemble(&[Part::Header(header(&yuv)), Part::Section(2, p)]),
        4,
        "last HNeRV stride is 1",
    );

    // limits of policy
    let sized = |w: u64, h: u64, net: &Hnerv| {
        let mut head = vec![1];
        varint(&mut head, w);
        varint(&mut head, h);
        head.extend(&header(&i)[3..]);
        let mut p = vec![0, 1, 1];
        p.extend(raw_group(1, 1, &net_bytes(net), &[], &[]));
        assemble(&[Part::Header(head), Part::Section(1, p)])
    };
    let small = hnerv([1, 1, 1], 1, 1, &[[1, 1, 1]]);
    add("over-large-picture.nvc", "65535x65535 samples", sized(65535, 65535, &small), 5, "luma samples of a frame");
    let mut b = good[..section_at].to_vec();
    b.extend([b'S', 0, 0, 0, 0x80]);
    add("over-large-packet.nvc", "a packet that claims 2 GiB", b, 5, "bytes of a packet");
    add(
        "over-large-network.nvc",
        "15 thousand million parameters",
        sized(8, 8, &hnerv([1, 1, 1], 4096, 1, &[[2, 15, 4096], [4, 1, 1]])),
        5,
        "parameters and latents of a group",
    );
    add(
        "over-large-activations.nvc",
        "8192x8192 from 4096 channels",
        sized(8192, 8192, &hnerv([1, 512, 512], 4096, 1, &[[16, 1, 1]])),
        5,
        "activations of a frame",
    );
    add(
        "over-large-computation.nvc",
        "8 million million multiplications a frame",
        sized(8192, 8192, &hnerv([1, 512, 512], 128, 1, &[[16, 15, 4]])),
        5,
        "multiply-accumulates of a frame",
    );

    // coded parts
    let with_parts = |w: &[u8], l: &[u8]| with_groups(0, 2, 1, &raw_group(2, 1, &net, w, l));
    add(
        "range-coder-weights.nvc",
        "coded weights of FF bytes: the point lies outside every interval",
        with_parts(&[0xff; 40], &latents),
        4,
        "not a valid range-coder stream",
    );
    add("range-coder-latents.nvc", "coded latents of FF bytes", with_parts(&weights, &[0xff; 40]), 4, "not a valid range-coder stream");
    add("step-exponent-41.nvc", "the latents' step has exponent 41", with_parts(&side(&[(0, 41)]), &latents), 4, "step exponent is 41");
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
    let overflow = {
        let (mut e, mut m) = (Encoder::default(), ValueModel::new(20));
        e.code(&mut Bit::default(), true).unwrap();
        // the largest residual, seven zeros, then the same again on top of it
        for (class, v) in [(0, 32767), (19, 0), (19, 0), (0, 0), (19, 0), (0, 0), (0, 0), (0, 0), (19, 32767)] {
            m.code(&mut e, class, v).unwrap();
        }
        e.finish()
    };
    add(
        "latent-overflow.nvc",
        "residuals that add up to 65534; a decoder of 16 bits wraps",
        with_parts(&weights, &overflow),
        4,
        "latent value 65534",
    );

    // scales that contradict steps
    let with_change = |f: &dyn Fn(&mut Group)| one(&i, change(group_of(72), |g| f(g)));
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
            g.network.scales[1] = 18;
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

    // index
    let index = |change: &dyn Fn(&mut Vec<u8>)| {
        let b = assemble(&[head(), part()]);
        let at = u64::from_le_bytes(b[b.len() - 12..b.len() - 4].try_into().unwrap()) as usize;
        let mut p = b[at + 5..b.len() - 4].to_vec();
        change(&mut p);
        [&b[..at], &packet(b'I', &p)].concat()
    };
    add("index-frames.nvc", "an entry with another number of frames", index(&|p| p[0] += 1), 4, "index does not list the sections");
    add("index-bytes.nvc", "an entry with another size", index(&|p| p[1] ^= 1), 4, "index does not list the sections");
    add("index-missing.nvc", "an index without entries", index(&|p| drop(p.drain(..p.len() - 8))), 4, "index does not list the sections");
    add("index-extra.nvc", "an entry too many", index(&|p| drop(p.splice(0..0, [1, 20]))), 4, "index does not list the sections");
    add(
        "index-offset.nvc",
        "a wrong offset; a decoder that seeks lands somewhere",
        index(&|p| {
            let n = p.len();
            p[n - 8] ^= 2;
        }),
        4,
        "index offset is",
    );
    add("index-short.nvc", "an index of 7 bytes", index(&|p| p.truncate(7)), 4, "index offset needs 8 bytes");
    out
}

fn change_latent(mut net: Hnerv, [c, h, w]: [u32; 3]) -> Hnerv {
    (net.header.latent_channels, net.header.latent_height, net.header.latent_width) = (c, h, w);
    net
}

pub fn vectors() -> Vec<Vector> {
    [core(), uncommon(), faulty()].into_iter().flatten().collect()
}

// ---- annex B ----

/// Text of annex B for `tiny.nvc`.
pub fn example(bytes: &[u8]) -> String {
    let mut d = StreamDecoder::new(bytes, Options::default()).unwrap();
    let info = *d.info();
    let s = d.next_section().unwrap().unwrap();
    let (_, layout) = &s.groups[0];
    let g = s.group(layout).unwrap();
    let mut out = format!(
        "The file [`vectors/core/tiny.nvc`](vectors/core/tiny.nvc) has {} bytes: one gray frame of {}x{}.\n\n```\noffset  bytes\n",
        bytes.len(),
        info.width,
        info.height
    );
    let mut at = 0;
    let mut line = |n: usize, what: &str| {
        for (k, row) in bytes[at..at + n].chunks(12).enumerate() {
            let hex: Vec<String> = row.iter().map(|b| format!("{b:02x}")).collect();
            out += format!("{:>6}  {:<36} {}", at + 12 * k, hex.join(" "), if k == 0 { what } else { "" }).trim_end();
            out += "\n";
        }
        at += n;
    };
    line(8, "magic");
    line(5, "tag H, 13 bytes");
    for (name, v) in SequenceHeader::new(&info).unwrap().dump() {
        line(1, &format!("{name} = {v}"));
    }
    line(4, "CRC-32");
    line(5, &format!("tag S, {} bytes", s.packet.payload.len()));
    for (name, v) in s.header.dump().into_iter().chain(layout.header.dump()) {
        line(1, &format!("{name} = {v}"));
    }
    let Arch::Hnerv(h) = &g.arch;
    for (name, v) in h.header.dump() {
        line(1, &format!("{name} = {v}"));
    }
    for (k, stage) in h.stages.iter().enumerate() {
        for (name, v) in stage.dump() {
            line(1, &format!("stage {k}: {name} = {v}"));
        }
    }
    line(layout.header.weights_bytes as usize, "coded network");
    line(layout.header.latents_bytes as usize, "coded latents");
    line(4, "CRC-32");
    line(5, "tag I, 10 bytes");
    line(1, "frames = 1");
    line(1, &format!("bytes = {}", s.packet.bytes()));
    line(8, "offset of the index");
    line(4, "CRC-32");
    assert_eq!(at, bytes.len());
    let text = |v: &[i16]| v.iter().map(i16::to_string).collect::<Vec<_>>().join(" ");
    let step = |s: Step| format!("{} * 2^-{}", s.mantissa, s.exponent);
    out += &format!("```\n\nThe coded network holds\n\n```\nlatent step    {}\nfraction bits ", step(g.network.latent_step));
    for (k, n) in layout.graph.nodes.iter().enumerate().filter(|(_, n)| n.op.has_scale()) {
        let _ = n;
        out += &format!(" node {k}: {}", g.network.scales[k]);
    }
    out += "\n";
    for (t, spec) in g.network.tensors.iter().zip(&layout.graph.tensors) {
        out += &format!("{:<14} step {:<12}  {}\n", spec.name, step(t.step), text(&t.values));
    }
    out += &format!("```\n\nand the coded latents `temporal` = 0 and {}.\n\nActivations, a channel a line:\n\n```\n", text(&g.latents));
    let values = Reference::new(&layout.graph, &g.network).unwrap().nodes(&g.latents);
    for (k, (n, v)) in layout.graph.nodes.iter().zip(&values).enumerate() {
        let name = match n.op {
            Op::Latent => "latent",
            Op::Conv2d { .. } => "convolution",
            Op::PixelShuffle { .. } => "pixel shuffle",
            Op::Gelu { .. } => "GELU",
        };
        let [c, rows, columns] = n.shape;
        out += &format!("node {k}, {name}, [{c}][{rows}][{columns}]\n");
        for channel in v.chunks(rows * columns) {
            let rows: Vec<String> = channel.chunks(columns).map(text).collect();
            out += &format!("    {}\n", rows.join(" / "));
        }
    }
    let mut frame = None;
    StreamDecoder::new(bytes, Options::default())
        .unwrap()
        .decode(0..1, &mut |_, f| {
            frame = Some(f);
            Ok(())
        })
        .unwrap();
    let plane = &frame.unwrap().planes[0];
    let rows: Vec<String> = plane.data.chunks(plane.width).map(|r| r.iter().map(u16::to_string).collect::<Vec<_>>().join(" ")).collect();
    out += &format!("samples\n    {}\n```\n\n", rows.join(" / "));

    // the first bits, to check a range decoder and its contexts with
    let mut trace = Trace { inner: nvc::entropy::Decoder::new(&coded_network(bytes, layout), 0).unwrap(), rows: Vec::new() };
    let mut model = ValueModel::new(3);
    let scales = layout.graph.nodes.iter().filter(|n| n.op.has_scale()).count();
    let integers: Vec<String> =
        [0, 1].into_iter().chain((0..scales).map(|_| 2)).map(|class| model.code(&mut trace, class, 0).unwrap().to_string()).collect();
    out += "The first bits of the coded network, those of the latent step and the fraction bits, as `p1: bit`:\n\n```\n";
    let bits: Vec<String> = trace.rows.iter().map(|(p, b)| format!("{p}: {}", u8::from(*b))).collect();
    for row in bits.chunks(8) {
        out += &format!("{}\n", row.join("   "));
    }
    out += &format!("```\n\nThey are the integers {}: E, M - 128, and the fraction bits.\n", integers.join(", "));
    out
}

fn coded_network(bytes: &[u8], layout: &nvc::group::GroupLayout) -> Vec<u8> {
    let at = (layout.offset + layout.header_bytes) as usize;
    bytes[at..at + layout.header.weights_bytes as usize].to_vec()
}

struct Trace {
    inner: nvc::entropy::Decoder,
    rows: Vec<(u32, bool)>,
}

impl Coder for Trace {
    fn code(&mut self, context: &mut Bit, bit: bool) -> nvc::Result<bool> {
        let p1 = context.p1();
        let b = self.inner.code(context, bit)?;
        self.rows.push((p1, b));
        Ok(b)
    }

    fn reads(&self) -> bool {
        true
    }
}
