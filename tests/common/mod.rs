//! Small files made without fitting: random networks in the ranges that fitting produces.
#![allow(dead_code)]

use nvc::bitstream::ContainerWriter;
use nvc::bitstream::header::SectionHeader;
use nvc::entropy::tensor::blank_network;
use nvc::frame::{Chroma, PixelFormat, Ratio, VideoInfo};
use nvc::group::Group;
use nvc::network::Arch;
use nvc::network::QuantStep;
use nvc::network::Representation;

use steps::RealStep;

// read from the encoder's files: the decoder's tests need no encoder
#[path = "../../crates/encoder/src/size/mod.rs"]
pub mod size;
#[path = "../../crates/encoder/src/steps.rs"]
pub mod steps;

/// A small deterministic generator (splitmix64), so that files never change.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Roughly Laplacian integer of mean magnitude about `scale`.
    pub fn laplace(&mut self, scale: i64, max: i64) -> i16 {
        let u = (self.next() % 0xffff + 1) as f64 / 65536.0;
        let m = (-u.ln() * scale as f64) as i64;
        let m = m.min(max);
        (if self.next() & 1 == 0 { m } else { -m }) as i16
    }
}

pub fn info(width: usize, height: usize, chroma: Chroma, bit_depth: u8) -> VideoInfo {
    VideoInfo {
        fps: Ratio { num: 25, den: 1 },
        sar: Ratio { num: 1, den: 1 },
        ..VideoInfo::new(width, height, PixelFormat { chroma, bit_depth })
    }
}

/// A group whose activations fill their range: fraction bits leave room.
pub fn random_group(info: &VideoInfo, frames: usize, params: f64, seed: u64) -> Group {
    let mut rng = Rng(seed);
    let net = size::hnerv::for_params(info, frames, params, &Default::default()).unwrap();
    let graph = net.lower(info, 1).unwrap();
    let mut network = blank_network(&graph);
    network.latent_step = QuantStep::nearest(1.0 / 16.0);
    for (t, spec) in network.tensors.iter_mut().zip(&graph.tensors) {
        let fan_in = (spec.shape[1] * spec.shape[2] * spec.shape[3]) as f64;
        t.step = QuantStep::nearest(0.2 / fan_in.sqrt());
        t.values.iter_mut().for_each(|v| *v = rng.laplace(8, 200));
    }
    network
        .frac_bits
        .iter_mut()
        .zip(&graph.nodes)
        .for_each(|(s, n)| *s = if n.op.has_frac_bits() { 11 } else { 0 });
    network.frac_bits[0] = 9;
    let latents = (0..graph.latent_len() * frames)
        .map(|_| rng.laplace(12, 120))
        .collect();
    Group {
        arch: Arch::Hnerv(net),
        network,
        latents,
        frames,
    }
}

/// A file of sections, each a list of groups.
pub fn file(info: &VideoInfo, sections: &[Vec<Group>]) -> Vec<u8> {
    let mut w = ContainerWriter::new(Vec::new(), info).unwrap();
    let mut first_frame = 0;
    for groups in sections {
        let frames: u32 = groups.iter().map(|g| g.frames as u32).sum();
        let mut payload = Vec::new();
        SectionHeader {
            first_frame,
            frames,
            groups: groups.len() as u32,
        }
        .write(&mut payload);
        for g in groups {
            g.write(&g.arch.lower(info, g.frames).unwrap(), None, &mut payload)
                .unwrap();
        }
        w.section(frames, &payload).unwrap();
        first_frame += frames;
    }
    w.finish().unwrap().0
}
