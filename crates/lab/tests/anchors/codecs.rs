//! What every codec takes and refuses.

use std::process::Command;

use nvc::error::Error;
use nvc::frame::Chroma;
use nvc_lab::anchors::{
    AnchorOptions, AnchorSpec, Wanted, perceptual, run_anchor, run_anchor_at, version,
};

use crate::{at, frames, info, source, there};

#[test]
fn every_codec_codes_every_format_or_refuses_it() {
    let formats = [
        (Chroma::Yuv420, 8),
        (Chroma::Yuv420, 10),
        (Chroma::Yuv444, 8),
        (Chroma::Gray, 8),
        (Chroma::Gray, 10),
        (Chroma::Rgb, 8),
    ];
    for (text, quality, takes) in [
        (
            "x264:ultrafast",
            30.0,
            "yuv420p yuv420p10le yuv444p gray gray10le",
        ),
        (
            "x265:ultrafast",
            30.0,
            "yuv420p yuv420p10le yuv444p gray gray10le",
        ),
        ("svtav1:12", 40.0, "yuv420p yuv420p10le"),
        ("aom:8", 40.0, "yuv420p yuv420p10le yuv444p gray gray10le"),
        ("vvenc:faster:psnr", 32.0, "yuv420p yuv420p10le"),
        ("jpeg:420", 80.0, "gray gbrp"),
        ("jpeg:444", 80.0, "gray gbrp"),
        ("webp:0", 80.0, "gray gbrp"),
        ("avif:420:10", 20.0, "gray gbrp"),
        ("jxl:3", 1.0, "gray gbrp"),
        ("x265-intra:444:ultrafast", 20.0, "gray gbrp"),
    ] {
        let spec: AnchorSpec = text.parse().unwrap();
        if !there(&spec) {
            continue;
        }
        for (chroma, depth) in formats {
            let i = info(chroma, depth, 144, 80);
            let all = frames(&i, 3);
            let name = i.format.name();
            match at(&spec, &i, &all, quality) {
                Ok(a) => {
                    assert!(takes.split(' ').any(|t| t == name), "{text} takes {name}");
                    let psnr = a.scores.psnr_y.or(a.scores.psnr_rgb).unwrap().mean;
                    // A shift of range would leave some 24 dB.
                    assert!(psnr > 31.0, "{text} {name}: {psnr} dB by {}", a.command);
                    assert!(
                        a.bytes > 50
                            && a.bytes <= a.bytes_with_identification
                            && a.scores.frames == 3,
                        "{a:?}"
                    );
                    assert!(
                        a.encode_seconds > 0.0 && a.decode_seconds > 0.0 && !a.version.is_empty()
                    );
                }
                // older ones lack gray or ten bits
                Err(Error::Unsupported(m)) => {
                    assert!(
                        m.contains(name)
                            && (spec.codec_name() == "aom" || !takes.split(' ').any(|t| t == name)),
                        "{text} {name}: {m}"
                    )
                }
                Err(e) => panic!("{text} {name}: {e}"),
            }
        }
    }
}

#[test]
fn full_range_stays_as_it_is() {
    let spec: AnchorSpec = "x264:ultrafast".parse().unwrap();
    if !there(&spec) {
        return;
    }
    let mut i = info(Chroma::Yuv420, 8, 64, 64);
    i.color.range = nvc::frame::Range::Full;
    let all = frames(&i, 2);
    assert!(
        at(&spec, &i, &all, 10.0)
            .unwrap()
            .scores
            .psnr_y
            .unwrap()
            .mean
            > 45.0
    );
}

#[test]
fn searched_sizes_and_observers() {
    let i = info(Chroma::Rgb, 8, 192, 176);
    let all = frames(&i, 2);
    for (text, target) in [
        ("jpeg:444", 9000),
        ("avif:420:10", 3000),
        ("jxl:3", 5000),
        ("webp:0", 5000),
    ] {
        let spec: AnchorSpec = text.parse().unwrap();
        if !there(&spec) {
            continue;
        }
        let a = run_anchor(
            &spec,
            &source(&i, &all),
            &i,
            target,
            &AnchorOptions::default(),
        )
        .unwrap();
        let off = a.bytes as f64 / target as f64 - 1.0;
        assert!(
            off.abs() <= 0.01 || (a.note.is_some() && off.abs() < 0.15),
            "{text}: {} {:?}",
            a.bytes,
            a.note
        );
        let mut seen = Vec::new();
        let again = run_anchor_at(
            &spec,
            &source(&i, &all),
            &i,
            a.quality,
            &AnchorOptions::default(),
            &mut |n, reference, decoded| {
                assert_eq!(reference, &all[n as usize]);
                seen.push((n, decoded.clone()));
                Ok(())
            },
        );
        let again = again.unwrap();
        assert_eq!((again.bytes, &again.scores), (a.bytes, &a.scores));
        assert!(seen.len() == 2 && seen[1].0 == 1 && seen[0].1 != all[0]);
        let json = a.to_json();
        assert!(
            json["crf"].is_null()
                && json["quality"] == a.quality
                && json["codec"] == spec.codec_name(),
            "{json}"
        );
    }
}

#[test]
fn weak_settings_are_weak() {
    let i = info(Chroma::Yuv420, 8, 192, 176);
    let all = frames(&i, 30);
    for codec in ["x264", "x265"] {
        let (weak, fair): (AnchorSpec, AnchorSpec) = (
            format!("{codec}:veryfast:zerolatency").parse().unwrap(),
            format!("{codec}:veryfast").parse().unwrap(),
        );
        if !there(&fair) {
            continue;
        }
        let (a, b) = (
            at(&weak, &i, &all, 28.0).unwrap(),
            at(&fair, &i, &all, 28.0).unwrap(),
        );
        assert!(a.spec.weak() && a.command.contains("12") && a.to_json()["weak"] == true);
        // Three key pictures instead of one.
        assert!(
            a.bytes as f64 > 1.2 * b.bytes as f64,
            "{codec}: {} against {}",
            a.bytes,
            b.bytes
        );
    }
}

#[test]
fn qualities_out_of_range_are_refused() {
    let i = info(Chroma::Yuv420, 8, 16, 16);
    for (text, quality) in [
        ("x264", 52.0),
        ("x265", -1.0),
        ("svtav1", 30.5),
        ("vvenc", 64.0),
        ("jpeg:420", 0.0),
        ("jxl", f64::NAN),
    ] {
        let e = at(&text.parse().unwrap(), &i, &[], quality).unwrap_err();
        assert!(
            matches!(&e, Error::Parameter(m) if m.contains("allowed") && m.contains(&quality.to_string())),
            "{e}"
        );
    }
    let e = at(&"jpeg:420".parse().unwrap(), &i, &frames(&i, 1), 50.0).unwrap_err();
    assert!(
        matches!(&e, Error::Unsupported(m) if m.contains("yuv420p")),
        "{e}"
    );
    let rgb = info(Chroma::Rgb, 8, 16, 16);
    let e = at(&"x264".parse().unwrap(), &rgb, &frames(&rgb, 1), 30.0).unwrap_err();
    assert!(
        matches!(&e, Error::Unsupported(m) if m.contains("gbrp") && m.contains("yuv444p")),
        "{e}"
    );
}

/// Started by the next test with an empty PATH; alone it does nothing.
#[test]
fn child_without_programs() {
    if std::env::var_os("NVC_TEST_CHILD").is_none() {
        return;
    }
    let rgb = info(Chroma::Rgb, 8, 16, 16);
    let yuv = info(Chroma::Yuv420, 8, 16, 16);
    for (text, i, words) in [
        ("jpeg:420", rgb, ["'cjpeg'", "libjpeg-turbo-progs"]),
        ("webp", rgb, ["'cwebp'", "package webp"]),
        ("avif:444", rgb, ["'avifenc'", "libavif-bin"]),
        ("jxl", rgb, ["'cjxl'", "libjxl-tools"]),
        ("x265-intra:420", rgb, ["'libx265'", "package ffmpeg"]),
        ("x264", yuv, ["/nonexistent/ffmpeg: ", "NVC_FFMPEG"]),
    ] {
        let spec: AnchorSpec = text.parse().unwrap();
        for e in [
            at(&spec, &i, &frames(&i, 1), 20.0).unwrap_err(),
            version(&spec).unwrap_err(),
        ] {
            assert_eq!(e.exit_code(), 5);
            assert!(
                words.iter().all(|w| e.to_string().contains(w)),
                "{text}: {e}"
            );
        }
    }
    let p = perceptual(
        &source(&yuv, &frames(&yuv, 1)),
        &source(&yuv, &frames(&yuv, 1)),
        &yuv,
        Wanted {
            vmaf: true,
            xpsnr: true,
        },
        1,
    )
    .unwrap();
    assert!(
        p.vmaf.is_none() && p.missing.len() == 2 && p.missing[0].contains("libvmaf"),
        "{p:?}"
    );
    println!("all missing programs are named");
}

#[test]
fn missing_programs_are_named() {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "codecs::child_without_programs", "--nocapture"])
        .env_clear()
        .envs([
            ("PATH", "/nonexistent"),
            ("NVC_FFMPEG", "/nonexistent/ffmpeg"),
            ("NVC_TEST_CHILD", "1"),
        ])
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && text.contains("all missing programs are named"),
        "{text}"
    );
}
