//! Encodes at the edges: tiny pictures, few frames, every representation and target, budgets from a
//! byte to more than the source.
//!
//! Every encode gives a file that decodes to as many frames, or misses its target and says so;
//! nothing else, and no panic. `NVC_EDGE_CASES` is the number of cases in all.

#[path = "../../../tests/common/mod.rs"]
mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::Rng;
use nvc::Error;
use nvc::decoder::{self, StreamDecoder};
use nvc::frame::{Chroma, Frame, VideoInfo};
use nvc_encoder::plan::Preset;
use nvc_encoder::{Count, Family, Observer, Options, encode};
use nvc_media::FrameSource;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Cases unless asked otherwise: under a minute on two cores.
const CASES: u32 = 60;

/// What pictures hold.
#[derive(Clone, Copy, Debug)]
enum Content {
    Flat,
    Slope,
    Noise,
}

/// One encode.
#[derive(Clone, Debug)]
struct Case {
    info: VideoInfo,
    frames: usize,
    content: Content,
    /// Whether the source knows its length.
    known: bool,
    options: Options,
}

/// Frames in memory.
struct Memory {
    info: VideoInfo,
    frames: std::vec::IntoIter<Frame>,
    hint: Option<u64>,
}

impl FrameSource for Memory {
    fn info(&self) -> &VideoInfo {
        &self.info
    }
    fn read(&mut self) -> nvc::Result<Option<Frame>> {
        Ok(self.frames.next())
    }
    fn frames_hint(&self) -> Option<u64> {
        self.hint
    }
}

impl Case {
    fn source(&self) -> Memory {
        let mut rng = Rng(7);
        let most = u64::from(self.info.format.max_value());
        let frame = |t: usize| {
            let mut f = Frame::new(self.info.format, self.info.width, self.info.height);
            for p in &mut f.planes {
                let width = p.width;
                for (i, v) in p.data.iter_mut().enumerate() {
                    let (x, y) = ((i % width) as u64, (i / width) as u64);
                    *v = match self.content {
                        Content::Flat => most / 3,
                        Content::Slope => (x * 5 + y * 3 + t as u64 * 7) % (most + 1),
                        Content::Noise => rng.next() % (most + 1),
                    } as u16;
                }
            }
            f
        };
        let frames: Vec<Frame> = (0..self.frames).map(frame).collect();
        Memory {
            info: self.info,
            frames: frames.into_iter(),
            hint: self.known.then_some(self.frames as u64),
        }
    }

    /// What is wrong, if anything.
    fn fault(&self) -> Result<(), String> {
        struct Quiet;
        impl Observer for Quiet {}
        let mut file = Vec::new();
        let report = encode(&mut self.source(), &mut file, &self.options, &mut Quiet)
            .map_err(|e| format!("encode: {e}"))?;
        if !matches!(report.check_target(), Ok(()) | Err(Error::Target(_))) {
            return Err("another error than a missed target".into());
        }
        if report.bytes != file.len() as u64 {
            return Err(format!(
                "{} bytes reported, {} written",
                report.bytes,
                file.len()
            ));
        }
        let options = decoder::Options {
            threads: 1,
            ..Default::default()
        };
        let mut frames = 0;
        StreamDecoder::new(std::io::Cursor::new(file), options)
            .and_then(|mut d| {
                d.decode(0..u64::MAX, &mut |_, _| {
                    frames += 1;
                    Ok(())
                })
            })
            .map_err(|e| format!("decode: {e}"))?;
        if frames == self.frames {
            Ok(())
        } else {
            Err(format!("{frames} frames decoded"))
        }
    }
}

/// A number between `low` and `high`, as likely in each octave.
fn octaves(low: f64, high: f64) -> impl Strategy<Value = f64> {
    (0.0..=1.0f64).prop_map(move |t| low * (high / low).powf(t))
}

/// What is asked for; bytes and bits as a share, by octaves, of the way from one byte to 48 bits a
/// sample.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Bytes(f64),
    Bpp(f64),
    Psnr(f64),
    Crf(f64),
    ModelSize(f64),
}

fn sizes() -> BoxedStrategy<Wanted> {
    prop_oneof![
        (0.0..=1.0f64).prop_map(Wanted::Bytes),
        (0.0..=1.0f64).prop_map(Wanted::Bpp)
    ]
    .boxed()
}

fn qualities() -> BoxedStrategy<Wanted> {
    prop_oneof![
        3 => (10.0..=70.0f64).prop_map(Wanted::Psnr),
        3 => (0.0..=63.0f64).prop_map(Wanted::Crf),
        2 => octaves(100.0, 2e5).prop_map(Wanted::ModelSize),
    ]
    .boxed()
}

fn cases(wanted: BoxedStrategy<Wanted>) -> impl Strategy<Value = Case> {
    let side = || prop_oneof![1usize..=8, 1usize..=64];
    let chroma = prop::sample::select(vec![
        Chroma::Gray,
        Chroma::Yuv420,
        Chroma::Yuv444,
        Chroma::Rgb,
    ]);
    let families = vec![
        Family::Auto,
        Family::Hnerv,
        Family::Nerv,
        Family::Nervpp,
        Family::Nirvana,
        Family::Pyramid,
    ];
    let content = prop::sample::select(vec![Content::Flat, Content::Slope, Content::Noise]);
    let pictures = (
        side(),
        side(),
        1usize..=12,
        chroma,
        prop::sample::select(vec![8u8, 10]),
        content,
    );
    let fit = (
        prop::sample::select(families),
        10usize..=20,
        1usize..=3,
        any::<u64>(),
    );
    let split = (
        prop::option::weighted(0.3, 1usize..=6),
        prop::option::weighted(0.3, 1usize..=3),
        0usize..=2,
        any::<bool>(),
    );
    (pictures, fit, split, wanted).prop_map(|(pictures, fit, split, wanted)| {
        let (width, height, frames, chroma, bit_depth, content) = pictures;
        let (family, steps, batch, seed) = fit;
        let (group, section, jobs, known) = split;
        let info = common::info(width, height, chroma, bit_depth);
        let most = 6.0 * (frames * width * height) as f64;
        let bytes = |t: f64| most.powf(t).max(1.0);
        let mut options = Options {
            arch: family,
            preset: Preset::Ultrafast,
            steps: Some(steps),
            group: Count(group),
            section: Count(section),
            batch,
            seed,
            threads: 1,
            jobs,
            ..Options::default()
        };
        if options.arch.is_still() {
            (options.batch, options.group) = (1, Count(None));
            if let Wanted::ModelSize(_) = wanted {
                options.arch = Family::Hnerv;
            }
        }
        match wanted {
            Wanted::Bytes(t) => options.size = Some(bytes(t).floor()),
            Wanted::Bpp(t) => options.bpp = Some(48.0 * bytes(t) / most),
            Wanted::Psnr(p) => options.psnr = Some(p),
            Wanted::Crf(q) => options.crf = Some(q),
            Wanted::ModelSize(p) => options.model_size = Some(p),
        }
        // bytes of the file want a known length
        Case {
            info,
            frames,
            content,
            known: known || matches!(wanted, Wanted::Bytes(_)),
            options,
        }
    })
}

/// Half of the cases with targets from `wanted`, the same ones every time.
fn check(wanted: BoxedStrategy<Wanted>) {
    let all = std::env::var("NVC_EDGE_CASES").map_or(CASES, |n| {
        n.parse().expect("NVC_EDGE_CASES is a number of cases")
    });
    let config = Config {
        cases: all.div_ceil(2),
        failure_persistence: None,
        max_shrink_iters: 40,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let result = runner.run(&cases(wanted), |case| {
        let fault = catch_unwind(AssertUnwindSafe(|| case.fault()))
            .unwrap_or_else(|_| Err("a panic".into()));
        fault.map_err(TestCaseError::fail)
    });
    if let Err(e) = result {
        panic!("{e}");
    }
}

#[test]
fn sizes_from_a_byte_on() {
    check(sizes());
}

#[test]
fn qualities_and_model_sizes() {
    check(qualities());
}
