//! External programs: started, watched, and named with their Debian package where they are missing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::{Error, Result};

/// Where a program comes from.
fn package(program: &str) -> Option<&'static str> {
    Some(match program {
        "ffmpeg" => "ffmpeg",
        "cjpeg" | "djpeg" => "libjpeg-turbo-progs",
        "cwebp" | "dwebp" => "webp",
        "avifenc" | "avifdec" => "libavif-bin",
        "cjxl" | "djxl" => "libjxl-tools",
        _ => return None,
    })
}

/// A program that cannot be started.
pub(super) fn missing(name: &str, e: io::Error) -> Error {
    match (e.kind(), package(name)) {
        (io::ErrorKind::NotFound, Some(package)) => {
            Error::Unsupported(format!("the program '{name}' is not installed (Debian package {package}; scripts/install-deps.sh anchors)"))
        }
        (io::ErrorKind::NotFound, None) => Error::Unsupported(format!("the program '{name}' is not found")),
        _ => Error::io(format!("starting the program '{name}'"), e),
    }
}

/// One call of a program.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What to call it in messages and command lines.
    pub name: String,
    /// What to start.
    pub program: PathBuf,
    pub args: Vec<String>,
}

impl Call {
    pub fn new(name: &str, args: &[&str]) -> Self {
        Call { name: name.into(), program: name.into(), args: args.iter().map(|a| a.to_string()).collect() }
    }

    /// As one would type it.
    pub fn line(&self) -> String {
        let word = |w: &str| {
            let plain = !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=+:,./@%|".contains(&b)) && !w.contains('|');
            if plain { w.to_string() } else { format!("'{}'", w.replace('\'', "'\\''")) }
        };
        std::iter::once(self.name.clone()).chain(self.args.iter().map(|a| word(a))).collect::<Vec<_>>().join(" ")
    }

    /// Runs to the end, with no input and no output but files.
    pub fn run(&self, dir: &Path, what: &str) -> Result<()> {
        Program::start(self, Stdio::null(), Stdio::null(), dir)?.wait(what)
    }

    /// What it prints on both its outputs, whatever its exit status.
    pub fn output(&self) -> Result<String> {
        let out = Command::new(&self.program).args(&self.args).stdin(Stdio::null()).output().map_err(|e| missing(&self.name, e))?;
        Ok(format!("{}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
    }
}

/// A started program that does not outlive its owner, with its stderr in a file.
pub(super) struct Program {
    pub child: Child,
    name: String,
    log: PathBuf,
}

impl Program {
    pub fn start(call: &Call, stdin: Stdio, stdout: Stdio, dir: &Path) -> Result<Self> {
        let log = dir.join("stderr.log");
        let stderr = File::create(&log).map_err(|e| Error::io(format!("creating {}", log.display()), e))?;
        let child = Command::new(&call.program).args(&call.args).stdin(stdin).stdout(stdout).stderr(stderr).spawn();
        Ok(Program { child: child.map_err(|e| missing(&call.name, e))?, name: call.name.clone(), log })
    }

    /// Waits for its end; anything but success is an error with the last of what it said.
    pub fn wait(&mut self, what: &str) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait().map_err(|e| Error::io(format!("waiting for {}", self.name), e))?;
        if status.success() {
            return Ok(());
        }
        let log = self.stderr();
        let lines: Vec<&str> = log.lines().filter(|l| !l.trim().is_empty() && !l.starts_with("Svt[info]")).collect();
        let tail = lines[lines.len().saturating_sub(4)..].join("; ");
        Err(Error::Unsupported(format!("{} could not {what} ({status}): {tail}", self.name)))
    }

    /// What it said so far.
    pub fn stderr(&self) -> String {
        std::fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail harmlessly when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_programs_are_named_with_their_package() {
        for (name, package) in [("cjpeg", "libjpeg-turbo-progs"), ("dwebp", "webp"), ("avifdec", "libavif-bin"), ("cjxl", "libjxl-tools")] {
            let call = Call { program: "/nonexistent/program".into(), ..Call::new(name, &[]) };
            let e = call.output().unwrap_err();
            assert_eq!(e.exit_code(), 5);
            assert!(e.to_string().contains(&format!("'{name}'")) && e.to_string().contains(package), "{e}");
        }
        let e = Call::new("/nonexistent/own codec", &[]).output().unwrap_err();
        assert!(e.to_string().contains("/nonexistent/own codec"), "{e}");
    }

    #[test]
    fn failures_are_told_in_the_program_s_words() {
        let dir = tempfile::tempdir().unwrap();
        let call = Call::new("sh", &["-c", "echo gone wrong >&2; exit 3"]);
        let e = call.run(dir.path(), "do it").unwrap_err().to_string();
        assert!(e.contains("sh could not do it") && e.contains("gone wrong") && e.contains('3'), "{e}");
        assert_eq!(call.line(), "sh -c 'echo gone wrong >&2; exit 3'");
    }
}
