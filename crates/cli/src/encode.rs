//! `nvc encode`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::args::EncodeArgs;
use super::config;
use super::machine::{clamp_jobs, clamp_threads};
use super::progress::{Reporter, Stats};
use super::say::{say, say_missing};
use super::signals::{INTERRUPTED, leave, on_signal};
use super::sources::{files, in_range, open, warn};
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;
use nvc_encoder::{GroupReport, Report};
use nvc_media::{
    BoxedSource, FileGuard, KeepGoing, Output, Pattern, SinkFormat, Survey, open_sink,
};

/// After the first signal, the time that a step may take to end.
const PATIENCE: Duration = Duration::from_secs(8);

/// Encodes `a.input` to `a.output`.
pub fn run(a: &EncodeArgs) -> Result<()> {
    let config = a.config.as_ref().map(PathBuf::from).filter(|c| c.is_file());
    let guard = files([Some(&a.input), config.as_ref()])
        .fold(FileGuard::new(a.overwrite), FileGuard::reads);
    let guard = [Some(&a.output), a.stats.as_ref()]
        .into_iter()
        .flatten()
        .fold(guard, FileGuard::writes);
    let pictures = |p: &Path| SinkFormat::of(p, None).map(SinkFormat::is_pictures);
    match &a.recon {
        Some(p) if pictures(p)? => guard.writes_pictures(p),
        Some(p) => guard.writes(p),
        None => guard,
    }
    .check()?;
    let interrupted = interrupt(a)?;
    let mut stats = Stats::open(a.stats.as_deref())?;
    let result = encode(a, interrupted, &mut stats);
    if let Err(e) = &result {
        stats.error(e)?;
    }
    stats.finish()?;
    result
}

fn encode(a: &EncodeArgs, interrupted: Arc<AtomicBool>, stats: &mut Stats) -> Result<()> {
    let mut options = config::options(a.config.as_deref(), &a.said.0)?;
    let said = |(n, text): (usize, Option<String>)| {
        text.iter().for_each(|t| say(t));
        n
    };
    options.threads = said(clamp_threads(options.threads));
    options.jobs = said(clamp_jobs(options.jobs));
    let mut source = source(a)?;
    let info = *source.info();
    let unknown = source.frames_hint().is_none();
    one_picture_for_one_frame(a, source.frames_hint())?;
    let mut output = Output::create(&a.output)?;
    let recon = a
        .recon
        .as_deref()
        .map(|p| open_sink(p, None, &info))
        .transpose()?;
    stats.start(a, &info, source.frames_hint(), &options)?;
    let mut reporter = Reporter::new(
        a,
        options.device.resolve().to_string(),
        stats,
        recon,
        interrupted,
    );
    let report = nvc_encoder::encode(&mut *source, &mut output, &options, &mut reporter);
    let recon = reporter.finish();
    let report = report.map_err(|e| keep_going_hint(e, None, a))?;
    output.flush().map_err(|e| output.error(e))?;
    output.commit()?;
    if let Some(mut r) = recon?
        && let Some(line) = r.finish()?
    {
        say(&line);
    }
    warn(&a.input, &mut source);
    if unknown {
        say_missing(&a.input.display(), a.frames.as_ref(), report.frames);
    }
    stats.done(&report)?;
    if !a.quiet {
        say(summary(a, &info, &report).trim_end());
    }
    report.check_target()
}

/// The source, looked through before hours are spent on it.
fn source(a: &EncodeArgs) -> Result<BoxedSource> {
    let mut source = open(&a.source, &a.input)?;
    if a.keep_going {
        source = Box::new(KeepGoing::new(source));
    }
    source = in_range(source, a.frames.as_ref())?;
    let Survey { frames, damage } = source.survey()?;
    warn(&a.input, &mut source);
    if let Some(e) = damage {
        return Err(keep_going_hint(e, frames, a));
    }
    // none at all is an error, which reading gives
    frames
        .filter(|&n| n > 0)
        .iter()
        .for_each(|&n| say_missing(&a.input.display(), a.frames.as_ref(), n));
    // with a range, reading says where it begins
    if frames == Some(0) && a.frames.is_none() {
        return Err(Error::source(
            a.input.display().to_string(),
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

/// First Ctrl-C, SIGTERM or SIGHUP: stop after this step or frame and leave nothing behind, at the
/// latest after [`PATIENCE`]. Second: stop now.
fn interrupt(a: &EncodeArgs) -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = flag.clone();
    on_signal(move |n| {
        seen.store(true, Ordering::SeqCst);
        if n > 1 {
            leave(INTERRUPTED);
        }
        std::thread::spawn(|| {
            std::thread::sleep(PATIENCE);
            say("error: interrupted; a step, or a source that gives nothing, did not end in time");
            leave(INTERRUPTED);
        });
    })?;
    if a.end_with_stdin {
        if a.input == Path::new("-") {
            return Err(Error::Parameter(
                "--end-with-stdin: stdin is the source already".into(),
            ));
        }
        let ended = flag.clone();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            ended.store(true, Ordering::SeqCst);
        });
    }
    Ok(flag)
}

fn summary(a: &EncodeArgs, info: &VideoInfo, r: &Report) -> String {
    let db = |p: Option<nvc::metrics::Psnr>| p.map_or("-".into(), |p| format!("{:.3}", p.mean));
    let sum = |f: &dyn Fn(&GroupReport) -> u64| r.groups.iter().map(f).sum::<u64>();
    let (weights, latents) = (sum(&|g| g.bytes.weights), sum(&|g| g.bytes.latents));
    let params = sum(&|g| g.params);
    let mut s = format!(
        "{} frames of {}x{} in {} groups: {} bytes, {:.5} bpp, {:.1} s\n",
        r.frames,
        info.width,
        info.height,
        r.groups.len(),
        r.bytes,
        r.bpp,
        r.seconds
    );
    s += &match &r.choice {
        Some(c) => format!("representation: {c}\n"),
        None => format!("representation: {}\n", r.family.name()),
    };
    s += &format!(
        "bytes: weights {weights} ({:.2} bits for each of {params} parameters), latents {latents}, headers and container {}\n",
        weights as f64 * 8.0 / params.max(1) as f64,
        r.bytes - weights - latents
    );
    s += &format!(
        "decoded PSNR, mean over frames, dB: Y {}  U {}  V {}  6:1:1 {}  RGB {}{}\n",
        db(r.scores.psnr_y),
        db(r.scores.psnr_u),
        db(r.scores.psnr_v),
        db(r.scores.psnr_yuv611),
        db(r.scores.psnr_rgb),
        r.scores
            .rgb_matrix
            .map_or(String::new(), |m| format!(" ({m})"))
    );
    let frames = r.frames as f64;
    let mean = |f: &dyn Fn(&GroupReport) -> f64| {
        r.groups.iter().map(|g| f(g) * g.frames as f64).sum::<f64>() / frames
    };
    s += &format!(
        "exact decoder against float network, all planes: {:.3} against {:.3} dB\n",
        mean(&|g| g.exact_psnr),
        mean(&|g| g.float_psnr)
    );
    if a.output != Path::new("-") && a.output != Path::new("null:") {
        s += &format!(
            "decode with: nvc-decode {} -o out.y4m\n",
            a.output.display()
        );
    }
    s
}
