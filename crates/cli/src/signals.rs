//! Ctrl-C, SIGTERM and SIGHUP.

use nvc::error::{Error, Result};
use nvc_media::remove_temporaries;

/// Exit code of a program that was told to end.
pub const INTERRUPTED: i32 = 130;

/// Calls `f` with the number of the signal, counted from 1, on a thread of its own. A SIGHUP that
/// was ignored when the program started, as by nohup, stays ignored.
#[cfg(unix)]
pub fn on_signal(f: impl Fn(usize) + Send + 'static) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    let mut wanted = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals =
        Signals::new(wanted).map_err(|e| Error::io("installing the interrupt handler", e))?;
    std::thread::spawn(move || signals.forever().zip(1..).for_each(|(_, n)| f(n)));
    Ok(())
}

#[cfg(not(unix))]
pub fn on_signal(_: impl Fn(usize) + Send + 'static) -> Result<()> {
    Ok(())
}

/// Whether a signal is ignored, by what the kernel tells; not, where it tells nothing.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|l| u64::from_str_radix(l.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|m| m >> (signal - 1) & 1 == 1)
}

/// Ends the program at once and leaves no temporary file.
pub fn leave(code: i32) -> ! {
    remove_temporaries();
    std::process::exit(code)
}

/// The first signal ends the program: for commands that have nothing to finish.
pub fn leave_on_signal() -> Result<()> {
    on_signal(|_| leave(INTERRUPTED))
}
