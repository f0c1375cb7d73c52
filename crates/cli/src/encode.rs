//! `nvc encode`.

mod many;
mod one;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::one::Job;
use super::args::{EncodeArgs, ProgressArg};
use super::config;
use super::machine::{clamp_jobs, clamp_threads};
use super::say::say;
use super::signals::{INTERRUPTED, leave, on_signal};
use super::sources::files;
use super::stats::Stats;
use nvc::error::{Error, Result};
use nvc_encoder::{GroupReport, Options, Report};
use nvc_media::{FileGuard, SinkFormat};

/// After the first signal, the time that a step may take to end.
const PATIENCE: Duration = Duration::from_secs(8);

/// Encodes `a.inputs` to `a.output`. Gives the exit code of what is said already: of several
/// inputs, one that fails does not keep the others from their files.
pub fn run(a: &EncodeArgs) -> Result<u8> {
    let jobs = match &a.inputs[..] {
        [input] if !many::is_folder(&a.output) => vec![Job {
            input,
            output: a.output.clone(),
            folder: None,
        }],
        _ => many::jobs(a)?,
    };
    guard(a, &jobs)?;
    for Job { output, .. } in &jobs {
        // null: and stdout have no name to mistake
        if output.extension().is_some() && SinkFormat::of(output, None).is_ok() {
            say(&format!(
                "warning: {} will be an nvc file whatever its name says; nvc-decode gives pictures of it",
                output.display()
            ));
        }
    }
    let interrupted = interrupt(a)?;
    let mut stats = Stats::open(a.stats.as_deref())?;
    let result = options(a).and_then(|options| match &jobs[..] {
        [job] => one(job, a, &options, interrupted, &mut stats).map(|()| 0),
        jobs => many::run(jobs, a, &options, &interrupted, &stats),
    });
    if let Err(e) = &result {
        stats.error(e)?;
    }
    stats.finish()?;
    result
}

/// Looks at all files before any is opened.
fn guard(a: &EncodeArgs, jobs: &[Job<'_>]) -> Result<()> {
    let config = a.config.as_ref().map(PathBuf::from).filter(|c| c.is_file());
    let reads = a.inputs.iter().chain(&config).map(Some);
    let guard = files(reads).fold(FileGuard::new(a.overwrite), FileGuard::reads);
    let outputs = jobs.iter().map(|j| &j.output);
    let guard = outputs.chain(&a.stats).fold(guard, FileGuard::writes);
    let pictures = |p: &Path| SinkFormat::of(p, None).map(SinkFormat::is_pictures);
    match &a.recon {
        Some(p) if pictures(p)? => guard.writes_pictures(p),
        Some(p) => guard.writes(p),
        None => guard,
    }
    .check()
}

/// What is asked of the encoder; says what of it the machine does not have.
fn options(a: &EncodeArgs) -> Result<Options> {
    let mut options = config::options(a.config.as_deref(), &a.said.0)?;
    let said = |(n, text): (usize, Option<String>)| {
        text.iter().for_each(|t| say(t));
        n
    };
    options.threads = said(clamp_threads(options.threads));
    options.jobs = said(clamp_jobs(options.jobs));
    Ok(options)
}

fn one(
    job: &Job<'_>,
    a: &EncodeArgs,
    options: &Options,
    interrupted: Arc<AtomicBool>,
    stats: &mut Stats,
) -> Result<()> {
    let report = one::encode(job, a, options, interrupted, stats)?;
    // programs have got a line
    if !a.quiet && a.progress != ProgressArg::Json {
        say(summary(&job.output, &report).trim_end());
    }
    report.check_target()
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
        if a.inputs.iter().any(|i| i == Path::new("-")) {
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

fn summary(output: &Path, r: &Report) -> String {
    let db = |p: Option<nvc::metrics::Psnr>| p.map_or("-".into(), |p| format!("{:.3}", p.mean));
    let sum = |f: &dyn Fn(&GroupReport) -> u64| r.groups.iter().map(f).sum::<u64>();
    let (weights, latents) = (sum(&|g| g.bytes.weights), sum(&|g| g.bytes.latents));
    let params = sum(&|g| g.params);
    let mut s = format!(
        "{} frames of {}x{} in {} groups: {} bytes, {:.5} bpp, {:.1} s\n",
        r.frames,
        r.scores.width,
        r.scores.height,
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
        "decoded PSNR, mean over frames, dB: Y {}  U {}  V {}  6:1:1 {}  RGB {}{}{}\n",
        db(r.scores.psnr_y),
        db(r.scores.psnr_u),
        db(r.scores.psnr_v),
        db(r.scores.psnr_yuv611),
        db(r.scores.psnr_rgb),
        r.scores
            .rgb_matrix
            .map_or(String::new(), |m| format!(" ({m})")),
        r.scores
            .psnr_alpha
            .map_or(String::new(), |p| format!("  alpha {:.2}", p.mean))
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
    if output != Path::new("-") && output != Path::new("null:") {
        // RGB has no luma, and y4m no RGB
        let to = match (r.frames, r.scores.psnr_y) {
            (1, _) => "out.png",
            (_, None) => "out_%05d.png",
            _ => "out.y4m",
        };
        s += &format!("decode with: nvc-decode {} -o {to}\n", output.display());
    }
    s
}
