//! Arithmetic at the edges: tiny clips, sizes no file has, more threads than any machine.

use super::inputs::*;
use crate::run::{NVC, NVC_DECODE, names, sample, temp};

fn tiny(dir: &std::path::Path) {
    std::fs::write(
        dir.join("a.y4m"),
        video(32, 32, "F25:1 Ip A1:1 C420jpeg", 4),
    )
    .unwrap();
}

#[test]
fn a_tiny_clip_with_all_defaults() {
    let dir = temp();
    tiny(dir.path());
    fitted(run_os(
        NVC,
        dir.path(),
        &words("encode a.y4m -o a.nvc --preset ultrafast --device cpu"),
        b"",
    ));
    run_os(NVC, dir.path(), &["verify", "a.nvc"], b"").expect(0);
    assert_eq!(info(dir.path(), "a.nvc")["frames"].as_u64(), Some(4));
}

#[test]
fn sizes_that_no_file_has_are_missed_without_a_panic() {
    let dir = temp();
    tiny(dir.path());
    for arch in ["hnerv", "nerv", "nervpp", "nirvana"] {
        for target in ["--size 1", "--bitrate 1k"] {
            let args = format!(
                "encode a.y4m -o a.nvc -y --device cpu -q --preset ultrafast --steps 10 --arch {arch} {target}"
            );
            let done = fitted(run_os(NVC, dir.path(), &words(&args), b""));
            assert!(
                done.code == 6 || target != "--size 1",
                "{arch}: a file of one byte"
            );
            run_os(NVC, dir.path(), &["verify", "a.nvc"], b"").expect(0);
        }
    }
}

#[test]
fn more_threads_than_can_be_are_as_many_as_are_good() {
    let dir = temp();
    sample().copy(&dir);
    tiny(dir.path());
    for (program, args, codes) in [
        (NVC, "encode a.y4m -o b.nvc --threads 10000", &[0, 6][..]),
        (NVC, "decode a.nvc -o null: --threads 10000", &[0][..]),
        (NVC_DECODE, "a.nvc -o null: --threads 10000", &[0][..]),
        (NVC, "verify a.nvc --threads 10000", &[0][..]),
    ] {
        let fit = if args.starts_with("encode") {
            QUICK
        } else {
            ""
        };
        let done = run_os(program, dir.path(), &words(&format!("{args} {fit}")), b"");
        assert!(
            codes.contains(&done.code),
            "{args}: exit code {}: {}",
            done.code,
            done.stderr
        );
        let said = warnings(&done)
            .into_iter()
            .filter(|w| has_number(w, 10000))
            .count();
        assert_eq!(said, 1, "{args}: {}", done.stderr);
    }
    // and as few change nothing
    encoded(dir.path(), "a.y4m -o one.nvc --threads 1");
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    assert!(
        read("b.nvc") == read("one.nvc"),
        "the threads change the file"
    );
}

#[test]
fn sizes_beyond_reason_are_named_with_what_is_allowed() {
    let dir = temp();
    tiny(dir.path());
    for (option, value, also) in [
        ("--size", "0.4", "0.4"),
        ("--size", "1e30", "1000000000000"),
        ("--size", "1e300", "1000000000000"),
        ("--bitrate", "1e30", "1000000000000"),
    ] {
        let e = quick(dir.path(), &format!("a.y4m -o a.nvc {option} {value}"))
            .expect(2)
            .stderr;
        assert!(
            e.contains(option) && e.contains("allowed"),
            "{option} {value}: {e}"
        );
        assert!(
            e.contains(value) || e.contains(also),
            "{option} {value}: the value is not named: {e}"
        );
        assert_eq!(names(dir.path()), ["a.y4m"]);
    }
}
