//! Sources, each to a file of its own in one folder.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf, is_separator};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::one::{Job, encode};
use crate::args::{EncodeArgs, ProgressArg};
use crate::machine::processors;
use crate::say::say;
use crate::stats::Stats;
use nvc::error::{Error, Result};
use nvc_encoder::{Options, Report};

/// Sources encoded at once unless `--jobs` says: each takes memory of its own.
const AT_ONCE: usize = 2;

/// The sources and their files; what makes no sense of several is refused.
pub fn jobs(a: &EncodeArgs) -> Result<Vec<Job<'_>>> {
    let (n, refused) = (a.inputs.len(), |what| Err(Error::Parameter(what)));
    if a.inputs.iter().any(|i| i == Path::new("-")) {
        return refused(match n {
            1 => "stdin (-) has no name that its file in a folder could take".into(),
            n => format!("stdin (-) is one of {n} inputs (allowed: alone, or only names)"),
        });
    }
    if let Some(recon) = a.recon.as_ref().filter(|_| n > 1) {
        return refused(format!(
            "--recon {} with {n} inputs (allowed: one); nvc-decode gives the same frames",
            recon.display()
        ));
    }
    let job = |input, output, folder| Job {
        input,
        output,
        folder,
    };
    if a.output == Path::new("null:") {
        let nowhere = |input| job(input, a.output.clone(), None);
        return Ok(a.inputs.iter().map(PathBuf::as_path).map(nowhere).collect());
    }
    if !is_folder(&a.output) {
        return refused(format!(
            "-o {} is no folder, and there are {n} inputs (allowed: a folder that is there, or a name with / at its end)",
            a.output.display()
        ));
    }
    let mut stems = HashMap::<&OsStr, &Path>::new();
    let mut jobs = Vec::new();
    for input in &a.inputs {
        let Some(stem) = input.file_stem() else {
            return refused(format!(
                "{} has no name that its file could take",
                input.display()
            ));
        };
        let mut name = stem.to_owned();
        name.push(".nvc");
        let output = a.output.join(name);
        if let Some(other) = stems.insert(stem, input) {
            if other == input {
                return refused(format!("{} is given twice", input.display()));
            }
            return refused(format!(
                "{} and {} would both go to {}; encode them into two folders",
                other.display(),
                input.display(),
                output.display()
            ));
        }
        jobs.push(job(input, output, Some(&a.output)));
    }
    Ok(jobs)
}

/// Whether a file of each source goes into `path`.
pub fn is_folder(path: &Path) -> bool {
    let ends = path.as_os_str().to_string_lossy().ends_with(is_separator);
    ends || (path != Path::new("-") && path.is_dir())
}

/// How many of `inputs` to encode at once, and the options of each.
fn shares(options: &Options, inputs: usize) -> (usize, Options) {
    let threads = match options.threads {
        0 => processors(),
        n => n,
    };
    let most = match options.jobs {
        0 => AT_ONCE.min(threads),
        n => n,
    };
    let at_once = most.min(inputs);
    let each = Options {
        threads: threads.div_ceil(at_once),
        // 0 stays 0: as many as fill its threads
        jobs: options.jobs / at_once,
        ..options.clone()
    };
    (at_once, each)
}

/// What came of a source.
struct Row {
    report: Option<Report>,
    error: Option<Error>,
}

/// Encodes all, goes on after one that fails, and gives the exit code of the first of those. What
/// ends all is an error.
pub fn run(
    jobs: &[Job<'_>],
    a: &EncodeArgs,
    options: &Options,
    interrupted: &Arc<AtomicBool>,
    stats: &Stats,
) -> Result<u8> {
    let start = Instant::now();
    let (at_once, options) = shares(options, jobs.len());
    let lines = !a.quiet && matches!(a.progress, ProgressArg::Auto | ProgressArg::Bar);
    let rows: Vec<OnceLock<Row>> = jobs.iter().map(|_| OnceLock::new()).collect();
    let (next, ended) = (AtomicUsize::new(0), OnceLock::new());
    let work = || {
        while !interrupted.load(Ordering::SeqCst) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let (Some(job), Some(row)) = (jobs.get(i), rows.get(i)) else {
                break;
            };
            match row_of(job, a, &options, interrupted, stats, lines) {
                Ok(r) => drop(row.set(r)),
                Err(e) => {
                    // of several the first is told
                    let _ = ended.set(e);
                    interrupted.store(true, Ordering::SeqCst);
                }
            }
        }
    };
    std::thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(work))));
    let rows: Vec<Option<Row>> = rows.into_iter().map(OnceLock::into_inner).collect();
    if !a.quiet && a.progress != ProgressArg::Json {
        say(&table(jobs, &rows, start.elapsed().as_secs_f64()));
    }
    if let Some(e) = ended.into_inner() {
        return Err(e);
    }
    // the signal came between two sources
    if rows.iter().any(Option::is_none) {
        return Err(Error::Interrupted);
    }
    let error = rows.iter().flatten().find_map(|r| r.error.as_ref());
    Ok(error.map_or(0, Error::exit_code))
}

/// Encodes one of several and says what came of it. An error is one that ends all.
fn row_of(
    job: &Job<'_>,
    a: &EncodeArgs,
    options: &Options,
    interrupted: &Arc<AtomicBool>,
    stats: &Stats,
    lines: bool,
) -> Result<Row> {
    let mut stats = stats.of(job.input);
    let (report, error) = match encode(job, a, options, interrupted.clone(), &mut stats) {
        Ok(r) => {
            let missed = r.check_target().err();
            (Some(r), missed)
        }
        Err(e) => (None, Some(e)),
    };
    let name = job.input.display();
    if let Some(r) = report.as_ref().filter(|_| lines) {
        say(&format!(
            "{name}: {} bytes, {:.5} bpp, {:.3} dB, {:.1} s",
            r.bytes,
            r.bpp,
            r.scores.quality(),
            r.seconds
        ));
    }
    if let Some(e) = &error {
        stats.error(e)?;
    }
    match error {
        Some(e) if e.is_broken_pipe() || matches!(e, Error::Interrupted) => Err(e),
        error => {
            match &error {
                // these name their files
                Some(e @ (Error::Source { .. } | Error::Io { .. })) => say(&format!("error: {e}")),
                Some(e) => say(&format!("error: {name}: {e}")),
                None => {}
            }
            Ok(Row { report, error })
        }
    }
}

/// A line for each source that was begun, and one of all.
fn table(jobs: &[Job<'_>], rows: &[Option<Row>], seconds: f64) -> String {
    let head = ["file", "bytes", "bpp", "PSNR dB", "seconds", ""].map(str::to_string);
    let mut lines = vec![head];
    for (job, row) in jobs.iter().zip(rows) {
        let Some(row) = row else { continue };
        let note = match row.error {
            None => "",
            Some(Error::Target(_)) => "target not reached",
            Some(_) => "failed",
        };
        let figures = row.report.as_ref().map(|r| {
            [
                r.bytes.to_string(),
                format!("{:.5}", r.bpp),
                format!("{:.3}", r.scores.quality()),
                format!("{:.1}", r.seconds),
            ]
        });
        let [bytes, bpp, psnr, took] = figures.unwrap_or(["-"; 4].map(str::to_string));
        let name = job.input.display().to_string();
        lines.push([name, bytes, bpp, psnr, took, note.into()]);
    }
    let wide: [usize; 5] = std::array::from_fn(|c| {
        lines
            .iter()
            .map(|l| l[c].chars().count())
            .max()
            .unwrap_or(0)
    });
    let mut out = String::new();
    for [name, bytes, bpp, psnr, took, note] in &lines {
        let [n, b, p, d, s] = wide;
        let line = format!("{name:n$}  {bytes:>b$}  {bpp:>p$}  {psnr:>d$}  {took:>s$}  {note}");
        out += line.trim_end();
        out += "\n";
    }
    let reports: Vec<&Report> = rows
        .iter()
        .flatten()
        .filter_map(|r| r.report.as_ref())
        .collect();
    let bytes: u64 = reports.iter().map(|r| r.bytes).sum();
    out += &format!("{} of {} files: {bytes} bytes", reports.len(), jobs.len());
    if !reports.is_empty() {
        let samples = |r: &&Report| (r.scores.width * r.scores.height) as f64 * r.frames as f64;
        let bpp = bytes as f64 * 8.0 / reports.iter().map(samples).sum::<f64>();
        let psnr = reports.iter().map(|r| r.scores.quality()).sum::<f64>() / reports.len() as f64;
        out += &format!(", {bpp:.5} bpp, mean PSNR {psnr:.3} dB");
    }
    out + &format!(", {seconds:.1} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_and_jobs_are_shared_out() {
        for (threads, jobs, inputs, shares) in [
            (8, 0, 5, (2, 4, 0)),
            (3, 0, 2, (2, 2, 0)),
            (1, 0, 5, (1, 1, 0)),
            (8, 1, 5, (1, 8, 1)),
            (8, 4, 9, (4, 2, 1)),
            (8, 4, 2, (2, 4, 2)),
            (1, 2, 9, (2, 1, 1)),
        ] {
            let options = Options {
                threads,
                jobs,
                ..Options::default()
            };
            let (at_once, each) = super::shares(&options, inputs);
            assert_eq!(
                (at_once, each.threads, each.jobs),
                shares,
                "{threads} threads, {jobs} jobs, {inputs} inputs"
            );
        }
    }
}
