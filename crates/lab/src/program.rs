//! External programs: started, watched, and named with their Debian package where they are missing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nvc::error::{Error, Result};
use nvc_media::TemporaryFolder;

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
pub fn missing(name: &str, e: io::Error) -> Error {
    match (e.kind(), package(name)) {
        (io::ErrorKind::NotFound, Some(package)) => Error::Unsupported(format!(
            "the program '{name}' is not installed (Debian package {package}; scripts/install-deps.sh anchors)"
        )),
        (io::ErrorKind::NotFound, None) => {
            Error::Unsupported(format!("the program '{name}' is not found"))
        }
        _ => Error::io(format!("starting the program '{name}'"), e),
    }
}

/// One call of a program.
#[derive(Clone, Debug)]
pub struct Call {
    /// What to call it in messages and command lines.
    pub name: String,
    /// What to start.
    pub program: PathBuf,
    pub args: Vec<String>,
}

impl Call {
    pub fn new(name: &str, args: &[&str]) -> Self {
        Call {
            name: name.into(),
            program: name.into(),
            args: args.iter().map(|a| a.to_string()).collect(),
        }
    }

    /// As one would type it.
    pub fn line(&self) -> String {
        std::iter::once(self.name.clone())
            .chain(self.args.iter().map(|a| quoted(a)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs to the end, with no input and no output but files.
    pub fn run(&self, at: RunDir, what: &str) -> Result<()> {
        Program::start(self, Stdio::null(), Stdio::null(), at)?.wait(what)
    }

    /// What it prints on both its outputs, whatever its exit status.
    pub fn output(&self) -> Result<String> {
        let out = Command::new(&self.program)
            .args(&self.args)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| missing(&self.name, e))?;
        Ok(format!(
            "{}\n{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        ))
    }
}

/// A word as one would type it in a shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+:,./@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// How often the stop flag is looked at.
const WATCH: Duration = Duration::from_millis(20);

/// Where a program's files lie, and what ends it.
#[derive(Clone, Copy)]
pub struct RunDir<'a> {
    pub dir: &'a Path,
    /// Ends the program once it is set.
    pub stop: Option<&'a Arc<AtomicBool>>,
}

/// A temporary folder below another, or below the system's.
pub fn temp_dir(below: Option<&Path>) -> Result<TemporaryFolder> {
    let place = below.map_or(String::new(), |d| format!(" in {}", d.display()));
    TemporaryFolder::create(below)
        .map_err(|e| Error::io(format!("creating a temporary folder{place}"), e))
}

/// Whether the stop flag is set.
pub fn stopped(stop: Option<&Arc<AtomicBool>>) -> bool {
    stop.is_some_and(|s| s.load(Ordering::SeqCst))
}

/// A started program that does not outlive its owner, with its stderr in a file.
pub struct Program {
    /// Its stdin, where that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// Its stdout, where that is a pipe.
    pub stdout: Option<ChildStdout>,
    child: Arc<Mutex<Child>>,
    stop: Option<Arc<AtomicBool>>,
    /// Set when there is nothing left to stop.
    over: Arc<AtomicBool>,
    name: String,
    log: PathBuf,
}

impl Program {
    pub fn start(call: &Call, stdin: Stdio, stdout: Stdio, at: RunDir) -> Result<Self> {
        if stopped(at.stop) {
            return Err(Error::Interrupted);
        }
        let log = at.dir.join("stderr.log");
        let stderr =
            File::create(&log).map_err(|e| Error::io(format!("creating {}", log.display()), e))?;
        let mut command = Command::new(&call.program);
        command
            .args(&call.args)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr);
        if at.stop.is_some() {
            own_group(&mut command);
        }
        let mut child = command.spawn().map_err(|e| missing(&call.name, e))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (child, over) = (
            Arc::new(Mutex::new(child)),
            Arc::new(AtomicBool::new(false)),
        );
        if let Some(stop) = at.stop.cloned() {
            // on a thread of its own: those that write to the program or read from it may be blocked
            let (child, over) = (child.clone(), over.clone());
            std::thread::spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    if stop.load(Ordering::SeqCst) {
                        return end(&child, true);
                    }
                    std::thread::sleep(WATCH);
                }
            });
        }
        Ok(Program {
            stdin,
            stdout,
            child,
            stop: at.stop.cloned(),
            over,
            name: call.name.clone(),
            log,
        })
    }

    /// Waits for its end; anything but success is an error with the last of what it said, and
    /// [`Error::Interrupted`] once it was to stop.
    pub fn wait(&mut self, what: &str) -> Result<()> {
        drop(self.stdin.take());
        let status = self.status(|_| ())?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Unsupported(format!(
            "{} could not {what} ({status}): {}",
            self.name,
            self.last_lines(4)
        )))
    }

    /// Waits for its end, with `look` at its process every now and then until it comes;
    /// [`Error::Interrupted`] once it was to stop. Its stdin stays open.
    pub fn status(&mut self, mut look: impl FnMut(u32)) -> Result<ExitStatus> {
        let begin = Instant::now();
        loop {
            // the lock is released between looks, so that the watching thread can stop the program
            let mut child = self.child.lock().unwrap_or_else(|e| e.into_inner());
            look(child.id());
            let status = child.try_wait();
            drop(child);
            let status = status.map_err(|e| Error::io(format!("waiting for {}", self.name), e))?;
            match status {
                Some(_) if stopped(self.stop.as_ref()) => return Err(Error::Interrupted),
                Some(status) => return Ok(status),
                // short waits for short programs: the time is a result
                None => std::thread::sleep(
                    (begin.elapsed() / 200).clamp(Duration::from_micros(200), WATCH),
                ),
            }
        }
    }

    /// The last lines of what it said, less empty ones and what SVT-AV1 always says.
    pub fn last_lines(&self, count: usize) -> String {
        let said = self.stderr();
        let lines: Vec<&str> = said
            .lines()
            .filter(|l| !l.trim().is_empty() && !l.starts_with("Svt[info]"))
            .collect();
        lines[lines.len().saturating_sub(count)..].join("; ")
    }

    /// What it said so far.
    pub fn stderr(&self) -> String {
        std::fs::read(&self.log)
            .map(|b| String::from_utf8_lossy(&b).into_owned())
            .unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        end(&self.child, self.stop.is_some());
    }
}

/// Ends a program, with its group of processes where it has its own: what a shell started must not
/// keep pipes open.
fn end(child: &Mutex<Child>, group: bool) {
    let mut child = child.lock().unwrap_or_else(|e| e.into_inner());
    // of one that has ended, number and group may be another's by now
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    if group {
        end_group(child.id());
    }
    // Both fail harmlessly when it has ended just now.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(unix)]
fn end_group(id: u32) {
    let kill = format!("kill -9 -{id}");
    let _ = Command::new("sh")
        .args(["-c", &kill])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(not(unix))]
fn end_group(_: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_programs_are_named_with_their_package() {
        for (name, package) in [
            ("cjpeg", "libjpeg-turbo-progs"),
            ("dwebp", "webp"),
            ("avifdec", "libavif-bin"),
            ("cjxl", "libjxl-tools"),
        ] {
            let call = Call {
                program: "/nonexistent/program".into(),
                ..Call::new(name, &[])
            };
            let e = call.output().unwrap_err();
            assert_eq!(e.exit_code(), 5);
            assert!(
                e.to_string().contains(&format!("'{name}'")) && e.to_string().contains(package),
                "{e}"
            );
        }
        let e = Call::new("/nonexistent/own codec", &[])
            .output()
            .unwrap_err();
        assert!(e.to_string().contains("/nonexistent/own codec"), "{e}");
    }

    #[test]
    fn failures_are_told_in_the_program_s_words() {
        let dir = tempfile::tempdir().unwrap();
        let call = Call::new("sh", &["-c", "echo gone wrong >&2; exit 3"]);
        let e = call
            .run(
                RunDir {
                    dir: dir.path(),
                    stop: None,
                },
                "do it",
            )
            .unwrap_err()
            .to_string();
        assert!(
            e.contains("sh could not do it") && e.contains("gone wrong") && e.contains('3'),
            "{e}"
        );
        assert_eq!(call.line(), "sh -c 'echo gone wrong >&2; exit 3'");
    }

    #[cfg(unix)]
    #[test]
    fn programs_and_what_they_started_end_when_they_are_to_stop() {
        use std::io::Read;
        let dir = tempfile::tempdir().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let at = RunDir {
            dir: dir.path(),
            stop: Some(&stop),
        };
        Call::new("true", &[]).run(at, "be true").unwrap();
        assert!(
            Call::new("false", &[])
                .run(at, "be true")
                .unwrap_err()
                .to_string()
                .contains("could not be true")
        );
        // the shell waits for another process, which holds the pipe that is read here
        let call = Call::new("sh", &["-c", "sleep 60; true"]);
        let mut program = Program::start(&call, Stdio::piped(), Stdio::piped(), at).unwrap();
        let (begin, flag) = (Instant::now(), stop.clone());
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            flag.store(true, Ordering::SeqCst);
        });
        let read = program
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut Vec::new())
            .unwrap();
        assert!(read == 0 && matches!(program.wait("sleep"), Err(Error::Interrupted)));
        assert!(begin.elapsed() < Duration::from_secs(30));
        thread.join().unwrap();
        assert!(matches!(
            Call::new("true", &[]).run(at, "start"),
            Err(Error::Interrupted)
        ));
    }
}
