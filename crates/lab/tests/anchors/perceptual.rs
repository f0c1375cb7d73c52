//! VMAF and XPSNR through an ffmpeg that has them.

use std::path::PathBuf;
use std::process::Command;

use nvc::frame::{Chroma, Frame};
use nvc_lab::anchors::{Measure, VMAF_MODEL, Wanted, perceptual, perceptual_identity};
use nvc_media::open_sink;

use crate::{frames, info, skipped, source};

#[test]
fn vmaf_and_xpsnr_are_those_of_ffmpeg_on_files() {
    let i = info(Chroma::Yuv420, 8, 192, 128);
    let reference = frames(&i, 40);
    let mut distorted = reference.clone();
    // coarser samples, and one frame worse than the others
    let step = |n: usize| if n == 7 { 60 } else { 24 + n as u16 % 3 };
    for (n, f) in distorted.iter_mut().enumerate() {
        f.planes
            .iter_mut()
            .flat_map(|p| &mut p.data)
            .for_each(|v| *v = (*v / step(n) * step(n) + step(n) / 2).min(255));
    }
    let both = Wanted {
        vmaf: true,
        xpsnr: true,
    };
    let p = perceptual(
        &source(&i, &reference),
        &source(&i, &distorted),
        &i,
        both,
        1,
    )
    .unwrap();
    let (Some(vmaf), Some(xpsnr)) = (p.vmaf, p.xpsnr) else {
        assert!(!p.missing.is_empty());
        return skipped(&p.missing.join("; "));
    };
    // One by one, as the harness does it, and each by itself.
    let mut measure = Measure::start(
        &i,
        Wanted {
            vmaf: false,
            xpsnr: true,
        },
        1,
    )
    .unwrap();
    reference
        .iter()
        .zip(&distorted)
        .for_each(|(a, b)| measure.add(a, b).unwrap());
    assert_eq!(measure.finish().unwrap().xpsnr, Some(xpsnr));
    let alone = perceptual(
        &source(&i, &reference),
        &source(&i, &distorted),
        &i,
        Wanted {
            vmaf: true,
            xpsnr: false,
        },
        2,
    )
    .unwrap();
    assert_eq!((alone.vmaf, alone.xpsnr), (Some(vmaf), None));
    let same = perceptual(
        &source(&i, &reference),
        &source(&i, &reference),
        &i,
        both,
        1,
    )
    .unwrap();
    assert!(
        same.xpsnr.unwrap().yuv611() == 100.0 && same.vmaf.unwrap() > vmaf + 1.0,
        "{same:?}"
    );
    // ffmpeg on files
    let dir = tempfile::tempdir().unwrap();
    for (name, all) in [("a.y4m", &reference), ("b.y4m", &distorted)] {
        let mut sink = open_sink(dir.path().join(name).display().to_string(), None, &i).unwrap();
        all.iter().for_each(|f| sink.write(f).unwrap());
        sink.finish().unwrap();
    }
    let list = std::env::var_os("NVC_FFMPEG").unwrap_or_default();
    for program in std::env::split_paths(&list).chain([PathBuf::from("ffmpeg")]) {
        let run = |filter: &str, first: &str, second: &str| {
            let args = [
                "-nostdin",
                "-hide_banner",
                "-i",
                first,
                "-i",
                second,
                "-lavfi",
                filter,
                "-f",
                "null",
                "-",
            ];
            let out = Command::new(&program)
                .args(args)
                .current_dir(dir.path())
                .output();
            out.map(|o| String::from_utf8_lossy(&o.stderr).into_owned())
                .unwrap_or_default()
        };
        let (v, x) = (
            run("libvmaf", "b.y4m", "a.y4m"),
            run("xpsnr", "a.y4m", "b.y4m"),
        );
        let number = |text: &str, mark: &str| {
            text.split(mark)
                .nth(1)
                .map(|t| t.split_whitespace().next().unwrap().parse::<f64>().unwrap())
        };
        if let (Some(v), Some(y)) = (number(&v, "VMAF score: "), number(&x, "XPSNR  y: ")) {
            assert!(
                (v - vmaf).abs() < 1e-5 && (y - xpsnr.y).abs() < 1e-4,
                "VMAF {v} against {vmaf}, XPSNR {y} against {}",
                xpsnr.y
            );
            return;
        }
    }
    panic!("measured, but no ffmpeg has the filters");
}

/// ffmpeg reads ahead in one sequence before it opens the other; that must not stop it, whatever a
/// picture's size.
#[test]
fn measuring_never_stalls() {
    for (width, height, count, chroma, depth) in [
        (16, 16, 600, Chroma::Yuv420, 8),
        (64, 48, 300, Chroma::Gray, 8),
        (1920, 1080, 40, Chroma::Yuv420, 8),
        (70, 50, 60, Chroma::Yuv444, 10),
    ] {
        let i = info(chroma, depth, width, height);
        let mut measure = Measure::start(
            &i,
            Wanted {
                vmaf: false,
                xpsnr: true,
            },
            1,
        )
        .unwrap();
        let (mut a, mut b) = (
            Frame::new(i.format, width, height),
            Frame::new(i.format, width, height),
        );
        a.planes
            .iter_mut()
            .flat_map(|p| &mut p.data)
            .enumerate()
            .for_each(|(n, v)| *v = (n * 7 % 200) as u16);
        b.planes
            .iter_mut()
            .zip(&a.planes)
            .for_each(|(b, a)| b.data.iter_mut().zip(&a.data).for_each(|(b, a)| *b = a ^ 3));
        (0..count).for_each(|_| measure.add(&a, &b).unwrap());
        let p = measure.finish().unwrap();
        match p.xpsnr {
            // Every sample is off by 1 or 3: 41 to 45 dB, in ten bits 12 dB more; weights move that
            // by some dB.
            Some(x) => assert!(
                (36.0..62.0).contains(&x.y) && x.u.is_some() == (chroma != Chroma::Gray),
                "{x:?}"
            ),
            None => return skipped(&p.missing.join("; ")),
        }
    }
}

#[test]
fn what_measures_is_told() {
    let identity = |vmaf, xpsnr| perceptual_identity(Wanted { vmaf, xpsnr });
    assert_eq!(identity(false, false), "");
    let (vmaf, xpsnr) = (identity(true, false), identity(false, true));
    assert_eq!(identity(true, true), format!("{vmaf}; {xpsnr}"));
    assert!(
        vmaf.starts_with(&format!("VMAF {VMAF_MODEL}: ")) && xpsnr.starts_with("XPSNR: "),
        "{vmaf}; {xpsnr}"
    );
    let i = info(Chroma::Yuv420, 8, 64, 64);
    let all = frames(&i, 2);
    let p = perceptual(
        &source(&i, &all),
        &source(&i, &all),
        &i,
        Wanted {
            vmaf: true,
            xpsnr: true,
        },
        1,
    )
    .unwrap();
    for (text, there) in [(vmaf, p.vmaf.is_some()), (xpsnr, p.xpsnr.is_some())] {
        let said = text.split(": ").nth(1).unwrap();
        assert!(
            if there {
                said.starts_with("ffmpeg version ")
            } else {
                said == "absent"
            },
            "{text}"
        );
    }
}
