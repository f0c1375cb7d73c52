//! Inputs written byte by byte, and programs run with arguments as they are.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::run::{Done, NVC, NVC_DECODE, nvc};

/// Options of a moment's fit.
pub const QUICK: &str = "--device cpu -q --arch hnerv --preset ultrafast --steps 10";
/// Options of a fit that no test lives to see the end of: what is said is said before it.
pub const ENDLESS: &str = "--device cpu -q --arch hnerv --preset ultrafast --steps 1000000";
/// What is said at once is said by then; a loaded machine is slow.
pub const AT_ONCE: Duration = Duration::from_secs(20);
/// Whatever takes longer hangs.
const HANGS: Duration = Duration::from_secs(180);

pub fn command<A: AsRef<OsStr>>(program: &str, dir: &Path, args: &[A]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).args(args);
    command
}

/// What a command leaves. It is killed, and the test fails, after `limit`.
#[track_caller]
pub fn within(limit: Duration, command: &mut Command, input: &[u8]) -> Done {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (status, stdout, stderr) = std::thread::scope(|s| {
        // a program may end before it has read everything
        s.spawn(move || drop(stdin.write_all(input)));
        let out = s.spawn(move || everything(stdout));
        let err = s.spawn(move || everything(stderr));
        let status = ended(&mut child, limit);
        (status, out.join().unwrap(), err.join().unwrap())
    });
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    let Some(status) = status else {
        panic!("{command:?} goes on after {limit:?}: {stderr}")
    };
    Done {
        code: status.code().unwrap_or(-1),
        stdout,
        stderr,
    }
}

fn everything(mut pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // of a killed program, what it wrote
    let _ = pipe.read_to_end(&mut bytes);
    bytes
}

/// How a program ended; `None` if it had to be killed after `limit`.
pub fn ended(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for a condition, but not for ever.
pub fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() && start.elapsed() < AT_ONCE {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Like [`crate::run::run`], with arguments that may hold spaces or be no UTF-8.
#[track_caller]
pub fn run_os<A: AsRef<OsStr>>(program: &str, dir: &Path, args: &[A], input: &[u8]) -> Done {
    within(HANGS, &mut command(program, dir, args), input)
}

/// Runs a script that finds the programs in `$ENCODER` and `$DECODER`.
#[track_caller]
pub fn sh(dir: &Path, script: &str) -> Done {
    within(
        HANGS,
        command("sh", dir, &["-c", script])
            .env("ENCODER", NVC)
            .env("DECODER", NVC_DECODE),
        b"",
    )
}

pub fn signal(child: &Child, name: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {}", child.id())])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Whether whoever runs the tests has them ignore a signal, as nohup does: what they start then
/// ignores it too.
pub fn ignored(signal: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|l| l.strip_prefix("SigIgn:"))
        .and_then(|m| u64::from_str_radix(m.trim(), 16).ok());
    (mask.unwrap_or(0) >> (signal - 1)) & 1 == 1
}

/// Words of a command line.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// `nvc encode` with a moment's fit.
#[track_caller]
pub fn quick(dir: &Path, args: &str) -> Done {
    quick_os(dir, &words(args))
}

#[track_caller]
pub fn quick_os(dir: &Path, args: &[&str]) -> Done {
    let mut all = vec!["encode"];
    all.extend(args);
    all.extend(words(QUICK));
    run_os(NVC, dir, &all, b"")
}

/// `nvc encode` with a moment's fit, which ends with a file.
#[track_caller]
pub fn encoded(dir: &Path, args: &str) -> Done {
    fitted(quick(dir, args))
}

/// What ended with a file; a moment's fit may miss its size.
#[track_caller]
pub fn fitted(done: Done) -> Done {
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    assert!(
        [0, 6].contains(&done.code),
        "exit code {}: {}",
        done.code,
        done.stderr
    );
    done
}

pub fn warnings(done: &Done) -> Vec<&str> {
    done.stderr
        .lines()
        .filter(|l| l.starts_with("warning: "))
        .collect()
}

/// A warning that has all of `parts`.
#[track_caller]
pub fn warned(done: &Done, parts: &[&str]) -> String {
    let found = warnings(done)
        .into_iter()
        .find(|l| parts.iter().all(|p| l.contains(*p)));
    found
        .unwrap_or_else(|| panic!("no warning has all of {parts:?}: {}", done.stderr))
        .to_string()
}

/// Whether `text` has a number that is not part of a longer one.
pub fn has_number(text: &str, n: u64) -> bool {
    let n = n.to_string();
    text.split(|c: char| !c.is_ascii_digit()).any(|t| t == n)
}

pub fn info(dir: &Path, file: &str) -> Value {
    nvc(dir, &format!("info {file} --json")).expect(0).json()
}

/// 100 for the same samples; pictures and video alike.
#[track_caller]
pub fn likeness(dir: &Path, a: &str, b: &str) -> f64 {
    let scores = nvc(dir, &format!("compare {a} {b} --json"))
        .expect(0)
        .json();
    let found = ["psnr_yuv611", "psnr_rgb", "psnr_y"]
        .iter()
        .find_map(|k| scores[*k]["pooled"].as_f64());
    found.unwrap_or_else(|| panic!("no PSNR in {scores}"))
}

/// 8-bit 4:2:0 as y4m, with any other tags.
pub fn video(width: usize, height: usize, tags: &str, frames: usize) -> Vec<u8> {
    let mut out = format!("YUV4MPEG2 W{width} H{height} {tags}\n").into_bytes();
    let chroma = 2 * width.div_ceil(2) * height.div_ceil(2);
    for t in 0..frames {
        out.extend(b"FRAME\n");
        out.extend(
            (0..width * height)
                .map(|i| (40 + ((i % width) * 3 + (i / width) * 2 + t * 5) % 150) as u8),
        );
        out.extend((0..chroma).map(|i| (100 + (i + t) % 50) as u8));
    }
    out
}

/// A picture without any symmetry, number `n` of a sequence.
pub fn picture(width: u32, height: u32, n: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            (x * 4 + 20) as u8,
            (y * 7 + n * 9) as u8,
            ((x + y) * 2 + 30) as u8,
        ])
    })
}

/// Pictures `PREFIX_NNN.png` in a folder.
pub fn numbered(folder: &Path, prefix: &str, numbers: impl IntoIterator<Item = u32>) {
    std::fs::create_dir_all(folder).unwrap();
    for n in numbers {
        std::fs::write(
            folder.join(format!("{prefix}_{n:03}.png")),
            png(&picture(40, 24, n), &[]),
        )
        .unwrap();
    }
}

/// A PNG with other chunks before its data.
pub fn png(picture: &RgbImage, chunks: &[u8]) -> Vec<u8> {
    png_around(picture, chunks, &[])
}

/// A PNG with other chunks before and after its data.
pub fn png_around(picture: &RgbImage, before: &[u8], after: &[u8]) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    let header = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes()[..],
        &[8, 2, 0, 0, 0][..],
    ]
    .concat();
    let parts = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        before.to_vec(),
        chunk(b"IDAT", &zlib(&lines(picture))),
        after.to_vec(),
        chunk(b"IEND", &[]),
    ];
    parts.concat()
}

/// Rows of a PNG before they are packed: each after its filter, none.
pub fn lines(picture: &RgbImage) -> Vec<u8> {
    let rows = picture.as_raw().chunks_exact(3 * picture.width() as usize);
    rows.flat_map(|row| std::iter::once(0).chain(row.iter().copied()))
        .collect()
}

pub fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut out = (data.len() as u32).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(data);
    out.extend(crc32fast::hash(&out[4..]).to_be_bytes());
    out
}

/// The data of the first chunk of a kind.
pub fn find_chunk<'a>(png: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let mut rest = &png[8..];
    while rest.len() >= 12 {
        let n = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        if rest[4..8] == kind[..] {
            return Some(&rest[8..8 + n]);
        }
        rest = &rest[12 + n..];
    }
    None
}

/// A zlib stream of stored blocks.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let n = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(n.to_le_bytes());
        out.extend((!n).to_le_bytes());
        out.extend(block);
    }
    let (low, high) = bytes.iter().fold((1u32, 0u32), |(low, high), &v| {
        let low = (low + u32::from(v)) % 65521;
        (low, (high + low) % 65521)
    });
    out.extend(((high << 16) | low).to_be_bytes());
    out
}

/// An EXIF block whose only field is the orientation, in either byte order.
pub fn exif(orientation: u16, big_endian: bool) -> Vec<u8> {
    let (two, four) = if big_endian {
        (
            u16::to_be_bytes as fn(u16) -> [u8; 2],
            u32::to_be_bytes as fn(u32) -> [u8; 4],
        )
    } else {
        (
            u16::to_le_bytes as fn(u16) -> [u8; 2],
            u32::to_le_bytes as fn(u32) -> [u8; 4],
        )
    };
    let mut out = if big_endian {
        b"MM".to_vec()
    } else {
        b"II".to_vec()
    };
    out.extend(two(42));
    // where the fields are, how many, then tag, type SHORT, count and value
    out.extend(four(8));
    out.extend([two(1), two(0x112), two(3)].concat());
    out.extend(four(1));
    out.extend([two(orientation), two(0)].concat());
    out.extend(four(0));
    out
}

/// Lets the ffmpeg program make something in `dir`; says what is left out if it cannot.
#[cfg(feature = "ffmpeg")]
pub fn made(dir: &Path, args: &str) -> bool {
    if !crate::run::ffmpeg() {
        return false;
    }
    let out = command(
        "ffmpeg",
        dir,
        &words(&format!("-nostdin -v error -y {args}")),
    )
    .output()
    .unwrap();
    if !out.status.success() {
        crate::run::skipped(&format!(
            "ffmpeg {args}: {}",
            String::from_utf8_lossy(&out.stderr).trim()
        ));
    }
    out.status.success()
}

#[test]
fn pictures_read_back() {
    let one = picture(90, 300, 1);
    let bytes = png(&one, &chunk(b"tEXt", b"Title\0none"));
    assert_eq!(find_chunk(&bytes, b"tEXt"), Some(&b"Title\0none"[..]));
    assert!(image::load_from_memory(&bytes).unwrap().into_rgb8() == one);
}
