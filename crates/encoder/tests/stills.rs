//! Pictures as pyramids: every format, targets, and the same file whatever the threads.

#[path = "../../../tests/common/mod.rs"]
mod common;

use common::info;
use nvc::Error;
use nvc::frame::{Chroma, Frame, VideoInfo};
use nvc_encoder::plan::Preset;
use nvc_encoder::{Count, Family, Observer, Options, Report, encode};
use nvc_media::FrameSource;

struct Quiet;
impl Observer for Quiet {}

/// What was warned of.
struct Told(Vec<String>);
impl Observer for Told {
    fn warn(&mut self, text: &str) {
        self.0.push(text.into());
    }
}

/// Pictures in memory.
struct Pictures(VideoInfo, Vec<Frame>);

impl FrameSource for Pictures {
    fn info(&self) -> &VideoInfo {
        &self.0
    }
    fn read(&mut self) -> nvc::Result<Option<Frame>> {
        Ok(self.1.pop())
    }
    fn frames_hint(&self) -> Option<u64> {
        Some(self.1.len() as u64)
    }
}

/// `n` pictures of waves, a slope and an edge.
fn pictures(info: VideoInfo, n: usize) -> Pictures {
    let most = f64::from(info.format.max_value());
    let frame = |t: usize| {
        let mut f = Frame::new(info.format, info.width, info.height);
        for (p, plane) in f.planes.iter_mut().enumerate() {
            let (w, h) = (plane.width as f64, plane.height as f64);
            for (i, v) in plane.data.iter_mut().enumerate() {
                let (x, y) = ((i % plane.width) as f64 / w, (i / plane.width) as f64 / h);
                let wave = (9.0 * x + 4.0 * y * y + t as f64 + p as f64).sin();
                let edge = if x + y > 1.2 { 0.2 } else { 0.0 };
                *v = (most * (0.4 + 0.2 * wave + edge + 0.1 * y)).round() as u16;
            }
        }
        if info.format.chroma.has_alpha() {
            f.clip_to_alpha();
        }
        f
    };
    Pictures(info, (0..n).map(frame).collect())
}

fn options(change: impl FnOnce(&mut Options)) -> Options {
    let mut o = Options {
        preset: Preset::Ultrafast,
        steps: Some(120),
        ..Options::default()
    };
    change(&mut o);
    o
}

fn run(mut source: Pictures, options: &Options) -> nvc::Result<(Report, Vec<u8>)> {
    let mut file = Vec::new();
    let report = encode(&mut source, &mut file, options, &mut Quiet)?;
    Ok((report, file))
}

#[test]
fn every_format_is_fitted_and_decodes_to_what_was_fitted() {
    for (chroma, depth, w, h) in [
        (Chroma::Rgb, 8, 48, 40),
        (Chroma::Gray, 8, 61, 33),
        (Chroma::Yuv420, 8, 47, 35),
        (Chroma::Yuv444, 10, 40, 41),
        (Chroma::Yuv420, 10, 64, 30),
        (Chroma::Rgba, 8, 52, 37),
        (Chroma::GrayAlpha, 10, 33, 45),
    ] {
        let source = pictures(info(w, h, chroma, depth), 1);
        // a still is a pyramid unless something else is said
        let (report, file) = run(source, &options(|o| o.crf = Some(20.0))).unwrap();
        let g = &report.groups[0];
        assert_eq!((report.family, g.arch), (Family::Pyramid, "pyramid"));
        assert_eq!(file.len() as u64, report.bytes);
        let off = g.exact_psnr - g.float_psnr;
        // colours above alpha are cut to it by the exact decoder alone
        let better = if chroma.has_alpha() { 1.5 } else { 0.5 };
        assert!(
            g.exact_psnr > 30.0 && off > -0.5 && off < better,
            "{chroma:?} {depth} bit: {} dB, {} dB in floating point",
            g.exact_psnr,
            g.float_psnr
        );
    }
}

#[test]
fn a_worse_price_gives_fewer_bytes() {
    let bytes = |crf| {
        let source = pictures(info(48, 40, Chroma::Rgb, 8), 1);
        run(source, &options(|o| o.crf = Some(crf)))
            .unwrap()
            .0
            .bytes
    };
    let [fine, coarse] = [12.0, 40.0].map(bytes);
    assert!(coarse < fine, "{coarse} bytes at 40, {fine} at 12");
}

#[test]
fn sizes_and_qualities_are_found() {
    let source = || pictures(info(64, 48, Chroma::Rgb, 8), 1);
    let (report, _) = run(source(), &options(|o| o.psnr = Some(36.0))).unwrap();
    let off = report.scores.quality() - 36.0;
    assert!(off.abs() < 1.0, "{off} dB off");
    // of eight seeds under 5 and 7.4 % off at most; so short a fit has hardly more than the larger
    for (bytes, most) in [(900.0, 0.1), (1500.0, 0.2)] {
        let (report, _) = run(source(), &options(|o| o.size = Some(bytes))).unwrap();
        let off = (report.bytes as f64 / bytes - 1.0).abs();
        assert!(off < most, "{} bytes for {bytes}", report.bytes);
    }
    // what is out of reach is told with what was reached
    let (report, file) = run(source(), &options(|o| o.size = Some(30.0))).unwrap();
    let error = report.check_target().unwrap_err().to_string();
    assert!(report.reach.0 <= file.len() as f64, "{:?}", report.reach);
    assert!(error.contains("all fits that were tried had"), "{error}");
}

#[test]
fn a_size_is_shared_by_what_pictures_hold() {
    let info = info(64, 48, Chroma::Gray, 8);
    // sections of one picture, and one of both
    for section in [1, 2] {
        let mut source = pictures(info, 2);
        let noise = |i: usize| (i * i * 7919 % 251) as u16;
        let last = &mut source.1[1].planes[0].data;
        (0..last.len()).for_each(|i| last[i] = (last[i] / 2 + noise(i) / 4).min(255));
        let o = options(|o| {
            (o.arch, o.section) = (Family::Pyramid, Count(Some(section)));
            (o.steps, o.size) = (Some(150), Some(2200.0));
        });
        let (report, _) = run(source, &o).unwrap();
        let bytes: Vec<u64> = report.groups.iter().map(|g| g.bytes.total()).collect();
        // frames are read from the last
        assert!(
            5 * bytes[0] > 6 * bytes[1],
            "{section} a section: {bytes:?}"
        );
        let off = report.bytes as f64 / 2200.0 - 1.0;
        assert!(off.abs() < 0.1, "{section} a section: {}", report.bytes);
    }
}

#[test]
fn one_picture_of_a_pipe_is_a_picture() {
    struct Pipe(Pictures);
    impl FrameSource for Pipe {
        fn info(&self) -> &VideoInfo {
            self.0.info()
        }
        fn read(&mut self) -> nvc::Result<Option<Frame>> {
            self.0.read()
        }
    }
    let file = |frames| {
        let mut source = Pipe(pictures(info(24, 16, Chroma::Yuv420, 8), frames));
        let o = options(|o| (o.steps, o.crf) = (Some(10), Some(30.0)));
        encode(&mut source, Vec::new(), &o, &mut Quiet)
            .unwrap()
            .family
    };
    assert_eq!(file(1), Family::Pyramid);
    assert_ne!(file(2), Family::Pyramid);
}

#[test]
fn threads_do_not_change_the_file() {
    let file = |threads| {
        let source = pictures(info(70, 90, Chroma::Yuv420, 8), 2);
        let o = options(|o| {
            (o.arch, o.threads, o.jobs) = (Family::Pyramid, threads, threads);
            (o.steps, o.crf) = (Some(40), Some(24.0));
        });
        run(source, &o).unwrap().1
    };
    assert_eq!(file(1), file(2));
}

#[test]
fn what_means_nothing_to_pyramids_is_refused_or_leaves_them() {
    let several = |n| pictures(info(24, 16, Chroma::Gray, 8), n);
    let message = |o: &Options| match run(several(2), o) {
        Err(e @ Error::Parameter(_)) => e.to_string(),
        _ => panic!("no parameter is refused"),
    };
    let pyramid = |change: fn(&mut Options)| {
        options(|o| {
            o.arch = Family::Pyramid;
            change(o);
        })
    };
    let text = message(&pyramid(|o| o.batch = 2));
    assert_eq!(text, "--batch means nothing to --arch pyramid");
    let text = message(&pyramid(|o| o.model_size = Some(1000.0)));
    assert!(text.starts_with("--model-size means nothing"), "{text}");
    let text = message(&pyramid(|o| o.group = Count(Some(2))));
    assert!(text.contains("2 frames (allowed 1)"), "{text}");
    // auto takes networks of frames where an option of theirs is given, and says so
    let o = options(|o| (o.model_size, o.steps) = (Some(1000.0), Some(10)));
    let mut told = Told(Vec::new());
    let report = encode(&mut several(1), Vec::new(), &o, &mut told).unwrap();
    assert_eq!(report.groups[0].arch, "hnerv");
    assert!(
        told.0.iter().any(|t| t.contains("--model-size is for")),
        "{:?}",
        told.0
    );
}
