//! Running the programs, and files that several tests share.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::clip::Clip;
pub use crate::support::{ffmpeg, skipped};

pub const NVC: &str = env!("CARGO_BIN_EXE_nvc");
pub const NVC_DECODE: &str = env!("CARGO_BIN_EXE_nvc-decode");

/// What a program left.
pub struct Done {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Done {
    /// Stdout as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Stdout as one JSON object.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|e| panic!("stdout is not JSON ({e}): {}", self.text()))
    }

    /// This, if the exit code was `code`; whatever it was, no panic.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert_eq!(self.code, code, "stderr: {}", self.stderr);
        self
    }
}

/// Runs `program` with `args`, split at spaces, in `dir`, with `input` on stdin.
pub fn run(program: &str, dir: &Path, args: &str, input: &[u8]) -> Done {
    let mut command = Command::new(program);
    command.current_dir(dir).args(args.split_whitespace());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|s| {
        // a program may end before it has read everything
        s.spawn(move || drop(stdin.write_all(input)));
        let out = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
        Done {
            code: out.status.code().unwrap_or(-1),
            stdout: out.stdout,
            stderr,
        }
    })
}

pub fn nvc(dir: &Path, args: &str) -> Done {
    run(NVC, dir, args, b"")
}

pub fn nvc_decode(dir: &Path, args: &str) -> Done {
    run(NVC_DECODE, dir, args, b"")
}

pub fn temp() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Names in a folder, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A clip and its file, fitted once for all tests that only look at them.
pub struct Sample {
    dir: TempDir,
    pub clip: Clip,
}

impl Sample {
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A copy of the file in `dir`.
    pub fn copy(&self, dir: &TempDir) -> PathBuf {
        let to = dir.path().join("a.nvc");
        std::fs::copy(self.dir().join("a.nvc"), &to).unwrap();
        to
    }
}

/// Options of the sample's encode: two groups of three frames.
pub const SAMPLE: &str = "--arch hnerv --bpp 4 --steps 30 --group 3";

/// `a.y4m` (48x32, 6 frames), `a.nvc`, `a.ndjson` (statistics), `recon.y4m`.
pub fn sample() -> &'static Sample {
    static S: OnceLock<Sample> = OnceLock::new();
    S.get_or_init(|| {
        let dir = temp();
        let clip = Clip::moving("420", 48, 32, 6);
        clip.write(dir.path().join("a.y4m"));
        let done = nvc(
            dir.path(),
            &format!(
                "encode a.y4m -o a.nvc --device cpu -q {SAMPLE} --recon recon.y4m --stats a.ndjson"
            ),
        );
        // a moment's fit may miss the size
        assert!([0, 6].contains(&done.code), "{}", done.stderr);
        assert_eq!(
            names(dir.path()),
            ["a.ndjson", "a.nvc", "a.y4m", "recon.y4m"]
        );
        Sample { dir, clip }
    })
}

/// Encodes a clip in `dir` to a.nvc with a moment's fit; a missed size is fine.
#[track_caller]
pub fn encode(dir: &Path, input: &str, options: &str) {
    // the choice of a representation has tests of its own
    let arch = if options.contains("--arch") {
        ""
    } else {
        "--arch hnerv"
    };
    let done = nvc(
        dir,
        &format!("encode {input} -o a.nvc --device cpu -q {arch} {options}"),
    );
    assert!(
        [0, 6].contains(&done.code),
        "exit code {}: {}",
        done.code,
        done.stderr
    );
}
