//! What can be known before the work is said before it: none of these waits for a fit.

use std::time::Instant;

use super::inputs::*;
use crate::clip::Clip;
use crate::run::{NVC, names, temp};

/// A y4m stream and its planes alone, of twelve frames.
fn twelve() -> (Vec<u8>, Vec<u8>) {
    let clip = Clip::moving("420", 48, 32, 12);
    (
        clip.y4m(),
        clip.frames
            .iter()
            .flatten()
            .flatten()
            .map(|&v| v as u8)
            .collect(),
    )
}

#[test]
fn a_damaged_end_is_told_before_the_fit_and_passed_over_if_asked() {
    let (y4m, raw) = twelve();
    let with = |bytes: &[u8], tail: &[u8]| [bytes, tail].concat();
    for (name, bytes, options, whole) in [
        ("cut.y4m", y4m[..y4m.len() - 100].to_vec(), "", 11),
        ("newline.y4m", with(&y4m, b"\n"), "", 12),
        ("zeros.y4m", with(&y4m, &[0; 512]), "", 12),
        ("half.y4m", with(&y4m, b"FRA"), "", 12),
        (
            "short.yuv",
            raw[..raw.len() - 100].to_vec(),
            "--size-in 48x32",
            11,
        ),
        ("long.yuv", with(&raw, &[0; 100]), "--size-in 48x32", 12),
    ] {
        let dir = temp();
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let args = format!("encode {name} -o a.nvc {options} {ENDLESS}");
        let e = within(AT_ONCE, &mut command(NVC, dir.path(), &words(&args)), b"")
            .expect(4)
            .stderr;
        assert!(
            e.contains(name) && has_number(&e, whole) && e.contains("--keep-going"),
            "{e}"
        );
        assert_eq!(names(dir.path()), [name]);
        let done = encoded(
            dir.path(),
            &format!("{name} -o a.nvc {options} --keep-going"),
        );
        assert!(
            has_number(&warned(&done, &[name]), whole),
            "{name}: {}",
            done.stderr
        );
        assert_eq!(
            info(dir.path(), "a.nvc")["frames"].as_u64(),
            Some(whole),
            "{name}"
        );
    }
}

#[test]
fn frames_before_the_damage_of_a_pipe_are_kept_if_asked() {
    let (y4m, _) = twelve();
    let frame = 48 * 32 * 3 / 2 + 6;
    let header = y4m.len() - 12 * frame;
    let mut broken = y4m.clone();
    broken[header + 6 * frame..][..5].copy_from_slice(b"FRUIT");
    for (bytes, whole) in [
        (&y4m[..y4m.len() - 100], 11),
        (&y4m[..header + 3 * frame + 2], 3),
        (&broken[..], 6),
    ] {
        let dir = temp();
        let args = format!("encode - -o a.nvc --group 4 {QUICK}");
        let e = run_os(NVC, dir.path(), &words(&args), bytes)
            .expect(4)
            .stderr;
        assert!(e.contains("--keep-going"), "{e}");
        assert_eq!(names(dir.path()), [""; 0]);
        let done = fitted(run_os(
            NVC,
            dir.path(),
            &words(&format!("{args} --keep-going")),
            bytes,
        ));
        assert!(
            warnings(&done).iter().any(|w| has_number(w, whole)),
            "{}",
            done.stderr
        );
        assert_eq!(info(dir.path(), "a.nvc")["frames"].as_u64(), Some(whole));
    }
}

#[test]
fn one_picture_for_several_frames_is_refused_before_the_fit() {
    let dir = temp();
    let y4m = Clip::moving("420", 48, 32, 4).y4m();
    std::fs::write(dir.path().join("a.y4m"), &y4m).unwrap();
    for input in ["a.y4m", "-"] {
        let args = format!("encode {input} -o a.nvc --recon one.png {ENDLESS}");
        let e = within(AT_ONCE, &mut command(NVC, dir.path(), &words(&args)), &y4m)
            .expect(2)
            .stderr;
        assert!(e.contains("one.png"), "{e}");
        assert_eq!(names(dir.path()), ["a.y4m"], "from {input}");
    }
    encoded(dir.path(), "a.y4m -o a.nvc --frames 1..2 --recon one.png");
    assert_eq!(names(dir.path()), ["a.nvc", "a.y4m", "one.png"]);
}

#[test]
fn the_longest_side_is_coded_or_refused_at_once() {
    for (width, height) in [(1, 16384), (16384, 1)] {
        let dir = temp();
        std::fs::write(
            dir.path().join("long.y4m"),
            video(width, height, "F25:1 Ip A1:1 C420jpeg", 1),
        )
        .unwrap();
        let start = Instant::now();
        let done = quick(dir.path(), "long.y4m -o a.nvc");
        if done.code == 5 {
            assert!(
                start.elapsed() < AT_ONCE / 2,
                "{:?} to say: {}",
                start.elapsed(),
                done.stderr
            );
            assert!(
                done.stderr.contains("16384") || done.stderr.contains("long.y4m"),
                "{}",
                done.stderr
            );
            assert!(
                !done.stderr.contains("corrupt") && !done.stderr.contains("latent_width"),
                "{}",
                done.stderr
            );
            assert_eq!(names(dir.path()), ["long.y4m"]);
        } else {
            fitted(done);
        }
    }
}
