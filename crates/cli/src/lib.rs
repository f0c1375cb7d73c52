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
#[cfg(feature = "encode")]
mod progress;
pub mod signals;
mod verify;
#[cfg(feature = "encode")]
mod waiting;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use nvc::bitstream::Limits;
use nvc::decoder::Options;
use nvc::error::{Error, Result};
use nvc::frame::{PixelFormat, Ratio};
use nvc::synth::SimdLevel;
use nvc_media::{BoxedSource, SourceOptions, Takes, check_stdout, open_source};

/// `nvc`: parses the arguments and runs the subcommand.
pub fn nvc() -> ExitCode {
    let args = match args::Nvc::try_parse() {
        Ok(a) => a,
        Err(e) => return usage(&e),
    };
    report(match args.command {
        #[cfg(feature = "encode")]
        args::Command::Encode(a) => encode::run(&a),
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
        Err(e) => {
            // whoever closed our pipe has seen enough
            if !e.is_broken_pipe() {
                say(&format!("error: {e}"));
            }
            ExitCode::from(e.exit_code())
        }
    }
}

/// `A..B`, `..B` or `A..`, half open.
pub fn parse_frames(text: &str) -> std::result::Result<Range<u64>, String> {
    let bad =
        || format!("'{text}' is not a half-open range A..B of frames (as 0..48, 10.. or ..5)");
    let (a, b) = text.split_once("..").ok_or_else(bad)?;
    let number = |s: &str, default: u64| {
        if s.is_empty() {
            Ok(default)
        } else {
            s.parse::<u64>().map_err(|_| bad())
        }
    };
    let (a, b) = (number(a, 0)?, number(b, u64::MAX)?);
    if a >= b {
        Err(format!(
            "range {a}..{b} is empty (the start must be below the end)"
        ))
    } else {
        Ok(a..b)
    }
}

/// `WxH`.
pub fn parse_size(text: &str) -> std::result::Result<(usize, usize), String> {
    let bad = || format!("'{text}' is not WIDTHxHEIGHT (as 1920x1080)");
    let (w, h) = text.split_once('x').ok_or_else(bad)?;
    Ok((w.parse().map_err(|_| bad())?, h.parse().map_err(|_| bad())?))
}

/// A number or a ratio `N/D` (or `N:D`).
pub fn parse_ratio(text: &str) -> std::result::Result<Ratio, String> {
    text.parse()
}

/// A pixel format by ffmpeg's name.
pub fn parse_format(text: &str) -> std::result::Result<PixelFormat, String> {
    PixelFormat::from_name(text).map_err(|e| e.to_string())
}

fn options(threads: usize, simd: args::Simd) -> Result<Options> {
    let level = match simd {
        args::Simd::Auto => SimdLevel::detect(),
        args::Simd::Off => SimdLevel::Scalar,
        args::Simd::Sse2 => SimdLevel::Sse2,
        args::Simd::Avx2 => SimdLevel::Avx2,
        args::Simd::Avx512 => SimdLevel::Avx512,
        args::Simd::Vnni => SimdLevel::Vnni,
        args::Simd::Reference => SimdLevel::Reference,
    };
    if !level.is_available() {
        let has: Vec<&str> = SimdLevel::available().map(SimdLevel::name).collect();
        return Err(Error::Parameter(format!(
            "--simd {}: this processor has none (it has {})",
            level.name(),
            has.join(", ")
        )));
    }
    let (threads, warning) = machine::clamp_threads(threads);
    warning.iter().for_each(|w| say(w));
    Ok(Options {
        limits: Limits::default(),
        level,
        threads,
    })
}

/// Opens a source; says what of it cannot be kept. An option for sources that has no meaning for
/// this one is an error.
fn open(input: &args::SourceArgs, path: &Path) -> Result<BoxedSource> {
    let source = open_any(input, path)?;
    input
        .options()
        .check_used(takes(path, &source), &path.display().to_string())?;
    Ok(source)
}

/// The same whatever options there are.
fn open_any(input: &args::SourceArgs, path: &Path) -> Result<BoxedSource> {
    let mut source = match dataset(path) {
        Some(name) => open_dataset(name)?,
        None => open_source(path, &input.options())?,
    };
    warn(path, &mut source);
    Ok(source)
}

/// The options that a source takes; of a data set, all is known.
fn takes(path: &Path, source: &BoxedSource) -> Takes {
    if dataset(path).is_some() {
        Takes::default()
    } else {
        source.takes()
    }
}

fn dataset(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix("dataset:")
}

/// Says what of a source cannot be kept, as far as it was not said before.
fn warn(path: &Path, source: &mut BoxedSource) {
    for w in source.take_warnings() {
        say(&format!("warning: {}: {w}", path.display()));
    }
}

impl args::SourceArgs {
    fn options(&self) -> SourceOptions {
        let args::SourceArgs {
            size_in,
            pix_fmt,
            fps,
            start_number,
            vfr_to_cfr,
        } = *self;
        SourceOptions {
            size_in,
            pix_fmt,
            fps,
            start_number,
            vfr_to_cfr,
        }
    }
}

/// A sequence by its name; the manifest knows its geometry.
#[cfg(feature = "bench")]
fn open_dataset(name: &str) -> Result<BoxedSource> {
    nvc_lab::datasets::Store::open(None, &[])?.open_source(name)
}

#[cfg(not(feature = "bench"))]
fn open_dataset(name: &str) -> Result<BoxedSource> {
    Err(Error::Unsupported(format!(
        "dataset:{name}: this build knows no datasets (feature 'bench')"
    )))
}

fn in_range(source: BoxedSource, frames: Option<&Range<u64>>) -> Result<BoxedSource> {
    match frames {
        Some(r) => Ok(Box::new(nvc_media::SourceRange::new(source, r.clone())?)),
        None => Ok(source),
    }
}

/// Says where a range was asked for and holds only `there` frames.
fn say_missing(name: &dyn std::fmt::Display, range: Option<&Range<u64>>, there: u64) {
    if let Some(r) = range.filter(|r| r.end != u64::MAX && there < r.end - r.start) {
        say(&format!(
            "warning: {name}: {there} of the frames {}..{} are there",
            r.start, r.end
        ));
    }
}

/// The compressed input: a file or stdin.
fn open_stream(path: &Path) -> Result<Box<dyn std::io::Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let error = |e| Error::io(format!("opening {}", path.display()), e);
    let f = std::fs::File::open(path).map_err(error)?;
    if f.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(error(std::io::Error::from(
            std::io::ErrorKind::IsADirectory,
        )));
    }
    Ok(Box::new(std::io::BufReader::with_capacity(1 << 16, f)))
}

/// An error of the decoder with the name of the file that it is about.
fn of_file(path: &Path, e: Error) -> Error {
    let name = path.display().to_string();
    match e {
        Error::Format { offset: 0, what } if what.starts_with("not an NVC file") => {
            let magic = std::fs::File::open(path).ok().and_then(|mut f| {
                let mut head = [0; 9];
                std::io::Read::read_exact(&mut f, &mut head)
                    .ok()
                    .map(|()| head)
            });
            let hint = if magic.is_some_and(|m| m == *b"YUV4MPEG2") {
                "; it is y4m, which nvc encode takes"
            } else {
                ""
            };
            Error::source(name, None, what + hint)
        }
        Error::Format { offset, what } => Error::source(
            name,
            None,
            format!("corrupt stream at byte {offset}: {what}"),
        ),
        Error::Limits { .. } => Error::Unsupported(format!("{name}: {e}")),
        e => e,
    }
}

/// Names of inputs that stand for files or stdin, not for a data set.
fn files<'a>(
    paths: impl IntoIterator<Item = Option<&'a PathBuf>>,
) -> impl Iterator<Item = &'a PathBuf> {
    paths.into_iter().flatten().filter(|p| dataset(p).is_none())
}

/// Prints a line for people. A closed stderr is no reason to stop, still less to panic as
/// `eprintln!` does.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints a line to stdout; a closed pipe is an error like any other.
fn print_line(line: &str) -> Result<()> {
    use std::io::Write;
    check_stdout()?;
    writeln!(std::io::stdout().lock(), "{line}").map_err(|e| Error::io("writing stdout", e))
}
