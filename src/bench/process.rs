//! Programs that are waited for, timed, and stopped when the user wants to stop.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How a program ended.
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Wall-clock seconds from start to end.
    pub seconds: f64,
    /// The end of what it said.
    pub said: String,
}

impl Ended {
    /// An error with the program's own words, unless its exit code is 0 or in `good`.
    pub fn check(&self, what: &str, good: &[i32]) -> Result<()> {
        if self.status.success() || self.status.code().is_some_and(|c| good.contains(&c)) {
            return Ok(());
        }
        Err(Error::Unsupported(format!("{what} failed ({}): {}", self.status, self.said)))
    }
}

/// Runs a program to its end, with stdout in `out` if given and stderr in `log`. Ends it and returns
/// [`Error::Interrupted`] as soon as `stop` is set.
pub fn run(command: &mut Command, out: Option<&Path>, log: &Path, stop: &AtomicBool) -> Result<Ended> {
    let create = |p: &Path| std::fs::File::create(p).map_err(|e| Error::io(format!("creating {}", p.display()), e));
    let name = command.get_program().to_string_lossy().into_owned();
    // a pipe that nothing is written to: its end tells a program that asks for it that we are gone
    command.stdin(Stdio::piped()).stderr(create(log)?);
    command.stdout(match out {
        Some(p) => create(p)?.into(),
        None => Stdio::null(),
    });
    let start = Instant::now();
    let mut child = command.spawn().map_err(|e| Error::io(format!("starting {name}"), e))?;
    let status = loop {
        match child.try_wait().map_err(|e| Error::io(format!("waiting for {name}"), e))? {
            Some(status) => break status,
            None if stop.load(Ordering::SeqCst) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::Interrupted);
            }
            // short waits for short programs: the time is a result
            None => std::thread::sleep(Duration::from_millis(if start.elapsed().as_secs() < 2 { 2 } else { 20 })),
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    if stop.load(Ordering::SeqCst) {
        return Err(Error::Interrupted);
    }
    let text = std::fs::read(log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    Ok(Ended { status, seconds, said: lines[lines.len().saturating_sub(3)..].join("; ") })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let go = AtomicBool::new(false);
        let sh = |script: &str| {
            let mut c = Command::new("sh");
            c.args(["-c", script]);
            c
        };
        let out = dir.path().join("out");
        let e = run(&mut sh("echo a; echo b >&2; exit 6"), Some(&out), &log, &go).unwrap();
        assert_eq!((e.said.as_str(), std::fs::read_to_string(&out).unwrap().as_str()), ("b", "a\n"));
        assert!(e.check("it", &[6]).is_ok() && e.check("it", &[]).unwrap_err().to_string().contains("it failed"));
        let stop = AtomicBool::new(true);
        let start = Instant::now();
        assert!(matches!(run(&mut sh("sleep 60"), None, &log, &stop), Err(Error::Interrupted)));
        assert!(start.elapsed().as_secs() < 30);
        assert!(matches!(run(&mut Command::new("/no/such/program"), None, &log, &go), Err(Error::Io { .. })));
    }
}
