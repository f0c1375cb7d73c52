//! Guards look at files, not at spellings: what is not an output keeps its bytes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::inputs::*;
use crate::clip::Clip;
use crate::run::{Done, NVC, NVC_DECODE, names, nvc, nvc_decode, sample, temp};

const VIDEO: &str = "F30000:1001 Ip A1:1 C420jpeg";

/// Every file of a folder with its bytes.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let files = names(dir).into_iter().filter(|n| dir.join(n).is_file());
    files
        .map(|n| (n.clone(), fs::read(dir.join(n)).unwrap()))
        .collect()
}

#[track_caller]
pub fn refused(done: Done, says: &str, what: &str) {
    let e = done.expect(2).stderr;
    assert!(e.contains(says), "{what}: no '{says}' in: {e}");
}

#[test]
fn numbered_pictures_are_not_overwritten_unasked() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    numbered(&at("s"), "f", 1..=3);
    symlink("s", at("l")).unwrap();
    encoded(dir.path(), "s/f_%03d.png -o s.nvc");
    let before = contents(&at("s"));
    let absolute = at("s/f_%03d.png").display().to_string();
    for output in [
        "s/f_%03d.png",
        "./s/../s/f_%03d.png",
        "l/f_%03d.png",
        &absolute,
    ] {
        refused(
            nvc(dir.path(), &format!("decode s.nvc -o {output}")),
            "exists",
            output,
        );
        refused(
            nvc_decode(dir.path(), &format!("s.nvc -o {output}")),
            "exists",
            output,
        );
        assert!(contents(&at("s")) == before, "{output} is written");
    }
    for one in ["f_001.png", "f_002.png", "f_003.png"] {
        fs::create_dir(at("t")).unwrap();
        fs::write(at("t").join(one), "precious").unwrap();
        refused(
            nvc(dir.path(), "decode s.nvc -o t/f_%03d.png"),
            one,
            "one of three",
        );
        assert_eq!(
            contents(&at("t")),
            [(one.to_string(), b"precious".to_vec())]
        );
        fs::remove_dir_all(at("t")).unwrap();
    }
    nvc(dir.path(), "decode s.nvc -o l/f_%03d.png -y").expect(0);
    assert_eq!(names(&at("s")), ["f_001.png", "f_002.png", "f_003.png"]);
    assert!(contents(&at("s")) != before, "-y overwrites nothing");
}

#[test]
fn a_lone_percent_sign_is_a_letter() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    let (name, bytes) = ("100% of it.y4m", video(32, 32, VIDEO, 3));
    fs::write(at(name), &bytes).unwrap();
    for more in ["", "-y"] {
        let mut args = vec![name, "-o", name];
        args.extend(words(more));
        refused(quick_os(dir.path(), &args), "same file", more);
        assert!(fs::read(at(name)).unwrap() == bytes, "the input is written");
    }
    fitted(quick_os(
        dir.path(),
        &[
            name, "-o", "50%.nvc", "--recon", "a% d.y4m", "--stats", "%.ndjson",
        ],
    ));
    for decoder in [&[NVC, "decode"][..], &[NVC_DECODE][..]] {
        let args = [&decoder[1..], &["50%.nvc", "-o", "% out.y4m"][..]].concat();
        run_os(decoder[0], dir.path(), &args, b"").expect(0);
        assert!(fs::read(at("% out.y4m")).unwrap() == fs::read(at("a% d.y4m")).unwrap());
        refused(
            run_os(decoder[0], dir.path(), &args, b""),
            "exists",
            "a second time",
        );
        fs::remove_file(at("% out.y4m")).unwrap();
    }
    for (option, name) in [
        ("--recon", "a% d.y4m"),
        ("--stats", "%.ndjson"),
        ("-y --recon", "100% of it.y4m"),
    ] {
        let mut args = vec!["100% of it.y4m", "-o", "new.nvc"];
        args.extend(words(option));
        args.push(name);
        let says = if option.contains("-y") {
            "same file"
        } else {
            "exists"
        };
        refused(quick_os(dir.path(), &args), says, name);
    }
    fs::write(at("9% grey.png"), png(&picture(40, 24, 0), &[])).unwrap();
    fitted(quick_os(
        dir.path(),
        &["9% grey.png", "-o", "g.nvc", "--recon", "8% grey.png"],
    ));
    refused(
        run_os(
            NVC,
            dir.path(),
            &["decode", "g.nvc", "-o", "8% grey.png"],
            b"",
        ),
        "exists",
        "a picture",
    );
    assert_eq!(
        names(dir.path()),
        [
            "%.ndjson",
            "100% of it.y4m",
            "50%.nvc",
            "8% grey.png",
            "9% grey.png",
            "a% d.y4m",
            "g.nvc"
        ]
    );
}

#[test]
fn the_reference_is_never_overwritten() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    sample().copy(&dir);
    sample().clip.write(at("ref.y4m"));
    symlink("ref.y4m", at("link.y4m")).unwrap();
    fs::hard_link(at("ref.y4m"), at("hard.y4m")).unwrap();
    let absolute = at("ref.y4m").display().to_string();
    for reference in ["ref.y4m", "link.y4m", "hard.y4m"] {
        for output in ["ref.y4m", "./ref.y4m", "link.y4m", "hard.y4m", &absolute] {
            refused(
                nvc_decode(
                    dir.path(),
                    &format!("a.nvc -o {output} --score {reference} -y"),
                ),
                "same file",
                output,
            );
        }
    }
    assert!(
        fs::read(at("ref.y4m")).unwrap() == sample().clip.y4m(),
        "the reference is written"
    );
    numbered(&at("s"), "f", 1..=3);
    encoded(dir.path(), "s/f_%03d.png -o s.nvc");
    let before = contents(&at("s"));
    for args in [
        "-o s/f_%03d.png --score s/f_%03d.png",
        "-o ./s/f_%03d.png --score s/f_%03d.png",
        "-o s/f_002.png --frames 1..2 --score s/f_%03d.png",
        "-o s/f_%03d.png --score s/f_002.png",
    ] {
        refused(
            nvc_decode(dir.path(), &format!("s.nvc {args} -y")),
            "same file",
            args,
        );
        assert!(contents(&at("s")) == before, "{args}");
    }
    nvc_decode(dir.path(), "a.nvc -o other.y4m --score link.y4m").expect(0);
}

#[test]
fn outputs_are_files_of_their_own() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("a.y4m"), video(32, 32, VIDEO, 3)).unwrap();
    fs::create_dir(at("d")).unwrap();
    symlink("d", at("l")).unwrap();
    let absolute = format!("a.y4m -o x.nvc --stats {}", at("x.nvc").display());
    for args in [
        "a.y4m -o st.nvc --stats ./st.nvc",
        "a.y4m -o d/x.y4m --recon l/x.y4m",
        "a.y4m -o d/x.nvc --stats d/../l/x.nvc",
        "a.y4m -o x.nvc --recon r.y4m --stats ./r.y4m",
        "a.y4m -o r_002.png --recon r_%03d.png",
        &absolute,
    ] {
        let e = quick(dir.path(), args).expect(2).stderr;
        assert!(e.contains("same file") || e.contains("both"), "{args}: {e}");
        assert_eq!(
            (names(dir.path()), names(&at("d"))),
            (vec!["a.y4m".into(), "d".into(), "l".into()], vec![]),
            "{args}"
        );
    }
}

#[test]
fn no_output_hits_a_picture_that_is_read() {
    let dir = temp();
    numbered(dir.path(), "p", 1..=3);
    fs::write(dir.path().join("a.y4m"), video(32, 32, VIDEO, 3)).unwrap();
    let before = contents(dir.path());
    for args in [
        "p_001.png -o x.nvc --recon p_%03d.png",
        "p_%03d.png -o x.nvc --recon p_%03d.png",
        "p_%03d.png -o x.nvc --recon ./p_%03d.png",
        "p_%03d.png -o p_002.png",
        "p_%03d.png -o x.nvc --stats ./p_003.png",
        "a.y4m -o x.nvc --stats ./a.y4m",
    ] {
        refused(quick(dir.path(), &format!("{args} -y")), "same file", args);
        assert!(contents(dir.path()) == before, "{args}");
    }
}

#[test]
fn part_files_of_the_user_survive() {
    let dir = temp();
    sample().copy(&dir);
    sample().clip.write(dir.path().join("a.y4m"));
    let parts = ["o.y4m.part", "n.nvc.part", "r.y4m.part", "s.ndjson.part"];
    for part in parts {
        fs::write(dir.path().join(part), "keep").unwrap();
    }
    nvc_decode(dir.path(), "a.nvc -o o.y4m").expect(0);
    nvc(dir.path(), "decode a.nvc -o o.y4m -y").expect(0);
    encoded(dir.path(), "a.y4m -o n.nvc --recon r.y4m --stats s.ndjson");
    for part in parts {
        assert_eq!(fs::read(dir.path().join(part)).unwrap(), b"keep", "{part}");
    }
    assert_eq!(Clip::read(dir.path().join("o.y4m")).frames.len(), 6);
    let mut all: Vec<&str> = ["a.nvc", "a.y4m", "o.y4m", "n.nvc", "r.y4m", "s.ndjson"]
        .into_iter()
        .chain(parts)
        .collect();
    all.sort();
    assert_eq!(names(dir.path()), all);
}

#[test]
fn outputs_that_cannot_be_made_are_told_before_the_fit() {
    let dir = temp();
    sample().clip.write(dir.path().join("a.y4m"));
    fs::create_dir(dir.path().join("d_2.png")).unwrap();
    let long = "x".repeat(260);
    for outputs in [
        "-o x.nvc --recon none/r_%d.png",
        "-o x.nvc --recon d_%d.png -y",
        &format!("-o {long}.nvc"),
        &format!("-o x.nvc --stats {long}"),
    ] {
        let args = format!("encode a.y4m {outputs} {ENDLESS}");
        let done = within(AT_ONCE, &mut command(NVC, dir.path(), &words(&args)), b"");
        assert_eq!(done.code, 3, "{outputs}: {}", done.stderr);
        assert_eq!(names(dir.path()), ["a.y4m", "d_2.png"], "{outputs}");
    }
}
