//! Pyramids: every level of instructions and every number of strips gives what the reference does.

mod common;
#[path = "conformance/pyramids.rs"]
mod pyramids;

use common::{Rng, info};
use nvc::entropy::context_network::{BATCH, ContextNetwork, Plain, Predicted, Predictor};
use nvc::frame::Chroma;
use nvc::synth::{SimdLevel, Synth, predictor};
use pyramids::{pyramid, random};

const CHROMA: [Chroma; 4] = [Chroma::Gray, Chroma::Yuv420, Chroma::Yuv444, Chroma::Rgb];

#[test]
fn pictures_are_those_of_the_reference() {
    let mut rng = Rng(5);
    let mut below = |n: u64| (rng.next() % n) as usize;
    for i in 0..60 {
        let chroma = CHROMA[i % 4];
        let info = info(1 + below(70), 1 + below(90), chroma, [8, 10][below(2)]);
        let grids = 2 + below(5) as u32;
        let net = pyramid(grids, [1, 40, 127, 900][below(4)], 4, 1 + below(40) as u32);
        let mut g = random(&info, net, 1, i as u64);
        if below(3) == 0 {
            // saturates
            g.network.tensors[7].values.fill(4000);
        }
        if below(3) == 0 {
            g.network
                .tensors
                .iter_mut()
                .for_each(|t| t.step.mantissa += below(90) as u8);
        }
        let graph = g.arch.lower(&info, 1).unwrap();
        let picture = |level, strips| {
            let synth = Synth::new(&graph, &g.network, &info, level).unwrap();
            let fused = synth.is_fused();
            let mut ws = synth.workspace_in_strips(strips);
            (synth.frames(&synth.source(0, &g.latents), &mut ws), fused)
        };
        let (wanted, _) = picture(SimdLevel::Reference, 1);
        for level in SimdLevel::available().skip(1) {
            for strips in [1, 2, 5] {
                let (got, fused) = picture(level, strips);
                assert!(
                    fused && got == wanted,
                    "{info:?}, {grids} grids, {level:?}, {strips} strips"
                );
            }
        }
    }
}

#[test]
fn sums_that_leave_32_bits_are_left_to_the_reference() {
    let info = info(9, 7, Chroma::Rgb, 8);
    let mut g = random(&info, pyramid(3, 20, 4, 8), 1, 1);
    let graph = g.arch.lower(&info, 1).unwrap();
    let fused = |g: &nvc::group::Group| {
        let synth = Synth::new(&graph, &g.network, &info, SimdLevel::detect());
        synth.unwrap().is_fused()
    };
    assert!(fused(&g));
    let hidden = graph
        .tensors
        .iter()
        .position(|t| t.name == "head0.hidden.weight")
        .unwrap();
    g.network.tensors[hidden].values.fill(32767);
    assert!(!fused(&g));
}

#[test]
fn distributions_are_those_of_the_reference() {
    let mut rng = Rng(8);
    for contexts in 1..=40 {
        let info = info(4, 4, Chroma::Gray, 8);
        let g = random(&info, pyramid(1, 127, contexts, 4), 1, contexts.into());
        let network = ContextNetwork::new(&g.network.tensors, 8).unwrap();
        let n = contexts as usize;
        let inputs: Vec<[i16; BATCH]> = (0..n)
            .map(|_| std::array::from_fn(|_| rng.laplace(400, 32000)))
            .collect();
        let run = |p: &mut dyn Predictor, count| {
            let mut out = Predicted {
                mean: [0; BATCH],
                scale: [0; BATCH],
            };
            p.prepare(&network);
            p.predict(&inputs, count, &mut out);
            (out.mean[..count].to_vec(), out.scale[..count].to_vec())
        };
        for level in SimdLevel::available() {
            for count in [1, 17, BATCH] {
                let wanted = run(&mut Plain::default(), count);
                assert_eq!(
                    run(&mut *predictor(level), count),
                    wanted,
                    "{contexts} at {level:?}"
                );
            }
        }
    }
}
