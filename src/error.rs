//! Errors, by who is to blame.
//!
//! Every message says what is wrong, where, the actual value and the allowed range.

use std::io;

/// What went wrong, sorted by who can mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The world: a file could not be read or written.
    #[error("{context}: {source}")]
    Io {
        /// What was being read or written.
        context: String,
        /// The cause as the operating system gave it.
        #[source]
        source: io::Error,
    },
    /// The stream: its bytes break the format.
    #[error("corrupt stream at byte {offset}: {what}")]
    Format {
        /// Byte offset in the file at which the fault was noticed.
        offset: u64,
        /// The rule that is broken, with the actual value.
        what: String,
    },
    /// The source: it is damaged, or says what cannot be.
    #[error("{name}{}: {what}", offset.map_or(String::new(), |o| format!(" at byte {o}")))]
    Source {
        /// The source's name.
        name: String,
        /// Byte offset in it, where one is known.
        offset: Option<u64>,
        /// What was found, and what is allowed.
        what: String,
    },
    /// The stream or source is sound, but this build cannot process it.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The stream asks for more than the decoder's [`Limits`](crate::bitstream::Limits) allow.
    #[error("limit exceeded: {what} is {actual}, at most {allowed} is allowed")]
    Limits {
        /// The limited quantity, with its unit.
        what: &'static str,
        /// What the stream asks for.
        actual: u64,
        /// What the limits allow.
        allowed: u64,
    },
    /// The caller: a parameter is out of range or contradicts another.
    #[error("{0}")]
    Parameter(String),
    /// The requested target cannot be reached; the best effort was written.
    #[error("target not reached: {0}")]
    Target(String),
    /// A device (GPU) was asked for and is not there.
    #[error("device unavailable: {0}")]
    Device(String),
    /// Decoded data differs from what it was checked against.
    #[error("verification failed: {0}")]
    Mismatch(String),
    /// Stopped on the user's request.
    #[error("interrupted")]
    Interrupted,
    /// Stopped on the user's request; the same command goes on from there.
    #[error("interrupted; run the same command again to go on")]
    Resumable,
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with fields or tensors that contradict each other, the picture or the format.
/// Whoever holds them says where: a decoder by [`Fault::at`], an encoder as a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The rule that is broken, with the actual value.
    #[error("{0}")]
    Contradiction(String),
    /// They ask for more than any decoder allows.
    #[error("limit exceeded: {what} is {actual}, at most {allowed} is allowed")]
    Limits {
        /// The limited quantity, with its unit.
        what: &'static str,
        /// What they ask for.
        actual: u64,
        /// What is allowed.
        allowed: u64,
    },
}

impl Fault {
    /// Fraction bits that are finer than what node `node` computes from.
    pub(crate) fn frac_bits(node: usize, actual: u32, allowed: u32) -> Self {
        Fault::Contradiction(format!(
            "fraction bits of node {node} are {actual} (allowed 0..={allowed} after its input and step)"
        ))
    }

    /// As an error of the stream at byte `offset`.
    pub fn at(self, offset: u64) -> Error {
        match self {
            Fault::Contradiction(what) => Error::format(offset, what),
            limits => limits.into(),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Contradiction(what) => Error::Parameter(what),
            Fault::Limits {
                what,
                actual,
                allowed,
            } => Error::Limits {
                what,
                actual,
                allowed,
            },
        }
    }
}

impl Error {
    /// An [`Error::Io`] with the action that failed.
    pub fn io(context: impl Into<String>, source: io::Error) -> Self {
        Error::Io {
            context: context.into(),
            source,
        }
    }

    /// An [`Error::Format`] at `offset` bytes into the stream.
    pub fn format(offset: u64, what: impl Into<String>) -> Self {
        Error::Format {
            offset,
            what: what.into(),
        }
    }

    /// An [`Error::Source`]: `what` was found in the source `name`, at byte `offset` where that is
    /// known.
    pub fn source(
        name: impl Into<String>,
        offset: impl Into<Option<u64>>,
        what: impl Into<String>,
    ) -> Self {
        Error::Source {
            name: name.into(),
            offset: offset.into(),
            what: what.into(),
        }
    }

    /// Whether the cause is a reader that closed our output pipe.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The process exit code of the command-line contract.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Parameter(_) => 2,
            Error::Io { .. } => 3,
            Error::Format { .. } | Error::Source { .. } => 4,
            Error::Unsupported(_) | Error::Limits { .. } => 5,
            Error::Target(_) => 6,
            Error::Device(_) => 7,
            Error::Mismatch(_) => 8,
            Error::Interrupted => 130,
            Error::Resumable => 75,
        }
    }
}
