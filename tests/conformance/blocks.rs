//! What files are put together from: packets, sections, groups, random networks. Nothing here
//! checks a value, since faulty files need wrong ones.

use crate::common::steps::RealStep;
use nvc::bitstream::MAGIC;
use nvc::bitstream::fields::Reader;
use nvc::bitstream::header::{HnervHeader, HnervStage, SectionHeader, SequenceHeader};
use nvc::bitstream::limits::Limits;
use nvc::decoder::{Options, StreamDecoder};
use nvc::entropy::tensor::{QuantizedNetwork, blank_network};
use nvc::entropy::{Encoder, ValueModel};
use nvc::frame::{Chroma, VideoInfo};
use nvc::group::{Group, GroupLayout};
use nvc::network::hnerv::Hnerv;
use nvc::network::{Activation, Arch, Op, QuantStep, Role};

use crate::common::{Rng, info};

pub fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

pub fn packet(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![tag];
    p.extend((payload.len() as u32).to_le_bytes());
    p.extend(payload);
    let crc = crc32fast::hash(&p);
    p.extend(crc.to_le_bytes());
    p
}

/// Sequence header payload.
pub fn header(info: &VideoInfo) -> Vec<u8> {
    let mut p = Vec::new();
    SequenceHeader::new(info).unwrap().write(&mut p);
    p
}

/// Light payload: primaries of DCI-P3 and white D65 in the order G, B, R, white; 1000 and 0.005
/// cd/m2; 1000 and 400 cd/m2.
pub fn light() -> Vec<u8> {
    let mut p = vec![1, 1];
    for v in [
        13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10_000_000, 50, 1000, 400,
    ] {
        varint(&mut p, v);
    }
    p
}

/// A group after one with the network `previous`.
pub fn group_after(info: &VideoInfo, g: &Group, previous: Option<&QuantizedNetwork>) -> Vec<u8> {
    let mut out = Vec::new();
    g.write(&g.arch.lower(info, g.frames).unwrap(), previous, &mut out)
        .unwrap();
    out
}

/// The network of the group of `bytes` as a decoder has it, with what its models have learnt.
pub fn read_back(
    info: &VideoInfo,
    bytes: &[u8],
    previous: Option<&QuantizedNetwork>,
) -> nvc::error::Result<QuantizedNetwork> {
    let mut r = Reader::new(bytes, 0);
    GroupLayout::read(&mut r, info, &Limits::default())?.decode_network(&mut r, previous)
}

/// A section of groups, with its number of frames. What no decoder reads is followed as if it were
/// read.
pub fn section(info: &VideoInfo, first_frame: u32, groups: &[Group]) -> (u32, Vec<u8>) {
    let frames: u32 = groups.iter().map(|g| g.frames as u32).sum();
    let mut p = Vec::new();
    SectionHeader {
        first_frame,
        frames,
        groups: groups.len() as u32,
    }
    .write(&mut p);
    let mut previous: Option<QuantizedNetwork> = None;
    for g in groups {
        let bytes = group_after(info, g, previous.as_ref());
        previous =
            Some(read_back(info, &bytes, previous.as_ref()).unwrap_or_else(|_| g.network.clone()));
        p.extend(bytes);
    }
    (frames, p)
}

#[derive(Clone)]
pub enum Part {
    Header(Vec<u8>),
    Section(u32, Vec<u8>),
    Other(u8, Vec<u8>),
}

/// Magic, the parts, a right index.
pub fn assemble(parts: &[Part]) -> Vec<u8> {
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
pub fn file(info: &VideoInfo, sections: &[Vec<Group>]) -> Vec<u8> {
    let mut parts = vec![Part::Header(header(info))];
    let mut first = 0;
    for groups in sections {
        let (frames, p) = section(info, first, groups);
        parts.push(Part::Section(frames, p));
        first += frames;
    }
    assemble(&parts)
}

pub fn one(info: &VideoInfo, g: Group) -> Vec<u8> {
    file(info, &[vec![g]])
}

/// `latent` is channels, rows, columns; a stage is stride, kernel, channels.
pub fn hnerv(latent: [u32; 3], stem_channels: u32, head_kernel: u32, stages: &[[u32; 3]]) -> Hnerv {
    let [latent_channels, latent_height, latent_width] = latent;
    let n = stages.len() as u32;
    let header = HnervHeader {
        latent_channels,
        latent_height,
        latent_width,
        stem_channels,
        head_kernel,
        stages: n,
    };
    Hnerv {
        header,
        stages: stages
            .iter()
            .map(|&[stride, kernel, channels]| HnervStage {
                stride,
                kernel,
                channels,
            })
            .collect(),
        tanh: false,
    }
}

/// A group of random weights with a gain near 1 and fraction bits that leave some room.
pub fn random(info: &VideoInfo, arch: Arch, frames: usize, seed: u64) -> Group {
    let mut rng = Rng(seed);
    let graph = arch.lower(info, frames).unwrap();
    let mut network = blank_network(&graph);
    network.latent_step = QuantStep {
        mantissa: 160,
        exponent: 11,
    };
    for (t, spec) in network.tensors.iter_mut().zip(&graph.tensors) {
        let fan_in = (spec.shape[1] * spec.shape[2] * spec.shape[3]) as f64;
        let gain = if spec.name.contains("head") {
            0.05
        } else {
            0.11
        };
        t.step = QuantStep::nearest(if spec.role == Role::Weight {
            gain / fan_in.sqrt()
        } else {
            0.01
        });
        t.values.iter_mut().for_each(|v| *v = rng.laplace(8, 200));
    }
    for (f, node) in network.frac_bits.iter_mut().zip(&graph.nodes) {
        *f = match node.op {
            Op::Latent(_) => 9,
            Op::Activate(a) if matches!(a.activation, Activation::Sine | Activation::Tanh) => 14,
            op if op.has_frac_bits() => 12,
            _ => 0,
        };
    }
    let latents = (0..graph.latent_len() * frames)
        .map(|_| rng.laplace(12, 120))
        .collect();
    Group {
        arch,
        network,
        latents,
        frames,
    }
}

/// The same of an HNeRV.
pub fn group(info: &VideoInfo, net: Hnerv, frames: usize, seed: u64) -> Group {
    random(info, Arch::Hnerv(net), frames, seed)
}

/// Latents that change little: prediction from the frame before pays.
pub fn slow(mut g: Group, info: &VideoInfo, seed: u64) -> Group {
    let mut rng = Rng(seed);
    let n = g.arch.lower(info, g.frames).unwrap().latent_len();
    for i in n..g.latents.len() {
        g.latents[i] = g.latents[i - n] + rng.laplace(1, 3);
    }
    g
}

pub fn change(mut g: Group, f: impl FnOnce(&mut Group)) -> Group {
    f(&mut g);
    g
}

/// Sets the fraction bits of all nodes that have them.
pub fn all_frac_bits(g: &mut Group, info: &VideoInfo, f: u8) {
    let graph = g.arch.lower(info, g.frames).unwrap();
    g.network
        .frac_bits
        .iter_mut()
        .zip(&graph.nodes)
        .for_each(|(s, n)| *s = if n.op.has_frac_bits() { f } else { 0 });
}

pub fn gray8() -> VideoInfo {
    info(8, 8, Chroma::Gray, 8)
}

pub fn gray8_net() -> Hnerv {
    hnerv([2, 2, 2], 4, 3, &[[2, 1, 4], [2, 3, 3]])
}

/// HNeRV fields as bytes, and the coded parts, of a group of 8x8 gray.
pub fn coded(g: &Group) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let bytes = one(&gray8(), g.clone());
    let mut d = StreamDecoder::new(&bytes[..], Options::default()).unwrap();
    let s = d.next_section().unwrap().unwrap();
    let (_, l) = &s.groups[0];
    let payload = &s.packet.payload;
    let at = payload.len() - l.header.latents_bytes as usize;
    let weights_at = at - l.header.weights_bytes as usize;
    let Arch::Hnerv(h) = &g.arch else {
        panic!("an HNeRV")
    };
    (
        net_bytes(h),
        payload[weights_at..at].to_vec(),
        payload[at..].to_vec(),
    )
}

/// HNeRV fields, whatever their values.
pub fn net_bytes(net: &Hnerv) -> Vec<u8> {
    let mut out = Vec::new();
    let h = &net.header;
    for v in [
        h.latent_channels,
        h.latent_height,
        h.latent_width,
        h.stem_channels,
    ] {
        varint(&mut out, v.into());
    }
    out.extend([h.head_kernel as u8, h.stages as u8]);
    for s in &net.stages {
        out.extend([s.stride as u8, s.kernel as u8]);
        varint(&mut out, s.channels.into());
    }
    out
}

pub fn raw_group(frames: u64, arch: u8, net: &[u8], weights: &[u8], latents: &[u8]) -> Vec<u8> {
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
pub fn with_groups(first: u64, frames: u64, groups: u64, content: &[u8]) -> Vec<u8> {
    let mut p = Vec::new();
    varint(&mut p, first);
    varint(&mut p, frames);
    varint(&mut p, groups);
    p.extend(content);
    assemble(&[
        Part::Header(header(&gray8())),
        Part::Section(frames as u32, p),
    ])
}

/// Integers of the side model in the given classes.
pub fn side(values: &[(usize, i32)]) -> Vec<u8> {
    side_after(None, values, &[])
}

/// The same after a group, and values of the weights that are differences, all in class 0.
pub fn side_after(
    previous: Option<&QuantizedNetwork>,
    values: &[(usize, i32)],
    weights: &[i32],
) -> Vec<u8> {
    let learnt = previous.and_then(|n| n.learnt.models());
    let [mut m, _, mut own, ..] =
        learnt.unwrap_or_else(|| [7, 24, 24, 24, 24, 8].map(ValueModel::new));
    let mut e = Encoder::default();
    for &(class, v) in values {
        m.code(&mut e, class, v).unwrap();
    }
    for &v in weights {
        own.code(&mut e, 0, v).unwrap();
    }
    e.finish()
}
