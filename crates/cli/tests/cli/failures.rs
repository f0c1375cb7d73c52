//! Errors: exit codes of the contract, and words that say what, where, actual and allowed.

use crate::clip::Clip;
use crate::run::{NVC, names, nvc, nvc_decode, run, sample, temp};

#[test]
fn usage_errors_exit_2() {
    let s = sample();
    for args in [
        "",
        "encode",
        "encode a.y4m",
        "nonsense",
        "encode a.y4m -o x.nvc --nonsense",
        "encode a.y4m -o x.nvc --bpp 1 --size 1000",
        "encode a.y4m -o x.nvc --bpp -1",
        "encode a.y4m -o x.nvc --bpp 0",
        "encode a.y4m -o x.nvc --size 12q",
        "encode a.y4m -o x.nvc --frames 5..5",
        "encode a.y4m -o x.nvc --frames 50..60",
        "encode a.y4m -o x.nvc --group 0",
        "encode a.y4m -o x.nvc --group many",
        "encode a.y4m -o x.nvc --preset warp",
        "encode a.y4m -o x.nvc --steps 0",
        "encode a.y4m -o x.nvc --lr 7",
        "encode a.y4m -o x.nvc --batch 0",
        "encode a.y4m -o x.nvc --device toaster",
        "encode a.y4m -o x.nvc --model-size 1",
        "encode a.y4m -o same.y4m --recon same.y4m",
        "decode a.nvc",
        "decode a.nvc -o x.y4m --format mov",
        "decode a.nvc -o x.y4m --frames 9..3",
        "decode a.nvc -o x.y4m --simd mmx",
    ] {
        let done = nvc(s.dir(), args).expect(2);
        assert!(
            !done.stderr.is_empty() && done.stdout.is_empty(),
            "nvc {args}: says nothing"
        );
    }
    for args in [
        "",
        "a.nvc -o null: --json",
        "a.nvc -o null: --against x264",
        "a.nvc -o - --json --score a.y4m",
    ] {
        nvc_decode(s.dir(), args).expect(2);
    }
    let e = run(NVC, s.dir(), "encode - -o x.nvc --size 9000", &s.clip.y4m())
        .expect(2)
        .stderr;
    assert!(e.contains("--bpp"), "{e}");
    assert_eq!(
        names(s.dir()),
        ["a.ndjson", "a.nvc", "a.y4m", "recon.y4m"],
        "a usage error leaves files"
    );
    let help = nvc(s.dir(), "encode --help").expect(0);
    assert!(help.text().contains("--bpp") && help.stderr.is_empty());
    assert!(
        nvc_decode(s.dir(), "--version")
            .expect(0)
            .text()
            .starts_with(concat!("nvc-decode ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn numbers_that_are_no_sizes_exit_2() {
    let s = sample();
    for (option, says) in [
        (
            "--size 0.4",
            "--size is 0.4 (allowed: whole bytes, 1..=1125899906842624)",
        ),
        ("--size 1000.5", "--size is 1000.5 (allowed: whole bytes"),
        ("--size 1e30", "whole bytes, 1..="),
        (
            "--bitrate 1e30",
            "--bitrate is 1000000000000000000000000000000 (allowed 1..=",
        ),
        ("--bitrate 0.5", "--bitrate is 0.5 (allowed 1..="),
        ("--model-size 0.2", "--model-size is 0.2 (allowed 100..="),
        ("--model-size 1e12", "(allowed 100..=1000000000)"),
        ("--bpp nan", "--bpp is NaN (allowed above 0, at most 48)"),
        ("--bpp inf", "--bpp is inf (allowed above 0, at most 48)"),
        ("--psnr nan", "--psnr is NaN (allowed 10..=70)"),
        ("--crf nan", "--crf is NaN (allowed 0..=63)"),
        ("--size nan", "--size"),
    ] {
        let done = nvc(s.dir(), &format!("encode a.y4m -o x.nvc {option}")).expect(2);
        assert!(done.stderr.contains(says), "{option}: {}", done.stderr);
        assert!(!s.dir().join("x.nvc").exists(), "{option} leaves a file");
    }
}

/// Before anything is read: this source has a header and nothing else.
#[test]
fn pictures_that_no_network_takes_exit_5() {
    let dir = temp();
    // by a pipe, of which no one knows that nothing follows
    let header =
        |w: usize, h: usize| format!("YUV4MPEG2 W{w} H{h} F25:1 C420\nFRAME\n").into_bytes();
    let encode = |source: &[u8], args: &str| {
        run(
            NVC,
            dir.path(),
            &format!("encode - -o x.nvc {args}"),
            source,
        )
    };
    let large = header(8192, 8192);
    for arch in ["hnerv", "nirvana"] {
        let e = encode(&large, &format!("--bpp 1 --arch {arch}"))
            .expect(5)
            .stderr;
        assert!(
            e.contains(&format!("{arch} has no network for"))
                && e.contains("8192x8192")
                && e.contains("(allowed at most "),
            "{e}"
        );
    }
    let e = encode(&large, "--bpp 1").expect(4).stderr;
    assert!(
        e.contains("warning: auto: hnerv has no network")
            && e.contains("; it is left out")
            && e.contains("cut short"),
        "{e}"
    );
    // what was chosen by hand is the caller's
    std::fs::write(
        dir.path().join("c.toml"),
        "arch = \"hnerv\"\nbpp = 5\n[hnerv]\nstrides = [2]\n",
    )
    .unwrap();
    let e = encode(&header(1, 16384), "--config c.toml")
        .expect(2)
        .stderr;
    assert!(
        e.contains("1x16384") && e.contains("latent_height is 8192 (allowed 1..=1024)"),
        "{e}"
    );
    let done = encode(&large, "--bpp 1 --arch nirvana --group 65").expect(2);
    assert!(
        done.stderr.contains("has 65 frames (allowed 1..=64)"),
        "{}",
        done.stderr
    );
}

#[test]
fn what_cannot_be_read_or_written_exits_3() {
    let s = sample();
    for args in [
        "encode none.y4m -o x.nvc",
        "encode a.y4m -o none/x.nvc",
        "decode none.nvc -o null:",
        "info none.nvc",
        "verify .",
    ] {
        let e = nvc(s.dir(), args).expect(3).stderr;
        assert!(e.contains("none") || e.contains('.'), "nvc {args}: {e}");
    }
    nvc_decode(s.dir(), "a.nvc -o none/x.y4m").expect(3);
}

#[test]
fn what_is_not_what_it_says_exits_4() {
    let dir = temp();
    std::fs::write(dir.path().join("text.y4m"), "hello").unwrap();
    std::fs::write(dir.path().join("empty.nvc"), "").unwrap();
    std::fs::write(dir.path().join("text.nvc"), "hello, this is no such file").unwrap();
    nvc(dir.path(), "encode text.y4m -o x.nvc").expect(4);
    for args in ["empty.nvc -o x.y4m", "text.nvc -o x.y4m"] {
        nvc_decode(dir.path(), args).expect(4);
    }
    for args in ["info text.nvc", "verify empty.nvc"] {
        nvc(dir.path(), args).expect(4);
    }
    assert_eq!(names(dir.path()), ["empty.nvc", "text.nvc", "text.y4m"]);
}

#[test]
fn files_are_not_overwritten_unasked() {
    let dir = temp();
    sample().copy(&dir);
    sample().clip.write(dir.path().join("a.y4m"));
    let path = dir.path().join("x.y4m");
    std::fs::write(&path, "precious").unwrap();
    for (tool, args) in [
        ("nvc", "decode a.nvc -o x.y4m"),
        ("nvc-decode", "a.nvc -o x.y4m"),
        ("nvc", "encode a.y4m -o x.y4m --steps 10"),
        ("nvc", "encode a.y4m -o new.nvc --recon x.y4m --steps 10"),
        ("nvc", "encode a.y4m -o new.nvc --stats x.y4m --steps 10"),
    ] {
        let done = if tool == "nvc" {
            nvc(dir.path(), args)
        } else {
            nvc_decode(dir.path(), args)
        }
        .expect(2);
        assert!(
            done.stderr.contains("x.y4m exists; -y overwrites it"),
            "{args}: {}",
            done.stderr
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"precious", "{args}");
    }
    nvc_decode(dir.path(), "a.nvc -o x.y4m -y").expect(0);
    assert_eq!(Clip::read(&path).frames.len(), 6);
    assert_eq!(names(dir.path()), ["a.nvc", "a.y4m", "x.y4m"]);
}

#[test]
fn the_input_is_never_overwritten() {
    let dir = temp();
    let file = sample().copy(&dir);
    sample().clip.write(dir.path().join("a.y4m"));
    let before = (std::fs::read(&file).unwrap(), sample().clip.y4m());
    for args in [
        "encode a.y4m -o a.y4m -y",
        "encode a.y4m -o ./a.y4m -y",
        "encode a.y4m -o x.nvc --recon a.y4m -y",
        "decode a.nvc -o a.nvc --format y4m -y",
    ] {
        let e = nvc(dir.path(), args).expect(2).stderr;
        assert!(e.contains("same file"), "{args}: {e}");
    }
    assert!(
        before
            == (
                std::fs::read(&file).unwrap(),
                std::fs::read(dir.path().join("a.y4m")).unwrap()
            )
    );
}

#[test]
fn a_gpu_that_is_not_there_exits_7() {
    let dir = temp();
    sample().clip.write(dir.path().join("a.y4m"));
    // no machine has so many
    let done = nvc(
        dir.path(),
        "encode a.y4m -o a.nvc --bpp 4 --steps 10 --device cuda:4096",
    )
    .expect(7);
    assert!(
        done.stderr.contains("device unavailable"),
        "{}",
        done.stderr
    );
    if !cfg!(feature = "cuda") {
        for of in ["--bpp 4 --device cuda", "--arch pyramid --device cuda"] {
            let done = nvc(
                dir.path(),
                &format!("encode a.y4m -o a.nvc --steps 10 {of}"),
            )
            .expect(7);
            let text = &done.stderr;
            assert!(text.contains("has no CUDA support"), "{of}: {text}");
        }
    }
    assert_eq!(names(dir.path()), ["a.y4m"]);
}
