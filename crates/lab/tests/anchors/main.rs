//! Anchors: agreement with figures measured by other code, missing programs, codecs of one's own,
//! VMAF and XPSNR.

mod agreement;
mod codecs;
mod external;
mod perceptual;
mod size;
#[path = "../../../media/tests/support/mod.rs"]
mod support;
mod swscale;

use nvc::error::Error;
use nvc::frame::{Frame, VideoInfo};
use nvc_lab::anchors::{Anchor, AnchorOptions, AnchorSpec, run_anchor_at, version};
use nvc_media::{BoxedSource, MemorySource, SourceOptions, open_source};
use support::{info, skipped};

fn reopen(path: &str) -> impl Fn() -> nvc::Result<BoxedSource> + '_ {
    move || open_source(path, &SourceOptions::default())
}

/// A texture that moves and fades, smooth enough to code well.
fn frames(info: &VideoInfo, count: usize) -> Vec<Frame> {
    let scale = f64::from(info.format.max_value()) / 255.0;
    let sample = |x: usize, y: usize, t: usize, p: usize| {
        let (x, y, t) = (x as f64 + 1.5 * t as f64, y as f64, t as f64);
        let wave =
            (x / 7.0).sin() * (y / 9.0 + p as f64).cos() * 60.0 + (x * y / 900.0).sin() * 30.0;
        ((128.0 + wave + t) * scale).clamp(0.0, 255.0 * scale) as u16
    };
    let frame = |t| {
        let mut f = Frame::new(info.format, info.width, info.height);
        for (p, plane) in f.planes.iter_mut().enumerate() {
            let w = plane.width;
            plane
                .data
                .iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v = sample(i % w, i / w, t, p));
        }
        f
    };
    (0..count).map(frame).collect()
}

fn source(info: &VideoInfo, frames: &[Frame]) -> impl Fn() -> nvc::Result<BoxedSource> {
    let (info, frames) = (*info, frames.to_vec());
    move || Ok(Box::new(MemorySource::new(&info, frames.clone())))
}

fn at(spec: &AnchorSpec, info: &VideoInfo, frames: &[Frame], quality: f64) -> nvc::Result<Anchor> {
    run_anchor_at(
        spec,
        &source(info, frames),
        info,
        quality,
        &AnchorOptions::default(),
        &mut |_, _, _| Ok(()),
    )
}

/// Whether the codec is here; says so if not.
fn there(spec: &AnchorSpec) -> bool {
    match version(spec) {
        Ok(v) => {
            assert!(v.contains(|c: char| c.is_ascii_digit()), "{spec}: {v}");
            true
        }
        Err(e) => {
            assert!(matches!(e, Error::Unsupported(_)), "{spec}: {e}");
            skipped(&format!("{spec}: {e}"));
            false
        }
    }
}
