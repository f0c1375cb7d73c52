//! A plan becomes results once, whatever ends a run.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::workspace::{Workspace, said};

#[test]
fn a_plan_becomes_results_once() {
    let p = Workspace::new();
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
        let p = Workspace::new();
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
fn two_runs_do_not_share_a_folder() {
    let p = Workspace::new();
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
