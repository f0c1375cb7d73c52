//! Codecs of one's own, where their files go, and how they are stopped and timed.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nvc::error::Error;
use nvc::frame::{Chroma, Frame, VideoInfo};
use nvc_lab::anchors::{AnchorOptions, AnchorSpec, ExternalCodec, run_anchor, run_anchor_at};

use crate::{at, frames, info, source, there};

#[cfg(unix)]
#[test]
fn codecs_of_ones_own() {
    let i = info(Chroma::Yuv420, 8, 32, 16);
    let all = frames(&i, 3);
    let run = |codec: &ExternalCodec, i: &VideoInfo, all: &[Frame]| {
        at(&codec.clone().into(), i, all, 7.0)
    };
    // Pipes on both sides: the file is the y4m itself, and the picture lossless.
    let a = run(&ExternalCodec::new("copy", "cat", "cat"), &i, &all).unwrap();
    assert_eq!(
        (a.scores.psnr_y.unwrap().mean, a.scores.frames, a.quality),
        (100.0, 3, 7.0)
    );
    assert!(
        a.bytes > 3 * 768
            && a.bytes < 3 * 768 + 200
            && a.command == "cat < IN.y4m > OUT.bin && cat < OUT.bin > DEC.y4m",
        "{a:?}"
    );
    assert_eq!(
        (
            a.spec.codec_name(),
            a.spec.quality_name(),
            a.version.as_str()
        ),
        ("copy", "q", "")
    );
    // Files on both sides, and every word.
    let script = "test {quality}x{width}x{height}x{fps}x{frames}x{threads} = 7x32x16x25/1x3x1 && gzip -c {input} > {output}";
    let codec = ExternalCodec {
        config: "fast".into(),
        version: "gzip 1".into(),
        ..ExternalCodec::new(
            "gz",
            &format!("sh -c '{script}'"),
            "sh -c 'gzip -dc {input} > {output}'",
        )
    };
    let b = run(&codec, &i, &all).unwrap();
    assert!(
        b.scores.psnr_rgb.unwrap().mean == 100.0
            && b.bytes < a.bytes
            && b.version == "gzip 1"
            && b.spec.to_string() == "gz:fast"
    );
    // RGB goes as PNG.
    let rgb = info(Chroma::Rgb, 8, 24, 24);
    let pictures = frames(&rgb, 2);
    let c = run(
        &ExternalCodec {
            extension: "png".into(),
            ..ExternalCodec::new("cp", "cp {input} {output}", "cp {input} {output}")
        },
        &rgb,
        &pictures,
    )
    .unwrap();
    assert!(
        c.scores.psnr_rgb.unwrap().mean == 100.0
            && c.scores.frames == 2
            && c.command == "cp IN.png OUT.png && cp OUT.png DEC.png"
    );
    // What goes wrong is told.
    let error = |codec: ExternalCodec, i: &VideoInfo, all: &[Frame]| {
        run(&codec, i, all).unwrap_err().to_string()
    };
    assert!(
        error(
            ExternalCodec::new("bad", "sh -c 'echo no luck >&2; exit 4'", "cat"),
            &i,
            &all
        )
        .contains("no luck")
    );
    assert!(
        error(
            ExternalCodec::new("bad", "cat", "sh -c 'head -c 900; echo torn >&2; exit 1'"),
            &i,
            &all
        )
        .contains("torn")
    );
    let two = format!("head -c {}", a.bytes - 768 - 6);
    assert!(
        error(ExternalCodec::new("bad", "cat", &two), &i, &all)
            .contains("fewer frames than the reference has (2 compared)")
    );
    assert!(error(ExternalCodec::new("bad", "cat", "head -c 900"), &i, &all).contains("cut short"));
    assert!(
        error(
            ExternalCodec::new("bad", "true {input} {output}", "cat"),
            &i,
            &all
        )
        .contains("should have written")
    );
    assert!(
        error(
            ExternalCodec::new("bad", "/nonexistent/enc", "cat"),
            &i,
            &all
        )
        .contains("'/nonexistent/enc' is not found")
    );
    assert!(error(ExternalCodec::new("bad", "cat", "cat"), &rgb, &pictures).contains("{input}"));
    let e = run_anchor(
        &ExternalCodec::new("copy", "cat", "cat").into(),
        &source(&i, &all),
        &i,
        10,
        &AnchorOptions::default(),
    )
    .unwrap_err();
    assert!(matches!(e, Error::Parameter(_)), "{e}");
}

#[test]
fn nothing_is_left_in_the_temporary_folder() {
    let mine = || std::fs::read_dir(std::env::temp_dir()).unwrap().count();
    let child = std::env::var_os("NVC_TEST_CHILD_TMP").is_some();
    if child {
        let i = info(Chroma::Yuv420, 8, 32, 16);
        at(
            &ExternalCodec::new("copy", "cat", "cat").into(),
            &i,
            &frames(&i, 2),
            1.0,
        )
        .unwrap();
        at(
            &ExternalCodec::new("bad", "cat", "false").into(),
            &i,
            &frames(&i, 2),
            1.0,
        )
        .unwrap_err();
        assert_eq!(mine(), 0);
        println!("left nothing");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "external::nothing_is_left_in_the_temporary_folder",
            "--nocapture",
        ])
        .env("TMPDIR", dir.path())
        .env("NVC_TEST_CHILD_TMP", "1")
        .output()
        .unwrap();
    assert!(
        out.status.success() && String::from_utf8_lossy(&out.stdout).contains("left nothing"),
        "{out:?}"
    );
}

/// Options with a folder of their own.
fn in_folder(dir: &std::path::Path) -> AnchorOptions {
    AnchorOptions {
        dir: Some(dir.to_path_buf()),
        ..AnchorOptions::default()
    }
}

#[cfg(unix)]
#[test]
fn decoding_is_timed_without_the_scoring() {
    let i = info(Chroma::Yuv420, 8, 32, 16);
    let all = frames(&i, 3);
    let slowly = |decode: &str| {
        let spec = ExternalCodec::new("copy", "cat", decode).into();
        run_anchor_at(
            &spec,
            &source(&i, &all),
            &i,
            1.0,
            &AnchorOptions::default(),
            &mut |_, _, _| {
                std::thread::sleep(Duration::from_millis(300));
                Ok(())
            },
        )
        .unwrap()
        .decode_seconds
    };
    for decode in ["cat", "sh -c 'cat > {output}'"] {
        let seconds = slowly(decode);
        assert!(
            seconds > 0.0 && seconds < 0.8,
            "{decode}: {seconds} s, beside 0.9 s of looking at frames"
        );
    }
}

#[cfg(unix)]
#[test]
fn temporary_files_go_where_they_are_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let i = info(Chroma::Yuv420, 8, 32, 16);
    let all = frames(&i, 2);
    let inside = || std::fs::read_dir(dir.path()).unwrap().count();
    let spec = ExternalCodec::new("copy", "cat", "cat").into();
    let mut seen = Vec::new();
    run_anchor_at(
        &spec,
        &source(&i, &all),
        &i,
        1.0,
        &in_folder(dir.path()),
        &mut |_, _, _| {
            seen.push(inside());
            Ok(())
        },
    )
    .unwrap();
    assert_eq!((seen, inside()), (vec![1, 1], 0));
    let none = dir.path().join("none");
    let e = run_anchor_at(
        &spec,
        &source(&i, &all),
        &i,
        1.0,
        &in_folder(&none),
        &mut |_, _, _| Ok(()),
    )
    .unwrap_err();
    assert!(
        matches!(&e, Error::Io { .. }) && e.to_string().contains("/none"),
        "{e}"
    );
}

#[cfg(unix)]
#[test]
fn programs_are_stopped_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let i = info(Chroma::Yuv420, 8, 64, 64);
    let all = frames(&i, 40);
    let rgb = info(Chroma::Rgb, 8, 16, 16);
    let pictures = frames(&rgb, 1);
    // one that reads nothing, one that never ends, one that decodes nothing, and one of pictures
    for (encode, decode, i, all) in [
        ("sh -c 'sleep 60; cat'", "cat", i, &all),
        ("sh -c 'cat; sleep 60'", "cat", i, &all),
        ("cat", "sh -c 'sleep 60; cat'", i, &all),
        ("cat", "sh -c 'sleep 60; cp {input} {output}'", i, &all),
        (
            "sh -c 'sleep 60; cp {input} {output}'",
            "cp {input} {output}",
            rgb,
            &pictures,
        ),
    ] {
        let stop = Arc::new(AtomicBool::new(false));
        let opts = AnchorOptions {
            stop: Some(stop.clone()),
            ..in_folder(dir.path())
        };
        let (begin, thread) = (
            Instant::now(),
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(200));
                stop.store(true, Ordering::SeqCst);
            }),
        );
        let codec = ExternalCodec {
            extension: "png".into(),
            ..ExternalCodec::new("slow", encode, decode)
        };
        let r = run_anchor_at(
            &codec.into(),
            &source(&i, all),
            &i,
            1.0,
            &opts,
            &mut |_, _, _| Ok(()),
        );
        assert!(
            matches!(r, Err(Error::Interrupted)),
            "{encode} && {decode}: {r:?}"
        );
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{encode} && {decode}: {:?}",
            begin.elapsed()
        );
        thread.join().unwrap();
    }
    // while scoring, and before anything
    let stop = Arc::new(AtomicBool::new(false));
    let opts = AnchorOptions {
        stop: Some(stop.clone()),
        ..in_folder(dir.path())
    };
    let spec = ExternalCodec::new("copy", "cat", "cat").into();
    let mut seen = 0;
    let mut look = |_, _: &Frame, _: &Frame| {
        seen += 1;
        stop.store(true, Ordering::SeqCst);
        Ok(())
    };
    let r = run_anchor_at(&spec, &source(&i, &all), &i, 1.0, &opts, &mut look);
    assert!(matches!(r, Err(Error::Interrupted)) && seen == 1);
    let r = run_anchor_at(&spec, &source(&i, &all), &i, 1.0, &opts, &mut |_, _, _| {
        Ok(())
    });
    assert!(matches!(r, Err(Error::Interrupted)));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    // a flag that is never set changes nothing
    let x264: AnchorSpec = "x264:ultrafast".parse().unwrap();
    if there(&x264) {
        let free = AnchorOptions {
            stop: Some(Arc::default()),
            ..AnchorOptions::default()
        };
        let a = run_anchor_at(&x264, &source(&i, &all), &i, 30.0, &free, &mut |_, _, _| {
            Ok(())
        })
        .unwrap();
        assert_eq!(a.bytes, at(&x264, &i, &all, 30.0).unwrap().bytes);
    }
}
