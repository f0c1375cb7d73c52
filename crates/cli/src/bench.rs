//! `nvc bench`: a plan of sequences, codecs and points becomes results and a report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::BenchArgs;
use super::datasets;
use super::say::{print_line, say};
use super::signals::{leave, on_signal};
use nvc::error::{Error, Result};
use nvc_lab::bench::{
    Event, Finished, Options, Outcome, Plan, Row, SequencePlan, file_digest, run, write_results,
};

/// Runs `a.plan`.
pub fn run_bench(a: &BenchArgs) -> Result<()> {
    let mut plan = Plan::read(&a.plan)?;
    let base = a
        .base
        .clone()
        .unwrap_or_else(|| a.plan.parent().map(Path::to_path_buf).unwrap_or_default());
    narrow(&mut plan, a)?;
    let out = a.output.clone().unwrap_or_else(|| default_out(&a.plan));
    std::fs::create_dir_all(&out)
        .map_err(|e| Error::io(format!("creating {}", out.display()), e))?;
    let _lock = Lock::take(&out)?;
    let program = std::env::current_exe().map_err(|e| Error::io("looking for this program", e))?;
    let store = datasets::open(&a.store)?;
    let named: Vec<String> = plan
        .sequence
        .iter()
        .filter_map(|s| s.source.strip_prefix("dataset:").map(str::to_string))
        .collect();
    if !a.no_fetch {
        datasets::fetch_missing(&store, &named, a.quiet)?;
    }
    if plan.codec.iter().any(|c| c.codec == "nvc") && !cfg!(feature = "encode") {
        return Err(Error::Unsupported(
            "this build of nvc has no encoder, and the plan wants one (build with the feature 'encode')".into(),
        ));
    }
    let stop = interrupt()?;
    let options = Options {
        out: &out,
        base: &base,
        store: &store,
        program_digest: file_digest(&program)?,
        program: &program,
        jobs: a.jobs,
        gather: a.gather,
        stop: &stop,
    };
    let quiet = a.quiet;
    let outcome = match run(&plan, &options, &mut |e| show(&e, quiet)) {
        Err(Error::Interrupted) => {
            say(&format!(
                "interrupted; the same command goes on where this one stopped ({})",
                out.display()
            ));
            return Err(Error::Resumable);
        }
        r => r?,
    };
    let table = write_results(
        &out,
        &Finished {
            plan: &plan,
            outcome: &outcome,
            command: command_line(a),
        },
    )?;
    if !table.is_empty() {
        print_line(table.trim_end())?;
    }
    say(&format!("report: {}", out.join("report.html").display()));
    verdict(&outcome, a.gather)
}

/// Keeps of the plan what was asked for.
fn narrow(plan: &mut Plan, a: &BenchArgs) -> Result<()> {
    if !a.dataset.is_empty() {
        plan.sequence = a
            .dataset
            .iter()
            .map(|d| SequencePlan {
                frames: a.frames.clone(),
                ..SequencePlan::of(&format!("dataset:{d}"))
            })
            .collect();
        plan.codec.iter_mut().for_each(|c| c.sequences.clear());
    } else if let Some(f) = &a.frames {
        plan.sequence
            .iter_mut()
            .for_each(|s| s.frames = Some(f.clone()));
    }
    if !a.codec.is_empty() {
        let known: Vec<String> = plan.codec.iter().map(|c| c.codec.clone()).collect();
        if let Some(c) = a.codec.iter().find(|c| !known.contains(c)) {
            return Err(Error::Parameter(format!(
                "--codec {c}: the plan has {}",
                known.join(", ")
            )));
        }
        plan.codec.retain(|c| a.codec.contains(&c.codec));
    }
    plan.sequence.iter().try_for_each(|s| s.frames().map(drop))
}

fn default_out(plan: &Path) -> PathBuf {
    PathBuf::from("bench-out").join(plan.file_stem().unwrap_or_default())
}

/// The command for others to repeat: folders of this machine are left to them.
fn command_line(a: &BenchArgs) -> String {
    let plan = if a.plan.is_absolute() {
        a.plan.file_name().map_or(a.plan.clone(), PathBuf::from)
    } else {
        a.plan.clone()
    };
    let mut text = format!("nvc bench {}", plan.display());
    let mut add = |name: &str, value: &dyn std::fmt::Display| text += &format!(" --{name} {value}");
    a.base.iter().for_each(|_| add("base", &"DIR"));
    a.dataset.iter().for_each(|d| add("dataset", d));
    a.frames.iter().for_each(|f| add("frames", f));
    a.codec.iter().for_each(|c| add("codec", c));
    a.store
        .manifest
        .iter()
        .for_each(|_| add("manifest", &"FILE"));
    if a.jobs > 0 {
        add("jobs", &a.jobs);
    }
    text
}

fn show(event: &Event, quiet: bool) {
    if quiet && !matches!(event, Event::Failed(..) | Event::Missing(..)) {
        return;
    }
    say(&match event {
        Event::Missing(codec, e) => format!("left out: {}: {e}", codec.codec),
        Event::Plan {
            points,
            finished,
            jobs,
        } => format!("{points} points, {finished} of them finished before; {jobs} at once"),
        Event::Start(label) => format!("start {label}"),
        Event::Done(row, done, all) => format!("[{done}/{all}] {}", line(row)),
        Event::Failed(label, e) => format!("FAILED {label}: {e}"),
    });
}

fn line(r: &Row) -> String {
    let db = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.3}"));
    let text = format!(
        "{} {} {}: {} bytes, {:.4} bpp, 6:1:1 {} dB, RGB {} dB",
        r.sequence,
        r.curve(),
        r.point,
        r.bytes,
        r.bpp,
        db(r.psnr_611),
        db(r.psnr_rgb)
    );
    format!(
        "{text}, encoded in {:.1} s, decoded in {:.2} s",
        r.enc_s, r.dec_s
    )
}

fn verdict(o: &Outcome, gathered: bool) -> Result<()> {
    if let Some((label, e)) = o.failed.first() {
        let more = if o.failed.len() > 1 {
            format!(" and {} more", o.failed.len() - 1)
        } else {
            String::new()
        };
        return Err(Error::Target(format!(
            "{} of the plan's points failed: {label}: {e}{more}",
            o.failed.len()
        )));
    }
    if o.open > 0 && gathered {
        say(&format!(
            "{} points of the plan are not finished yet",
            o.open
        ));
    }
    Ok(())
}

/// First Ctrl-C or SIGTERM: start nothing more, end running encodes of nvc, keep what is finished.
/// Second: leave now.
fn interrupt() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = flag.clone();
    on_signal(move |n| {
        seen.store(true, Ordering::SeqCst);
        if n > 1 {
            leave(75);
        }
    })?;
    Ok(flag)
}

/// Keeps two runs from writing into one folder.
struct Lock(std::fs::File);

impl Lock {
    fn take(out: &Path) -> Result<Self> {
        let path = out.join("lock");
        let file = std::fs::File::create(&path)
            .map_err(|e| Error::io(format!("creating {}", path.display()), e))?;
        file.try_lock().map_err(|_| {
            Error::Parameter(format!(
                "another nvc bench is writing to {}; choose another folder with -o",
                out.display()
            ))
        })?;
        Ok(Lock(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
