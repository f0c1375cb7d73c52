//! Anchors: agreement with figures measured by other code, missing programs, codecs of one's own, VMAF and XPSNR.
//!
//! The figures are in `anchors_video.csv` and `anchors_images.csv` of the folder that NVC_DATA_DIR names, beside the clips
//! (`video/`) and pictures (`images/`) they were measured on. They hold for Debian 12's encoders only.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use nvc::anchors::{AnchorOptions, AnchorSpec, ExternalCodec, Measure, Siting, Wanted, perceptual, run_anchor, run_anchor_at, version};
use nvc::error::Error;
use nvc::frame::{Chroma, ColorInfo, Frame, PixelFormat, Ratio, VideoInfo};
use nvc::io::{BoxedSource, FrameSource, SourceOptions, open_sink, open_source};
use nvc::metrics::{Psnr, Scores};

fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

fn data() -> Option<PathBuf> {
    let dir = std::env::var_os("NVC_DATA_DIR").map(PathBuf::from).filter(|d| d.join("anchors_video.csv").exists());
    if dir.is_none() {
        skipped("NVC_DATA_DIR names no folder with anchors_video.csv");
    }
    dir
}

/// Lines of a CSV file without quotes, by column name.
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut lines = text.lines().map(|l| l.split(',').map(str::to_string).collect::<Vec<_>>());
        Table { columns: lines.next().unwrap(), rows: lines.collect() }
    }

    fn get<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        &row[self.columns.iter().position(|c| c == column).unwrap_or_else(|| panic!("no column {column}"))]
    }
}

/// The encoder that the figures were measured with.
fn expected_version(spec: &AnchorSpec) -> &'static str {
    match spec.codec_name() {
        "x264" => "x264 164 ",
        "x265" | "x265-intra" => "x265 3.5",
        "svtav1" => "SVT-AV1 1.4.1",
        "jpeg" => "libjpeg-turbo 2.1.5",
        "webp" => "libwebp 1.2.4",
        "avif" => "libavif 0.11.1 aom 3.6.0",
        "jxl" => "libjxl 0.7.0",
        other => panic!("no figures of {other}"),
    }
}

/// Whether the encoder is the one of the figures.
fn same_encoder(spec: &AnchorSpec) -> bool {
    match version(spec) {
        Ok(v) if v.starts_with(expected_version(spec)) => true,
        Ok(v) => {
            skipped(&format!("{spec}: figures are of {}, here is {v}", expected_version(spec)));
            false
        }
        Err(e) => {
            skipped(&format!("{spec}: {e}"));
            false
        }
    }
}

fn differs(wrong: &mut Vec<String>, what: &str, got: f64, want: &str, tolerance: f64) {
    let want: f64 = want.parse().unwrap();
    if want.is_finite() && (got - want).abs() > tolerance {
        wrong.push(format!("{what} {got:.5} against {want}"));
    }
}

/// A clip as y4m, made by the ffmpeg program.
fn clip(data: &Path, name: &str, dir: &Path) -> Option<String> {
    let out = dir.join(format!("{name}.y4m")).display().to_string();
    if Path::new(&out).exists() {
        return Some(out);
    }
    let raw = dir.join("raw.yuv");
    let mut args: Vec<String> = Vec::new();
    if name == "street_1920x1080_8f" {
        let packed = std::fs::File::open(data.join("video/street_1920x1080_25fps_420_8bit_YUV_8f.yuv.xz")).ok()?;
        let status = Command::new("xz").arg("-dc").stdin(packed).stdout(std::fs::File::create(&raw).unwrap()).status();
        if !status.is_ok_and(|s| s.success()) {
            skipped("no xz program");
            return None;
        }
        args.extend(["-f", "rawvideo", "-s", "1920x1080", "-r", "25"].map(String::from));
        args.extend(["-i".into(), raw.display().to_string()]);
    } else {
        let found = ["mkv", "mp4"].iter().map(|e| data.join(format!("video/{name}.{e}"))).find(|p| p.exists())?;
        args.extend(["-i".into(), found.display().to_string()]);
    }
    let mut ffmpeg = Command::new("ffmpeg");
    let status =
        ffmpeg.args(["-nostdin", "-v", "error", "-y"]).args(&args).args(["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", &out]).status();
    if !status.is_ok_and(|s| s.success()) {
        skipped("no ffmpeg program");
        return None;
    }
    Some(out)
}

/// What the clip's own header says of its chroma: the figures were measured with that in the stream.
fn siting(path: &str) -> Siting {
    let mut head = [0; 128];
    let n = std::fs::File::open(path).unwrap().read(&mut head).unwrap();
    if String::from_utf8_lossy(&head[..n]).contains(" C420jpeg") { Siting::Center } else { Siting::Left }
}

fn reopen(path: &str) -> impl Fn() -> nvc::Result<BoxedSource> + '_ {
    move || open_source(path, &SourceOptions::default())
}

/// Runs the rows that `pick` chooses; returns how many were run and what differs.
fn video_rows(pick: impl Fn(&str, &str, &str) -> bool) -> (usize, Vec<String>) {
    let Some(data) = data() else { return (0, Vec::new()) };
    let table = Table::read(&data.join("anchors_video.csv"));
    let dir = tempfile::tempdir().unwrap();
    let (mut run, mut wrong) = (0, Vec::new());
    for row in &table.rows {
        let get = |column: &str| table.get(row, column);
        let tune = if get("tune") == "none" { String::new() } else { format!(":{}", get("tune")) };
        let text = format!("{}:{}{tune}", get("codec"), get("preset"));
        if !pick(get("clip"), &text, get("crf")) {
            continue;
        }
        let spec: AnchorSpec = text.parse().unwrap();
        if !same_encoder(&spec) {
            continue;
        }
        let Some(path) = clip(&data, get("clip"), dir.path()) else { continue };
        let reopen = reopen(&path);
        let info = *reopen().unwrap().info();
        let crf = get("crf").parse().unwrap();
        let opts = AnchorOptions { siting: siting(&path), ..AnchorOptions::default() };
        let a = run_anchor_at(&spec, &reopen, &info, crf, &opts, &mut |_, _, _| Ok(())).unwrap();
        let mut off = Vec::new();
        differs(&mut off, "bytes", a.bytes as f64, get("bytes_stream"), 0.0);
        differs(&mut off, "bytes with identification", a.bytes_with_identification as f64, get("bytes_stream_sei"), 0.0);
        differs(&mut off, "frames", a.scores.frames as f64, get("frames"), 0.0);
        let Scores { psnr_y, psnr_u, psnr_v, psnr_yuv611, psnr_rgb, .. } = a.scores;
        for (name, psnr) in [("y", psnr_y), ("u", psnr_u), ("v", psnr_v), ("yuv611", psnr_yuv611), ("rgb", psnr_rgb)] {
            let Psnr { mean, pooled } = psnr.unwrap();
            differs(&mut off, &format!("{name} mean"), mean, get(&format!("psnr_{name}_mean")), 0.001);
            differs(&mut off, &format!("{name} pooled"), pooled, get(&format!("psnr_{name}_agg")), 0.001);
        }
        run += 1;
        eprintln!("{} {spec} crf {crf}: {}", get("clip"), if off.is_empty() { "agrees".into() } else { off.join(", ") });
        if !off.is_empty() {
            wrong.push(format!("{} {spec} crf {crf}: {}", get("clip"), off.join(", ")));
        }
    }
    (run, wrong)
}

/// As [`video_rows`], of pictures.
fn picture_rows(pick: impl Fn(&str, &str, &str) -> bool) -> (usize, Vec<String>) {
    let Some(data) = data() else { return (0, Vec::new()) };
    let table = Table::read(&data.join("anchors_images.csv"));
    let (mut run, mut wrong) = (0, Vec::new());
    for row in &table.rows {
        let get = |column: &str| table.get(row, column);
        let codec = get("codec");
        let text = match codec.strip_suffix("420").map(|c| (c, "420")).or(codec.strip_suffix("444").map(|c| (c, "444"))) {
            Some((c, sampling)) => format!("{}:{sampling}", c.replace("x265i", "x265-intra")),
            None => codec.to_string(),
        };
        let quality = get("setting").trim_start_matches(|c: char| c.is_alphabetic());
        if !pick(get("image"), &text, quality) {
            continue;
        }
        let spec: AnchorSpec = text.parse().unwrap();
        if !same_encoder(&spec) {
            continue;
        }
        let path = data.join(format!("images/{}.png", get("image"))).display().to_string();
        let reopen = reopen(&path);
        let info = *reopen().unwrap().info();
        let quality = quality.parse().unwrap();
        let a = match run_anchor_at(&spec, &reopen, &info, quality, &AnchorOptions::default(), &mut |_, _, _| Ok(())) {
            Ok(a) => a,
            Err(e) if e.to_string().contains("is not installed") => {
                skipped(&e.to_string());
                continue;
            }
            Err(e) => panic!("{spec}: {e}"),
        };
        let mut off = Vec::new();
        differs(&mut off, "bytes", a.bytes as f64, get("bytes"), 0.0);
        differs(&mut off, "rgb", a.scores.psnr_rgb.unwrap().mean, get("psnr_rgb"), 0.001);
        differs(&mut off, "y601", a.scores.psnr_y601.unwrap().mean, get("psnr_y601"), 0.001);
        differs(&mut off, "ms-ssim", a.scores.ms_ssim_y.unwrap(), get("msssim_y"), 0.0001);
        run += 1;
        eprintln!("{} {spec} {quality}: {}", get("image"), if off.is_empty() { "agrees".into() } else { off.join(", ") });
        if !off.is_empty() {
            wrong.push(format!("{} {spec} {quality}: {}", get("image"), off.join(", ")));
        }
    }
    (run, wrong)
}

#[test]
fn video_anchors_agree_with_other_measurements() {
    let chosen = [
        ("carphone_176x144_96f", "x264:medium", "28"),
        ("carphone_176x144_96f", "x264:veryslow", "36"),
        ("carphone_176x144_96f", "x264:medium:psnr", "20"),
        ("carphone_176x144_96f", "x265:veryslow:psnr", "36"),
        ("carphone_176x144_96f", "svtav1:8", "44"),
        ("bpass_416x240_64f", "x265:medium:psnr", "36"),
        ("bunny_416x240_48f", "x264:medium", "36"),
        ("calendar_352x288_40f", "x265:medium", "36"),
        ("blackswan_416x240_48f", "x264:medium", "44"),
        ("parkour_416x240_64f", "x264:medium", "40"),
    ];
    let (run, wrong) = video_rows(|c, s, q| chosen.contains(&(c, s, q)));
    assert!(wrong.is_empty(), "of {run} rows:\n{}", wrong.join("\n"));
}

#[test]
fn picture_anchors_agree_with_other_measurements() {
    let chosen = [
        ("kodim03", "jpeg:420", "50"),
        ("kodim23", "jpeg:444", "75"),
        ("kodim05", "webp", "40"),
        ("kodim13", "avif:420", "48"),
        ("kodim15", "avif:444", "58"),
        ("kodim20", "jxl", "3"),
        ("kodim03", "x265-intra:420", "42"),
        ("kodim23", "x265-intra:444", "36"),
    ];
    let (run, wrong) = picture_rows(|i, s, q| chosen.contains(&(i, s, q)));
    assert!(wrong.is_empty(), "of {run} rows:\n{}", wrong.join("\n"));
}

/// Every row, or those that hold the word in NVC_ROWS: `NVC_DATA_DIR=... cargo test --release --test anchors -- --ignored`.
#[test]
#[ignore = "takes many minutes"]
fn every_row_agrees() {
    let word = std::env::var("NVC_ROWS").unwrap_or_default();
    let (a, mut wrong) = picture_rows(|i, s, q| format!("{i} {s} {q}").contains(&word));
    let (b, more) = video_rows(|c, s, q| format!("{c} {s} {q}").contains(&word));
    wrong.extend(more);
    eprintln!("{} of {} rows agree", a + b - wrong.len(), a + b);
    assert!(wrong.is_empty() && a + b > 0, "{}", wrong.join("\n"));
}

fn info(chroma: Chroma, bit_depth: u8, width: usize, height: usize) -> VideoInfo {
    let (fps, sar) = (Ratio { num: 25, den: 1 }, Ratio { num: 1, den: 1 });
    VideoInfo { width, height, format: PixelFormat { chroma, bit_depth }, fps, sar, color: ColorInfo::UNSPECIFIED }
}

/// A texture that moves and fades, smooth enough to code well.
fn frames(info: &VideoInfo, count: usize) -> Vec<Frame> {
    let scale = f64::from(info.format.max_value()) / 255.0;
    let sample = |x: usize, y: usize, t: usize, p: usize| {
        let (x, y, t) = (x as f64 + 1.5 * t as f64, y as f64, t as f64);
        let wave = (x / 7.0).sin() * (y / 9.0 + p as f64).cos() * 60.0 + (x * y / 900.0).sin() * 30.0;
        ((128.0 + wave + t) * scale).clamp(0.0, 255.0 * scale) as u16
    };
    let frame = |t| {
        let mut f = Frame::new(info.format, info.width, info.height);
        for (p, plane) in f.planes.iter_mut().enumerate() {
            let w = plane.width;
            plane.data.iter_mut().enumerate().for_each(|(i, v)| *v = sample(i % w, i / w, t, p));
        }
        f
    };
    (0..count).map(frame).collect()
}

struct Frames {
    info: VideoInfo,
    frames: std::vec::IntoIter<Frame>,
}

impl FrameSource for Frames {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> nvc::Result<Option<Frame>> {
        Ok(self.frames.next())
    }
}

fn source(info: &VideoInfo, frames: &[Frame]) -> impl Fn() -> nvc::Result<BoxedSource> {
    let (info, frames) = (*info, frames.to_vec());
    move || Ok(Box::new(Frames { info, frames: frames.clone().into_iter() }))
}

fn at(spec: &AnchorSpec, info: &VideoInfo, frames: &[Frame], quality: f64) -> nvc::Result<nvc::anchors::Anchor> {
    run_anchor_at(spec, &source(info, frames), info, quality, &AnchorOptions::default(), &mut |_, _, _| Ok(()))
}

/// Whether the codec is here; says so if not.
fn there(spec: &AnchorSpec) -> bool {
    match version(spec) {
        Ok(v) => {
            assert!(v.contains(|c: char| c.is_ascii_digit()), "{spec}: {v}");
            true
        }
        Err(e) => {
            assert!(matches!(e, Error::Unsupported(_)), "{spec}: {e}");
            skipped(&format!("{spec}: {e}"));
            false
        }
    }
}

#[test]
fn every_codec_codes_every_format_or_refuses_it() {
    let formats = [(Chroma::Yuv420, 8), (Chroma::Yuv420, 10), (Chroma::Yuv444, 8), (Chroma::Gray, 8), (Chroma::Gray, 10), (Chroma::Rgb, 8)];
    for (text, quality, takes) in [
        ("x264:ultrafast", 30.0, "yuv420p yuv420p10le yuv444p gray gray10le"),
        ("x265:ultrafast", 30.0, "yuv420p yuv420p10le yuv444p gray gray10le"),
        ("svtav1:12", 40.0, "yuv420p yuv420p10le"),
        ("aom:8", 40.0, "yuv420p yuv420p10le yuv444p gray gray10le"),
        ("vvenc:faster:psnr", 32.0, "yuv420p yuv420p10le"),
        ("jpeg:420", 80.0, "gray gbrp"),
        ("jpeg:444", 80.0, "gray gbrp"),
        ("webp:0", 80.0, "gray gbrp"),
        ("avif:420:10", 20.0, "gray gbrp"),
        ("jxl:3", 1.0, "gray gbrp"),
        ("x265-intra:444:ultrafast", 20.0, "gray gbrp"),
    ] {
        let spec: AnchorSpec = text.parse().unwrap();
        if !there(&spec) {
            continue;
        }
        for (chroma, depth) in formats {
            let i = info(chroma, depth, 144, 80);
            let all = frames(&i, 3);
            let name = i.format.name();
            match at(&spec, &i, &all, quality) {
                Ok(a) => {
                    assert!(takes.split(' ').any(|t| t == name), "{text} takes {name}");
                    let psnr = a.scores.psnr_y.or(a.scores.psnr_rgb).unwrap().mean;
                    // A shift of range would leave some 24 dB.
                    assert!(psnr > 31.0, "{text} {name}: {psnr} dB by {}", a.command);
                    assert!(a.bytes > 50 && a.bytes <= a.bytes_with_identification && a.scores.frames == 3, "{a:?}");
                    assert!(a.encode_seconds > 0.0 && a.decode_seconds > 0.0 && !a.version.is_empty());
                }
                // older ones lack gray or ten bits
                Err(Error::Unsupported(m)) => {
                    assert!(m.contains(name) && (spec.codec_name() == "aom" || !takes.split(' ').any(|t| t == name)), "{text} {name}: {m}")
                }
                Err(e) => panic!("{text} {name}: {e}"),
            }
        }
    }
}

#[test]
fn full_range_stays_as_it_is() {
    let spec: AnchorSpec = "x264:ultrafast".parse().unwrap();
    if !there(&spec) {
        return;
    }
    let mut i = info(Chroma::Yuv420, 8, 64, 64);
    i.color.range = nvc::frame::Range::Full;
    let all = frames(&i, 2);
    assert!(at(&spec, &i, &all, 10.0).unwrap().scores.psnr_y.unwrap().mean > 45.0);
}

#[test]
fn searched_sizes_and_observers() {
    let i = info(Chroma::Rgb, 8, 192, 176);
    let all = frames(&i, 2);
    for (text, target) in [("jpeg:444", 9000), ("avif:420:10", 3000), ("jxl:3", 5000), ("webp:0", 5000)] {
        let spec: AnchorSpec = text.parse().unwrap();
        if !there(&spec) {
            continue;
        }
        let a = run_anchor(&spec, &source(&i, &all), &i, target, &AnchorOptions::default()).unwrap();
        let off = a.bytes as f64 / target as f64 - 1.0;
        assert!(off.abs() <= 0.01 || (a.note.is_some() && off.abs() < 0.15), "{text}: {} {:?}", a.bytes, a.note);
        let mut seen = Vec::new();
        let again = run_anchor_at(&spec, &source(&i, &all), &i, a.quality, &AnchorOptions::default(), &mut |n, reference, decoded| {
            assert_eq!(reference, &all[n as usize]);
            seen.push((n, decoded.clone()));
            Ok(())
        });
        let again = again.unwrap();
        assert_eq!((again.bytes, &again.scores), (a.bytes, &a.scores));
        assert!(seen.len() == 2 && seen[1].0 == 1 && seen[0].1 != all[0]);
        let json = a.to_json();
        assert!(json["crf"].is_null() && json["quality"] == a.quality && json["codec"] == spec.codec_name(), "{json}");
    }
}

#[test]
fn weak_settings_are_weak() {
    let i = info(Chroma::Yuv420, 8, 192, 176);
    let all = frames(&i, 30);
    for codec in ["x264", "x265"] {
        let (weak, fair): (AnchorSpec, AnchorSpec) =
            (format!("{codec}:veryfast:zerolatency").parse().unwrap(), format!("{codec}:veryfast").parse().unwrap());
        if !there(&fair) {
            continue;
        }
        let (a, b) = (at(&weak, &i, &all, 28.0).unwrap(), at(&fair, &i, &all, 28.0).unwrap());
        assert!(a.spec.weak() && a.command.contains("12") && a.to_json()["weak"] == true);
        // Three key pictures instead of one.
        assert!(a.bytes as f64 > 1.2 * b.bytes as f64, "{codec}: {} against {}", a.bytes, b.bytes);
    }
}

#[test]
fn qualities_out_of_range_are_refused() {
    let i = info(Chroma::Yuv420, 8, 16, 16);
    for (text, quality) in [("x264", 52.0), ("x265", -1.0), ("svtav1", 30.5), ("vvenc", 64.0), ("jpeg:420", 0.0), ("jxl", f64::NAN)] {
        let e = at(&text.parse().unwrap(), &i, &[], quality).unwrap_err();
        assert!(matches!(&e, Error::Parameter(m) if m.contains("allowed") && m.contains(&quality.to_string())), "{e}");
    }
    let e = at(&"jpeg:420".parse().unwrap(), &i, &frames(&i, 1), 50.0).unwrap_err();
    assert!(matches!(&e, Error::Unsupported(m) if m.contains("yuv420p")), "{e}");
    let rgb = info(Chroma::Rgb, 8, 16, 16);
    let e = at(&"x264".parse().unwrap(), &rgb, &frames(&rgb, 1), 30.0).unwrap_err();
    assert!(matches!(&e, Error::Unsupported(m) if m.contains("gbrp") && m.contains("yuv444p")), "{e}");
}

/// Started by the next test with an empty PATH; alone it does nothing.
#[test]
fn child_without_programs() {
    if std::env::var_os("NVC_TEST_CHILD").is_none() {
        return;
    }
    let rgb = info(Chroma::Rgb, 8, 16, 16);
    let yuv = info(Chroma::Yuv420, 8, 16, 16);
    for (text, i, words) in [
        ("jpeg:420", rgb, ["'cjpeg'", "libjpeg-turbo-progs"]),
        ("webp", rgb, ["'cwebp'", "package webp"]),
        ("avif:444", rgb, ["'avifenc'", "libavif-bin"]),
        ("jxl", rgb, ["'cjxl'", "libjxl-tools"]),
        ("x265-intra:420", rgb, ["'libx265'", "package ffmpeg"]),
        ("x264", yuv, ["/nonexistent/ffmpeg: ", "NVC_FFMPEG"]),
    ] {
        let spec: AnchorSpec = text.parse().unwrap();
        for e in [at(&spec, &i, &frames(&i, 1), 20.0).unwrap_err(), version(&spec).unwrap_err()] {
            assert_eq!(e.exit_code(), 5);
            assert!(words.iter().all(|w| e.to_string().contains(w)), "{text}: {e}");
        }
    }
    let p =
        perceptual(&source(&yuv, &frames(&yuv, 1)), &source(&yuv, &frames(&yuv, 1)), &yuv, Wanted { vmaf: true, xpsnr: true }, 1).unwrap();
    assert!(p.vmaf.is_none() && p.missing.len() == 2 && p.missing[0].contains("libvmaf"), "{p:?}");
    println!("all missing programs are named");
}

#[test]
fn missing_programs_are_named() {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_without_programs", "--nocapture"])
        .env_clear()
        .envs([("PATH", "/nonexistent"), ("NVC_FFMPEG", "/nonexistent/ffmpeg"), ("NVC_TEST_CHILD", "1")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("all missing programs are named"), "{text}");
}

#[cfg(unix)]
#[test]
fn codecs_of_ones_own() {
    let i = info(Chroma::Yuv420, 8, 32, 16);
    let all = frames(&i, 3);
    let run = |codec: &ExternalCodec, i: &VideoInfo, all: &[Frame]| at(&codec.clone().into(), i, all, 7.0);
    // Pipes on both sides: the file is the y4m itself, and the picture lossless.
    let a = run(&ExternalCodec::new("copy", "cat", "cat"), &i, &all).unwrap();
    assert_eq!((a.scores.psnr_y.unwrap().mean, a.scores.frames, a.quality), (100.0, 3, 7.0));
    assert!(a.bytes > 3 * 768 && a.bytes < 3 * 768 + 200 && a.command == "cat < IN.y4m > OUT.bin && cat < OUT.bin > DEC.y4m", "{a:?}");
    assert_eq!((a.spec.codec_name(), a.spec.quality_name(), a.version.as_str()), ("copy", "q", ""));
    // Files on both sides, and every word.
    let script = "test {quality}x{width}x{height}x{fps}x{frames}x{threads} = 7x32x16x25/1x3x1 && gzip -c {input} > {output}";
    let codec = ExternalCodec {
        config: "fast".into(),
        version: "gzip 1".into(),
        ..ExternalCodec::new("gz", &format!("sh -c '{script}'"), "sh -c 'gzip -dc {input} > {output}'")
    };
    let b = run(&codec, &i, &all).unwrap();
    assert!(b.scores.psnr_rgb.unwrap().mean == 100.0 && b.bytes < a.bytes && b.version == "gzip 1" && b.spec.to_string() == "gz:fast");
    // RGB goes as PNG.
    let rgb = info(Chroma::Rgb, 8, 24, 24);
    let pictures = frames(&rgb, 2);
    let c = run(
        &ExternalCodec { extension: "png".into(), ..ExternalCodec::new("cp", "cp {input} {output}", "cp {input} {output}") },
        &rgb,
        &pictures,
    )
    .unwrap();
    assert!(c.scores.psnr_rgb.unwrap().mean == 100.0 && c.scores.frames == 2 && c.command == "cp IN.png OUT.png && cp OUT.png DEC.png");
    // What goes wrong is told.
    let error = |codec: ExternalCodec, i: &VideoInfo, all: &[Frame]| run(&codec, i, all).unwrap_err().to_string();
    assert!(error(ExternalCodec::new("bad", "sh -c 'echo no luck >&2; exit 4'", "cat"), &i, &all).contains("no luck"));
    assert!(error(ExternalCodec::new("bad", "cat", "sh -c 'head -c 900; echo torn >&2; exit 1'"), &i, &all).contains("torn"));
    let two = format!("head -c {}", a.bytes - 768 - 6);
    assert!(error(ExternalCodec::new("bad", "cat", &two), &i, &all).contains("fewer frames than the reference has (2 compared)"));
    assert!(error(ExternalCodec::new("bad", "cat", "head -c 900"), &i, &all).contains("cut short"));
    assert!(error(ExternalCodec::new("bad", "true {input} {output}", "cat"), &i, &all).contains("should have written"));
    assert!(error(ExternalCodec::new("bad", "/nonexistent/enc", "cat"), &i, &all).contains("'/nonexistent/enc' is not found"));
    assert!(error(ExternalCodec::new("bad", "cat", "cat"), &rgb, &pictures).contains("{input}"));
    let e = run_anchor(&ExternalCodec::new("copy", "cat", "cat").into(), &source(&i, &all), &i, 10, &AnchorOptions::default()).unwrap_err();
    assert!(matches!(e, Error::Parameter(_)), "{e}");
}

#[test]
fn nothing_is_left_in_the_temporary_folder() {
    let mine = || std::fs::read_dir(std::env::temp_dir()).unwrap().count();
    let child = std::env::var_os("NVC_TEST_CHILD_TMP").is_some();
    if child {
        let i = info(Chroma::Yuv420, 8, 32, 16);
        at(&ExternalCodec::new("copy", "cat", "cat").into(), &i, &frames(&i, 2), 1.0).unwrap();
        at(&ExternalCodec::new("bad", "cat", "false").into(), &i, &frames(&i, 2), 1.0).unwrap_err();
        assert_eq!(mine(), 0);
        println!("left nothing");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_is_left_in_the_temporary_folder", "--nocapture"])
        .env("TMPDIR", dir.path())
        .env("NVC_TEST_CHILD_TMP", "1")
        .output()
        .unwrap();
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("left nothing"), "{out:?}");
}

#[test]
fn vmaf_and_xpsnr_are_those_of_ffmpeg_on_files() {
    let i = info(Chroma::Yuv420, 8, 192, 128);
    let reference = frames(&i, 40);
    let mut distorted = reference.clone();
    // coarser samples, and one frame worse than the others
    let step = |n: usize| if n == 7 { 60 } else { 24 + n as u16 % 3 };
    for (n, f) in distorted.iter_mut().enumerate() {
        f.planes.iter_mut().flat_map(|p| &mut p.data).for_each(|v| *v = (*v / step(n) * step(n) + step(n) / 2).min(255));
    }
    let both = Wanted { vmaf: true, xpsnr: true };
    let p = perceptual(&source(&i, &reference), &source(&i, &distorted), &i, both, 1).unwrap();
    let (Some(vmaf), Some(xpsnr)) = (p.vmaf, p.xpsnr) else {
        assert!(!p.missing.is_empty());
        return skipped(&p.missing.join("; "));
    };
    // One by one, as the harness does it, and each by itself.
    let mut measure = Measure::start(&i, Wanted { vmaf: false, xpsnr: true }, 1).unwrap();
    reference.iter().zip(&distorted).for_each(|(a, b)| measure.add(a, b).unwrap());
    assert_eq!(measure.finish().unwrap().xpsnr, Some(xpsnr));
    let alone = perceptual(&source(&i, &reference), &source(&i, &distorted), &i, Wanted { vmaf: true, xpsnr: false }, 2).unwrap();
    assert_eq!((alone.vmaf, alone.xpsnr), (Some(vmaf), None));
    let same = perceptual(&source(&i, &reference), &source(&i, &reference), &i, both, 1).unwrap();
    assert!(same.xpsnr.unwrap().yuv611() == 100.0 && same.vmaf.unwrap() > vmaf + 1.0, "{same:?}");
    // ffmpeg on files
    let dir = tempfile::tempdir().unwrap();
    for (name, all) in [("a.y4m", &reference), ("b.y4m", &distorted)] {
        let mut sink = open_sink(&dir.path().join(name).display().to_string(), None, &i).unwrap();
        all.iter().for_each(|f| sink.write(f).unwrap());
        sink.finish().unwrap();
    }
    let list = std::env::var_os("NVC_FFMPEG").unwrap_or_default();
    for program in std::env::split_paths(&list).chain([PathBuf::from("ffmpeg")]) {
        let run = |filter: &str, first: &str, second: &str| {
            let args = ["-nostdin", "-hide_banner", "-i", first, "-i", second, "-lavfi", filter, "-f", "null", "-"];
            let out = Command::new(&program).args(args).current_dir(dir.path()).output();
            out.map(|o| String::from_utf8_lossy(&o.stderr).into_owned()).unwrap_or_default()
        };
        let (v, x) = (run("libvmaf", "b.y4m", "a.y4m"), run("xpsnr", "a.y4m", "b.y4m"));
        let number = |text: &str, mark: &str| text.split(mark).nth(1).map(|t| t.split_whitespace().next().unwrap().parse::<f64>().unwrap());
        if let (Some(v), Some(y)) = (number(&v, "VMAF score: "), number(&x, "XPSNR  y: ")) {
            assert!((v - vmaf).abs() < 1e-5 && (y - xpsnr.y).abs() < 1e-4, "VMAF {v} against {vmaf}, XPSNR {y} against {}", xpsnr.y);
            return;
        }
    }
    panic!("measured, but no ffmpeg has the filters");
}
