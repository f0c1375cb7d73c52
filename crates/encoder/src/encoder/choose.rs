//! Which network: its family, by trial if none is given, and its size.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::choice::{Candidate, Choice};
use super::families::Family;
use super::networks::LEAST_BYTES;
use super::observer::{Observer, Shared};
use super::options::Options;
use super::report::GroupReport;
use super::section;
use super::work::{Coded, Queued, Work};
use crate::plan;
use nvc::error::{Error, Result};
use nvc::frame::{Frame, VideoInfo};

/// Frames of a trial, its steps relative to those of a fit of them, and the passes over them that
/// it takes at least, as families that see a frame a step have learnt nothing before.
pub(super) const TRIAL_FRAMES: usize = 12;
const TRIAL_STEPS: f64 = 0.08;
const LEAST_TRIAL_PASSES: usize = 12;

/// Trials are nobody's news; an interrupt ends them too.
struct Silent<'s, 'a, 'b>(&'s Shared<'a, 'b>);

impl Observer for Silent<'_, '_, '_> {
    fn stop(&self) -> bool {
        self.0.stop()
    }
}

/// The families to choose from for `frames` frames: the one asked for, or all that `can` take the
/// pictures. What cannot
/// is left out with a word; if none can, it is an error.
pub(super) fn able(
    frames: Option<usize>,
    options: &Options,
    shared: &Shared<'_, '_>,
    can: impl Fn(Family) -> Result<()>,
) -> Result<Vec<Family>> {
    let others = options.of_networks();
    if options.arch.is_still()
        && let Some(name) = others.first()
    {
        let family = options.arch.name();
        return Err(Error::Parameter(format!(
            "--{name} means nothing to --arch {family}"
        )));
    }
    if options.arch != Family::Auto {
        return can(options.arch).map(|()| vec![options.arch]);
    }
    // networks of frames have nothing to share between frames here
    if frames == Some(1) && can(Family::Pyramid).is_ok() {
        let Some(name) = others.first() else {
            return Ok(vec![Family::Pyramid]);
        };
        shared.observer().warn(&format!(
            "auto: --{name} is for networks of frames, so pyramid is left out, which one picture gets without it"
        ));
    }
    let (mut able, mut why) = (Vec::new(), None);
    for family in Family::tried() {
        match can(family) {
            Ok(()) => able.push(family),
            Err(e) => {
                left_out(&e, shared);
                why.get_or_insert(e);
            }
        }
    }
    why.filter(|_| able.is_empty()).map_or(Ok(able), Err)
}

fn left_out(e: &Error, shared: &Shared<'_, '_>) {
    let text = match e {
        Error::Unsupported(what) => what.clone(),
        e => e.to_string(),
    };
    shared
        .observer()
        .warn(&format!("auto: {text}; it is left out"));
}

/// The family to take of `able`: the only one, or the winner of a short trial on the first frames,
/// of which the observer is told.
pub(super) fn family(
    source: &mut Queued<'_>,
    able: &[Family],
    bpp: Option<f64>,
    options: &Options,
    threads: usize,
    shared: &Shared<'_, '_>,
) -> Result<(Family, Option<Choice>)> {
    let first = able.first().copied().unwrap_or(Family::Hnerv);
    // without a size there is nothing to compare at
    let Some(bpp) = bpp.filter(|_| able.len() > 1) else {
        return Ok((first, None));
    };
    let info = *source.source.info();
    let frames = source.group(TRIAL_FRAMES, &|| shared.stop())?;
    source.frames = frames.iter().cloned().collect();
    if frames.is_empty() {
        return Ok((first, None));
    }
    let coded = trial_bytes(bpp, frames.len(), &info);
    let mut candidates = Vec::new();
    for &family in able {
        match trial(family, &frames, &info, coded, options, threads, shared) {
            Ok(c) => candidates.push(c),
            // one fit that goes wrong is no reason to stop
            Err(e @ (Error::Parameter(_) | Error::Unsupported(_))) => {
                left_out(&e, shared);
            }
            Err(e) => return Err(e),
        }
    }
    let best = candidates.iter().max_by(|a, b| a.psnr.total_cmp(&b.psnr));
    let family = best.map_or(first, |c| c.family);
    let choice = Choice {
        frames: frames.len(),
        candidates,
        family,
    };
    shared.observer().chosen(&choice);
    Ok((family, Some(choice)))
}

/// Bytes of a trial on `frames` frames.
pub(super) fn trial_bytes(bpp: f64, frames: usize, info: &VideoInfo) -> f64 {
    (bpp * frames as f64 * (info.width * info.height) as f64 / 8.0).max(LEAST_BYTES)
}

/// A short fit of a few frames.
pub(super) fn trial(
    family: Family,
    frames: &[Frame],
    info: &VideoInfo,
    coded: f64,
    options: &Options,
    threads: usize,
    shared: &Shared<'_, '_>,
) -> Result<Candidate> {
    let size = if family.starts_warm() {
        plan::WARM_GROUP
    } else {
        TRIAL_FRAMES
    };
    let parts: Vec<Vec<Frame>> = frames.chunks(size).map(<[Frame]>::to_vec).collect();
    let whole = options.steps.unwrap_or_else(|| {
        options
            .preset
            .steps(options.passes, frames.len(), options.batch)
    });
    let steps = ((whole as f64 * TRIAL_STEPS) as usize)
        .max(LEAST_TRIAL_PASSES * TRIAL_FRAMES / options.batch)
        .min(whole);
    shared.observer().trial(family, frames.len(), steps);
    let options = Options {
        arch: family,
        steps: Some(steps),
        ..options.sized()
    };
    let mut silent = Silent(shared);
    let shared = Shared {
        observer: Mutex::new(&mut silent),
        failed: AtomicBool::new(false),
    };
    let work = Work {
        section: 0,
        index: 0,
        groups: None,
        first_frame: 0,
        parts,
        coded: Some(coded),
        start: None,
        threads,
    };
    let start = Instant::now();
    let Coded { reports, .. } = section::code(work, info, &options, &shared)?;
    let mean = |f: &dyn Fn(&GroupReport) -> f64| {
        reports.iter().map(|g| f(g) * g.frames as f64).sum::<f64>() / frames.len() as f64
    };
    Ok(Candidate {
        family,
        psnr: mean(&|g| g.exact_psnr),
        bytes: reports.iter().map(|g| g.bytes.total()).sum(),
        seconds: start.elapsed().as_secs_f64(),
    })
}
