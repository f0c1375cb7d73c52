//! Random graphs: every level of the executor, with any number of strips and threads, gives the
//! reference's samples.

mod common;

use common::steps::RealStep;
use common::{Rng, info};
use nvc::bitstream::header::{HnervHeader, HnervStage, NervHeader, NervppHeader, NirvanaHeader};
use nvc::decoder;
use nvc::entropy::tensor::{QuantizedNetwork, blank_network};
use nvc::frame::{Chroma, Frame, VideoInfo};
use nvc::network::Arch;
use nvc::network::QuantStep;
use nvc::network::hnerv::Hnerv;
use nvc::network::nerv::Nerv;
use nvc::network::nirvana::Nirvana;
use nvc::network::{Activation, Graph, OutputRange, Role};
use nvc::synth::{SimdLevel, Synth};

/// How large the weights are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weights {
    /// As fitted: sums fit 32 bits, activations differ by less than 16.
    Fitted,
    /// Activations saturate, so that differences of rows do not fit 16 bits.
    Saturating,
    /// Sums need 64 bits.
    Wide,
    /// Sums fit 32 bits, but not those of two weights 16.
    Steep,
}

fn below(rng: &mut Rng, n: u64) -> usize {
    (rng.next() % n) as usize
}

/// Convolutions of any kernel, with and without shuffles and GELUs, some read twice, and an output
/// of each plane.
fn graph(rng: &mut Rng, chroma: Chroma) -> Graph {
    let mut g = Graph::new([1 + below(rng, 5), 1 + below(rng, 4), 1 + below(rng, 7)]);
    let mut x = 0;
    let mut before = 0;
    let layers = 1 + below(rng, 4);
    for i in 0..layers {
        // the chroma planes of 4:2:0 come from half the last resolution
        let factor = if i + 1 == layers && chroma == Chroma::Yuv420 {
            2
        } else {
            [1, 1, 2, 2, 3, 4, 5][below(rng, 7)]
        };
        let [_, height, width] = g.nodes[x].shape;
        let factor = if height * width * factor * factor > 8000 && factor != 2 {
            1
        } else {
            factor
        };
        before = x;
        let kernel = [1, 3, 3, 5, 5, 7, 9][below(rng, 7)];
        let out = 1 + below(rng, 11);
        x = g.conv2d(&format!("layer{i}"), x, out * factor * factor, kernel);
        if factor > 1 || rng.next() & 1 == 0 {
            x = g.pixel_shuffle(x, factor);
        }
        if rng.next() & 3 != 0 {
            x = g.gelu(x);
        }
    }
    let kernel = [1, 3, 5][below(rng, 3)];
    match chroma {
        Chroma::Yuv420 => {
            let luma = g.conv2d("luma", x, 1, kernel);
            let both = g.conv2d("chroma", before, 2, 3);
            g.output(luma, 0);
            g.output(both, 0);
            g.output(both, 1);
        }
        Chroma::Gray => {
            // straight from a layer's middle channel
            g.output(x, g.nodes[x].shape[0] / 2);
        }
        _ => {
            let head = g.conv2d("head", x, 3, kernel);
            (0..3).for_each(|c| g.output(head, c));
        }
    }
    g
}

/// Any step may follow any other: what [`graph`] has, depthwise, sums, bilinear, frame codes, stems
/// of one position, several frames.
fn mixed_graph(rng: &mut Rng, chroma: Chroma) -> Graph {
    let curves = [
        Activation::Gelu,
        Activation::Swish,
        Activation::Sine,
        Activation::Tanh,
    ];
    let curve = |rng: &mut Rng, g: &mut Graph, x: usize| {
        if rng.next() & 3 != 0 {
            g.activate(x, curves[below(rng, 4)])
        } else {
            x
        }
    };
    let mut g = match below(rng, 5) {
        0 => Graph::with_grid(1 + below(rng, 4), 1 + below(rng, 14)),
        1 => Graph::with_time(1 + below(rng, 6), 7),
        2 => Graph::new([1 + below(rng, 9), 1, 1]),
        _ => Graph::new([1 + below(rng, 5), 1 + below(rng, 4), 1 + below(rng, 7)]),
    };
    let mut x = 0;
    if g.nodes[0].shape[1..] == [1, 1] {
        for i in 0..below(rng, 3) {
            let c = g.conv2d(
                &format!("stem{i}"),
                x,
                1 + below(rng, 20),
                [1, 3][below(rng, 2)],
            );
            x = curve(rng, &mut g, c);
            x = if rng.next() & 3 == 0 { g.add(x, x) } else { x };
        }
        if rng.next() & 3 != 0 {
            let (channels, rows, columns) =
                (1 + below(rng, 5), 1 + below(rng, 3), 1 + below(rng, 5));
            let c = g.conv2d("spread", x, channels * rows * columns, 1);
            let c = g.reshape(c, rows, columns);
            x = curve(rng, &mut g, c);
        }
    }
    // what a step may read
    let mut ends = vec![x];
    let steps = 1 + below(rng, 7);
    for i in 0..steps {
        let [channels, height, width] = g.nodes[x].shape;
        let name = format!("step{i}");
        let factor = [1, 2, 3, 4, 5, 6, 16][below(rng, 7)];
        let factor = if height * width * factor * factor > 2000 {
            1
        } else {
            factor
        };
        let kernel = [1, 3, 3, 5, 7][below(rng, 5)];
        x = match below(rng, 6) {
            0 => {
                let out = 1 + below(rng, 9);
                let c = g.conv2d(&name, x, out * factor * factor, kernel);
                let c = if factor > 1 {
                    g.pixel_shuffle(c, factor)
                } else {
                    c
                };
                curve(rng, &mut g, c)
            }
            1 | 2 => {
                let d = g.depthwise(&name, x, kernel);
                let d = if channels % 4 == 0 && height * width < 500 && rng.next() & 1 == 0 {
                    g.pixel_shuffle(d, 2)
                } else {
                    d
                };
                curve(rng, &mut g, d)
            }
            3 => {
                let alike: Vec<usize> = ends
                    .iter()
                    .copied()
                    .filter(|&e| g.nodes[e].shape == g.nodes[x].shape)
                    .collect();
                let other = if rng.next() & 1 == 0 {
                    alike[below(rng, alike.len() as u64)]
                } else {
                    g.conv2d(&name, x, channels, 1)
                };
                g.add(x, other)
            }
            4 => g.bilinear(x, factor),
            _ => g.frame_embedding(x, below(rng, 70)),
        };
        ends.push(x);
    }
    let before = x;
    if chroma == Chroma::Yuv420 {
        let c = g.conv2d("last", x, 4 * (1 + below(rng, 9)), 3);
        let p = g.pixel_shuffle(c, 2);
        x = if rng.next() & 1 == 0 {
            g.bilinear(before, 2)
        } else {
            curve(rng, &mut g, p)
        };
    }
    g.frames = 1 + below(rng, 3);
    if rng.next() & 1 == 0 {
        g.output_range = OutputRange::Full;
    }
    for frame in 0..g.frames {
        let own = if g.frames > 1 {
            g.frame_embedding(x, frame)
        } else {
            x
        };
        let kernel = [1, 3, 5][below(rng, 3)];
        let planes = if chroma == Chroma::Yuv420 {
            1
        } else {
            chroma.planes()
        };
        let head = g.conv2d(&format!("frame{frame}"), own, planes, kernel);
        let head = curve(rng, &mut g, head);
        (0..planes).for_each(|c| g.output(head, c));
        if chroma == Chroma::Yuv420 {
            let head = g.conv2d(&format!("frame{frame}.chroma"), before, 2, 3);
            (0..2).for_each(|c| g.output(head, c));
        }
    }
    g
}

/// Headers of every architecture but plain HNeRV, at odd sizes.
fn arch(rng: &mut Rng, info: &VideoInfo) -> Arch {
    let chroma = info.format.chroma;
    let last = if chroma == Chroma::Yuv420 {
        2
    } else {
        1 + below(rng, 4) as u32
    };
    let strides = [2 + below(rng, 3) as u32, last];
    let stages: Vec<HnervStage> = strides
        .iter()
        .map(|&stride| HnervStage {
            stride,
            kernel: [1, 3, 5][below(rng, 3)],
            channels: 2 + below(rng, 9) as u32,
        })
        .collect();
    let grid = |up: u32| [info.height, info.width].map(|n| (n as u32).div_ceil(up));
    let [rows, columns] = grid(strides[0] * last);
    let head_kernel = [1, 3][below(rng, 2)];
    match below(rng, 4) {
        0 => {
            let header = HnervHeader {
                latent_channels: 3,
                latent_height: rows,
                latent_width: columns,
                stem_channels: 1 + below(rng, 9) as u32,
                head_kernel,
                stages: 2,
            };
            Arch::Hnerv(Hnerv {
                header,
                stages,
                tanh: true,
            })
        }
        1 => {
            let (cell, stride) = (1 + below(rng, 16) as u32, last);
            let [rows, columns] = grid(cell * stride);
            let (layers, hidden, channels) = (
                1 + below(rng, 3) as u32,
                1 + below(rng, 12) as u32,
                1 + below(rng, 8) as u32,
            );
            let features = 1 + below(rng, 7) as u32;
            let header = NirvanaHeader {
                rows,
                columns,
                layers,
                hidden,
                features,
                cell,
                kernel: 3,
                stride,
                channels,
                head_kernel,
            };
            Arch::Nirvana(Nirvana { header })
        }
        plus => {
            let (hidden, channels, curve) = (
                1 + below(rng, 40) as u32,
                1 + below(rng, 9) as u32,
                below(rng, 2) as u32,
            );
            let header = NervHeader {
                levels: 8,
                hidden,
                rows,
                columns,
                channels,
                curve,
                head_kernel,
                stages: 2,
            };
            let residuals = NervppHeader {
                before: below(rng, 2) as u32,
                after: below(rng, 3) as u32,
                kernel: [3, 5][below(rng, 2)],
            };
            Arch::Nerv(Nerv {
                header,
                plus: (plus == 2).then_some(residuals),
                stages,
            })
        }
    }
}

fn network(rng: &mut Rng, graph: &Graph, kind: Weights) -> QuantizedNetwork {
    let mut n = blank_network(graph);
    n.latent_step = QuantStep::nearest(1.0 / 16.0);
    for (t, spec) in n.tensors.iter_mut().zip(&graph.tensors) {
        let fan_in = (spec.shape[1] * spec.shape[2] * spec.shape[3]) as f64;
        let (mean, max, gain) = match kind {
            Weights::Fitted => (8, 200, 0.1),
            Weights::Saturating => (8, 200, 0.6),
            Weights::Wide => (30000, 32767, 0.0001),
            Weights::Steep => (1, 3, 0.6),
        };
        t.step = QuantStep::nearest(gain / fan_in.sqrt());
        t.values
            .iter_mut()
            .for_each(|v| *v = rng.laplace(mean, max));
        if kind == Weights::Steep && spec.role == Role::Weight && fan_in > 2.0 {
            // the same place of the kernel's first two rows
            let below = spec.shape[3].min(t.values.len() - 1);
            (t.values[0], t.values[below]) = (30000, 30000);
        }
    }
    for (s, node) in n.frac_bits.iter_mut().zip(&graph.nodes) {
        *s = if node.op.has_frac_bits() {
            7 + below(rng, 5) as u8
        } else {
            0
        };
    }
    if graph.has_latents() {
        n.frac_bits[0] = 4;
    }
    n
}

fn pictures(
    g: &Graph,
    net: &QuantizedNetwork,
    info: &VideoInfo,
    pass: usize,
    latents: &[i16],
    level: SimdLevel,
    strips: usize,
) -> Vec<Frame> {
    let synth = Synth::new(g, net, info, level).unwrap();
    assert_eq!(
        synth.is_fused(),
        level != SimdLevel::Reference,
        "{level:?}: {g:?}"
    );
    let mut ws = synth.workspace_in_strips(strips);
    // twice: what the first leaves in the buffers must not show
    let source = synth.source(pass, latents);
    let first = synth.frames(&source, &mut ws);
    let again = synth.frames(&source, &mut ws);
    assert!(first == again, "{level:?}: a second pass differs");
    first
}

/// Every level gives the reference's pictures, in any number of strips. Returns whether the first
/// plane has one value.
fn check(
    case: usize,
    g: &Graph,
    net: &QuantizedNetwork,
    info: &VideoInfo,
    pass: usize,
    latents: &[i16],
) -> bool {
    let Ok(synth) = Synth::new(g, net, info, SimdLevel::Reference) else {
        panic!("case {case}: refused")
    };
    let reference = synth.frames(&synth.source(pass, latents), &mut synth.workspace());
    assert_eq!(reference.len(), g.frames, "case {case}");
    for level in SimdLevel::available().skip(1) {
        for strips in [1, 2, 3 + case % 5] {
            let got = pictures(g, net, info, pass, latents, level, strips);
            assert!(
                got == reference,
                "case {case}: {info:?} differs at {level:?}, {strips} strips: {g:?}"
            );
        }
    }
    let data = &reference[0].planes[0].data;
    data.iter().all(|v| *v == data[0])
}

const CHROMAS: [Chroma; 4] = [Chroma::Yuv420, Chroma::Rgb, Chroma::Yuv444, Chroma::Gray];
const KINDS: [Weights; 5] = [
    Weights::Fitted,
    Weights::Saturating,
    Weights::Wide,
    Weights::Fitted,
    Weights::Steep,
];

#[test]
fn random_graphs_give_the_reference_s_samples() {
    for (seed, make) in [
        (11, graph as fn(&mut Rng, Chroma) -> Graph),
        (12, mixed_graph),
    ] {
        let mut rng = Rng(seed);
        let mut flat = 0;
        let cases = if cfg!(debug_assertions) { 120 } else { 400 };
        for case in 0..cases {
            let chroma = CHROMAS[case % 4];
            let g = make(&mut rng, chroma);
            let [_, height, width] = g.nodes[g.outputs[0].node].shape;
            // crop by a row and a column where there are enough
            let (w, h) = (
                width - usize::from(width > 2 && case % 3 == 0),
                height - usize::from(height > 2 && case % 2 == 0),
            );
            let info = info(w, h, chroma, if case % 7 == 0 { 10 } else { 8 });
            let net = network(&mut rng, &g, KINDS[case % 5]);
            let latent: Vec<i16> = (0..g.latent_len()).map(|_| rng.laplace(20, 200)).collect();
            flat += usize::from(check(case, &g, &net, &info, 0, &latent) && w * h > 4);
        }
        assert!(flat * 3 < cases, "{flat} of {cases} pictures are flat");
    }
}

#[test]
fn every_architecture_gives_the_reference_s_samples() {
    let mut rng = Rng(13);
    let (mut flat, cases) = (0, if cfg!(debug_assertions) { 60 } else { 300 });
    for case in 0..cases {
        let info = info(
            1 + below(&mut rng, 60),
            1 + below(&mut rng, 40),
            CHROMAS[case % 4],
            if case % 7 == 0 { 10 } else { 8 },
        );
        let frames = 1 + below(&mut rng, 4);
        let arch = arch(&mut rng, &info);
        let g = arch
            .lower(&info, frames)
            .unwrap_or_else(|e| panic!("case {case}: {e}"));
        let net = network(&mut rng, &g, KINDS[case % 5]);
        let passes = g.passes(frames);
        let latents: Vec<i16> = (0..g.latent_len() * passes)
            .map(|_| rng.laplace(20, 200))
            .collect();
        let several = info.width * info.height > 4;
        flat += usize::from(check(case, &g, &net, &info, passes - 1, &latents) && several);
    }
    assert!(flat * 3 < cases, "{flat} of {cases} pictures are flat");
}

#[test]
fn wide_pictures_use_every_tile() {
    let mut rng = Rng(5);
    // every remainder of a tile's columns, several tiles
    for width in (1..=18).chain([31, 33, 47, 48, 49, 63, 65, 80, 95, 97, 127, 129, 200]) {
        for (kind, kernel) in [(Weights::Fitted, 5), (Weights::Saturating, 3)] {
            let mut g = Graph::new([3, 7, width]);
            let c = g.conv2d("a", 0, 9 * 4, kernel);
            let s = g.pixel_shuffle(c, 2);
            let x = g.gelu(s);
            let head = g.conv2d("head", x, 3, 3);
            (0..3).for_each(|c| g.output(head, c));
            let info = info(2 * width, 14, Chroma::Rgb, 8);
            let net = network(&mut rng, &g, kind);
            let latent: Vec<i16> = (0..g.latent_len()).map(|_| rng.laplace(20, 200)).collect();
            let reference = pictures(&g, &net, &info, 0, &latent, SimdLevel::Reference, 1);
            for level in SimdLevel::available() {
                assert!(
                    pictures(&g, &net, &info, 0, &latent, level, 2) == reference,
                    "{width} columns, {level:?}"
                );
            }
        }
    }
}

/// Behind a GELU, sums of large weights of both signs fit 32 bits where those of one sign would
/// not.
#[test]
fn sums_at_the_edge_of_32_bits_come_out_right() {
    let mut rng = Rng(3);
    for (plus, minus) in [
        (65000, 60000),
        (60000, 65000),
        (66000, 1000),
        (125000, 0),
        (0, 125000),
        (65535, 0),
    ] {
        for kernel in [1, 3, 5] {
            let mut g = Graph::new([9, 6, 20]);
            let c = g.conv2d("a", 0, 10, 3);
            let x = g.gelu(c);
            let head = g.conv2d("head", x, 3, kernel);
            (0..3).for_each(|c| g.output(head, c));
            let mut net = network(&mut rng, &g, Weights::Saturating);
            // every activation that is not near 0 is as large as can be
            net.tensors[1].values.fill(32767);
            net.tensors[1].step = QuantStep::nearest(1.0);
            let half = 5 * kernel * kernel;
            for (i, v) in net.tensors[2].values.iter_mut().enumerate() {
                *v = if i / (kernel * kernel) % 2 == 0 {
                    plus / half as i32
                } else {
                    -minus / half as i32
                }
                .clamp(-32767, 32767) as i16;
            }
            net.tensors[2].step = QuantStep::nearest(1.0 / 40000.0);
            let info = info(20, 6, Chroma::Rgb, 8);
            let latent: Vec<i16> = (0..g.latent_len()).map(|_| rng.laplace(20, 200)).collect();
            let reference = pictures(&g, &net, &info, 0, &latent, SimdLevel::Reference, 1);
            for level in SimdLevel::available() {
                let got = pictures(&g, &net, &info, 0, &latent, level, 1);
                assert!(
                    got == reference,
                    "{plus} and -{minus}, kernel {kernel}: {level:?} differs"
                );
            }
        }
    }
}

/// Frames come in order and are the same with any number of threads, also where pictures are cut
/// into strips.
#[test]
fn threads_do_not_show() {
    let info = info(176, 144, Chroma::Yuv420, 8);
    let g = common::random_group(&info, 5, 12_000.0, 4);
    let graph = g.arch.lower(&info, g.frames).unwrap();
    let synth = Synth::new(&graph, &g.network, &info, SimdLevel::detect()).unwrap();
    let mut ws = synth.workspace();
    let expected: Vec<Frame> = (0..5)
        .flat_map(|pass| synth.frames(&synth.source(pass, &g.latents), &mut ws))
        .collect();
    for threads in [1, 2, 3, 4, 8, 16] {
        let pool = decoder::pool(threads).unwrap();
        for count in [1, 2, 5] {
            let mut got = Vec::new();
            decoder::frames(&pool, &synth, &g.latents, 0..count, &mut |i, f| {
                assert_eq!(i, got.len());
                got.push(f);
                Ok(())
            })
            .unwrap();
            assert!(
                got == expected[..count],
                "{count} frames on {threads} threads"
            );
            // from one of the pool's own threads, as a caller may
            let mut inside = 0;
            pool.install(|| {
                decoder::frames(&pool, &synth, &g.latents, 0..count, &mut |_, _| Ok(()))
                    .map(|()| inside += 1)
            })
            .unwrap();
            assert_eq!(inside, 1);
        }
    }
}
