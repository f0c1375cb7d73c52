//! Random graphs: every level of the executor, with any number of strips and threads, gives the reference's samples.

mod common;

use common::{Rng, info};
use nvc::decoder;
use nvc::entropy::tensor::{Network, Step, blank_network};
use nvc::frame::{Chroma, Frame, VideoInfo};
use nvc::network::{Graph, Role};
use nvc::synth::{Level, Synth};

/// How large the weights are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weights {
    /// As fitted: sums fit 32 bits, activations differ by less than 16.
    Fitted,
    /// Activations saturate, so that differences of rows do not fit 16 bits.
    Loud,
    /// Sums need 64 bits.
    Wide,
    /// Sums fit 32 bits, but not those of two weights 16.
    Steep,
}

fn below(rng: &mut Rng, n: u64) -> usize {
    (rng.next() % n) as usize
}

/// Convolutions of any kernel, with and without shuffles and GELUs, some read twice, and an output of each plane.
fn graph(rng: &mut Rng, chroma: Chroma) -> Graph {
    let mut g = Graph::new([1 + below(rng, 5), 1 + below(rng, 4), 1 + below(rng, 7)]);
    let mut x = 0;
    let mut before = 0;
    let layers = 1 + below(rng, 4);
    for i in 0..layers {
        // the chroma planes of 4:2:0 come from half the last resolution
        let factor = if i + 1 == layers && chroma == Chroma::Yuv420 { 2 } else { [1, 1, 2, 2, 3, 4, 5][below(rng, 7)] };
        let [_, height, width] = g.nodes[x].shape;
        let factor = if height * width * factor * factor > 8000 && factor != 2 { 1 } else { factor };
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

fn network(rng: &mut Rng, graph: &Graph, kind: Weights) -> Network {
    let mut n = blank_network(graph);
    n.latent_step = Step::nearest(1.0 / 16.0);
    for (t, spec) in n.tensors.iter_mut().zip(&graph.tensors) {
        let fan_in = (spec.shape[1] * spec.shape[2] * spec.shape[3]) as f64;
        let (mean, max, gain) = match kind {
            Weights::Fitted => (8, 200, 0.1),
            Weights::Loud => (8, 200, 0.6),
            Weights::Wide => (30000, 32767, 0.0001),
            Weights::Steep => (1, 3, 0.6),
        };
        t.step = Step::nearest(gain / fan_in.sqrt());
        t.values.iter_mut().for_each(|v| *v = rng.laplace(mean, max));
        if kind == Weights::Steep && spec.role == Role::Weight && fan_in > 2.0 {
            // the same place of the kernel's first two rows
            let below = spec.shape[3].min(t.values.len() - 1);
            (t.values[0], t.values[below]) = (30000, 30000);
        }
    }
    for (s, node) in n.scales.iter_mut().zip(&graph.nodes) {
        *s = if node.op.has_scale() { 7 + below(rng, 5) as u8 } else { 0 };
    }
    n.scales[0] = 4;
    n
}

fn picture(graph: &Graph, net: &Network, info: &VideoInfo, latent: &[i16], level: Level, strips: usize) -> Frame {
    let synth = Synth::new(graph, net, info, level).unwrap();
    let mut ws = synth.workspace_in_strips(strips);
    // twice: what the first leaves in the buffers must not show
    let source = synth.source(0, latent);
    let first = synth.frames(&source, &mut ws);
    let again = synth.frames(&source, &mut ws);
    assert!(first == again, "{level:?}: a second picture differs");
    first.into_iter().next().unwrap()
}

#[test]
fn random_graphs_give_the_reference_s_samples() {
    let mut rng = Rng(11);
    let mut flat = 0;
    let cases = if cfg!(debug_assertions) { 120 } else { 400 };
    for case in 0..cases {
        let chroma = [Chroma::Yuv420, Chroma::Rgb, Chroma::Yuv444, Chroma::Gray][case % 4];
        let kind = [Weights::Fitted, Weights::Loud, Weights::Wide, Weights::Fitted, Weights::Steep][case % 5];
        let g = graph(&mut rng, chroma);
        let [_, height, width] = g.nodes[g.outputs[0].node].shape;
        // crop by a row and a column where there are enough
        let (w, h) = (width - usize::from(width > 2 && case % 3 == 0), height - usize::from(height > 2 && case % 2 == 0));
        let info = info(w, h, chroma, if case % 7 == 0 { 10 } else { 8 });
        let net = network(&mut rng, &g, kind);
        let latent: Vec<i16> = (0..g.latent_len()).map(|_| rng.laplace(20, 200)).collect();
        let Ok(synth) = Synth::new(&g, &net, &info, Level::Reference) else { panic!("case {case}: refused") };
        let reference = synth.frames(&synth.source(0, &latent), &mut synth.workspace()).remove(0);
        flat += usize::from(reference.planes[0].data.iter().all(|&v| v == reference.planes[0].data[0]));
        for level in Level::available().skip(1) {
            for strips in [1, 2, 3 + case % 5] {
                let got = picture(&g, &net, &info, &latent, level, strips);
                assert!(got == reference, "case {case}: {w}x{h} {chroma:?} {kind:?} differs at {level:?}, {strips} strips: {g:?}");
            }
        }
    }
    assert!(flat * 3 < cases, "{flat} of {cases} pictures are flat");
}

#[test]
fn wide_pictures_use_every_tile() {
    let mut rng = Rng(5);
    // every remainder of a tile's columns, several tiles
    for width in (1..=18).chain([31, 33, 47, 48, 49, 63, 65, 80, 95, 97, 127, 129, 200]) {
        for (kind, kernel) in [(Weights::Fitted, 5), (Weights::Loud, 3)] {
            let mut g = Graph::new([3, 7, width]);
            let c = g.conv2d("a", 0, 9 * 4, kernel);
            let s = g.pixel_shuffle(c, 2);
            let x = g.gelu(s);
            let head = g.conv2d("head", x, 3, 3);
            (0..3).for_each(|c| g.output(head, c));
            let info = info(2 * width, 14, Chroma::Rgb, 8);
            let net = network(&mut rng, &g, kind);
            let latent: Vec<i16> = (0..g.latent_len()).map(|_| rng.laplace(20, 200)).collect();
            let reference = picture(&g, &net, &info, &latent, Level::Reference, 1);
            for level in Level::available() {
                assert!(picture(&g, &net, &info, &latent, level, 2) == reference, "{width} columns, {level:?}");
            }
        }
    }
}

/// Behind a GELU, sums of large weights of both signs fit 32 bits where those of one sign would not.
#[test]
fn sums_at_the_edge_of_32_bits_come_out_right() {
    let mut rng = Rng(3);
    for (plus, minus) in [(65000, 60000), (60000, 65000), (66000, 1000), (125000, 0), (0, 125000), (65535, 0)] {
        for kernel in [1, 3, 5] {
            let mut g = Graph::new([9, 6, 20]);
            let c = g.conv2d("a", 0, 10, 3);
            let x = g.gelu(c);
            let head = g.conv2d("head", x, 3, kernel);
            (0..3).for_each(|c| g.output(head, c));
            let mut net = network(&mut rng, &g, Weights::Loud);
            // every activation that is not near 0 is as large as can be
            net.tensors[1].values.fill(32767);
            net.tensors[1].step = Step::nearest(1.0);
            let half = 5 * kernel * kernel;
            for (i, v) in net.tensors[2].values.iter_mut().enumerate() {
                *v = if i / (kernel * kernel) % 2 == 0 { plus / half as i32 } else { -minus / half as i32 }.clamp(-32767, 32767) as i16;
            }
            net.tensors[2].step = Step::nearest(1.0 / 40000.0);
            let info = info(20, 6, Chroma::Rgb, 8);
            let latent: Vec<i16> = (0..g.latent_len()).map(|_| rng.laplace(20, 200)).collect();
            let reference = picture(&g, &net, &info, &latent, Level::Reference, 1);
            for level in Level::available() {
                let got = picture(&g, &net, &info, &latent, level, 1);
                assert!(got == reference, "{plus} and -{minus}, kernel {kernel}: {level:?} differs");
            }
        }
    }
}

/// Frames come in order and are the same with any number of threads, also where pictures are cut into strips.
#[test]
fn threads_do_not_show() {
    let info = info(176, 144, Chroma::Yuv420, 8);
    let g = common::random_group(&info, 5, 12_000.0, 4);
    let graph = g.arch.lower(&info, g.frames).unwrap();
    let synth = Synth::new(&graph, &g.network, &info, Level::detect()).unwrap();
    let mut ws = synth.workspace();
    let expected: Vec<Frame> = (0..5).flat_map(|pass| synth.frames(&synth.source(pass, &g.latents), &mut ws)).collect();
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
            assert!(got == expected[..count], "{count} frames on {threads} threads");
            // from one of the pool's own threads, as a caller may
            let mut inside = 0;
            pool.install(|| decoder::frames(&pool, &synth, &g.latents, 0..count, &mut |_, _| Ok(())).map(|()| inside += 1)).unwrap();
            assert_eq!(inside, 1);
        }
    }
}
