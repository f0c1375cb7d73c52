//! The decoder program holds a few frames, never a clip; built from the decoder layer alone.
#![cfg(target_os = "linux")]

#[path = "../../../tests/common/mod.rs"]
mod common;
#[path = "../../media/tests/support/mod.rs"]
mod support;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{file, info, random_group};
use nvc::frame::Chroma;

/// Larger than what a pipe holds and what the program may have in its write buffer.
const UNREAD: usize = 400_000;

/// Peak memory of a decode to a pipe, in bytes, and how much it wrote. The peak is read while the
/// program still waits for us to take its last frames: afterwards it would be gone.
fn peak(path: &Path, size: usize, threads: usize) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nvc-decode"));
    command.arg(path).args([
        "-o",
        "-",
        "--format",
        "yuv",
        "--threads",
        &threads.to_string(),
    ]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut taken = vec![0; 1 << 16];
    let mut left = size - UNREAD;
    while left > 0 {
        let n = left.min(taken.len());
        stdout.read_exact(&mut taken[..n]).unwrap();
        left -= n;
    }
    let peak = support::peak_bytes(child.id()).unwrap();
    let rest = std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!(rest, UNREAD as u64, "wrote another size");
    assert!(child.wait().unwrap().success());
    peak
}

#[test]
fn memory_does_not_grow_with_the_clip() {
    let info = info(320, 240, Chroma::Yuv420, 8);
    let frame = 320 * 240 * 3 / 2;
    let dir = tempfile::tempdir().unwrap();
    // slower, so fewer frames, which still tell: they would take 2 bytes a sample
    let many = if cfg!(debug_assertions) { 120 } else { 240 };
    let long_clip = many as u64 * frame as u64 * 2;
    for (name, threads) in [("one group", 1), ("one group", 2), ("many sections", 1)] {
        let make = |frames: usize| {
            let sections: Vec<_> = match name {
                "one group" => {
                    let mut g = random_group(&info, 4, 4000.0, 5);
                    g.latents = g.latents.repeat(frames / 4);
                    g.frames = frames;
                    vec![vec![g]]
                }
                _ => (0..frames / 4)
                    .map(|i| vec![random_group(&info, 4, 4000.0, i as u64)])
                    .collect(),
            };
            let path = dir.path().join(format!("{frames}.nvc"));
            std::fs::write(&path, file(&info, &sections)).unwrap();
            peak(&path, frames * frame, threads)
        };
        let (short, long) = (make(4), make(many));
        let grown = long.saturating_sub(short);
        let allowed = (4 << 20) + many as u64 * 10_000;
        assert!(
            allowed < long_clip / 3,
            "the test could not see a clip held in memory"
        );
        assert!(
            grown < allowed,
            "{name}, {threads} threads: {} MB for 4 frames, {} MB for {many}; {} MB more, at most {} allowed",
            short >> 20,
            long >> 20,
            grown >> 20,
            allowed >> 20
        );
    }
}
