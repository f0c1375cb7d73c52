//! Decoding: the same samples by every way, parts, and what `info` and `verify` say.

use crate::clip::Clip;
use crate::run::{nvc, nvc_decode, run, sample, temp};

#[test]
fn the_same_samples_by_every_way() {
    let s = sample();
    let first = nvc_decode(s.dir(), "a.nvc -o - --format md5")
        .expect(0)
        .text();
    assert!(
        first.starts_with("MD5=") && first.trim().len() == 36,
        "{first}"
    );
    for options in [
        "--threads 1",
        "--threads 2",
        "--threads 5",
        "--simd auto",
        "--simd off",
        "--simd reference --threads 1",
    ] {
        assert_eq!(
            nvc_decode(s.dir(), &format!("a.nvc -o null: --format md5 {options}"))
                .expect(0)
                .text(),
            first,
            "{options}"
        );
        assert_eq!(
            nvc(
                s.dir(),
                &format!("decode a.nvc -o - --format md5 {options}")
            )
            .expect(0)
            .text(),
            first,
            "nvc {options}"
        );
    }
    let file = std::fs::read(s.dir().join("a.nvc")).unwrap();
    let piped = run(
        crate::run::NVC_DECODE,
        s.dir(),
        "- -o - --format md5",
        &file,
    )
    .expect(0)
    .text();
    assert_eq!(piped, first, "from stdin");
    assert!(
        nvc(s.dir(), "verify a.nvc")
            .expect(0)
            .text()
            .contains(first.trim()),
        "verify prints another MD5"
    );

    use md5::{Digest, Md5};
    let raw = nvc_decode(s.dir(), "a.nvc -o - --format yuv")
        .expect(0)
        .stdout;
    let hex = nvc_media::hex(&Md5::digest(&raw));
    assert_eq!(
        first.trim(),
        format!("MD5={hex}"),
        "the MD5 is not that of the raw frames"
    );
}

#[test]
fn count_size_and_rate_come_back() {
    let s = sample();
    let decoded = Clip::parse(&nvc_decode(s.dir(), "a.nvc -o -").expect(0).stdout);
    assert_eq!(
        (
            decoded.width,
            decoded.height,
            decoded.tag,
            decoded.frames.len()
        ),
        (48, 32, "420", 6)
    );
}

#[test]
fn parts_are_parts_of_the_whole() {
    let s = sample();
    let whole = Clip::parse(&nvc_decode(s.dir(), "a.nvc -o -").expect(0).stdout);
    // within the first group, across the two, the second, to and beyond the end
    for (range, want) in [
        ("0..1", 0..1),
        ("1..3", 1..3),
        ("2..5", 2..5),
        ("3..6", 3..6),
        ("4..", 4..6),
        ("..2", 0..2),
        ("5..99", 5..6),
    ] {
        let part = Clip::parse(
            &nvc_decode(s.dir(), &format!("a.nvc -o - --frames {range}"))
                .expect(0)
                .stdout,
        );
        assert!(part.frames == whole.frames[want], "--frames {range}");
    }
    let e = nvc_decode(s.dir(), "a.nvc -o null: --frames 6..7")
        .expect(2)
        .stderr;
    assert!(e.contains("the file has 6"), "{e}");
    let part = nvc_decode(s.dir(), "a.nvc -o null: --frames 2..5 --score a.y4m --json")
        .expect(0)
        .json();
    assert_eq!(part["frames"].as_u64(), Some(3));
    let own = Clip {
        frames: whole.frames[2..5].to_vec(),
        ..whole.clone()
    };
    let reference = Clip {
        frames: s.clip.frames[2..5].to_vec(),
        ..s.clip.clone()
    };
    assert!(
        (part["psnr_y"]["mean"].as_f64().unwrap() - own.psnr(&reference, 0)).abs() < 0.001,
        "{part}"
    );
}

#[test]
fn info_accounts_for_every_byte() {
    let s = sample();
    let v = nvc(s.dir(), "info a.nvc --json").expect(0).json();
    for key in [
        "format_version",
        "bytes",
        "bpp",
        "width",
        "height",
        "frames",
        "fps",
        "pix_fmt",
        "color",
        "arch",
        "sections",
    ] {
        assert!(!v[key].is_null(), "no {key} in {v}");
    }
    let n = |v: &serde_json::Value| v.as_u64().unwrap_or_else(|| panic!("{v} is not a count"));
    let size = std::fs::metadata(s.dir().join("a.nvc")).unwrap().len();
    assert_eq!(
        (
            n(&v["bytes"]),
            n(&v["width"]),
            n(&v["height"]),
            n(&v["frames"])
        ),
        (size, 48, 32, 6)
    );
    assert_eq!(
        (v["fps"].as_str(), v["pix_fmt"].as_str(), v["arch"].as_str()),
        (Some("30000/1001"), Some("yuv420p"), Some("hnerv"))
    );
    let parts = &v["bytes_by_part"];
    assert_eq!(
        n(&parts["sequence_header"]) + n(&parts["sections"]) + n(&parts["index"]),
        size
    );
    let sections = v["sections"].as_array().unwrap();
    assert_eq!(sections.len(), 2);
    assert_eq!(
        sections.iter().map(|s| n(&s["bytes"])).sum::<u64>(),
        n(&parts["sections"])
    );
    let (mut offset, mut frame) = (n(&parts["sequence_header"]), 0);
    for s in sections {
        assert_eq!(
            (n(&s["offset"]), n(&s["first_frame"]), s["crc_ok"].as_bool()),
            (offset, frame, Some(true))
        );
        let p = &s["bytes_by_part"];
        assert_eq!(
            n(&p["packet"]) + n(&p["section_header"]) + n(&p["groups"]),
            n(&s["bytes"])
        );
        let groups = s["groups"].as_array().unwrap();
        let bytes = |g: &serde_json::Value| {
            ["header", "weights", "latents"]
                .iter()
                .map(|k| n(&g["bytes"][k]))
                .sum::<u64>()
        };
        assert_eq!(groups.iter().map(bytes).sum::<u64>(), n(&p["groups"]));
        assert_eq!(
            groups.iter().map(|g| n(&g["frames"])).sum::<u64>(),
            n(&s["frames"])
        );
        for g in groups {
            assert!(
                n(&g["params"]) > 100
                    && g["macs_per_pixel"].as_f64().unwrap() > 1.0
                    && g["arch"] == "hnerv",
                "{g}"
            );
        }
        (offset, frame) = (offset + n(&s["bytes"]), frame + n(&s["frames"]));
    }
    assert_eq!(
        (offset, frame),
        (n(&parts["sequence_header"]) + n(&parts["sections"]), 6)
    );
    let text = nvc(s.dir(), "info a.nvc").expect(0).text();
    assert!(
        text.contains(&format!("{size} bytes")) && text.contains("CRC ok"),
        "{text}"
    );
}

#[test]
fn a_damaged_file_is_found_by_all_and_shown_by_info() {
    let dir = temp();
    let path = sample().copy(&dir);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    for args in [
        "a.nvc -o null:",
        "a.nvc -o x.y4m",
        "a.nvc -o - --format md5",
    ] {
        let e = nvc_decode(dir.path(), args).expect(4).stderr;
        assert!(
            e.contains("corrupt stream at byte") && e.contains("CRC"),
            "{args}: {e}"
        );
    }
    nvc(dir.path(), "verify a.nvc").expect(4);
    let sections = nvc(dir.path(), "info a.nvc --json").expect(0).json()["sections"].clone();
    let ok: Vec<bool> = sections
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["crc_ok"].as_bool().unwrap())
        .collect();
    assert_eq!(ok, [false, true]);
    assert_eq!(
        crate::run::names(dir.path()),
        ["a.nvc"],
        "a failed decode leaves files"
    );

    std::fs::write(&path, &bytes[..middle]).unwrap();
    nvc(dir.path(), "verify a.nvc").expect(4);
    nvc_decode(dir.path(), "a.nvc -o null:").expect(4);
}

#[test]
fn headers_that_are_damaged_are_told_as_damage() {
    let s = sample();
    let dir = temp();
    let path = s.copy(&dir);
    let bytes = std::fs::read(&path).unwrap();
    let section = nvc(dir.path(), "info a.nvc --json").expect(0).json()["sections"][0].clone();
    let at = section["offset"].as_u64().unwrap() as usize + 5;
    let mut refused = 0;
    for i in at..at + 8 {
        let mut bad = bytes.clone();
        bad[i] ^= 0x40;
        std::fs::write(&path, bad).unwrap();
        let done = nvc(dir.path(), "info a.nvc");
        assert!(
            done.code == 0 || done.code == 4,
            "byte {i}: {}",
            done.stderr
        );
        let told = if done.code == 0 {
            done.text()
        } else {
            done.stderr
        };
        assert!(told.contains("CRC"), "byte {i}: {told}");
        refused += usize::from(done.code == 4);
    }
    assert!(refused > 0);
}

#[test]
fn scores_refuse_another_geometry() {
    let s = sample();
    let dir = temp();
    s.copy(&dir);
    Clip::moving("420", 46, 32, 6).write(dir.path().join("narrow.y4m"));
    Clip::moving("420", 48, 32, 5).write(dir.path().join("short.y4m"));
    let e = nvc_decode(dir.path(), "a.nvc -o null: --score narrow.y4m")
        .expect(8)
        .stderr;
    assert!(e.contains("46x32") && e.contains("48x32"), "{e}");
    let e = nvc_decode(dir.path(), "a.nvc -o null: --score short.y4m")
        .expect(8)
        .stderr;
    assert!(e.contains("only 5 frames"), "{e}");
}
