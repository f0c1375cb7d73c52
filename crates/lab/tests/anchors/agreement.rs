//! Figures of `anchors_video.csv` and `anchors_images.csv` of the folder that NVC_DATA_DIR names,
//! beside the clips (`video/`) and pictures (`images/`) they were measured on. They hold for Debian
//! 12's encoders only.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use nvc::frame::Siting;
use nvc::metrics::{Psnr, Scores};
use nvc_lab::anchors::{AnchorOptions, AnchorSpec, run_anchor_at, version};

use crate::{reopen, skipped};

pub fn data() -> Option<PathBuf> {
    let dir = std::env::var_os("NVC_DATA_DIR")
        .map(PathBuf::from)
        .filter(|d| d.join("anchors_video.csv").exists());
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
        let mut lines = text
            .lines()
            .map(|l| l.split(',').map(str::to_string).collect::<Vec<_>>());
        Table {
            columns: lines.next().unwrap(),
            rows: lines.collect(),
        }
    }

    fn get<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        &row[self
            .columns
            .iter()
            .position(|c| c == column)
            .unwrap_or_else(|| panic!("no column {column}"))]
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
pub fn same_encoder(spec: &AnchorSpec) -> bool {
    match version(spec) {
        Ok(v) if v.starts_with(expected_version(spec)) => true,
        Ok(v) => {
            skipped(&format!(
                "{spec}: figures are of {}, here is {v}",
                expected_version(spec)
            ));
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

/// The clip whose file is raw video, packed by xz.
const RAW_CLIP: &str = "street_1920x1080_8f";

/// A clip as y4m, made by the ffmpeg program.
pub fn clip(data: &Path, name: &str, dir: &Path) -> Option<String> {
    let out = dir.join(format!("{name}.y4m")).display().to_string();
    if Path::new(&out).exists() {
        return Some(out);
    }
    let raw = dir.join("raw.yuv");
    let mut args: Vec<String> = Vec::new();
    if name == RAW_CLIP {
        let packed =
            std::fs::File::open(data.join("video/street_1920x1080_25fps_420_8bit_YUV_8f.yuv.xz"))
                .ok()?;
        let status = Command::new("xz")
            .arg("-dc")
            .stdin(packed)
            .stdout(std::fs::File::create(&raw).unwrap())
            .status();
        if !status.is_ok_and(|s| s.success()) {
            skipped("no xz program");
            return None;
        }
        args.extend(["-f", "rawvideo", "-s", "1920x1080", "-r", "25"].map(String::from));
        args.extend(["-i".into(), raw.display().to_string()]);
    } else {
        let found = ["mkv", "mp4"]
            .iter()
            .map(|e| data.join(format!("video/{name}.{e}")))
            .find(|p| p.exists())?;
        args.extend(["-i".into(), found.display().to_string()]);
    }
    let mut ffmpeg = Command::new("ffmpeg");
    let status = ffmpeg
        .args(["-nostdin", "-v", "error", "-y"])
        .args(&args)
        .args(["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", &out])
        .status();
    if !status.is_ok_and(|s| s.success()) {
        skipped("no ffmpeg program");
        return None;
    }
    Some(out)
}

/// What the clip's own header says of its chroma: the figures were measured with that in the
/// stream. Of raw video nothing is known; ffmpeg's header for it says more than there is.
fn siting(name: &str, path: &str) -> Siting {
    if name == RAW_CLIP {
        return Siting::Left;
    }
    let mut head = [0; 128];
    let n = std::fs::File::open(path).unwrap().read(&mut head).unwrap();
    if String::from_utf8_lossy(&head[..n]).contains(" C420jpeg") {
        Siting::Center
    } else {
        Siting::Left
    }
}

/// How far x264's streams may be from those of the figures. Its choices rest on sums in floating point
/// that the processor's instructions round differently: files differ by up to a percent, and by
/// hundredths of a decibel, between a machine with AVX-512, one without, and `asm=SSE2`.
const OTHER_BYTES: f64 = 0.02;
const OTHER_DB: f64 = 0.1;

/// Runs the rows that `pick` chooses; returns how many were run and what differs.
fn video_rows(pick: impl Fn(&str, &str, &str) -> bool) -> (usize, Vec<String>) {
    let Some(data) = data() else {
        return (0, Vec::new());
    };
    let table = Table::read(&data.join("anchors_video.csv"));
    let dir = tempfile::tempdir().unwrap();
    let (mut run, mut wrong) = (0, Vec::new());
    for row in &table.rows {
        let get = |column: &str| table.get(row, column);
        let tune = if get("tune") == "none" {
            String::new()
        } else {
            format!(":{}", get("tune"))
        };
        let text = format!("{}:{}{tune}", get("codec"), get("preset"));
        if !pick(get("clip"), &text, get("crf")) {
            continue;
        }
        let spec: AnchorSpec = text.parse().unwrap();
        if !same_encoder(&spec) {
            continue;
        }
        let Some(path) = clip(&data, get("clip"), dir.path()) else {
            continue;
        };
        let reopen = reopen(&path);
        let info = *reopen().unwrap().info();
        let crf = get("crf").parse().unwrap();
        let opts = AnchorOptions {
            siting: siting(get("clip"), &path),
            ..AnchorOptions::default()
        };
        let a = run_anchor_at(&spec, &reopen, &info, crf, &opts, &mut |_, _, _| Ok(())).unwrap();
        let mut off = Vec::new();
        let wanted: f64 = get("bytes_stream").parse().unwrap();
        // of the same stream, all figures; of the one that x264 makes on another processor, about
        let bytes = a.bytes as f64;
        let (more_bytes, more_db) = if spec.codec_name() == "x264" && bytes != wanted {
            eprintln!("{text}: another stream; see OTHER_BYTES");
            (OTHER_BYTES * wanted, OTHER_DB)
        } else {
            (0.0, 0.001)
        };
        differs(&mut off, "bytes", bytes, get("bytes_stream"), more_bytes);
        differs(
            &mut off,
            "bytes with identification",
            a.bytes_with_identification as f64,
            get("bytes_stream_sei"),
            more_bytes,
        );
        differs(
            &mut off,
            "frames",
            a.scores.frames as f64,
            get("frames"),
            0.0,
        );
        let Scores {
            psnr_y,
            psnr_u,
            psnr_v,
            psnr_yuv611,
            psnr_rgb,
            ..
        } = a.scores;
        for (name, psnr) in [
            ("y", psnr_y),
            ("u", psnr_u),
            ("v", psnr_v),
            ("yuv611", psnr_yuv611),
            ("rgb", psnr_rgb),
        ] {
            let Psnr { mean, pooled } = psnr.unwrap();
            differs(
                &mut off,
                &format!("{name} mean"),
                mean,
                get(&format!("psnr_{name}_mean")),
                more_db,
            );
            differs(
                &mut off,
                &format!("{name} pooled"),
                pooled,
                get(&format!("psnr_{name}_agg")),
                more_db,
            );
        }
        run += 1;
        eprintln!(
            "{} {spec} crf {crf}: {}",
            get("clip"),
            if off.is_empty() {
                "agrees".into()
            } else {
                off.join(", ")
            }
        );
        if !off.is_empty() {
            wrong.push(format!(
                "{} {spec} crf {crf}: {}",
                get("clip"),
                off.join(", ")
            ));
        }
    }
    (run, wrong)
}

/// As [`video_rows`], of pictures.
fn picture_rows(pick: impl Fn(&str, &str, &str) -> bool) -> (usize, Vec<String>) {
    let Some(data) = data() else {
        return (0, Vec::new());
    };
    let table = Table::read(&data.join("anchors_images.csv"));
    let (mut run, mut wrong) = (0, Vec::new());
    for row in &table.rows {
        let get = |column: &str| table.get(row, column);
        let codec = get("codec");
        let text = match codec
            .strip_suffix("420")
            .map(|c| (c, "420"))
            .or(codec.strip_suffix("444").map(|c| (c, "444")))
        {
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
        let path = data
            .join(format!("images/{}.png", get("image")))
            .display()
            .to_string();
        let reopen = reopen(&path);
        let info = *reopen().unwrap().info();
        let quality = quality.parse().unwrap();
        let a = match run_anchor_at(
            &spec,
            &reopen,
            &info,
            quality,
            &AnchorOptions::default(),
            &mut |_, _, _| Ok(()),
        ) {
            Ok(a) => a,
            Err(e) if e.to_string().contains("is not installed") => {
                skipped(&e.to_string());
                continue;
            }
            Err(e) => panic!("{spec}: {e}"),
        };
        let mut off = Vec::new();
        differs(&mut off, "bytes", a.bytes as f64, get("bytes"), 0.0);
        differs(
            &mut off,
            "rgb",
            a.scores.psnr_rgb.unwrap().mean,
            get("psnr_rgb"),
            0.001,
        );
        differs(
            &mut off,
            "y601",
            a.scores.psnr_y601.unwrap().mean,
            get("psnr_y601"),
            0.001,
        );
        differs(
            &mut off,
            "ms-ssim",
            a.scores.ms_ssim_y.unwrap(),
            get("msssim_y"),
            0.0001,
        );
        run += 1;
        eprintln!(
            "{} {spec} {quality}: {}",
            get("image"),
            if off.is_empty() {
                "agrees".into()
            } else {
                off.join(", ")
            }
        );
        if !off.is_empty() {
            wrong.push(format!(
                "{} {spec} {quality}: {}",
                get("image"),
                off.join(", ")
            ));
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

/// Every row, or those that hold the word in NVC_ROWS:
/// `NVC_DATA_DIR=... cargo test --release --test anchors -- --ignored`.
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
