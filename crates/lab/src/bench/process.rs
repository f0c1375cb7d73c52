//! Programs of our own, timed and watched.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use crate::program::{Call, Program, RunDir};
use ::nvc::error::{Error, Result};

/// What a process took, where the system tells (Linux): read while it runs, so that the last
/// hundredths of a second may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Seconds of all its threads on processors.
    pub cpu_seconds: Option<f64>,
    /// Most memory it held, in bytes.
    pub peak_bytes: Option<u64>,
}

impl Usage {
    /// What the process has taken so far; what was known before where the system says no more.
    fn look(&mut self, id: u32) {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{id}/{name}")).ok();
        if let Some(t) = read("stat").as_deref().and_then(ticks) {
            // units of a hundredth of a second, whatever the kernel counts in
            self.cpu_seconds = Some(t as f64 / 100.0);
        }
        if let Some(kib) = read("status").as_deref().and_then(peak_kib) {
            self.peak_bytes = Some(kib * 1024);
        }
    }
}

/// User and system time in /proc/ID/stat: fields 14 and 15. The name, field 2, stands in
/// parentheses and may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn peak_kib(status: &str) -> Option<u64> {
    status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// How a program ended.
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Wall-clock seconds from start to end.
    pub seconds: f64,
    /// What it took.
    pub usage: Usage,
    /// The end of what it said.
    pub said: String,
}

impl Ended {
    /// An error with the program's own words, unless its exit code is 0 or in `good`.
    pub fn check(&self, what: &str, good: &[i32]) -> Result<()> {
        if self.status.success() || self.status.code().is_some_and(|c| good.contains(&c)) {
            return Ok(());
        }
        Err(Error::Unsupported(format!(
            "{what} failed ({}): {}",
            self.status, self.said
        )))
    }
}

/// Runs a program to its end, with stdout in `out` if given and stderr in a file in the run's folder. Ends
/// it and returns [`Error::Interrupted`] as soon as it is to stop.
pub fn run(call: &Call, out: Option<&Path>, at: RunDir) -> Result<Ended> {
    let stdout = match out {
        Some(p) => std::fs::File::create(p)
            .map_err(|e| Error::io(format!("creating {}", p.display()), e))?
            .into(),
        None => Stdio::null(),
    };
    let start = Instant::now();
    // a pipe that nothing is written to: its end tells a program that asks for it that we are gone
    let mut program = Program::start(call, Stdio::piped(), stdout, at)?;
    let mut usage = Usage::default();
    let status = program.status(|id| usage.look(id))?;
    Ok(Ended {
        status,
        seconds: start.elapsed().as_secs_f64(),
        usage,
        said: program.last_lines(3),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_the_system_s_words() {
        let stat = "71 (a (b) c) R 1 71 71 0 -1 4194304 100 0 0 0 250 30 0 0 20 0 1 0 100 1000 10";
        assert_eq!(
            (ticks(stat), ticks("71 x"), ticks("71 (x) R 1")),
            (Some(280), None, None)
        );
        assert_eq!(
            peak_kib("Name:\tx\nVmHWM:\t  1234 kB\nVmRSS:\t 1 kB\n"),
            Some(1234)
        );
        assert_eq!(peak_kib("Name:\tx\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn usage_is_the_process_s_own() {
        let dir = tempfile::tempdir().unwrap();
        let run = |script: &str| {
            let at = RunDir {
                dir: dir.path(),
                stop: None,
            };
            run(&Call::new("sh", &["-c", script]), None, at).unwrap()
        };
        let (idle, busy) = (
            run("exec sleep 0.4"),
            run("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"),
        );
        assert!(idle.usage.cpu_seconds.unwrap() < 0.1, "{:?}", idle.usage);
        let cpu = busy.usage.cpu_seconds.unwrap();
        assert!(
            cpu > 0.02 && cpu < busy.seconds + 0.02,
            "{:?} in {} s",
            busy.usage,
            busy.seconds
        );
        assert!(
            (100_000..100_000_000).contains(&idle.usage.peak_bytes.unwrap()),
            "{:?}",
            idle.usage
        );
    }

    #[test]
    fn ends_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let at = RunDir {
            dir: dir.path(),
            stop: None,
        };
        let out = dir.path().join("out");
        let call = Call::new("sh", &["-c", "echo a; echo b >&2; exit 6"]);
        let e = run(&call, Some(&out), at).unwrap();
        assert_eq!(
            (e.said.as_str(), std::fs::read(&out).unwrap()),
            ("b", b"a\n".to_vec())
        );
        assert!(e.check("it", &[6]).is_ok());
        let told = e.check("it", &[]).unwrap_err().to_string();
        assert!(
            told.contains("it failed") && told.ends_with(": b"),
            "{told}"
        );
    }
}
