//! What is stopped, and what loses its terminal, its stdout or its reader: nothing half done is left.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::inputs::*;
use crate::run::{NVC, NVC_DECODE, names, sample, temp};

const SIGNALS: [(&str, u32); 3] = [("INT", 2), ("TERM", 15), ("HUP", 1)];

#[test]
fn a_stopped_decoder_leaves_nothing() {
    let file = fs::read(sample().dir().join("a.nvc")).unwrap();
    for (name, _) in SIGNALS.into_iter().filter(|(_, number)| !ignored(*number)) {
        for (program, args) in [
            (NVC_DECODE, "- -o o.y4m"),
            (NVC, "decode - -o o.yuv"),
            (NVC, "decode - -o o.txt --format md5"),
        ] {
            let dir = temp();
            let mut command = command(program, dir.path(), &words(args));
            let mut child = command
                .stdin(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            // all frames are decoded, and the last byte does not come
            stdin.write_all(&file[..file.len() - 1]).unwrap();
            stdin.flush().unwrap();
            until(|| !names(dir.path()).is_empty());
            std::thread::sleep(Duration::from_millis(100));
            assert!(
                child.try_wait().unwrap().is_none(),
                "{args}: the end of the file is not waited for"
            );
            signal(&child, name);
            let status = ended(&mut child, AT_ONCE)
                .unwrap_or_else(|| panic!("{args}: SIG{name} ends nothing"));
            assert_eq!(
                (status.code(), names(dir.path())),
                (Some(130), vec![]),
                "{args}, SIG{name}"
            );
        }
    }
}

#[test]
fn a_decoder_stopped_while_its_reference_gives_nothing_leaves_nothing() {
    let y4m = sample().clip.y4m();
    for (name, _) in SIGNALS.into_iter().filter(|(_, number)| !ignored(*number)) {
        let dir = temp();
        sample().copy(&dir);
        assert!(
            Command::new("mkfifo")
                .arg(dir.path().join("ref.y4m"))
                .status()
                .unwrap()
                .success()
        );
        let args = words("a.nvc -o o.y4m --score ref.y4m");
        let mut child = command(NVC_DECODE, dir.path(), &args)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // open at both ends, a pipe does not block
        let mut reference = fs::File::options()
            .read(true)
            .write(true)
            .open(dir.path().join("ref.y4m"))
            .unwrap();
        reference.write_all(&y4m[..y4m.len() / 2]).unwrap();
        until(|| names(dir.path()).len() > 2);
        std::thread::sleep(Duration::from_millis(100));
        signal(&child, name);
        let status = ended(&mut child, AT_ONCE).unwrap_or_else(|| panic!("SIG{name} ends nothing"));
        assert_eq!(
            (status.code(), names(dir.path())),
            (Some(130), vec!["a.nvc".into(), "ref.y4m".into()]),
            "SIG{name}"
        );
        drop(reference);
    }
}

/// Whether a thread of process `id` waits in a read of its standard input; so it is taken to be
/// where the system does not tell.
fn waits_for_stdin(id: u32) -> bool {
    // number and first argument of the system call, on x86-64 and on AArch64
    let read = |call: &str| call.starts_with("0 0x0 ") || call.starts_with("63 0x0 ");
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
        return true;
    };
    let calls: Vec<_> = threads
        .filter_map(|t| t.ok())
        .map(|t| fs::read_to_string(t.path().join("syscall")))
        .collect();
    calls.iter().all(Result::is_err) || calls.iter().flatten().any(|c| read(c))
}

#[test]
fn one_signal_ends_an_encode_whatever_it_waits_for() {
    let y4m = sample().clip.y4m();
    let dir = temp();
    let args = words("encode - -o a.nvc --stats s.ndjson --recon r.y4m --device cpu -q --steps 10");
    let mut child = command(NVC, dir.path(), &args)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // the rest does not come
    stdin.write_all(&y4m[..y4m.len() / 2]).unwrap();
    stdin.flush().unwrap();
    until(|| names(dir.path()).len() == 3);
    // one that still reads would end by itself, and keep its statistics
    until(|| waits_for_stdin(child.id()));
    signal(&child, "TERM");
    let status = ended(&mut child, AT_ONCE).expect("SIGTERM ends nothing");
    assert_eq!((status.code(), names(dir.path())), (Some(130), vec![]));
    drop(stdin);
}

#[test]
fn an_encode_under_nohup_outlives_its_terminal() {
    let dir = temp();
    let y4m = sample().clip.y4m();
    let script =
        format!("trap '' HUP; exec \"$ENCODER\" encode - -o a.nvc --stats s.ndjson {QUICK}");
    let mut command = command("sh", dir.path(), &["-c", &script]);
    let mut child = command
        .env("ENCODER", NVC)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&y4m[..y4m.len() / 2]).unwrap();
    stdin.flush().unwrap();
    until(|| !names(dir.path()).is_empty());
    // whatever handles signals is there soon after the outputs
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        child.try_wait().unwrap().is_none(),
        "SIGHUP ends an encode that was told to ignore it"
    );
    stdin.write_all(&y4m[y4m.len() / 2..]).unwrap();
    drop(stdin);
    let code = ended(&mut child, Duration::from_secs(60)).and_then(|s| s.code());
    assert!([Some(0), Some(6)].contains(&code), "{code:?}");
    assert_eq!(info(dir.path(), "a.nvc")["frames"].as_u64(), Some(6));
}

#[test]
fn a_closed_stdout_is_said() {
    let dir = temp();
    sample().copy(&dir);
    sample().clip.write(dir.path().join("a.y4m"));
    let encode = format!("exec \"$ENCODER\" encode a.y4m -o - {QUICK}");
    for script in [
        "exec \"$DECODER\" a.nvc -o -",
        "exec \"$ENCODER\" decode a.nvc -o - --format yuv",
        &encode,
    ] {
        let e = sh(dir.path(), &format!("{script} >&-")).expect(3).stderr;
        assert!(
            e.contains("error: ") && e.contains("stdout"),
            "{script}: {e}"
        );
    }
}
