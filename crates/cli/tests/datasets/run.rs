//! Running `nvc` on a store of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

#[cfg(target_os = "linux")]
use super::support::peak_bytes;

/// A folder with a store in `store/` and manifests beside it.
pub struct Room {
    pub dir: TempDir,
}

/// What the program left.
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// This, if the exit code was `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// This, if stderr has all of `words`.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for w in words {
            assert!(
                self.stderr.contains(w),
                "stderr lacks '{w}': {}",
                self.stderr
            );
        }
        self
    }
}

impl Room {
    pub fn new() -> Self {
        Room {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a manifest `m.toml` of the set `my` with these entries.
    pub fn manifest(&self, entries: &str) -> PathBuf {
        let path = self.path("m.toml");
        std::fs::write(&path, format!("schema = 1\nname = \"my\"\n{entries}")).unwrap();
        path
    }

    /// A manifest of one raw clip `my/a` of three 8x8 frames, and the keys that say where it comes
    /// from.
    pub fn clip(&self, source: &str) {
        let geometry = "width = 8\nheight = 8\nframes = 3\npix_fmt = \"yuv420p\"\nfps = 25\n";
        self.manifest(&format!("[[entry]]\nname = \"a\"\n{geometry}{source}\n"));
    }

    /// Runs `nvc` with `args`, split at spaces, on this store; extra variables of the environment
    /// in `more`.
    pub fn nvc_with(&self, args: &str, more: &[(&str, &str)]) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nvc"));
        command
            .current_dir(self.dir.path())
            .args(args.split_whitespace());
        for name in [
            "http_proxy",
            "https_proxy",
            "all_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "SSL_CERT_FILE",
        ] {
            command.env_remove(name);
        }
        command
            .env("NVC_DATASETS_DIR", self.path("store"))
            .env("NVC_DATASETS_MANIFESTS", self.path("m.toml"));
        let out = command.envs(more.iter().copied()).output().unwrap();
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        Done {
            code: out.status.code().unwrap_or(-1),
            stdout: text(&out.stdout),
            stderr: text(&out.stderr),
        }
    }

    pub fn nvc(&self, args: &str) -> Done {
        self.nvc_with(args, &[])
    }

    /// Files of the store below `folder`, without the lock, sorted.
    pub fn stored(&self, folder: &str) -> Vec<String> {
        let Ok(dir) = std::fs::read_dir(self.path("store").join(folder)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = dir
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path("store").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

/// The bytes of the clip `my/a`.
pub fn clip() -> Vec<u8> {
    (0..288).map(|i| (i / 96 * 10 + i % 4) as u8).collect()
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    nvc_media::hex(&sha2::Sha256::digest(bytes))
}

/// Peak memory of a run of `nvc` in bytes, and its exit code.
#[cfg(target_os = "linux")]
pub fn peak(room: &Path, args: &[&str]) -> (u64, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nvc"));
    command
        .current_dir(room)
        .args(args)
        .stdout(std::process::Stdio::null());
    command
        .env("NVC_DATASETS_DIR", room.join("store"))
        .env("NVC_DATASETS_MANIFESTS", room.join("m.toml"));
    let mut child = command.spawn().unwrap();
    let mut peak = 0;
    loop {
        // the peak is gone with the process, so it is asked for until then
        peak = peak_bytes(child.id()).unwrap_or(0).max(peak);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(peak > 0, "the program ended before it could be watched");
            return (peak, status.code().unwrap_or(-1));
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
