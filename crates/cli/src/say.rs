//! What is said: for people on stderr, data on stdout.

use std::io::Write;
use std::ops::Range;

use nvc::error::{Error, Result};
use nvc_media::check_stdout;

/// Prints a line for people. A closed stderr is no reason to stop, still less to panic as
/// `eprintln!` does.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints a line to stdout; a closed pipe is an error like any other.
pub fn print_line(line: &str) -> Result<()> {
    check_stdout()?;
    writeln!(std::io::stdout().lock(), "{line}").map_err(|e| Error::io("writing stdout", e))
}

/// Says where a range was asked for and holds only `there` frames.
pub fn say_missing(name: &dyn std::fmt::Display, range: Option<&Range<u64>>, there: u64) {
    if let Some(r) = range.filter(|r| r.end != u64::MAX && there < r.end - r.start) {
        say(&format!(
            "warning: {name}: {there} of the frames {}..{} are there",
            r.start, r.end
        ));
    }
}
