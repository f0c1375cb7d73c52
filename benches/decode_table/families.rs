//! Networks of the table: HNeRVs of the published sizes and one of each other family.

use common::steps::RealStep;
use nvc::bitstream::header::{HnervStage, NervHeader, NervppHeader, NirvanaHeader};
use nvc::entropy::tensor::blank_network;
use nvc::frame::{Chroma, VideoInfo};
use nvc::group::Group;
use nvc::network::Arch;
use nvc::network::QuantStep;
use nvc::network::Role;
use nvc::network::nerv::Nerv;
use nvc::network::nirvana::Nirvana;

use crate::common::{self, Rng};

/// Factor on the weights of the tests' networks.
const GAIN: f64 = 0.4;

/// Makes a picture format and a group for it.
type Make = fn() -> (VideoInfo, Group);

/// Names, and what makes pictures and network.
pub const ALL: [(&str, Make); 6] = [
    ("hnerv-0.1m", || {
        hnerv(common::info(416, 240, Chroma::Yuv420, 8), 100_000.0, 1)
    }),
    // with 132 frames the published sizes
    ("hnerv-1.5m", || {
        hnerv(common::info(1280, 640, Chroma::Rgb, 8), 1.5e6, 132)
    }),
    ("nerv-0.1m", || nerv(None)),
    ("nervpp-0.1m", || {
        nerv(Some(NervppHeader {
            before: 1,
            after: 1,
            kernel: 3,
        }))
    }),
    ("nirvana-0.1m", nirvana),
    ("wide-0.1m", || {
        // as imported: weights of 12 bits
        let (info, mut g) = hnerv(common::info(416, 240, Chroma::Yuv420, 8), 100_000.0, 1);
        for t in &mut g.network.tensors {
            t.values
                .iter_mut()
                .for_each(|v| *v = v.saturating_mul(64).clamp(-2047, 2047));
            t.step = QuantStep::nearest(t.step.value() / 64.0);
        }
        (info, g)
    }),
];

/// A network whose activations keep their spread from layer to layer, as fitted ones do; the tests'
/// grow until they saturate.
fn hnerv(info: VideoInfo, params: f64, frames: usize) -> (VideoInfo, Group) {
    let mut g = common::random_group(&info, frames, params, 1);
    quieten(&mut g, &info);
    (info, g)
}

fn quieten(g: &mut Group, info: &VideoInfo) {
    let graph = g.arch.lower(info, g.frames).expect("a graph");
    for (t, spec) in g.network.tensors.iter_mut().zip(&graph.tensors) {
        if spec.role == Role::Weight {
            t.step = QuantStep::nearest(t.step.value() * GAIN);
        }
    }
}

fn nerv(plus: Option<NervppHeader>) -> (VideoInfo, Group) {
    let stage = |(stride, kernel, channels)| HnervStage {
        stride,
        kernel,
        channels,
    };
    let stages: Vec<HnervStage> = [(5, 1, 28), (3, 3, 20), (2, 3, 16), (2, 3, 14), (2, 3, 12)]
        .map(stage)
        .to_vec();
    let header = NervHeader {
        levels: 8,
        hidden: 64,
        rows: 2,
        columns: 4,
        channels: 32,
        curve: 0,
        head_kernel: 3,
        stages: 5,
    };
    group(
        Arch::Nerv(Nerv {
            header,
            plus,
            stages,
        }),
        48,
    )
}

fn nirvana() -> (VideoInfo, Group) {
    let header = NirvanaHeader {
        rows: 8,
        columns: 13,
        layers: 3,
        hidden: 64,
        features: 6,
        cell: 16,
        kernel: 3,
        stride: 2,
        channels: 12,
        head_kernel: 3,
    };
    group(Arch::Nirvana(Nirvana { header }), 3)
}

/// Random weights for `arch`, as the tests' HNeRVs have them.
fn group(arch: Arch, frames: usize) -> (VideoInfo, Group) {
    let info = common::info(416, 240, Chroma::Yuv420, 8);
    let graph = arch.lower(&info, frames).expect("a graph");
    let mut rng = Rng(1);
    let mut network = blank_network(&graph);
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
    let mut g = Group {
        arch,
        network,
        latents: Vec::new(),
        frames,
    };
    quieten(&mut g, &info);
    (info, g)
}
