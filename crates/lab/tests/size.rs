//! Anchors by the library alone, at a wanted size.

use std::process::{Command, Stdio};

use nvc::frame::{Chroma, ColorInfo, Frame, PixelFormat, Range, Ratio, VideoInfo};
use nvc_lab::anchors::{AnchorOptions, AnchorSpec, run_anchor};
use nvc_media::{SourceOptions, open_sink, open_source};

fn info(chroma: Chroma, bit_depth: u8, width: usize, height: usize) -> VideoInfo {
    VideoInfo {
        width,
        height,
        format: PixelFormat { chroma, bit_depth },
        fps: Ratio { num: 30000, den: 1001 },
        sar: Ratio { num: 0, den: 0 },
        color: ColorInfo { range: Range::Limited, ..ColorInfo::UNSPECIFIED },
    }
}

/// Frames of a moving slope with some noise, over the whole sample range.
fn frames(i: &VideoInfo, n: usize) -> Vec<Frame> {
    let mut noise = 1u32;
    let mut make = |t: usize| {
        let mut f = Frame::new(i.format, i.width, i.height);
        for (p, plane) in f.planes.iter_mut().enumerate() {
            let w = plane.width;
            for (k, v) in plane.data.iter_mut().enumerate() {
                noise = noise.wrapping_mul(1664525).wrapping_add(1013904223);
                let slope = ((k % w) * 3 + (k / w) * 2 + t * 5 + p * 40) as u32 + (noise >> 29);
                *v = (slope * if i.format.bit_depth > 8 { 4 } else { 1 } % (u32::from(i.format.max_value()) + 1)) as u16;
            }
        }
        f
    };
    (0..n).map(&mut make).collect()
}

/// Says on stderr that something is not tested. `eprintln!` would not show: the harness keeps what a passing test prints.
fn skipped(what: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// Whether the ffmpeg program is there; says so loudly if not.
fn ffmpeg() -> bool {
    let there = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !there {
        skipped("the ffmpeg program is missing, so nothing is compared with it");
    }
    there
}

#[test]
fn anchors_reach_the_size() {
    if !ffmpeg() {
        return;
    }
    let i = info(Chroma::Yuv420, 8, 192, 176);
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().join("a.y4m");
    let mut sink = open_sink(&name, None, &i).unwrap();
    frames(&i, 12).iter().for_each(|f| sink.write(f).unwrap());
    sink.finish().unwrap();
    let reopen = || open_source(&name, &SourceOptions::default());
    let mut anchors = Vec::new();
    for spec in ["x264", "x265:ultrafast:psnr"] {
        let spec: AnchorSpec = spec.parse().unwrap();
        match run_anchor(&spec, &reopen, &i, 9000, &AnchorOptions::default()) {
            Ok(a) => anchors.push(a),
            Err(e) if e.to_string().contains("no ffmpeg has the encoder") => skipped(&format!("this ffmpeg has no {}", spec.codec.name())),
            Err(e) => panic!("{e}"),
        }
    }
    for a in &anchors {
        assert!(a.note.is_some() || (a.bytes as f64 / 9000.0 - 1.0).abs() <= 0.01, "{a:?}");
        assert_eq!(a.scores.frames, 12);
        assert!(a.scores.psnr_y.unwrap().mean > 20.0 && a.scores.ms_ssim_y.is_some());
        assert!(a.command.starts_with("ffmpeg ") && a.command.contains("-crf") && !a.command.contains(dir.path().to_str().unwrap()));
    }
    let rgb = info(Chroma::Rgb, 8, 16, 16);
    let e = run_anchor(&"x264".parse().unwrap(), &reopen, &rgb, 1000, &AnchorOptions::default()).unwrap_err();
    assert_eq!(e.exit_code(), 5);
}
