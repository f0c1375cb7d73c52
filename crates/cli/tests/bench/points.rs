//! Points of nvc.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::workspace::{Workspace, said};

/// A point of nvc has all that the report shows of it.
#[test]
fn points_of_nvc_are_whole() {
    let p = Workspace::new();
    p.clip("a.y4m", 4);
    let nvc = "[[codec]]\nuse = \"nvc\"\narch = \"hnerv\"\npreset = \"ultrafast\"\nargs = [\"--steps\", \"20\"]\nbpp = [2.0]\n\
               order0 = true\n";
    p.plan(nvc);
    let o = p.bench(&[]).output().unwrap();
    assert!(o.status.success(), "{}", said(&o));
    let rows = p.rows();
    let r = &rows[0];
    // the same pictures at other bytes
    let plain = &rows[1];
    assert_eq!(
        (rows.len(), plain.config.as_str(), plain.psnr_611),
        (2, "ultrafast --steps 20 (order 0)", r.psnr_611)
    );
    assert!(
        plain.note.contains("order 0")
            && plain.bytes > r.bytes / 2
            && plain.bytes < 2 * r.bytes
            && plain.bytes != r.bytes
    );
    assert!(
        (plain.bpp - 8.0 * plain.bytes as f64 / (48.0 * 32.0 * 4.0)).abs() < 1e-9,
        "{}",
        plain.bpp
    );
    assert_eq!(
        (r.codec.as_str(), r.config.as_str(), r.enc_device.as_str()),
        ("nvc-hnerv", "ultrafast --steps 20", "cpu x1")
    );
    assert!(
        r.params.unwrap() > 100
            && r.macs_per_pixel.unwrap() > 1.0
            && !r.git.is_empty()
            && r.enc_s > 0.0
            && r.dec_s > 0.0
    );
    let file = std::fs::read_dir(p.path("out/points"))
        .unwrap()
        .flatten()
        .find(|e| e.path().extension().is_some_and(|x| x == "nvc"))
        .unwrap()
        .path();
    assert_eq!(std::fs::metadata(&file).unwrap().len(), r.bytes);
    assert_eq!(score(&file, &p), r.psnr_611.unwrap());
    let record = std::fs::read_to_string(file.with_extension("json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let parts = &record["point"]["parts"];
    let sum: u64 = ["header", "weights", "latents"]
        .iter()
        .map(|k| parts[*k].as_u64().unwrap())
        .sum();
    assert_eq!(sum, r.bytes);
    assert!(!record["point"]["progress"].as_array().unwrap().is_empty());
}

/// A run that is killed takes the encode with it, and leaves nothing that the next one takes for
/// finished.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_takes_its_encodes_with_it() {
    let p = Workspace::new();
    p.clip("a.y4m", 4);
    p.plan("[[codec]]\nuse = \"nvc\"\nargs = [\"--steps\", \"1000000\"]\nbpp = [2.0]\n");
    let mut child = p
        .bench(&[])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let encodes = || {
        let here = p.path("out").to_str().unwrap().to_string();
        let mine = |e: &std::fs::DirEntry| {
            let line = std::fs::read_to_string(e.path().join("cmdline")).unwrap_or_default();
            line.contains(&here) && line.contains("\0encode\0")
        };
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(mine)
            .count()
    };
    let until = |want: usize| {
        let start = Instant::now();
        while encodes() != want {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{} encodes",
                encodes()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until(1);
    child.kill().unwrap();
    child.wait().unwrap();
    until(0);
    p.plan("[[codec]]\nuse = \"nvc\"\nargs = [\"--steps\", \"10\"]\nquality = [36]\n");
    let o = p.bench(&[]).output().unwrap();
    assert!(
        o.status.success() && said(&o).contains("1 points, 0 of them finished before"),
        "{}",
        said(&o)
    );
    let left: Vec<_> = std::fs::read_dir(p.path("out/points"))
        .unwrap()
        .flatten()
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    assert!(left.iter().all(|n| !n.starts_with("half-done")), "{left:?}");
}

/// What is only looked at otherwise is not encoded again.
#[test]
fn another_picture_needs_no_encode() {
    let p = Workspace::new();
    p.clip("a.y4m", 4);
    let codec = "[[codec]]\nuse = \"nvc\"\npreset = \"ultrafast\"\nargs = [\"--steps\", \"10\"]\nbpp = [2.0]\n";
    let plan = p.plan(codec);
    assert!(p.bench(&[]).output().unwrap().status.success());
    let before = p.rows();
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replace("jobs = 1", "jobs = 1\npicture = 0")).unwrap();
    let o = p.bench(&[]).output().unwrap();
    assert!(
        o.status.success() && said(&o).contains("[1/1]"),
        "{}",
        said(&o)
    );
    let after = p.rows();
    // the very time of the first encode
    assert_eq!(
        (before[0].enc_s, before[0].bytes, before[0].psnr_611),
        (after[0].enc_s, after[0].bytes, after[0].psnr_611)
    );
}

/// 6:1:1 by the decoder's own scoring.
fn score(file: &Path, p: &Workspace) -> f64 {
    let cut = p.path("cut.y4m");
    let whole = std::fs::read(p.path("a.y4m")).unwrap();
    std::fs::write(&cut, whole).unwrap();
    let mut c = Command::new(env!("CARGO_BIN_EXE_nvc-decode"));
    let o = c
        .arg(file)
        .args(["-o", "null:", "--json", "--score"])
        .arg(&cut)
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&o.stdout).unwrap();
    json["psnr_yuv611"]["mean"].as_f64().unwrap()
}
