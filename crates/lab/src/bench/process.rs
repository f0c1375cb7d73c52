//! Programs that are waited for, timed, and stopped when the user wants to stop.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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

/// Runs a program to its end, with stdout in `out` if given and stderr in `log`. Ends it and
/// returns [`Error::Interrupted`] as soon as `stop` is set.
pub fn run(
    command: &mut Command,
    out: Option<&Path>,
    log: &Path,
    stop: &AtomicBool,
) -> Result<Ended> {
    let create = |p: &Path| {
        std::fs::File::create(p).map_err(|e| Error::io(format!("creating {}", p.display()), e))
    };
    let name = command.get_program().to_string_lossy().into_owned();
    // a pipe that nothing is written to: its end tells a program that asks for it that we are gone
    command.stdin(Stdio::piped()).stderr(create(log)?);
    command.stdout(match out {
        Some(p) => create(p)?.into(),
        None => Stdio::null(),
    });
    let start = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|e| Error::io(format!("starting {name}"), e))?;
    let mut usage = Usage::default();
    let status = loop {
        usage.look(child.id());
        match child
            .try_wait()
            .map_err(|e| Error::io(format!("waiting for {name}"), e))?
        {
            Some(status) => break status,
            None if stop.load(Ordering::SeqCst) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::Interrupted);
            }
            // short waits for short programs: the time is a result
            None => std::thread::sleep(Duration::from_millis(if start.elapsed().as_secs() < 2 {
                2
            } else {
                20
            })),
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    if stop.load(Ordering::SeqCst) {
        return Err(Error::Interrupted);
    }
    let text = std::fs::read(log)
        .map(|b| String::from_utf8_lossy(&b).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    Ok(Ended {
        status,
        seconds,
        usage,
        said: lines[lines.len().saturating_sub(3)..].join("; "),
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
            run(
                Command::new("sh").args(["-c", script]),
                None,
                &dir.path().join("log"),
                &AtomicBool::new(false),
            )
            .unwrap()
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
        let log = dir.path().join("log");
        let go = AtomicBool::new(false);
        let sh = |script: &str| {
            let mut c = Command::new("sh");
            c.args(["-c", script]);
            c
        };
        let out = dir.path().join("out");
        let e = run(&mut sh("echo a; echo b >&2; exit 6"), Some(&out), &log, &go).unwrap();
        assert_eq!(
            (
                e.said.as_str(),
                std::fs::read_to_string(&out).unwrap().as_str()
            ),
            ("b", "a\n")
        );
        assert!(
            e.check("it", &[6]).is_ok()
                && e.check("it", &[])
                    .unwrap_err()
                    .to_string()
                    .contains("it failed")
        );
        let stop = AtomicBool::new(true);
        let start = Instant::now();
        assert!(matches!(
            run(&mut sh("sleep 60"), None, &log, &stop),
            Err(Error::Interrupted)
        ));
        assert!(start.elapsed().as_secs() < 30);
        assert!(matches!(
            run(&mut Command::new("/no/such/program"), None, &log, &go),
            Err(Error::Io { .. })
        ));
    }
}
