//! What tests of several crates need of the machine.
#![allow(dead_code)]

use std::process::{Command, Stdio};

/// Says on stderr that something is not tested. `eprintln!` would not show: the harness keeps what
/// a passing test prints.
pub fn skipped(what: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// Whether the ffmpeg program is there; says so aloud if not.
pub fn ffmpeg() -> bool {
    let there = Command::new("ffmpeg")
        .arg("-version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !there {
        skipped("the ffmpeg program is missing, so nothing is tested with it");
    }
    there
}

/// Most memory, in bytes, that a process has held; `None` once it has ended, or on another system
/// than Linux.
pub fn peak_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
