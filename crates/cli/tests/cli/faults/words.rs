//! Errors of sources name the file, what was found and what is allowed; and names are any bytes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::inputs::*;
use crate::run::{Done, NVC, NVC_DECODE, names, nvc, nvc_decode, sample, skipped, temp};

const TAGS: &str = "F25:1 Ip A1:1 C420jpeg";

/// What an encode of `bytes` says in vain.
#[track_caller]
fn failing(name: &str, bytes: &[u8]) -> String {
    let dir = temp();
    std::fs::write(dir.path().join(name), bytes).unwrap();
    let done = quick(dir.path(), &format!("{name} -o out.nvc"));
    assert!(
        done.code > 0 && done.code < 100 && done.code != 6,
        "{name}: exit code {}: {}",
        done.code,
        done.stderr
    );
    assert_eq!(names(dir.path()), [name]);
    assert!(
        !done.stderr.contains("corrupt stream"),
        "the words of the decoder: {}",
        done.stderr
    );
    assert!(
        done.stderr.contains(name),
        "{name} is not named: {}",
        done.stderr
    );
    done.stderr
}

#[test]
fn errors_of_y4m_sources_say_what_was_found_and_what_is_allowed() {
    let has = |e: &str, parts: &[&str]| {
        parts
            .iter()
            .for_each(|p| assert!(e.contains(*p), "no '{p}' in: {e}"))
    };
    let e = failing("rate.y4m", &video(32, 32, "F24 Ip A1:1 C420jpeg", 2));
    has(&e, &["F24"]);
    assert!(
        ["25:1", "24:1", "30000:1001"]
            .iter()
            .any(|form| e.contains(form)),
        "no form that is allowed: {e}"
    );
    has(
        &failing("wide.y4m", &video(16385, 1, TAGS, 0)),
        &["16385", "16384"],
    );
    has(
        &failing("tall.y4m", &video(1, 16385, TAGS, 0)),
        &["16385", "16384"],
    );
    has(
        &failing("narrow.y4m", &video(0, 32, TAGS, 0)),
        &["width", "16384"],
    );
    has(
        &failing("sizeless.y4m", b"YUV4MPEG2 F25:1 C420jpeg\n"),
        &["W"],
    );
    has(&failing("bare.y4m", &video(32, 32, TAGS, 0)), &["frame"]);
    has(&failing("void.y4m", b""), &["empty"]);
    let whole = video(32, 32, TAGS, 3);
    let at = |n: usize| whole.len() - n * (32 * 32 * 3 / 2 + 6);
    for (frame, word) in [(3, b"FRAMED"), (2, b"GARBLE")] {
        let mut bytes = whole.clone();
        bytes[at(frame)..][..6].copy_from_slice(word);
        has(&failing("garbled.y4m", &bytes), &["FRAME"]);
    }
}

#[test]
fn a_file_that_is_coded_already_is_said_to_be() {
    let bytes = std::fs::read(sample().dir().join("a.nvc")).unwrap();
    let said = |e: &str| {
        assert!(
            e.contains("nvc") && e.contains("already") && e.contains("decode"),
            "{e}"
        );
        assert!(!e.contains("mp3") && !e.contains("corrupt"), "{e}");
    };
    for name in ["coded.nvc", "coded.mp4", "coded.y4m", "coded"] {
        said(&failing(name, &bytes));
    }
    let dir = temp();
    let done = run_os(
        NVC,
        dir.path(),
        &words(&format!("encode - -o out.nvc {QUICK}")),
        &bytes,
    );
    assert!(
        done.code > 0 && done.code < 100 && done.code != 6,
        "exit code {}: {}",
        done.code,
        done.stderr
    );
    said(&done.stderr);
    assert_eq!(names(dir.path()), [""; 0]);
}

/// An anchor that cannot be run leaves a reason in its place, and our own scores.
fn without_x264(dir: &Path, run: &dyn Fn(&str) -> Done) {
    let table = run("a.nvc -o null: --score a.y4m --against x264")
        .expect(0)
        .stderr;
    assert!(
        table.lines().any(|l| l.starts_with("nvc ")),
        "no scores of our own: {table}"
    );
    assert!(
        table
            .lines()
            .any(|l| l.contains("x264") && l.contains("n/a")),
        "{table}"
    );
    let json = run("a.nvc -o null: --score a.y4m --against x264 --json")
        .expect(0)
        .json();
    assert!(
        json["psnr_y"]["mean"].as_f64().is_some() && json["bpp"].as_f64().is_some(),
        "{json}"
    );
    let anchors = json["anchors"].as_array().unwrap();
    assert_eq!(
        (anchors.len(), anchors[0]["codec"].as_str()),
        (1, Some("x264")),
        "{json}"
    );
    assert!(
        anchors[0]["error"].as_str().is_some_and(|e| !e.is_empty()),
        "{json}"
    );
    assert_eq!(names(dir), ["a.nvc", "a.y4m"]);
}

#[test]
fn an_anchor_that_refuses_the_size_costs_no_scores() {
    let dir = temp();
    std::fs::write(dir.path().join("a.y4m"), video(17, 9, TAGS, 3)).unwrap();
    encoded(dir.path(), "a.y4m -o a.nvc");
    without_x264(dir.path(), &|args| nvc_decode(dir.path(), args));
}

#[test]
fn an_anchor_whose_program_is_missing_costs_no_scores() {
    let dir = temp();
    sample().copy(&dir);
    sample().clip.write(dir.path().join("a.y4m"));
    without_x264(dir.path(), &|args| {
        let mut command = command(NVC_DECODE, dir.path(), &words(args));
        within(
            AT_ONCE,
            command.env("PATH", "/nonexistent").env_remove("NVC_FFMPEG"),
            b"",
        )
    });
}

/// Runs a program with a line of arguments of any bytes, split at spaces.
#[track_caller]
fn bytes_line(program: &str, dir: &Path, line: &[u8]) -> Done {
    let mut args: Vec<&OsStr> = line.split(|&b| b == b' ').map(OsStr::from_bytes).collect();
    if line.starts_with(b"encode") {
        args.extend(words(QUICK).into_iter().map(OsStr::new));
    }
    run_os(program, dir, &args, b"")
}

/// Writes a file of any name; false, aloud, where the file system has no such names.
fn writes(dir: &Path, name: &[u8], bytes: &[u8]) -> bool {
    let done = std::fs::write(dir.join(OsStr::from_bytes(name)), bytes).is_ok();
    if !done {
        skipped("this file system wants UTF-8, and other names are not tested");
    }
    done
}

#[test]
fn names_that_are_no_utf_8() {
    let dir = temp();
    let read = |name: &[u8]| std::fs::read(dir.path().join(OsStr::from_bytes(name))).unwrap();
    if !writes(dir.path(), b"v\xff.y4m", &video(32, 32, TAGS, 3)) {
        return;
    }
    let done = bytes_line(
        NVC,
        dir.path(),
        b"encode v\xff.y4m -o v\xff.nvc --recon r\xfe.y4m --stats s\xfd.ndjson",
    );
    fitted(done);
    for line in String::from_utf8(read(b"s\xfd.ndjson")).unwrap().lines() {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "{line}"
        );
    }
    bytes_line(NVC, dir.path(), b"decode v\xff.nvc -o d\xff.y4m").expect(0);
    assert!(read(b"d\xff.y4m") == read(b"r\xfe.y4m"), "--recon differs");
    let scores = bytes_line(
        NVC_DECODE,
        dir.path(),
        b"v\xff.nvc -o e\xff.y4m --score v\xff.y4m --json",
    )
    .expect(0)
    .json();
    assert!(scores["psnr_y"]["mean"].as_f64().is_some(), "{scores}");
    assert_eq!(
        bytes_line(NVC, dir.path(), b"info v\xff.nvc --json")
            .expect(0)
            .json()["frames"]
            .as_u64(),
        Some(3)
    );
    bytes_line(NVC, dir.path(), b"verify v\xff.nvc").expect(0);
    let same = bytes_line(NVC, dir.path(), b"compare d\xff.y4m e\xff.y4m --json")
        .expect(0)
        .json();
    assert_eq!(same["psnr_yuv611"]["pooled"].as_f64(), Some(100.0));
    // guards hold for them, and errors do not stumble over them
    let e = bytes_line(NVC, dir.path(), b"decode v\xff.nvc -o d\xff.y4m")
        .expect(2)
        .stderr;
    assert!(e.contains("exists"), "{e}");
    bytes_line(NVC, dir.path(), b"encode v\xff.y4m -o v\xff.y4m -y").expect(2);
    bytes_line(NVC, dir.path(), b"encode w\xff.y4m -o w\xff.nvc").expect(3);
}

#[test]
fn pictures_whose_names_are_no_utf_8() {
    let dir = temp();
    for n in [1, 2] {
        if !writes(
            dir.path(),
            &[&b"p\xff_"[..], format!("{n:03}.png").as_bytes()].concat(),
            &png(&picture(40, 24, n), &[]),
        ) {
            return;
        }
    }
    fitted(bytes_line(
        NVC,
        dir.path(),
        b"encode p\xff_%03d.png -o p\xff.nvc",
    ));
    bytes_line(NVC, dir.path(), b"decode p\xff.nvc -o o\xff_%02d.png").expect(0);
    for name in [b"o\xff_01.png", b"o\xff_02.png"] {
        assert!(dir.path().join(OsStr::from_bytes(name)).exists());
    }
    bytes_line(NVC, dir.path(), b"decode p\xff.nvc -o o\xff_%02d.png").expect(2);
}

#[cfg(feature = "ffmpeg")]
#[test]
fn a_container_whose_name_is_no_utf_8() {
    let dir = temp();
    if !made(
        dir.path(),
        "-f lavfi -i testsrc2=s=64x48:r=25:d=0.12 -c:v mpeg4 plain.mp4",
    ) {
        return;
    }
    let bytes = std::fs::read(dir.path().join("plain.mp4")).unwrap();
    if writes(dir.path(), b"m\xff.mp4", &bytes) {
        fitted(bytes_line(
            NVC,
            dir.path(),
            b"encode m\xff.mp4 -o m\xff.nvc",
        ));
        bytes_line(
            NVC_DECODE,
            dir.path(),
            b"m\xff.nvc -o null: --score m\xff.mp4",
        )
        .expect(0);
    }
}

#[test]
fn a_sequence_starts_where_it_starts_or_where_one_says() {
    let dir = temp();
    numbered(dir.path(), "five", 5..=7);
    for (n, from) in [(1, 5), (2, 6), (3, 7)] {
        std::fs::copy(
            dir.path().join(format!("five_{from:03}.png")),
            dir.path().join(format!("one_{n:03}.png")),
        )
        .unwrap();
    }
    encoded(dir.path(), "five_%03d.png -o a.nvc");
    assert_eq!(info(dir.path(), "a.nvc")["frames"].as_u64(), Some(3));
    assert_eq!(likeness(dir.path(), "five_%03d.png", "one_%03d.png"), 100.0);
    encoded(dir.path(), "five_%03d.png -o b.nvc --start-number 6");
    assert_eq!(info(dir.path(), "b.nvc")["frames"].as_u64(), Some(2));
    let done = quick(dir.path(), "five_%03d.png -o c.nvc --start-number 9");
    assert!(
        [2, 3].contains(&done.code) && done.stderr.contains("five_009.png"),
        "exit code {}: {}",
        done.code,
        done.stderr
    );
    assert!(!dir.path().join("c.nvc").exists());
}

#[test]
fn an_encode_to_null_writes_no_file() {
    let dir = temp();
    std::fs::write(dir.path().join("a.y4m"), video(32, 32, TAGS, 3)).unwrap();
    encoded(dir.path(), "a.y4m -o null:");
    assert_eq!(names(dir.path()), ["a.y4m"]);
    // nothing is there to be overwritten, however often
    let done = nvc(
        dir.path(),
        &format!("encode a.y4m -o null: --recon null: {QUICK}"),
    );
    fitted(done);
    assert_eq!(names(dir.path()), ["a.y4m"]);
}
