//! `nvc bench` as a user runs it: results, resuming, faults.
#![cfg(feature = "bench")]

#[path = "../../media/tests/support/mod.rs"]
mod support;

#[cfg(feature = "encode")]
use std::path::Path;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nvc_lab::bench::{Row, read_csv};

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Place {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A clip of 48x32 in which a bright square moves over a ramp.
    fn clip(&self, name: &str, frames: usize) {
        let mut y4m = b"YUV4MPEG2 W48 H32 F25:1 Ip A1:1 C420jpeg\n".to_vec();
        for f in 0..frames {
            y4m.extend(b"FRAME\n");
            y4m.extend((0..32 * 48).map(|i| {
                let (x, y) = (i % 48, i / 48);
                if (8..20).contains(&y) && (f * 2..f * 2 + 12).contains(&x) {
                    220
                } else {
                    (40 + 2 * x + y) as u8
                }
            }));
            y4m.extend((0..2 * 16 * 24).map(|i| 110 + (i % 24) as u8));
        }
        std::fs::write(self.path(name), y4m).unwrap();
    }

    /// A codec of two shell scripts. It keeps the file as it is, notes every call in the file
    /// `calls`, and waits at quality 3 as long as the file `hold` is there.
    fn codec(&self) -> String {
        let (calls, hold) = (self.path("calls"), self.path("hold"));
        let encode = format!(
            "echo \"$3\" >> '{}'\nwhile [ \"$3\" = 3 ] && [ -e '{}' ]; do sleep 0.05; done\ncp \"$1\" \"$2\"\n",
            calls.display(),
            hold.display()
        );
        let script = self.write("encode.sh", &encode);
        format!(
            "[[codec]]\nuse = \"external\"\nname = \"copy\"\nversion = \"1\"\nextension = \"bin\"\nquality = [1, 2, 3]\n\
             encode = \"sh '{}' {{input}} {{output}} {{quality}}\"\ndecode = \"cp {{input}} {{output}}\"\n",
            script.display()
        )
    }

    fn plan(&self, codecs: &str) -> PathBuf {
        let head = "title = \"A test\"\nanchor = \"copy\"\njobs = 1\n[[sequence]]\nsource = \"a.y4m\"\nframes = \"0..4\"\n";
        self.write("plan.toml", &format!("{head}{codecs}"))
    }

    fn bench(&self, args: &[&str]) -> Command {
        let mut c = Command::new(env!("CARGO_BIN_EXE_nvc"));
        c.arg("bench")
            .arg(self.path("plan.toml"))
            .arg("-o")
            .arg(self.path("out"))
            .args(args);
        c
    }

    fn calls(&self) -> Vec<String> {
        std::fs::read_to_string(self.path("calls"))
            .unwrap_or_default()
            .lines()
            .map(str::to_string)
            .collect()
    }

    fn rows(&self) -> Vec<Row> {
        read_csv(&self.path("out/results.csv")).unwrap()
    }
}

fn said(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

#[test]
fn a_plan_becomes_results_once() {
    let p = Place::new();
    p.clip("a.y4m", 6);
    p.plan(&p.codec());
    let o = p.bench(&[]).output().unwrap();
    assert!(o.status.success(), "{}", said(&o));
    let rows = p.rows();
    assert_eq!(rows.len(), 3);
    for r in &rows {
        assert_eq!(
            (
                r.codec.as_str(),
                r.sequence.as_str(),
                r.frames,
                r.width,
                r.height
            ),
            ("copy", "a", 4, 48, 32)
        );
        assert_eq!(
            (r.psnr_611, r.psnr_rgb, r.fps.as_str()),
            (Some(100.0), Some(100.0), "25/1")
        );
        // four frames of 48x32 with their headers
        let bytes = std::fs::metadata(p.path("a.y4m")).unwrap().len() - 2 * (6 + 48 * 32 * 3 / 2);
        assert!(r.bytes.abs_diff(bytes) < 40, "{} {bytes}", r.bytes);
        assert_eq!(r.bpp, 8.0 * r.bytes as f64 / (48.0 * 32.0 * 4.0));
        assert!(
            r.command.contains("encode.sh") && !r.command.contains(p.path("out").to_str().unwrap()),
            "{}",
            r.command
        );
    }
    let html = std::fs::read_to_string(p.path("out/report.html")).unwrap();
    assert!(html.contains("A test") && html.contains("data:image/png;base64,"));
    assert!(std::fs::read_dir(p.path("out/compressai")).unwrap().count() > 0);
    assert!(!p.path("out/sequences").exists());
    assert_eq!(p.calls(), ["1", "2", "3"]);

    // a second run runs nothing, nor does gathering; both find the same
    for args in [&[][..], &["--gather"][..]] {
        std::fs::remove_file(p.path("out/results.csv")).unwrap();
        let o = p.bench(args).output().unwrap();
        assert!(
            o.status.success() && said(&o).contains("3 points, 3 of them finished before"),
            "{}",
            said(&o)
        );
        assert_eq!(p.rows(), rows);
    }
    assert_eq!(p.calls().len(), 3);

    // another source is another result, another version too
    p.clip("a.y4m", 5);
    assert!(
        p.bench(&["--frames", "1..5"])
            .output()
            .unwrap()
            .status
            .success()
    );
    assert_eq!(p.calls().len(), 6);
    p.plan(&p.codec().replace("version = \"1\"", "version = \"2\""));
    assert!(
        p.bench(&["--frames", "1..5"])
            .output()
            .unwrap()
            .status
            .success()
    );
    assert_eq!(p.calls().len(), 9);
}

#[cfg(unix)]
#[test]
fn a_killed_run_goes_on_where_it_stopped() {
    for signal in ["KILL", "INT"] {
        let p = Place::new();
        p.clip("a.y4m", 4);
        p.plan(&p.codec());
        p.write("hold", "");
        let mut child = p
            .bench(&[])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while p.calls().len() < 3 {
            assert!(start.elapsed() < Duration::from_secs(60), "{:?}", p.calls());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(
            Command::new("kill")
                .args([&format!("-{signal}"), &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        if signal == "INT" {
            // what runs may end by itself
            std::fs::remove_file(p.path("hold")).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(75));
        } else {
            child.wait().unwrap();
            std::fs::remove_file(p.path("hold")).unwrap();
        }
        let finished = std::fs::read_dir(p.path("out/points"))
            .unwrap()
            .flatten()
            .filter(|e| e.path().extension().is_some_and(|x| x == "json"))
            .count();
        assert!((2..=3).contains(&finished), "{finished}");
        let o = p.bench(&[]).output().unwrap();
        assert!(o.status.success(), "{}", said(&o));
        assert!(
            said(&o).contains(&format!("3 points, {finished} of them finished before")),
            "{}",
            said(&o)
        );
        assert_eq!(p.rows().len(), 3);
        let calls = p.calls();
        assert_eq!(calls.iter().filter(|c| *c == "1").count(), 1, "{calls:?}");
        assert_eq!(calls.iter().filter(|c| *c == "2").count(), 1, "{calls:?}");
        assert_eq!(calls.len(), 6 - finished, "{calls:?}");
    }
}

#[test]
fn what_fails_or_is_missing_is_named_and_the_rest_goes_on() {
    let p = Place::new();
    p.clip("a.y4m", 4);
    let broken = p
        .codec()
        .replace("\"copy\"", "\"broken\"")
        .replace("cp {input} {output}", "false {input} {output}");
    p.plan(&format!(
        "{}{broken}[[codec]]\nuse = \"vvenc\"\nquality = [32]\n",
        p.codec()
    ));
    let none = p.path("no-ffmpeg");
    let o = p
        .bench(&[])
        .env("NVC_FFMPEG", &none)
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert_eq!(o.status.code(), Some(6), "{}", said(&o));
    assert!(said(&o).contains("FAILED a broken"), "{}", said(&o));
    assert_eq!(
        p.rows().len(),
        3 + p.rows().iter().filter(|r| r.codec == "vvenc").count()
    );
    let text = std::fs::read_to_string(p.path("out/results.md")).unwrap();
    assert!(
        text.contains("- failed: a broken") && text.contains("| copy |"),
        "{text}"
    );
    assert!(
        text.contains("- left out: vvenc") || p.rows().iter().any(|r| r.codec == "vvenc"),
        "{text}"
    );
}

#[test]
fn faults_of_plans_have_names_and_exit_codes() {
    let p = Place::new();
    p.clip("a.y4m", 4);
    let run = |args: &[&str]| {
        let o = p.bench(args).output().unwrap();
        (o.status.code(), said(&o))
    };
    p.write("plan.toml", "title = 1");
    assert!(matches!(run(&[]), (Some(2), m) if m.contains("plan.toml") && m.contains("title")));
    p.plan(&p.codec());
    assert!(
        matches!(run(&["--codec", "x266"]), (Some(2), m) if m.contains("the plan has external"))
    );
    assert!(matches!(run(&["--frames", "4..4"]), (Some(2), m) if m.contains("4..4")));
    assert!(matches!(run(&["--frames", "9..12"]), (Some(2), m) if m.contains("has only 4")));
    assert!(
        matches!(run(&["--dataset", "uvg/Beauties"]), (Some(2), m) if m.contains("uvg/Beauty"))
    );
    p.plan("[[codec]]\nuse = \"x265:medium:speed\"\nquality = [1]\n");
    assert!(matches!(run(&[]), (Some(2), m) if m.contains("x265:medium:speed")));
    p.plan(&format!("{}{}", p.codec(), p.codec()));
    assert!(
        matches!(run(&[]), (Some(2), m) if m.contains("codecs 1 and 2 of the plan are the same"))
    );
    p.plan("[[codec]]\nuse = \"jpeg:420\"\nquality = [1]\n");
    assert!(matches!(run(&[]), (Some(2), m) if m.contains("a is video")));
    std::fs::remove_file(p.path("a.y4m")).unwrap();
    assert!(matches!(run(&[]), (Some(3), m) if m.contains("a.y4m")));
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let p = Place::new();
    p.clip("a.y4m", 4);
    p.plan(&p.codec());
    p.write("hold", "");
    let mut first = p
        .bench(&[])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while p.calls().len() < 3 && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let o = p.bench(&[]).output().unwrap();
    assert!(
        o.status.code() == Some(2) && said(&o).contains("another nvc bench"),
        "{}",
        said(&o)
    );
    std::fs::remove_file(p.path("hold")).unwrap();
    assert!(first.wait().unwrap().success());
}

/// A point of nvc has all that the report shows of it.
#[cfg(feature = "encode")]
#[test]
fn points_of_nvc_are_whole() {
    let p = Place::new();
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
#[cfg(all(feature = "encode", target_os = "linux"))]
#[test]
fn a_killed_run_takes_its_encodes_with_it() {
    let p = Place::new();
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
#[cfg(feature = "encode")]
#[test]
fn another_picture_needs_no_encode() {
    let p = Place::new();
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
#[cfg(feature = "encode")]
fn score(file: &Path, p: &Place) -> f64 {
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

/// A raw 1080p file named as UVG's goes through a data set's name, and memory follows the frame,
/// not the file.
#[cfg(target_os = "linux")]
#[test]
fn raw_1080p_by_name_in_bounded_memory() {
    let p = Place::new();
    let name = "Ramp_1920x1080_120fps_420_8bit_YUV.yuv";
    let frame: Vec<u8> = (0..1920 * 1080 * 3 / 2)
        .map(|i| (i / 7 % 251) as u8)
        .collect();
    let mut raw = std::io::BufWriter::new(std::fs::File::create(p.path(name)).unwrap());
    for _ in 0..40 {
        std::io::Write::write_all(&mut raw, &frame).unwrap();
    }
    drop(raw);
    let entry = format!(
        "[[entry]]\nname = \"Ramp\"\nwidth = 1920\nheight = 1080\nframes = 40\npix_fmt = \"yuv420p\"\nfps = 120\nfile = \"{name}\"\n"
    );
    let manifest = p.write(
        "set.toml",
        &format!("schema = 1\nname = \"like-uvg\"\ntitle = \"One ramp\"\n{entry}"),
    );
    p.plan(&p.codec().replace("[1, 2, 3]", "[1]"));
    let mut peaks = Vec::new();
    for frames in [8, 40] {
        let range = format!("0..{frames}");
        let mut c = p.bench(&["--dataset", "like-uvg/Ramp", "--frames", &range, "--root"]);
        c.arg(p.path("root")).arg("--manifest").arg(&manifest);
        let mut child = c.stdout(std::process::Stdio::null()).spawn().unwrap();
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            peak = peak.max(support::peak_bytes(child.id()).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(child.wait().unwrap().success());
        assert_eq!(
            (p.rows()[0].frames, p.rows()[0].psnr_611),
            (frames, Some(100.0))
        );
        peaks.push(peak);
    }
    // the samples of 32 more frames take 199 MB
    assert!(
        peaks[0] > 1_000_000 && peaks[1] < peaks[0] + (40 << 20),
        "{peaks:?} bytes"
    );
}
