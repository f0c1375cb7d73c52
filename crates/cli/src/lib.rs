//! The command lines of `nvc` and `nvc-decode`: one file a subcommand, arguments in [`args`] only.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod args;
#[cfg(feature = "bench")]
mod bench;
mod compare;
#[cfg(feature = "encode")]
mod config;
#[cfg(feature = "bench")]
mod datasets;
mod decode;
#[cfg(feature = "encode")]
mod encode;
#[cfg(feature = "encode")]
mod import;
mod info;
mod machine;
mod parse;
#[cfg(feature = "encode")]
mod progress;
mod say;
pub mod signals;
mod sources;
#[cfg(feature = "encode")]
mod stats;
mod stream;
mod verify;
#[cfg(feature = "encode")]
mod waiting;

use std::process::ExitCode;

use clap::Parser;

use nvc::error::{Error, Result};
use say::say;

/// `nvc`: parses the arguments and runs the subcommand.
pub fn nvc() -> ExitCode {
    let args = match args::Nvc::try_parse() {
        Ok(a) => a,
        Err(e) => return usage(&e),
    };
    report(match args.command {
        #[cfg(feature = "encode")]
        args::Command::Encode(a) => {
            return encode::run(&a).map_or_else(|e| failed(&e), ExitCode::from);
        }
        args::Command::Decode(a) => decode::run(&a.common, None),
        args::Command::Info(a) => info::run(&a),
        #[cfg(feature = "encode")]
        args::Command::Import(a) => import::run(&a),
        args::Command::Verify(a) => verify::run(&a),
        args::Command::Compare(a) => compare::run(&a),
        #[cfg(feature = "bench")]
        args::Command::Bench(a) => bench::run_bench(&a),
        #[cfg(feature = "bench")]
        args::Command::Datasets(a) => datasets::run(&a),
    })
}

/// `nvc-decode`: the decoder as a program of its own.
pub fn nvc_decode() -> ExitCode {
    match args::NvcDecode::try_parse() {
        Ok(a) => report(decode::run(&a.common, Some(&a.score))),
        Err(e) => usage(&e),
    }
}

fn usage(e: &clap::Error) -> ExitCode {
    // help and version are asked for, not wrong
    let code = if e.use_stderr() { 2 } else { 0 };
    let _ = e.print();
    ExitCode::from(code)
}

fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => failed(&e),
    }
}

fn failed(e: &Error) -> ExitCode {
    // the reader closed the pipe: no message
    if !e.is_broken_pipe() {
        say(&format!("error: {e}"));
    }
    ExitCode::from(e.exit_code())
}

#[cfg(test)]
#[path = "../../media/tests/support/mod.rs"]
mod support;
