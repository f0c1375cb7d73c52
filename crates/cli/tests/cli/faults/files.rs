//! Guards look at files, not at spellings: what is not an output keeps its bytes, and an output is
//! whole or not there.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

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
fn refused(done: Done, says: &str, what: &str) {
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
fn links_stay_links() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    sample().copy(&dir);
    sample().clip.write(at("a.y4m"));
    fs::create_dir(at("d")).unwrap();
    let is_link = |name: &str| fs::symlink_metadata(at(name)).unwrap().is_symlink();
    fs::write(at("real.y4m"), "old").unwrap();
    for link in ["link.y4m", "d/up.y4m"] {
        symlink(
            if link.starts_with('d') {
                "../real.y4m"
            } else {
                "real.y4m"
            },
            at(link),
        )
        .unwrap();
        fs::write(at("real.y4m"), "old").unwrap();
        refused(
            nvc_decode(dir.path(), &format!("a.nvc -o {link}")),
            "exists",
            link,
        );
        assert_eq!(fs::read(at("real.y4m")).unwrap(), b"old");
        nvc_decode(dir.path(), &format!("a.nvc -o {link} -y")).expect(0);
        assert!(
            is_link(link) && !is_link("real.y4m"),
            "{link} is a file now"
        );
        assert_eq!(Clip::read(at("real.y4m")).frames.len(), 6, "{link}");
    }
    symlink("d/new.y4m", at("gone.y4m")).unwrap();
    nvc_decode(dir.path(), "a.nvc -o gone.y4m").expect(0);
    assert!(is_link("gone.y4m") && !is_link("d/new.y4m"));
    assert_eq!(Clip::read(at("d/new.y4m")).frames.len(), 6);
    symlink("d/new.nvc", at("gone.nvc")).unwrap();
    encoded(dir.path(), "a.y4m -o gone.nvc");
    assert!(is_link("gone.nvc") && !is_link("d/new.nvc"));
    nvc(dir.path(), "verify d/new.nvc").expect(0);
    assert_eq!(
        names(&at("d")),
        ["new.nvc", "new.y4m", "up.y4m"],
        "something is left beside a link's target"
    );
}

#[test]
fn permissions_are_the_file_s_or_the_user_s() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o7777;
    sample().copy(&dir);
    sample().clip.write(at("a.y4m"));
    for (umask, want) in [("022", 0o644), ("027", 0o640), ("000", 0o666)] {
        let fit =
            format!("\"$ENCODER\" encode a.y4m -o n.nvc --recon r.y4m --stats s.ndjson {QUICK}");
        fitted(sh(dir.path(), &format!("umask {umask}; {fit}")));
        sh(
            dir.path(),
            &format!("umask {umask}; exec \"$DECODER\" a.nvc -o o.y4m"),
        )
        .expect(0);
        sh(
            dir.path(),
            &format!("umask {umask}; exec \"$ENCODER\" decode a.nvc -o p_%d.png"),
        )
        .expect(0);
        for name in ["n.nvc", "r.y4m", "s.ndjson", "o.y4m", "p_1.png"] {
            assert_eq!(mode(name), want, "{name} under umask {umask}");
        }
        for name in names(dir.path()).iter().filter(|n| !n.starts_with("a.")) {
            fs::remove_file(at(name)).unwrap();
        }
    }
    for want in [0o640, 0o600, 0o664] {
        for name in ["o.y4m", "n.nvc"] {
            fs::write(at(name), "old").unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(want)).unwrap();
        }
        sh(dir.path(), "umask 022; exec \"$DECODER\" a.nvc -o o.y4m -y").expect(0);
        fitted(sh(
            dir.path(),
            &format!("umask 022; exec \"$ENCODER\" encode a.y4m -o n.nvc -y {QUICK}"),
        ));
        assert_eq!(
            (mode("o.y4m"), mode("n.nvc")),
            (want, want),
            "an overwritten file"
        );
    }
}

#[test]
fn what_the_shell_has_opened_is_a_file_too() {
    let dir = temp();
    sample().clip.write(dir.path().join("a.y4m"));
    sample().copy(&dir);
    let before = fs::read(dir.path().join("a.y4m")).unwrap();
    for script in [
        format!("\"$ENCODER\" encode - -o a.y4m -y {QUICK} < a.y4m"),
        format!("\"$ENCODER\" encode a.y4m -o - {QUICK} 1<>a.y4m"),
        format!("\"$ENCODER\" encode a.y4m -o /dev/stdout {QUICK} >> a.y4m"),
    ] {
        let e = sh(dir.path(), &script).expect(2).stderr;
        assert!(e.contains("same file"), "{script}: {e}");
        assert!(
            fs::read(dir.path().join("a.y4m")).unwrap() == before,
            "{script}"
        );
    }
    let coded = fs::read(dir.path().join("a.nvc")).unwrap();
    sh(dir.path(), "\"$DECODER\" a.nvc -o - >> a.nvc").expect(2);
    assert!(fs::read(dir.path().join("a.nvc")).unwrap() == coded);
    // what is appended to stays
    sh(
        dir.path(),
        "echo before > log; \"$DECODER\" a.nvc -o /dev/stdout --format md5 >> log",
    )
    .expect(0);
    assert!(
        fs::read_to_string(dir.path().join("log"))
            .unwrap()
            .starts_with("before\nMD5=")
    );
    let e = sh(dir.path(), "\"$ENCODER\" compare - - < a.y4m")
        .expect(2)
        .stderr;
    assert!(e.contains("stdin can be read once"), "{e}");
}

#[test]
fn links_among_pictures_are_looked_at_one_by_one() {
    let dir = temp();
    sample().copy(&dir);
    sample().clip.write(dir.path().join("a.y4m"));
    let link = |to: &str, name: &str| symlink(to, dir.path().join(name)).unwrap();
    link("w.nvc", "v_3.png");
    let e = quick(dir.path(), "a.y4m -o w.nvc --recon v_%d.png")
        .expect(2)
        .stderr;
    assert!(e.contains("two outputs"), "{e}");
    link("one.png", "l_1.png");
    link("one.png", "l_2.png");
    let e = nvc(dir.path(), "decode a.nvc -o l_%d.png").expect(2).stderr;
    assert!(e.contains("two pictures"), "{e}");
    link("ring1", "ring2");
    link("ring2", "ring1");
    assert_eq!(quick(dir.path(), "a.y4m -o ring1 -y").code, 3);
    assert!(
        fs::symlink_metadata(dir.path().join("ring1"))
            .unwrap()
            .is_symlink()
    );
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

const SIGNALS: [(&str, u32); 3] = [("INT", 2), ("TERM", 15), ("HUP", 1)];

#[test]
fn a_stopped_decoder_leaves_nothing() {
    let file = fs::read(sample().dir().join("a.nvc")).unwrap();
    for (name, _) in SIGNALS.into_iter().filter(|(_, number)| !ignored(*number)) {
        for (program, args) in [
            (NVC_DECODE, "- -o o.y4m"),
            (NVC, "decode - -o o.yuv"),
            (NVC, "decode - -o o.txt --format md5"),
        ] {
            let dir = temp();
            let mut command = command(program, dir.path(), &words(args));
            let mut child = command
                .stdin(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            // all frames are decoded, and the last byte does not come
            stdin.write_all(&file[..file.len() - 1]).unwrap();
            stdin.flush().unwrap();
            until(|| !names(dir.path()).is_empty());
            std::thread::sleep(Duration::from_millis(100));
            assert!(
                child.try_wait().unwrap().is_none(),
                "{args}: the end of the file is not waited for"
            );
            signal(&child, name);
            let status = ended(&mut child, AT_ONCE)
                .unwrap_or_else(|| panic!("{args}: SIG{name} ends nothing"));
            assert_eq!(
                (status.code(), names(dir.path())),
                (Some(130), vec![]),
                "{args}, SIG{name}"
            );
        }
    }
}

#[test]
fn a_decoder_stopped_while_its_reference_gives_nothing_leaves_nothing() {
    let y4m = sample().clip.y4m();
    for (name, _) in SIGNALS.into_iter().filter(|(_, number)| !ignored(*number)) {
        let dir = temp();
        sample().copy(&dir);
        assert!(
            Command::new("mkfifo")
                .arg(dir.path().join("ref.y4m"))
                .status()
                .unwrap()
                .success()
        );
        let args = words("a.nvc -o o.y4m --score ref.y4m");
        let mut child = command(NVC_DECODE, dir.path(), &args)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // open at both ends, a pipe does not block
        let mut reference = fs::File::options()
            .read(true)
            .write(true)
            .open(dir.path().join("ref.y4m"))
            .unwrap();
        reference.write_all(&y4m[..y4m.len() / 2]).unwrap();
        until(|| names(dir.path()).len() > 2);
        std::thread::sleep(Duration::from_millis(100));
        signal(&child, name);
        let status = ended(&mut child, AT_ONCE).unwrap_or_else(|| panic!("SIG{name} ends nothing"));
        assert_eq!(
            (status.code(), names(dir.path())),
            (Some(130), vec!["a.nvc".into(), "ref.y4m".into()]),
            "SIG{name}"
        );
        drop(reference);
    }
}

#[test]
fn one_signal_ends_an_encode_whatever_it_waits_for() {
    let y4m = sample().clip.y4m();
    let dir = temp();
    let args = words("encode - -o a.nvc --stats s.ndjson --recon r.y4m --device cpu -q --steps 10");
    let mut child = command(NVC, dir.path(), &args)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // the rest does not come
    stdin.write_all(&y4m[..y4m.len() / 2]).unwrap();
    stdin.flush().unwrap();
    until(|| names(dir.path()).len() == 3);
    signal(&child, "TERM");
    let status = ended(&mut child, AT_ONCE).expect("SIGTERM ends nothing");
    assert_eq!((status.code(), names(dir.path())), (Some(130), vec![]));
    drop(stdin);
}

#[test]
fn an_encode_under_nohup_outlives_its_terminal() {
    let dir = temp();
    let y4m = sample().clip.y4m();
    let script =
        format!("trap '' HUP; exec \"$ENCODER\" encode - -o a.nvc --stats s.ndjson {QUICK}");
    let mut command = command("sh", dir.path(), &["-c", &script]);
    let mut child = command
        .env("ENCODER", NVC)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&y4m[..y4m.len() / 2]).unwrap();
    stdin.flush().unwrap();
    until(|| !names(dir.path()).is_empty());
    // whatever handles signals is there soon after the outputs
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        child.try_wait().unwrap().is_none(),
        "SIGHUP ends an encode that was told to ignore it"
    );
    stdin.write_all(&y4m[y4m.len() / 2..]).unwrap();
    drop(stdin);
    let code = ended(&mut child, Duration::from_secs(60)).and_then(|s| s.code());
    assert!([Some(0), Some(6)].contains(&code), "{code:?}");
    assert_eq!(info(dir.path(), "a.nvc")["frames"].as_u64(), Some(6));
}

#[test]
fn a_closed_stdout_is_said() {
    let dir = temp();
    sample().copy(&dir);
    sample().clip.write(dir.path().join("a.y4m"));
    let encode = format!("exec \"$ENCODER\" encode a.y4m -o - {QUICK}");
    for script in [
        "exec \"$DECODER\" a.nvc -o -",
        "exec \"$ENCODER\" decode a.nvc -o - --format yuv",
        &encode,
    ] {
        let e = sh(dir.path(), &format!("{script} >&-")).expect(3).stderr;
        assert!(
            e.contains("error: ") && e.contains("stdout"),
            "{script}: {e}"
        );
    }
}
