//! Random networks of the families after the first, and chains of groups.

use nvc::bitstream::header::{HnervStage, NervHeader, NervppHeader, NirvanaHeader};
use nvc::decoder::{Options, StreamDecoder};
use nvc::entropy::scaled::{Field, Scaled, neighbours};
use nvc::frame::VideoInfo;
use nvc::group::Group;
use nvc::network::Arch;
use nvc::network::hnerv::Hnerv;
use nvc::network::nerv::Nerv;
use nvc::network::nirvana::Nirvana;
use nvc::synth::SimdLevel;

pub use super::blocks::random;
use super::blocks::{file, group_after, hnerv};
use crate::common::Rng;

fn stages_of(stages: &[[u32; 3]]) -> Vec<HnervStage> {
    stages
        .iter()
        .map(|&[stride, kernel, channels]| HnervStage {
            stride,
            kernel,
            channels,
        })
        .collect()
}

/// `first` is rows, columns and channels of the first feature map; a stage is stride, kernel,
/// channels.
pub fn nerv(levels: u32, hidden: u32, first: [u32; 3], swish: bool, stages: &[[u32; 3]]) -> Nerv {
    let [rows, columns, channels] = first;
    let stages = stages_of(stages);
    let header = NervHeader {
        levels,
        hidden,
        rows,
        columns,
        channels,
        curve: swish.into(),
        head_kernel: 3,
        stages: stages.len() as u32,
    };
    Nerv {
        header,
        plus: None,
        stages,
    }
}

/// The same with residual blocks.
pub fn plus(mut net: Nerv, before: u32, after: u32, kernel: u32) -> Nerv {
    net.plus = Some(NervppHeader {
        before,
        after,
        kernel,
    });
    net
}

/// `grid` is rows and columns, `cell` its size and channels; then stride, kernel and channels of
/// each frame.
pub fn nirvana(grid: [u32; 2], layers: u32, hidden: u32, cell: [u32; 2], own: [u32; 3]) -> Nirvana {
    let [stride, kernel, channels] = own;
    let [rows, columns] = grid;
    let header = NirvanaHeader {
        rows,
        columns,
        layers,
        hidden,
        features: cell[1],
        cell: cell[0],
        kernel,
        stride,
        channels,
        head_kernel: 3,
    };
    Nirvana { header }
}

/// An HNeRV with the closed range.
pub fn tanh(latent: [u32; 3], stem_channels: u32, stages: &[[u32; 3]]) -> Hnerv {
    Hnerv {
        tanh: true,
        ..hnerv(latent, stem_channels, 3, stages)
    }
}

/// A network of 8x8 gray of each family, in the order of their ids.
pub fn of_8x8() -> [Arch; 4] {
    [
        Arch::Nerv(nerv(3, 5, [2, 2, 4], false, &[[4, 3, 4]])),
        Arch::Nerv(plus(nerv(3, 5, [2, 2, 4], true, &[[4, 3, 4]]), 1, 1, 3)),
        Arch::Nirvana(nirvana([2, 2], 2, 5, [2, 4], [2, 3, 3])),
        Arch::Hnerv(tanh([2, 2, 2], 4, &[[4, 3, 3]])),
    ]
}

/// The group after `before`: the same network but for small changes in some tensors, for `frames`
/// frames.
pub fn next(info: &VideoInfo, before: &Group, frames: usize, seed: u64) -> Group {
    let mut rng = Rng(seed);
    let mut g = random(info, before.arch.clone(), frames, seed);
    for (i, (t, old)) in g
        .network
        .tensors
        .iter_mut()
        .zip(&before.network.tensors)
        .enumerate()
    {
        // every seventh tensor has nothing to do with the one before
        if t.values.len() != old.values.len() || i % 7 == 6 {
            continue;
        }
        *t = old.clone();
        t.scaled = None;
        t.values
            .iter_mut()
            .for_each(|v| *v += rng.laplace(1, 3) * i16::from(rng.next().is_multiple_of(4)));
    }
    for (f, &old) in g
        .network
        .frac_bits
        .iter_mut()
        .zip(&before.network.frac_bits)
    {
        *f = if *f > 0 && old > 0 {
            old - u8::from(rng.next().is_multiple_of(4))
        } else {
            *f
        };
    }
    g
}

/// Panics unless the tensors of every group but the first are coded as differences where `min`
/// bytes or more are at stake.
pub fn leaning(info: &VideoInfo, groups: Vec<Group>, min: usize) -> Vec<Group> {
    for pair in groups.windows(2) {
        let [alone, after] =
            [None, Some(&pair[0].network)].map(|p| group_after(info, &pair[1], p).len());
        assert!(
            after + min <= alone,
            "{after} bytes after the group before, {alone} alone"
        );
    }
    groups
}

/// How a scaled tensor is made up (spec section 4.7).
#[derive(Clone, Copy)]
pub struct Tuning {
    pub axes: u8,
    pub factor: u8,
    pub ends: bool,
    /// Of scales, offsets and values.
    pub bits: [u8; 3],
    /// Of scales and offsets.
    pub units: [i16; 2],
    /// Scale and offset where there is one slice alone, from 0.
    pub single: [u16; 2],
}

impl Tuning {
    pub const USUAL: Tuning = Tuning {
        axes: 0,
        factor: 0,
        ends: false,
        bits: [4, 3, 6],
        units: [8192, 40],
        single: [7, 1024 + 5],
    };
}

/// The group with all tensors and the latents scaled ones: slices along every choice of axes, all
/// factors up to 3.
pub fn scaled(info: &VideoInfo, g: Group, seed: u64) -> Group {
    let tuning = |i: usize| Tuning {
        axes: i as u8 * 5 % 16,
        factor: i as u8 % 4,
        ends: i % 3 == 1,
        ..Tuning::USUAL
    };
    scaled_by(info, g, seed, &tuning)
}

/// The group with all tensors and the latents scaled ones, the tensors by their number.
pub fn scaled_by(
    info: &VideoInfo,
    mut g: Group,
    seed: u64,
    tuning: &dyn Fn(usize) -> Tuning,
) -> Group {
    let mut rng = Rng(seed);
    let graph = g.arch.lower(info, g.frames).unwrap();
    for (i, (t, spec)) in g.network.tensors.iter_mut().zip(&graph.tensors).enumerate() {
        t.scaled = Some(Box::new(scaled_tensor(spec.shape, tuning(i), &mut rng)));
    }
    let [c, h, w] = graph.latent_shape();
    if graph.has_latents() {
        let tuning = Tuning {
            axes: 2,
            factor: 1,
            ..Tuning::USUAL
        };
        g.network.scaled_latents = Some(Box::new(scaled_tensor(
            [g.frames, c, h, w],
            tuning,
            &mut rng,
        )));
    }
    // values follow from what is written
    let bytes = file(info, &[vec![g]]);
    let section = StreamDecoder::new(&bytes[..], Options::default())
        .unwrap()
        .next_section()
        .unwrap()
        .unwrap();
    let mut read = None;
    section
        .groups_in(0..u64::MAX, SimdLevel::Reference, &mut |_, _, g| {
            read = Some(g);
            Ok(())
        })
        .unwrap();
    read.unwrap()
}

fn scaled_tensor(shape: [usize; 4], tuning: Tuning, rng: &mut Rng) -> Scaled {
    let Tuning {
        axes,
        factor,
        ends,
        bits,
        units,
        single,
    } = tuning;
    let mut tensor = Scaled {
        axes,
        scale_unit: units[0],
        offset_unit: units[1],
        ..Scaled::default()
    };
    let slices = tensor.slices(shape);
    if slices == [1; 4] {
        let alone = |v: u16| Field {
            bits: 11,
            values: vec![v],
            ..Field::default()
        };
        (tensor.scales, tensor.offsets) = (alone(single[0]), alone(single[1]));
    } else {
        tensor.scales = field(slices, bits[0], factor, false, rng);
        tensor.offsets = field(slices, bits[1], 0, false, rng);
    }
    tensor.values = field(shape, bits[2], factor, ends, rng);
    tensor
}

fn field(shape: [usize; 4], bits: u8, factor: u8, ends: bool, rng: &mut Rng) -> Field {
    let [o, i, rows, columns] = shape;
    let count = usize::from(factor).pow(2) * neighbours(rows, columns, factor.into()).len();
    let half = 1i16 << (bits - 1);
    let len = |axis: usize| [o, i, rows * columns][axis];
    Field {
        bits,
        ends,
        factor,
        coefficients: (0..count).map(|_| rng.laplace(10, 60)).collect(),
        centre: rng.laplace(2, 9),
        level: 60 + (rng.next() % 20) as u8,
        levels: std::array::from_fn(|axis| {
            (0..if rng.next() & 1 == 0 { len(axis) } else { 0 })
                .map(|_| rng.laplace(3, 20))
                .collect()
        }),
        values: (0..shape.iter().product())
            .map(|_| {
                let spread = (i64::from(half) / 4).max(1);
                (rng.laplace(spread, half.into()) + half).clamp(0, 2 * half - 1) as u16
            })
            .collect(),
    }
}
