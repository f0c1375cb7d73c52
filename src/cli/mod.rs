//! The command line: one file a subcommand, arguments in [`args`] only.

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
mod import;
mod info;
#[cfg(feature = "encode")]
mod machine;
#[cfg(feature = "encode")]
mod progress;
mod verify;

use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::bitstream::Limits;
use crate::decoder::Options;
use crate::error::{Error, Result};
use crate::frame::{PixelFormat, Ratio};
use crate::io::{BoxedSource, SourceOptions, open_source};
use crate::synth::Level;

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
    let bad = || format!("'{text}' is not a half-open range A..B of frames (as 0..48, 10.. or ..5)");
    let (a, b) = text.split_once("..").ok_or_else(bad)?;
    let number = |s: &str, default: u64| if s.is_empty() { Ok(default) } else { s.parse::<u64>().map_err(|_| bad()) };
    let (a, b) = (number(a, 0)?, number(b, u64::MAX)?);
    if a >= b { Err(format!("range {a}..{b} is empty (the start must be below the end)")) } else { Ok(a..b) }
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

/// A number with an optional suffix k, M or G (powers of 1000).
pub fn parse_scaled(text: &str) -> std::result::Result<f64, String> {
    let bad = || format!("'{text}' is not a positive number with an optional k, M or G (as 300k or 1.5M)");
    let (digits, factor) = match text.char_indices().last() {
        Some((i, 'k' | 'K')) => (&text[..i], 1e3),
        Some((i, 'm' | 'M')) => (&text[..i], 1e6),
        Some((i, 'g' | 'G')) => (&text[..i], 1e9),
        _ => (text, 1.0),
    };
    match digits.parse::<f64>() {
        Ok(v) if v > 0.0 && v.is_finite() => Ok(v * factor),
        _ => Err(bad()),
    }
}

/// A pixel format by ffmpeg's name.
pub fn parse_format(text: &str) -> std::result::Result<PixelFormat, String> {
    PixelFormat::from_name(text).map_err(|e| e.to_string())
}

fn options(threads: usize, simd: args::Simd) -> Result<Options> {
    let level = match simd {
        args::Simd::Auto => Level::detect(),
        args::Simd::Off => Level::Scalar,
        args::Simd::Sse2 => Level::Sse2,
        args::Simd::Avx2 => Level::Avx2,
        args::Simd::Avx512 => Level::Avx512,
        args::Simd::Vnni => Level::Vnni,
        args::Simd::Reference => Level::Reference,
    };
    if !level.is_available() {
        let has: Vec<&str> = Level::available().map(Level::name).collect();
        return Err(Error::Parameter(format!("--simd {}: this processor has none (it has {})", level.name(), has.join(", "))));
    }
    Ok(Options { limits: Limits::default(), level, threads })
}

fn open(input: &args::SourceArgs, path: &str) -> Result<BoxedSource> {
    let opts = SourceOptions { size_in: input.size_in, pix_fmt: input.pix_fmt, fps: input.fps };
    let source = match path.strip_prefix("dataset:") {
        Some(name) => open_dataset(name)?,
        None => open_source(path, &opts)?,
    };
    for w in source.warnings() {
        say(&format!("warning: {path}: {w}"));
    }
    Ok(source)
}

/// A sequence by its name; the manifest knows its geometry.
#[cfg(feature = "bench")]
fn open_dataset(name: &str) -> Result<BoxedSource> {
    crate::datasets::Store::open(None, &[])?.open_source(name)
}

#[cfg(not(feature = "bench"))]
fn open_dataset(name: &str) -> Result<BoxedSource> {
    Err(Error::Unsupported(format!("dataset:{name}: this build knows no datasets (feature 'bench')")))
}

fn open_range(input: &args::SourceArgs, path: &str, frames: Option<&Range<u64>>) -> Result<BoxedSource> {
    let source = open(input, path)?;
    match frames {
        Some(r) => Ok(Box::new(crate::io::SourceRange::new(source, r.clone())?)),
        None => Ok(source),
    }
}

/// The compressed input: a file or stdin.
fn open_stream(path: &str) -> Result<Box<dyn std::io::Read + Send>> {
    if path == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    let f = std::fs::File::open(path).map_err(|e| Error::io(format!("opening {path}"), e))?;
    if f.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(Error::io(format!("opening {path}"), std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    Ok(Box::new(std::io::BufReader::with_capacity(1 << 16, f)))
}

/// Refuses to overwrite a file unless told to, and to write over the input in any case.
fn guard_output(output: &str, input: &str, overwrite: bool) -> Result<()> {
    let path = Path::new(output);
    if output == "-" || output == "null:" || output.contains('%') || !path.exists() {
        return Ok(());
    }
    if let (Ok(a), Ok(b)) = (path.canonicalize(), Path::new(input).canonicalize())
        && a == b
    {
        return Err(Error::Parameter(format!("input and output are the same file {output}")));
    }
    if !overwrite && path.metadata().is_ok_and(|m| m.is_file()) {
        return Err(Error::Parameter(format!("{output} exists; -y overwrites it")));
    }
    Ok(())
}

/// Refuses to write two outputs to one file.
#[cfg(feature = "encode")]
fn guard_distinct(outputs: &[&String]) -> Result<()> {
    for (i, a) in outputs.iter().enumerate() {
        if outputs[..i].contains(a) && a.as_str() != "null:" {
            return Err(Error::Parameter(format!("two outputs would both go to {a}; give each a name of its own")));
        }
    }
    Ok(())
}

/// Prints a line for people. A closed stderr is no reason to stop, still less to panic as `eprintln!` does.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints a line to stdout; a closed pipe is an error like any other.
fn print_line(line: &str) -> Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{line}").map_err(|e| Error::io("writing stdout", e))
}
