//! Whether stdout is there at all.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nvc::error::{Error, Result};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks whether stdout is open. To be called before `main`: by then the standard library has put
/// /dev/null in its place.
pub fn look_at_stdout() {
    #[cfg(unix)]
    CLOSED.store(
        rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err(),
        Ordering::Relaxed,
    );
}

/// Whether a name stands for stdout.
pub fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
        .iter()
        .any(|n| path == Path::new(n))
}

/// An error if stdout was closed when the program started, so that all that is written there would
/// be lost.
pub fn check_stdout() -> Result<()> {
    match CLOSED.load(Ordering::Relaxed) {
        true => Err(Error::io(
            "writing stdout",
            std::io::Error::other("it is closed"),
        )),
        false => Ok(()),
    }
}
