//! One source to one file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::args::{EncodeArgs, ProgressArg};
use crate::progress::Reporter;
use crate::say::{say, say_missing};
use crate::sources::{in_range, open, warn};
use crate::stats::Stats;
use nvc::bitstream::container::WRITING;
use nvc::error::{Error, Result};
use nvc_encoder::{Options, Report};
use nvc_media::{BoxedSource, KeepGoing, Output, Pattern, SinkFormat, Survey, open_sink};

/// A source, and where its file goes.
pub struct Job<'a> {
    /// The source.
    pub input: &'a Path,
    /// Its file.
    pub output: PathBuf,
    /// A folder for the file, which need not be there yet.
    pub folder: Option<&'a Path>,
}

impl Job<'_> {
    fn output(&self) -> Result<Output> {
        if let Some(folder) = self.folder {
            std::fs::create_dir_all(folder)
                .map_err(|e| Error::io(format!("making the folder {}", folder.display()), e))?;
        }
        Output::create(&self.output)
    }
}

/// Encodes `job`. Whether a target was reached is for the caller to ask.
pub fn encode(
    job: &Job<'_>,
    a: &EncodeArgs,
    options: &Options,
    interrupted: Arc<AtomicBool>,
    stats: &mut Stats,
) -> Result<Report> {
    let mut source = source(a, job.input)?;
    let info = *source.info();
    let unknown = source.frames_hint().is_none();
    one_picture_for_one_frame(a, source.frames_hint())?;
    let mut output = job.output()?;
    let recon = a
        .recon
        .as_deref()
        .map(|p| open_sink(p, None, &info))
        .transpose()?;
    stats.start(job.input, &job.output, &info, source.frames_hint(), options)?;
    let mut reporter = Reporter::new(
        a,
        options.device.resolve().to_string(),
        stats,
        recon,
        interrupted,
    );
    let report = nvc_encoder::encode(&mut *source, &mut output, options, &mut reporter);
    let recon = reporter.finish();
    let report = report.map_err(|e| match e {
        Error::Io { context, source } if context == WRITING => output.error(source),
        e => keep_going_hint(e, None, a),
    })?;
    output.flush().map_err(|e| output.error(e))?;
    output.commit()?;
    if let Some(mut r) = recon?
        && let Some(line) = r.finish()?
    {
        say(&line);
    }
    warn(job.input, &mut source);
    if unknown {
        say_missing(&job.input.display(), a.frames.as_ref(), report.frames);
    }
    let done = stats.done(&report)?;
    if a.progress == ProgressArg::Json && !a.quiet {
        say(&stats.named(&done).to_string());
    }
    Ok(report)
}

/// The source, looked through before hours are spent on it.
fn source(a: &EncodeArgs, input: &Path) -> Result<BoxedSource> {
    let mut source = open(&a.source, input)?;
    if a.keep_going {
        source = Box::new(KeepGoing::new(source));
    }
    source = in_range(source, a.frames.as_ref())?;
    let Survey { frames, damage } = source.survey()?;
    warn(input, &mut source);
    if let Some(e) = damage {
        return Err(keep_going_hint(e, frames, a));
    }
    // none at all is an error, which reading gives
    frames
        .filter(|&n| n > 0)
        .iter()
        .for_each(|&n| say_missing(&input.display(), a.frames.as_ref(), n));
    // with a range, reading says where it begins
    if frames == Some(0) && a.frames.is_none() {
        return Err(Error::source(
            input.display().to_string(),
            None,
            "no frames (at least one is needed)",
        ));
    }
    Ok(source)
}

/// Says of a damaged source how what comes before the damage can be had.
fn keep_going_hint(e: Error, frames: Option<u64>, a: &EncodeArgs) -> Error {
    let hint = match frames {
        _ if a.keep_going => return e,
        Some(0) => return e,
        Some(n) => format!("; --keep-going encodes the {n} frames before"),
        None => "; --keep-going encodes the frames before".into(),
    };
    match e {
        Error::Source { name, offset, what } => Error::Source {
            name,
            offset,
            what: what + &hint,
        },
        Error::Unsupported(what) if frames.is_some() => Error::Unsupported(what + &hint),
        e => e,
    }
}

/// Several frames in one picture file would be noticed only after the first group.
fn one_picture_for_one_frame(a: &EncodeArgs, frames: Option<u64>) -> Result<()> {
    let Some(recon) = &a.recon else { return Ok(()) };
    let wanted = a.frames.as_ref().map(|r| r.end - r.start);
    let one = frames.or(wanted) == Some(1);
    if one || !SinkFormat::of(recon, None)?.is_pictures() || Pattern::parse(recon).is_some() {
        return Ok(());
    }
    let frames = frames.map_or("a source of unknown length".into(), |n| {
        format!("{n} frames")
    });
    Err(Error::Parameter(format!(
        "--recon {} is one picture for {frames}; number them, as in f_%05d.png",
        recon.display()
    )))
}
