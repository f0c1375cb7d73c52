//! RGB by our own arithmetic beside swscale's: the figures of docs/anchors.md.

use std::process::Command;

use nvc_lab::anchors::{AnchorOptions, AnchorSpec, run_anchor_at};
use nvc_media::open_sink;

use crate::agreement::{clip, data, same_encoder};
use crate::reopen;

/// Mean difference in levels, mean over frames of the PSNR.
fn compare(a: &[Vec<u8>], b: &[Vec<u8>]) -> (f64, f64) {
    let (mut levels, mut psnr) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let squares: u64 = a
            .iter()
            .zip(b)
            .map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2))
            .sum();
        levels += a
            .iter()
            .zip(b)
            .map(|(&a, &b)| i64::from(a) - i64::from(b))
            .sum::<i64>() as f64
            / a.len() as f64;
        psnr += 10.0 * (65025.0 * a.len() as f64 / squares.max(1) as f64).log10();
    }
    (levels / a.len() as f64, psnr / a.len() as f64)
}

/// The figures of docs/anchors.md on RGB by swscale:
/// `NVC_DATA_DIR=... cargo test --test anchors -- --nocapture rgb_beside_swscale`.
#[test]
fn rgb_beside_swscale() {
    let Some(data) = data() else { return };
    let spec: AnchorSpec = "x265".parse().unwrap();
    if !same_encoder(&spec) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(path) = clip(&data, "bunny_416x240_48f", dir.path()) else {
        return;
    };
    let info = *reopen(&path)().unwrap().info();
    let coded = dir.path().join("coded.y4m").display().to_string();
    let mut sink = open_sink(&coded, None, &info).unwrap();
    let convert = nvc::color::ToRgb::new(&info);
    let (mut own, mut own_coded) = (Vec::new(), Vec::new());
    let a = run_anchor_at(
        &spec,
        &reopen(&path),
        &info,
        28.0,
        &AnchorOptions::default(),
        &mut |_, reference, decoded| {
            own.push(convert.convert(reference)?.data);
            own_coded.push(convert.convert(decoded)?.data);
            sink.write(decoded)
        },
    );
    sink.finish().unwrap();
    let (_, ours) = compare(&own, &own_coded);
    assert!((ours - a.unwrap().scores.psnr_rgb.unwrap().mean).abs() < 1e-9);
    eprintln!("own arithmetic: RGB PSNR {ours:.3} dB");
    let mut found = Vec::new();
    for (name, flags) in [
        ("default", None),
        ("accurate_rnd", Some("accurate_rnd")),
        (
            "accurate_rnd+full_chroma_int+bitexact, bicubic",
            Some("accurate_rnd+full_chroma_int+bitexact+bicubic"),
        ),
        (
            "accurate_rnd+full_chroma_int+bitexact, nearest",
            Some("accurate_rnd+full_chroma_int+bitexact+neighbor"),
        ),
    ] {
        let rgb = |path: &str| -> Vec<Vec<u8>> {
            let mut command = Command::new("ffmpeg");
            command.args(["-nostdin", "-v", "error", "-i", path]);
            if let Some(f) = flags {
                command.args(["-vf", &format!("scale=flags={f}")]);
            }
            let out = command
                .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
                .output()
                .unwrap();
            assert!(
                out.status.success(),
                "{}",
                String::from_utf8_lossy(&out.stderr)
            );
            out.stdout
                .chunks_exact(info.width * info.height * 3)
                .map(<[u8]>::to_vec)
                .collect()
        };
        let (theirs, theirs_coded) = (rgb(&path), rgb(&coded));
        assert_eq!(theirs.len(), own.len());
        let (levels, near) = compare(&theirs, &own);
        let ((_, both), (_, mixed)) = (
            compare(&theirs, &theirs_coded),
            compare(&own, &theirs_coded),
        );
        eprintln!(
            "swscale {name}: {levels:+.3} levels, {near:.2} dB from ours; RGB PSNR {both:.3} dB, {mixed:.3} dB against our reference"
        );
        found.push((levels, near, both - ours, mixed - ours));
    }
    let [default, .., nearest] = found[..] else {
        panic!()
    };
    assert!(
        (-1.5..-0.3).contains(&default.0),
        "the default is darker: {default:?}"
    );
    assert!(
        nearest.0.abs() < 0.1 && nearest.2.abs() < 0.02,
        "exact arithmetic and nearest chroma agree: {nearest:?}"
    );
}
