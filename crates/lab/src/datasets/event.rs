//! What a fetch tells while it goes on.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::verify::{Checked, Known};

/// How a fetch goes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FetchEvent {
    /// Another process fetches into the same store; we wait until it is done.
    Waiting,
    /// The file is there already.
    Present {
        /// Its place.
        path: PathBuf,
    },
    /// Bytes are coming in.
    Downloading {
        /// From where.
        host: String,
        /// Bytes there now.
        bytes: u64,
        /// Bytes of all, if the server says so.
        total: Option<u64>,
    },
    /// A download goes on where an earlier one broke off.
    Resuming {
        /// Bytes that are there already.
        bytes: u64,
    },
    /// A download starts over: the server has other bytes now, or cannot send a part.
    Restarting {
        /// Bytes thrown away.
        bytes: u64,
    },
    /// A try failed; another follows.
    Retrying {
        /// Why it failed.
        why: String,
        /// Time until then.
        wait: Duration,
    },
    /// pip fetches a package.
    Package {
        /// Name and version.
        package: String,
    },
    /// A file is being unpacked.
    Unpacking {
        /// Bytes written.
        bytes: u64,
        /// Bytes of all, if known.
        total: Option<u64>,
    },
    /// The file is in its place and checked.
    Done(Checked),
}

impl fmt::Display for FetchEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |bytes: &u64, total: &Option<u64>| match total {
            Some(t) => format!("{} of {} MB", bytes / 1_000_000, t.div_ceil(1_000_000)),
            None => format!("{} MB", bytes / 1_000_000),
        };
        match self {
            FetchEvent::Waiting => write!(f, "waiting for another fetch into the same folder"),
            FetchEvent::Present { path } => write!(f, "{} is there", path.display()),
            FetchEvent::Downloading { host, bytes, total } => {
                write!(f, "downloading from {host}: {}", of(bytes, total))
            }
            FetchEvent::Resuming { bytes } => write!(f, "going on after {bytes} bytes"),
            FetchEvent::Restarting { bytes } => write!(
                f,
                "starting over: the {bytes} bytes of an earlier try are of no use"
            ),
            FetchEvent::Retrying { why, wait } => {
                write!(f, "{why}; trying again in {:.1} s", wait.as_secs_f64())
            }
            FetchEvent::Package { package } => write!(f, "fetching {package} by pip"),
            FetchEvent::Unpacking { bytes, total } => write!(f, "unpacking: {}", of(bytes, total)),
            FetchEvent::Done(c) => {
                let known = match c.known {
                    Known::Manifest => "as in the manifest",
                    Known::Record => "as recorded earlier",
                    Known::FirstSeen => "recorded now",
                };
                write!(
                    f,
                    "{}: {} bytes, SHA-256 {} ({known})",
                    c.path.display(),
                    c.bytes,
                    c.sha256
                )
            }
        }
    }
}
