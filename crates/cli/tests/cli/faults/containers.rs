//! What a container says is kept, or a warning says that it is not.

use std::path::Path;

use super::inputs::*;
use crate::run::{names, nvc_decode, skipped, temp};

fn frames(dir: &Path) -> u64 {
    info(dir, "a.nvc")["frames"].as_u64().unwrap()
}

#[test]
fn a_turned_clip_is_coded_upright() {
    let dir = temp();
    let source = "-f lavfi -i testsrc2=s=96x64:r=25:d=0.2 -c:v mpeg4 -q:v 2 plain.mp4";
    let turn = "-i plain.mp4 -c copy -metadata:s:v:0 rotate=90 turned.mp4";
    if !made(dir.path(), source)
        || !made(dir.path(), turn)
        || !made(dir.path(), "-i turned.mp4 -f yuv4mpegpipe upright.y4m")
    {
        return;
    }
    if !std::fs::read(dir.path().join("upright.y4m"))
        .unwrap()
        .starts_with(b"YUV4MPEG2 W64 H96 ")
    {
        return skipped("this ffmpeg writes no rotation so, and a turned clip is not tested");
    }
    encoded(dir.path(), "turned.mp4 -o a.nvc");
    let info = info(dir.path(), "a.nvc");
    assert_eq!(
        (info["width"].as_u64(), info["height"].as_u64()),
        (Some(64), Some(96))
    );
    // versions of ffmpeg may differ in a rounding, not in a turn
    assert!(likeness(dir.path(), "turned.mp4", "upright.y4m") > 45.0);
}

#[test]
fn frames_of_uneven_length_are_refused_or_repeated() {
    let dir = temp();
    // eight frames in 0.64 s; two of them last 0.2 s each
    let uneven = "-vf setpts='(N+4*clip(N-3,0,2))/25/TB' -fps_mode vfr";
    if !made(
        dir.path(),
        &format!("-f lavfi -i testsrc2=s=64x48:r=25:d=0.32 {uneven} -c:v ffv1 vfr.mkv"),
    ) {
        return;
    }
    let e = quick(dir.path(), "vfr.mkv -o a.nvc").expect(5).stderr;
    assert!(e.contains("vfr.mkv") && e.contains("--vfr-to-cfr"), "{e}");
    assert_eq!(names(dir.path()), ["vfr.mkv"]);
    encoded(dir.path(), "vfr.mkv -o a.nvc --vfr-to-cfr");
    let info = info(dir.path(), "a.nvc");
    let (num, den) = info["fps"].as_str().unwrap().split_once('/').unwrap();
    let frame = den.parse::<f64>().unwrap() / num.parse::<f64>().unwrap();
    let seconds = info["frames"].as_f64().unwrap() * frame;
    assert!((seconds - 0.64).abs() < frame + 1e-6, "{seconds} s of 0.64");
}

/// Matroska counts milliseconds: frames of one length seem to differ by one.
#[test]
fn rounded_times_are_even_enough() {
    let dir = temp();
    if !made(
        dir.path(),
        "-f lavfi -i testsrc2=s=64x48:r=30000/1001:d=0.3 -pix_fmt yuv420p -c:v ffv1 even.mkv",
    ) {
        return;
    }
    let done = encoded(dir.path(), "even.mkv -o a.nvc");
    assert!(warnings(&done).is_empty(), "{}", done.stderr);
    assert_eq!(
        (
            frames(dir.path()),
            info(dir.path(), "a.nvc")["fps"].as_str()
        ),
        (9, Some("30000/1001"))
    );
}

#[test]
fn animations_are_read_whole() {
    let dir = temp();
    for (name, codec) in [("anim.gif", ""), ("anim.webp", "-c:v libwebp_anim")] {
        if made(
            dir.path(),
            &format!("-f lavfi -i testsrc2=s=64x48:r=10:d=0.5 {codec} {name}"),
        ) {
            encoded(dir.path(), &format!("{name} -o a.nvc -y"));
            assert_eq!(
                (
                    frames(dir.path()),
                    info(dir.path(), "a.nvc")["fps"].as_str()
                ),
                (5, Some("10/1")),
                "{name}"
            );
        }
    }
}

#[test]
fn high_dynamic_range_keeps_what_it_says_of_itself() {
    let dir = temp();
    let color = "-pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv";
    let display = "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(40000000,50)";
    let params = format!(
        "log-level=error:hdr10=1:repeat-headers=1:master-display={display}:max-cll=600,200"
    );
    let source = "-f lavfi -i testsrc2=s=64x48:r=25:d=0.12";
    if !made(
        dir.path(),
        &format!("{source} -c:v libx265 {color} -x265-params {params} hdr.mkv"),
    ) {
        return;
    }
    encoded(dir.path(), "hdr.mkv -o a.nvc");
    let color = info(dir.path(), "a.nvc")["color"].clone();
    assert!(
        !color["mastering_display"].is_null() && !color["content_light"].is_null(),
        "{color}"
    );
    assert_eq!(
        (color["primaries"].as_u64(), color["transfer"].as_u64()),
        (Some(9), Some(16))
    );
    let light = color["content_light"].to_string();
    assert!(
        has_number(&light, 600) && has_number(&light, 200),
        "{light}"
    );
    nvc_decode(dir.path(), "a.nvc -o out_%d.png").expect(0);
    let out = std::fs::read(dir.path().join("out_1.png")).unwrap();
    assert_eq!(find_chunk(&out, b"IHDR").unwrap()[8], 16, "bits a sample");
    assert_eq!(
        &find_chunk(&out, b"cICP").expect("a cICP chunk")[..2],
        [9, 16]
    );
}

#[test]
fn a_file_that_ends_early_is_said() {
    let dir = temp();
    if !made(
        dir.path(),
        "-f lavfi -i testsrc2=s=64x48:r=25:d=0.32 -pix_fmt yuv420p -c:v ffv1 whole.mkv",
    ) {
        return;
    }
    let whole = std::fs::read(dir.path().join("whole.mkv")).unwrap();
    std::fs::write(dir.path().join("cut.mkv"), &whole[..whole.len() * 2 / 3]).unwrap();
    let done = encoded(dir.path(), "cut.mkv -o a.nvc");
    let (line, read) = (warned(&done, &["cut.mkv"]), frames(dir.path()));
    assert!(
        read < 8 && has_number(&line, read) && has_number(&line, 8),
        "{read} of 8 frames: {line}"
    );
    assert!(warnings(&encoded(dir.path(), "whole.mkv -o b.nvc")).is_empty());
}

#[test]
fn what_is_not_video_is_said_to_be_lost() {
    let dir = temp();
    let sound = "-f lavfi -i testsrc2=s=64x48:r=25:d=0.12 -f lavfi -i sine=d=0.12 -pix_fmt yuv420p -c:v ffv1 -c:a pcm_s16le av.mkv";
    if made(dir.path(), sound) {
        warned(
            &encoded(dir.path(), "av.mkv -o a.nvc"),
            &["av.mkv", "audio"],
        );
    }
    let glass = "-f lavfi -i testsrc2=s=64x48:r=25:d=0.12,format=rgba,colorchannelmixer=aa=0.5 -c:v qtrle -pix_fmt argb glass.mov";
    if made(dir.path(), glass) {
        warned(
            &encoded(dir.path(), "glass.mov -o b.nvc"),
            &["glass.mov", "alpha"],
        );
    }
}
