//! Runs what of a plan is not finished yet, several points at once, each in processes of its own.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::anchor;
use super::event::Event;
use super::expand::sequences;
use super::inputs::{Files, lock};
use super::jobs::{Found, Identities, Job, Records, jobs};
use super::names::file_name;
use super::options::Options;
use super::plan::{CodecPlan, Plan};
use super::row::Point;
use super::sequence::Sequence;
use super::worker::{State, Worker};
use ::nvc::error::{Error, Result};

/// What came of a run.
pub struct Outcome {
    /// The sequences, in the plan's order.
    pub sequences: Vec<Sequence>,
    /// The frame kept as a picture of each sequence, with the file.
    pub pictures: Vec<(u64, Option<PathBuf>)>,
    /// Every finished point, in the plan's order.
    pub points: Vec<Point>,
    /// Points that failed, with the reason.
    pub failed: Vec<(String, Error)>,
    /// Codecs left out as their programs are missing.
    pub missing: Vec<(String, String)>,
    /// Points of the plan that are not finished.
    pub open: usize,
}

/// Runs the plan. [`Error::Interrupted`] once `stop` is set; what was finished by then stays.
pub fn run(plan: &Plan, options: &Options, on: &mut (dyn FnMut(Event) + Send)) -> Result<Outcome> {
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
    // every codec gets the same number, and rows tell it
    let plan = &Plan {
        threads: if plan.threads == 0 {
            processors
        } else {
            plan.threads
        },
        ..plan.clone()
    };
    plan.codec
        .iter()
        .filter(|c| c.codec != "nvc")
        .try_for_each(|c| anchor::spec(c).map(drop))?;
    let sequences = sequences(plan, options.base, options.store)?;
    let records = Records::open(options.out)?;
    let mut codec = |codec: &CodecPlan| match codec.codec.as_str() {
        // gathering takes the newest record, whatever made it
        _ if options.gather => Ok(String::new()),
        "nvc" => Ok(options.program_digest.clone()),
        _ => anchor::identity(codec),
    };
    let measures = if options.gather {
        String::new()
    } else {
        anchor::measures(plan)
    };
    let (jobs, missing) = jobs(
        plan,
        &sequences,
        &mut Identities {
            codec: &mut codec,
            measures,
        },
    )?;
    for (c, e) in &missing {
        on(Event::Missing(&plan.codec[*c], e));
    }
    let open = |j: &&Job| !options.gather && !matches!(records.find(j), Found::Point(_));
    let todo: VecDeque<&Job> = jobs.iter().filter(open).collect();
    let wanted = if options.jobs > 0 {
        options.jobs
    } else {
        plan.jobs.unwrap_or((processors / plan.threads).max(1))
    };
    let at_once = wanted.min(todo.len());
    on(Event::Plan {
        points: jobs.len(),
        finished: jobs.len() - todo.len(),
        jobs: at_once,
    });

    let files = Files::new(options.out, &sequences, todo.iter().map(|j| j.sequence));
    let state = Mutex::new(State {
        finished: jobs.len() - todo.len(),
        todo,
        on,
        failed: Vec::new(),
    });
    let worker = Worker {
        plan,
        options,
        sequences: &sequences,
        records: &records,
        files: &files,
        at_once,
        total: jobs.len(),
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| worker.work(&state));
        }
    });
    let failed = std::mem::take(&mut lock(&state).failed);
    drop(state);
    files.remove();
    if options.stop.load(Ordering::SeqCst) {
        return Err(Error::Interrupted);
    }
    gather(plan, options, sequences, &jobs, &records, failed, missing)
}

fn gather(
    plan: &Plan,
    options: &Options,
    sequences: Vec<Sequence>,
    jobs: &[Job],
    records: &Records,
    failed: Vec<(String, Error)>,
    missing: Vec<(usize, Error)>,
) -> Result<Outcome> {
    let found = if options.gather {
        records.newest(jobs)
    } else {
        jobs.iter().map(|j| records.find(j).point()).collect()
    };
    let mut done: Vec<(&Job, Point)> = jobs
        .iter()
        .zip(found)
        .filter_map(|(j, p)| Some((j, p?)))
        .collect();
    done.sort_by(|(a, x), (b, y)| {
        (a.sequence, a.codec)
            .cmp(&(b.sequence, b.codec))
            .then(x.row.bpp.total_cmp(&y.row.bpp))
    });
    let mut pictures = Vec::new();
    for (s, sequence) in sequences.iter().enumerate() {
        let frame = jobs
            .iter()
            .find(|j| j.sequence == s)
            .map_or(0, |j| j.picture);
        let name = file_name(&format!(
            "{}_source_{}_{frame}.png",
            sequence.name,
            &sequence.digest[..8]
        ));
        let path = options.out.join("points").join(name);
        let shown = done.iter().any(|(j, _)| j.sequence == s);
        if shown && !path.exists() {
            sequence.write_picture(frame, &path, options.store)?;
        }
        pictures.push((frame, shown.then_some(path)));
    }
    let missing = missing
        .into_iter()
        .map(|(c, e)| (plan.codec[c].codec.clone(), e.to_string()))
        .collect();
    let open = jobs.len() - done.len();
    let order0 = done.iter().filter(|(j, _)| plan.codec[j.codec].order0);
    let computed: Vec<Point> = order0
        .filter_map(|(_, p)| {
            Some(Point {
                row: p.order0()?,
                ..Point::default()
            })
        })
        .collect();
    let points = done.into_iter().map(|(_, p)| p).chain(computed).collect();
    Ok(Outcome {
        pictures,
        points,
        failed,
        missing,
        open,
        sequences,
    })
}
