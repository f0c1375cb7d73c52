//! The file that is decoded: how it is opened, decoded and named in errors.

use std::path::Path;

use super::args::Simd;
use super::machine::clamp_threads;
use super::say::say;
use nvc::bitstream::Limits;
use nvc::decoder::Options;
use nvc::error::{Error, Result};
use nvc::synth::SimdLevel;

/// The compressed input: a file or stdin.
pub fn open_stream(path: &Path) -> Result<Box<dyn std::io::Read + Send>> {
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
pub fn of_file(path: &Path, e: Error) -> Error {
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

/// [`of_file`] where nothing but the file can be at fault.
pub fn of_stream(path: &Path, e: Error) -> Error {
    match e {
        Error::Unsupported(what) => Error::Unsupported(format!("{}: {what}", path.display())),
        e => of_file(path, e),
    }
}

/// How to decode, as arguments say.
pub fn options(threads: usize, simd: Simd) -> Result<Options> {
    let level = match simd {
        Simd::Auto => SimdLevel::detect(),
        Simd::Off => SimdLevel::Scalar,
        Simd::Sse2 => SimdLevel::Sse2,
        Simd::Avx2 => SimdLevel::Avx2,
        Simd::Avx512 => SimdLevel::Avx512,
        Simd::Vnni => SimdLevel::Vnni,
        Simd::Reference => SimdLevel::Reference,
    };
    if !level.is_available() {
        let name = |l| match l {
            SimdLevel::Scalar => "off",
            l => l.name(),
        };
        let has: Vec<&str> = SimdLevel::available().map(name).collect();
        return Err(Error::Parameter(format!(
            "--simd {}: this processor has none (it has {})",
            name(level),
            has.join(", ")
        )));
    }
    let (threads, warning) = clamp_threads(threads);
    warning.iter().for_each(|w| say(w));
    Ok(Options {
        limits: Limits::default(),
        level,
        threads,
        ..Options::default()
    })
}
