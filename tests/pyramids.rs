//! Pyramids: every level of instructions and every number of strips gives what the reference does.

#[path = "conformance/blocks.rs"]
#[allow(dead_code)]
mod blocks;
mod common;
#[path = "conformance/pyramids.rs"]
mod pyramids;

use common::{Rng, info};
use nvc::decoder::{Options, StreamDecoder};
use nvc::entropy::context_network::{BATCH, ContextNetwork, Plain, Predicted, Predictor};
use nvc::frame::{Chroma, Frame};
use nvc::synth::{SimdLevel, Synth, predictor};
use pyramids::{pyramid, random};

#[test]
fn pictures_are_those_of_the_reference() {
    let mut rng = Rng(5);
    let mut below = |n: u64| (rng.next() % n) as usize;
    for i in 0..60 {
        let chroma = Chroma::ALL[i % 6];
        let info = info(1 + below(70), 1 + below(90), chroma, [8, 10][below(2)]);
        // the first are as the format's bounds have it
        let bounds = [(1, 2047, 1), (16, 1, 40), (2, 127, 255), (3, 900, 256)].get(i);
        let (grids, reach, hidden) = bounds.copied().unwrap_or((
            2 + below(5) as u32,
            [1, 40, 127, 900][below(4)],
            1 + below(40) as u32,
        ));
        let net = pyramid(grids, reach, 4, hidden);
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
fn large_passes_that_are_not_fused_are_computed_one_by_one() {
    let at_once = |w, h, level| {
        let info = info(w, h, Chroma::Rgb, 8);
        let g = random(&info, pyramid(3, 20, 4, 8), 1, 1);
        let graph = g.arch.lower(&info, 1).unwrap();
        let synth = Synth::new(&graph, &g.network, &info, level).unwrap();
        synth.at_once(16)
    };
    assert_eq!(at_once(1024, 1024, SimdLevel::detect()), 16);
    assert_eq!(at_once(1024, 1024, SimdLevel::Reference), 1);
    assert_eq!(at_once(64, 64, SimdLevel::Reference), 16);
}

#[test]
fn photographs_are_within_the_limits() {
    let of = |w, h| info(w, h, Chroma::Rgb, 8);
    let mut g = random(&of(64, 64), pyramid(7, 20, 24, 40), 1, 1);
    let asks = |i| g.arch.lower(&i, 1).unwrap().asks(1);
    let level = |w: usize, h: usize| {
        let frame_samples = (w * h) as u64;
        let asked = nvc::bitstream::Limits {
            frame_samples,
            ..asks(of(w, h))
        };
        asked.level()
    };
    assert_eq!(level(768, 512), Some(1));
    assert_eq!(level(6000, 4000), Some(4));
    assert_eq!(level(8192, 8192), Some(4));
    let big = of(8192, 8192);
    let graph = g.arch.lower(&big, 1).unwrap();
    graph.check(1, &nvc::bitstream::Limits::default()).unwrap();
    // only the fused executor computes them in strips; the others have all activations at once
    let small = of(64, 64);
    let graph = g.arch.lower(&small, 1).unwrap();
    let limits = nvc::bitstream::Limits {
        pass_activations: graph.activations() - 1,
        ..Default::default()
    };
    let decode = |g: &nvc::group::Group, level| {
        let file = blocks::one(&small, g.clone());
        let options = Options {
            level,
            limits,
            ..Options::default()
        };
        let mut d = StreamDecoder::new(std::io::Cursor::new(file), options)?;
        d.decode(0..1, &mut |_, _| Ok(()))
    };
    decode(&g, SimdLevel::detect()).unwrap();
    let refused = |e: nvc::Error| e.to_string().contains("not fused");
    assert!(refused(decode(&g, SimdLevel::Reference).unwrap_err()));
    let hidden = graph
        .tensors
        .iter()
        .position(|t| t.name == "head0.hidden.weight");
    g.network.tensors[hidden.unwrap()].values.fill(32767);
    assert!(refused(decode(&g, SimdLevel::detect()).unwrap_err()));
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

/// The file of a group, decoded with its sides halved so often.
fn decoded(file: &[u8], halvings: u8) -> nvc::Result<Vec<Frame>> {
    let options = Options {
        halvings,
        ..Options::default()
    };
    let mut decoder = StreamDecoder::new(std::io::Cursor::new(file.to_vec()), options)?;
    let info = *decoder.info();
    let mut frames = Vec::new();
    decoder.decode(0..u64::MAX, &mut |_, frame| {
        let sizes = |f: &Frame| {
            f.planes
                .iter()
                .map(|p| (p.width, p.height))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            sizes(&frame),
            sizes(&Frame::new(info.format, info.width, info.height))
        );
        frames.push(frame);
        Ok(())
    })?;
    Ok(frames)
}

#[test]
fn previews_need_the_coarser_grids_alone() {
    for (i, chroma) in Chroma::ALL.into_iter().enumerate() {
        for frames in [1, 2] {
            let info = info(37, 50, chroma, 8);
            let mut g = random(&info, pyramid(5, 30, 6, 7), frames, i as u64);
            let whole = blocks::one(&info, g.clone());
            let graph = g.arch.lower(&info, frames).unwrap();
            let len = graph.latent_len();
            let quarter = decoded(&whole, 2).unwrap();
            assert_eq!(quarter.len(), frames);
            assert_eq!(
                (quarter[0].planes[0].width, quarter[0].planes[0].height),
                (10, 13)
            );
            // what the two finest grids hold does not matter
            let two = 50 * 37 + 25 * 19;
            g.latents.chunks_mut(len).for_each(|f| f[..two].fill(3));
            let other = blocks::one(&info, g.clone());
            assert!(decoded(&other, 2).unwrap() == quarter);
            assert!(decoded(&other, 1).unwrap() != decoded(&whole, 1).unwrap());
            // the third does
            g.latents
                .chunks_mut(len)
                .for_each(|f| f[two..two + 130].fill(-3));
            assert!(decoded(&blocks::one(&info, g), 2).unwrap() != quarter);
        }
    }
}

#[test]
fn a_preview_is_the_picture_in_small() {
    // a picture that its coarse grids make: the fine ones are empty
    let info = info(64, 48, Chroma::Gray, 8);
    let mut g = random(&info, pyramid(4, 30, 4, 6), 1, 9);
    let fine = 64 * 48 + 32 * 24;
    g.latents[..fine].fill(0);
    let file = blocks::one(&info, g);
    let (whole, half) = (decoded(&file, 0).unwrap(), decoded(&file, 1).unwrap());
    let (whole, half) = (&whole[0].planes[0], &half[0].planes[0]);
    let mut error = 0.0;
    for (y, row) in half.data.chunks(32).enumerate() {
        for (x, v) in row.iter().enumerate() {
            let at = |dy: usize, dx: usize| f64::from(whole.data[(2 * y + dy) * 64 + 2 * x + dx]);
            let mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0;
            error += (mean - f64::from(*v)).powi(2) / half.data.len() as f64;
        }
    }
    let mean = whole.data.iter().map(|v| f64::from(*v)).sum::<f64>() / whole.data.len() as f64;
    let variance = whole
        .data
        .iter()
        .map(|v| (f64::from(*v) - mean).powi(2))
        .sum::<f64>();
    assert!(error < 0.2 * variance / whole.data.len() as f64, "{error}");
}

#[test]
fn previews_that_do_not_exist_are_refused() {
    let gray = info(9, 9, Chroma::Gray, 8);
    let file = blocks::one(&gray, random(&gray, pyramid(3, 5, 4, 4), 1, 1));
    assert!(decoded(&file, 2).is_ok());
    let error = decoded(&file, 3).unwrap_err().to_string();
    assert!(
        error.contains("scale 1/8 of 3 grids (allowed 1/1 to 1/4)"),
        "{error}"
    );
    let error = decoded(&file, 16).unwrap_err().to_string();
    assert!(error.contains("16 halvings"), "{error}");
    // chroma needs a grid of its own
    let yuv = info(9, 9, Chroma::Yuv420, 8);
    let file = blocks::one(&yuv, random(&yuv, pyramid(3, 5, 4, 4), 1, 1));
    let error = decoded(&file, 2).unwrap_err().to_string();
    assert!(error.contains("allowed 1/1 to 1/2"), "{error}");
    let net = blocks::gray8_net();
    let file = blocks::one(&blocks::gray8(), blocks::group(&blocks::gray8(), net, 1, 1));
    let error = decoded(&file, 1).unwrap_err().to_string();
    assert!(error.contains("scale 1/2 of hnerv"), "{error}");
}
