//! Links, devices, rights: an output is written where its name leads, as that file is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::files::refused;
use super::inputs::*;
use crate::clip::Clip;
use crate::run::{names, nvc, nvc_decode, sample, temp};

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
