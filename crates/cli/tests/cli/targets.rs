//! Sizes and qualities that are asked for.

use crate::clip::Clip;
use crate::run::{nvc, nvc_decode, sample, temp};

#[test]
fn wanted_sizes_are_reached() {
    let dir = temp();
    Clip::moving("420", 96, 64, 12).write(dir.path().join("a.y4m"));
    let pixels = 96.0 * 64.0 * 12.0;
    for (option, want) in [
        ("--bpp 0.8", 0.8 * pixels / 8.0),
        ("--size 9k", 9000.0),
        ("--bitrate 200k", 200e3 * 1001.0 / 30000.0 * 12.0 / 8.0),
    ] {
        nvc(
            dir.path(),
            &format!("encode a.y4m -o a.nvc -y --device cpu --arch hnerv --steps 120 -q {option}"),
        )
        .expect(0);
        let got = std::fs::metadata(dir.path().join("a.nvc")).unwrap().len() as f64;
        // the coder itself brings the size: eight seeds are 0.5 to 0.7 % below
        assert!(
            (got / want - 1.0).abs() <= 0.02,
            "{option}: {got} bytes, {want:.0} wanted"
        );
    }
}

#[test]
fn a_size_no_network_has_is_written_as_best_it_can_and_said() {
    let dir = temp();
    sample().clip.write(dir.path().join("a.y4m"));
    let done = nvc(
        dir.path(),
        "encode a.y4m -o a.nvc --device cpu --steps 10 --bpp 0.01",
    )
    .expect(6);
    assert!(
        done.stderr.contains("target not reached") && done.stderr.contains("12 were asked for"),
        "{}",
        done.stderr
    );
    let warned = done
        .stderr
        .find("warning: 12 bytes for 6 frames: headers and the smallest network alone take about ");
    assert!(
        warned.is_some_and(|w| w < done.stderr.find("group 1/1: step").unwrap_or(usize::MAX)),
        "{}",
        done.stderr
    );
    let decoded = Clip::parse(&nvc_decode(dir.path(), "a.nvc -o -").expect(0).stdout);
    assert_eq!(decoded.frames.len(), 6);
}

/// PSNR 6:1:1 of `a.nvc` against `a.y4m`, mean over frames.
fn psnr(dir: &std::path::Path) -> f64 {
    let scored = nvc_decode(dir, "a.nvc -o null: --score a.y4m --json")
        .expect(0)
        .json();
    scored["psnr_yuv611"]["mean"].as_f64().unwrap()
}

#[test]
fn what_a_bit_is_worth_decides() {
    let dir = temp();
    Clip::moving("420", 96, 64, 12).write(dir.path().join("a.y4m"));
    let encode = |options: &str| {
        nvc(
            dir.path(),
            &format!("encode a.y4m -o a.nvc -y --device cpu --arch hnerv --steps 300 -q {options}"),
        )
        .expect(0);
        (
            std::fs::metadata(dir.path().join("a.nvc")).unwrap().len(),
            psnr(dir.path()),
        )
    };
    let (cheap, low) = encode("--crf 45");
    let (dear, high) = encode("--crf 30");
    // eight seeds: 2.3 to 4.4 times the bytes
    assert!(
        cheap < dear && low < high,
        "crf 45: {cheap} bytes, {low} dB; crf 30: {dear} bytes, {high} dB"
    );
}

#[test]
fn a_quality_no_fit_has_is_written_as_best_it_can_and_said() {
    let dir = temp();
    sample().clip.write(dir.path().join("a.y4m"));
    let done = nvc(
        dir.path(),
        "encode a.y4m -o a.nvc --device cpu --arch hnerv --steps 20 --psnr 60",
    )
    .expect(6);
    assert!(
        done.stderr.contains("target not reached")
            && done.stderr.contains("60.00 dB were asked for"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr
            .contains(&format!("the file has {:.2} dB", psnr(dir.path()))),
        "{}",
        done.stderr
    );
    for (option, says) in [
        ("--psnr 5", "allowed 10..=70"),
        ("--crf 64", "allowed 0..=63"),
        ("--psnr 30 --bpp 1", "cannot be used with"),
    ] {
        let done = nvc(dir.path(), &format!("encode a.y4m -o b.nvc {option}")).expect(2);
        assert!(done.stderr.contains(says), "{option}: {}", done.stderr);
    }
}

/// Groups of one file share its bytes by what these gain: what does not move takes fewer.
#[test]
fn bits_follow_the_content() {
    let dir = temp();
    let mut clip = Clip::moving("420", 96, 64, 16);
    let still = clip.frames[0].clone();
    clip.frames[..8].fill(still);
    clip.write(dir.path().join("a.y4m"));
    nvc(
        dir.path(),
        "encode a.y4m -o a.nvc -y --device cpu --arch hnerv --steps 120 --group 8 --size 9000 -q",
    )
    .expect(0);
    let bytes = std::fs::metadata(dir.path().join("a.nvc")).unwrap().len();
    // eight seeds: 8941 to 8961 bytes, 1.7 to 3.1 times as many for what moves
    assert!((8820..=9000).contains(&bytes), "{bytes} bytes");
    let info = nvc(dir.path(), "info a.nvc --json").expect(0).json();
    let of = |i: usize| info["sections"][i]["bytes"].as_u64().unwrap() as f64;
    assert!(
        of(1) > 1.2 * of(0),
        "{} bytes for what stands still, {} for what moves",
        of(0),
        of(1)
    );
}
