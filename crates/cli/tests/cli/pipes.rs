//! Pipes, and the other end of them dying.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::clip::Clip;
use crate::run::{NVC, NVC_DECODE, SAMPLE, ffmpeg, names, nvc, nvc_decode, run, sample, temp};

#[test]
fn from_stdin_to_stdout() {
    let dir = temp();
    let clip = Clip::moving("420", 64, 48, 4);
    clip.write(dir.path().join("a.y4m"));
    let options = "--device cpu --arch hnerv --bpp 2 --steps 20 -q";
    let encoded = run(
        NVC,
        dir.path(),
        &format!("encode - -o - {options}"),
        &clip.y4m(),
    );
    assert!([0, 6].contains(&encoded.code), "{}", encoded.stderr);
    let named = nvc(
        dir.path(),
        &format!("encode a.y4m -o a.nvc --recon r.y4m {options}"),
    );
    assert_eq!(named.code, encoded.code, "{}", named.stderr);
    assert!(
        encoded.stdout == std::fs::read(dir.path().join("a.nvc")).unwrap(),
        "the pipe gives another file"
    );
    let decoded = run(NVC, dir.path(), "decode - -o -", &encoded.stdout).expect(0);
    assert!(
        decoded.stdout == std::fs::read(dir.path().join("r.y4m")).unwrap(),
        "the pipe gives other frames"
    );
    assert_eq!(decoded.stderr, "");
}

fn shell(dir: &std::path::Path, script: &str) -> String {
    let script = format!("set -euo pipefail; {}", script.replace("NVC", NVC));
    let out = Command::new("bash")
        .args(["-c", &script])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn between_two_ffmpegs() {
    if !ffmpeg() {
        return;
    }
    let dir = temp();
    for (format, strict) in [
        ("yuv420p", ""),
        ("yuv444p", ""),
        ("yuv420p10le", "-strict -1"),
    ] {
        let source = format!(
            "ffmpeg -v error -f lavfi -i testsrc2=s=48x32:r=24 -frames:v 4 -pix_fmt {format} -f yuv4mpegpipe {strict} -"
        );
        // a moment's fit may miss its size, which is exit code 6 and a whole file
        let encode = "(NVC encode - -o - --bpp 5 --steps 10 --device cpu -q || test $? = 6)";
        let sink = "ffmpeg -v error -f yuv4mpegpipe -i - -c:v rawvideo -f md5 -";
        let piped = shell(
            dir.path(),
            &format!("{source} | {encode} | NVC decode - -o - | {sink}"),
        );
        shell(dir.path(), &format!("{source} | {encode} > a.nvc"));
        assert_eq!(
            nvc_decode(dir.path(), "a.nvc -o - --format md5")
                .expect(0)
                .text(),
            piped,
            "{format}"
        );
        let info = crate::run::nvc(dir.path(), "info a.nvc --json")
            .expect(0)
            .json();
        assert_eq!(
            (
                info["pix_fmt"].as_str(),
                info["fps"].as_str(),
                info["frames"].as_u64()
            ),
            (Some(format), Some("24/1"), Some(4))
        );
    }
}

fn wait(mut child: Child, what: &str) -> std::process::ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            panic!("{what} did not end within 60 s");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A file whose frames fill any pipe.
fn long_file() -> Vec<u8> {
    let dir = temp();
    Clip::moving("420", 256, 192, 12).write(dir.path().join("a.y4m"));
    crate::run::encode(dir.path(), "a.y4m", "--model-size 8k --steps 10");
    std::fs::read(dir.path().join("a.nvc")).unwrap()
}

#[test]
fn a_reader_that_has_seen_enough() {
    let dir = temp();
    std::fs::write(dir.path().join("a.nvc"), long_file()).unwrap();
    for (program, args) in [
        (NVC_DECODE, "a.nvc -o -"),
        (NVC, "decode a.nvc -o -"),
        (NVC_DECODE, "a.nvc -o - --format yuv"),
    ] {
        let mut command = Command::new(program);
        command
            .current_dir(dir.path())
            .args(args.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut head = [0; 100];
        child.stdout.take().unwrap().read_exact(&mut head).unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let status = wait(child, args);
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!((status.code(), said.as_str()), (Some(3), ""), "{args}");
    }
}

#[test]
fn the_encoded_file_s_reader_is_gone() {
    let dir = temp();
    sample().clip.write(dir.path().join("a.y4m"));
    let mut command = Command::new(NVC);
    command
        .current_dir(dir.path())
        .args("encode a.y4m -o - --bpp 4 --steps 10 --device cpu -q".split(' '));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = child.stderr.take().unwrap();
    let status = wait(child, "encode");
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(3), ""));
}

#[test]
fn the_messages_reader_is_gone() {
    let dir = temp();
    sample().clip.write(dir.path().join("a.y4m"));
    let mut command = Command::new(NVC);
    command
        .current_dir(dir.path())
        .args("encode a.y4m -o a.nvc --model-size 20k --steps 10 --device cpu".split(' '));
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(wait(child, "encode").code(), Some(0));
    assert_eq!(names(dir.path()), ["a.nvc", "a.y4m"]);
}

#[test]
fn a_producer_that_dies_in_a_frame() {
    let y4m = sample().clip.y4m();
    // within the third frame, within its FRAME line, within the header
    let frame = 48 * 32 * 3 / 2 + 6;
    let header = y4m.len() - 6 * frame;
    for cut in [
        header + 2 * frame + 100,
        header + 2 * frame + 3,
        header - 4,
        0,
    ] {
        let dir = temp();
        let done = run(
            NVC,
            dir.path(),
            &format!("encode - -o a.nvc --device cpu -q {SAMPLE} --recon r.y4m"),
            &y4m[..cut],
        )
        .expect(4);
        assert!(done.stderr.starts_with("error: "), "{}", done.stderr);
        assert_eq!(names(dir.path()), [""; 0], "cut at {cut}");
    }
    let file = std::fs::read(sample().dir().join("a.nvc")).unwrap();
    for cut in [0, 5, 30, file.len() / 2, file.len() - 1] {
        let dir = temp();
        run(NVC, dir.path(), "decode - -o a.y4m", &file[..cut]).expect(4);
        assert_eq!(names(dir.path()), [""; 0], "cut at {cut}");
    }
}

pub fn signal(child: &Child, name: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {}", child.id())])
        .status()
        .unwrap();
    assert!(status.success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_encode_leaves_nothing() {
    for name in ["INT", "TERM"] {
        let dir = temp();
        sample().clip.write(dir.path().join("a.y4m"));
        let mut command = Command::new(NVC);
        let args = "encode a.y4m -o a.nvc --arch hnerv --bpp 4 --steps 10000000 --device cpu --recon r.y4m";
        let mut child = command
            .current_dir(dir.path())
            .args(args.split(' '))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("group 1/1"), "{line}");
        let part = |n: &String| n.starts_with("a.nvc.") && n.ends_with(".part");
        assert!(
            names(dir.path()).iter().any(part),
            "the output is not prepared before hours of fitting"
        );
        signal(&child, name);
        let status = wait(child, "encode");
        line.clear();
        stderr.read_to_string(&mut line).unwrap();
        assert_eq!(status.code(), Some(130), "{name}: {line}");
        assert!(
            line.contains("interrupted") && !line.contains("panicked"),
            "{line}"
        );
        assert_eq!(names(dir.path()), ["a.y4m"], "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_second_interrupt_does_not_wait_for_the_source() {
    let dir = temp();
    let y4m = sample().clip.y4m();
    let mut command = Command::new(NVC);
    let args = "encode - -o a.nvc --bpp 4 --steps 10 --device cpu --recon r.y4m --stats s.ndjson";
    command
        .current_dir(dir.path())
        .args(args.split(' '))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&y4m[..y4m.len() / 2]).unwrap();
    stdin.flush().unwrap();
    // the handler is there before the outputs
    let start = Instant::now();
    while names(dir.path()).len() < 3 && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        child.try_wait().unwrap().is_none(),
        "the first interrupt lets the source end"
    );
    signal(&child, "INT");
    let status = wait(child, "encode");
    assert_eq!(status.code(), Some(130));
    assert_eq!(names(dir.path()), [""; 0]);
    drop(stdin);
}
