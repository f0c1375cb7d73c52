//! What tests of several crates need: descriptions of clips, and what the machine has.
#![allow(dead_code)]

use std::process::{Command, Stdio};

use nvc::frame::{Chroma, PixelFormat, Ratio, VideoInfo};

/// A clip of 25 frames a second whose samples are square and whose colours are not described.
pub fn info(chroma: Chroma, bit_depth: u8, width: usize, height: usize) -> VideoInfo {
    VideoInfo {
        fps: Ratio { num: 25, den: 1 },
        sar: Ratio { num: 1, den: 1 },
        ..VideoInfo::new(width, height, PixelFormat { chroma, bit_depth })
    }
}

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
