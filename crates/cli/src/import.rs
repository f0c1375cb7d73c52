//! `nvc import`.

use std::io::Write;

use super::args::{ImportArgs, ImportFrom, ImportHnervArgs};
use super::say::say;
use super::signals::leave_on_signal;
use super::stream::of_file;
use nvc::error::{Error, Result};
use nvc_encoder::import::hnerv::{self, Report};
use nvc_media::{FileGuard, Output};

/// Writes the network of another program as a file of this format.
pub fn run(a: &ImportArgs) -> Result<()> {
    match &a.from {
        ImportFrom::Hnerv(a) => from_hnerv(a),
    }
}

fn from_hnerv(a: &ImportHnervArgs) -> Result<()> {
    FileGuard::new(a.overwrite)
        .reads(&a.input)
        .writes(&a.output)
        .check()?;
    leave_on_signal()?;
    let file = std::fs::read(&a.input)
        .map_err(|e| Error::io(format!("reading {}", a.input.display()), e))?;
    let mut output = Output::create(&a.output)?;
    let name = a.input.display();
    let report = hnerv::import(&file, a.fps, &mut output).map_err(|e| match e {
        Error::Unsupported(what) => Error::Unsupported(format!("{name}: {what}")),
        Error::Parameter(what) => Error::Parameter(format!("{name}: {what}")),
        e => of_file(&a.input, e),
    })?;
    output.flush().map_err(|e| output.error(e))?;
    output.commit()?;
    say(&summary(&report));
    Ok(())
}

fn summary(r: &Report) -> String {
    let bpp = r.bytes as f64 * 8.0 / (r.info.width * r.info.height * r.frames) as f64;
    format!(
        "{} frames of {}x{}, {} parameters: {} bytes, {bpp:.5} bpp\n  network {} bytes, latents {}, headers {}\n  \
         exact decoder against floating point, {} frames: PSNR {:.2} dB, {:.4} % of the samples differ by more than 1",
        r.frames,
        r.info.width,
        r.info.height,
        r.params,
        r.bytes,
        r.group.weights,
        r.group.latents,
        r.bytes - r.group.weights - r.group.latents,
        r.compared,
        r.psnr,
        100.0 * r.beyond_one
    )
}
