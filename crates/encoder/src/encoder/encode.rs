//! Frames to a file: plan the groups, fit each, code it, decode it again with the real decoder, and
//! report what a user gets.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Instant;

use super::choose;
use super::families::Family;
use super::groups::Budget;
use super::layout::Layout;
use super::networks;
use super::observer::{Observer, Shared};
use super::options::{Options, Target};
use super::report::{GroupReport, Report};
use super::section;
use super::share;
use super::sizing;
use super::work::{Coded, Queued, Work};
use crate::fit;
use crate::plan;
use nvc::bitstream::container::{ContainerWriter, PACKET_OVERHEAD};
use nvc::bitstream::header::SequenceHeader;
use nvc::bitstream::limits::Limits;
use nvc::error::{Error, Result};
use nvc::frame::Frame;
use nvc::metrics::Scorer;
use nvc_media::FrameSource;

/// Frames of a group for which trials take the bits a sample, where these follow from the quality.
const TRIAL_GUESS: usize = 48;

/// Frames of a file, which sections number with 31 bits.
const MOST_FRAMES: u64 = 0x7fff_ffff;

/// Says that a thread has ended, however it did.
struct Ended(mpsc::Sender<usize>, usize);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.send(self.1);
    }
}

/// Encodes everything `source` gives. Holds the frames of the sections that are fitted at once.
/// Returns the report; whether the target was reached is for [`Report::check_target`] to say.
pub fn encode(
    source: &mut dyn FrameSource,
    output: impl Write,
    options: &Options,
    observer: &mut (dyn Observer + Send),
) -> Result<Report> {
    options.check()?;
    let info = *source.info();
    // what no header holds is said first
    SequenceHeader::new(&info)?;
    Limits::check(
        "luma samples of a frame",
        info.width as u64 * info.height as u64,
        Limits::default().frame_samples,
    )?;
    let samples = (info.width * info.height) as f64;
    let start = Instant::now();
    let known = source
        .frames_hint()
        .map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    Limits::check("frames of a file", known.unwrap_or(0) as u64, MOST_FRAMES)?;
    let target = options.target(&info)?;
    let wanted_bpp = match (target, known) {
        (Target::Bpp(b), _) => Some(b),
        (Target::Bytes(b), Some(n)) => Some(b as f64 * 8.0 / (n.max(1) as f64 * samples)),
        (Target::Bytes(_), None) => {
            return Err(Error::Parameter(
                "--size needs a source that knows its length; from a pipe use --bpp or --bitrate"
                    .into(),
            ));
        }
        (Target::FromModelSize | Target::Psnr(_) | Target::Crf(_), _) => None,
    };
    let by_quality = sizing::goal(target).is_some();
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let shared = Shared {
        observer: Mutex::new(observer),
        failed: AtomicBool::new(false),
    };
    let can = |family| {
        let options = Options {
            arch: family,
            ..options.clone()
        };
        Layout::new(&info, known, &options).map(drop)
    };
    // what no family can take is said before anything is read
    let mut able = choose::able(known, options, &shared, can)?;
    let mut source = Queued {
        source,
        frames: VecDeque::new(),
    };
    let mut known = known;
    if known.is_none() && options.arch == Family::Auto && source.is_single(&|| shared.stop())? {
        known = Some(1);
        able = choose::able(known, options, &shared, can)?;
    }
    let trial_bpp = wanted_bpp.or(by_quality.then(|| sizing::guess(TRIAL_GUESS)));
    let (family, choice) =
        choose::family(&mut source, &able, trial_bpp, options, threads, &shared)?;
    let options = &Options {
        arch: family,
        ..options.clone()
    };
    let warm = family.starts_warm();
    let layout = Layout::new(&info, known, options)?;
    let (groups, per_section) = (&layout.groups, layout.per_section);
    let mut writer = ContainerWriter::new(output, &info)?;
    // bytes of header and index, and a section's line in it
    let fixed = writer.offset() + PACKET_OVERHEAD + 8;
    let coded_bytes = |first: bool, groups: usize, frames: usize| {
        wanted_bpp.map(|b| layout.coded_bytes(b, groups, frames, if first { fixed } else { 0 }))
    };
    let reach = networks::reach(&info, groups.size(0), options);
    if let Some(bpp) =
        wanted_bpp.filter(|_| options.weight_bits.is_none() && options.model_size.is_none())
        && let Some(text) = layout.too_few(bpp, known.filter(|&n| n > 0), reach.0, fixed)
    {
        shared.observer().warn(&text);
    }
    if let Some(text) = networks::other_size(&info, groups.size(0), options)? {
        shared.observer().warn(&text);
    }
    let sections = layout.sections();
    let factors = match (wanted_bpp, known) {
        (Some(bpp), Some(n))
            if sections.is_some_and(|s| s > 1) && plan::fits_in_memory(&info, n) =>
        {
            source.look_ahead(n, &|| shared.stop())?;
            let mut frames = source.frames.iter();
            let count = groups.count().unwrap_or(0);
            let sizes = (0..count).map(|i| groups.size(i)).collect::<Vec<_>>();
            let parts: Vec<Vec<&Frame>> = sizes
                .chunks(per_section)
                .map(|g| frames.by_ref().take(g.iter().sum()).collect())
                .filter(|p: &Vec<_>| !p.is_empty())
                .collect();
            if family.is_still() {
                share::by_price(&parts, &info, bpp)
            } else {
                share::by_slope(&parts, &info, bpp, options, threads, &shared)?
            }
        }
        _ => Vec::new(),
    };
    let jobs = match (options.jobs, sections) {
        (0, Some(count)) if count > 1 => {
            let frames = groups.size(0);
            let start = by_quality
                .then(|| sizing::guess(frames) * (frames * per_section) as f64 * samples / 8.0);
            let budget = Budget::new(
                coded_bytes(true, per_section, frames * per_section).or(start),
                per_section,
                warm,
            );
            let (arch, _) = networks::network(&info, frames, budget.first, options)?;
            fit::groups_at_once(
                &arch.lower(&info, frames)?,
                options.batch,
                options.device,
                threads,
            )
            .min(count)
        }
        (0, _) => 1,
        (n, Some(count)) => n.min(count).max(1),
        (n, None) => n,
    };
    let mut scorer = Scorer::new(&info);
    let mut reports = Vec::<GroupReport>::new();
    let mut span = (0u64, 0u64);
    let (mut read, mut read_groups, mut written, mut first_frame) =
        (0usize, 0usize, 0usize, 0usize);
    // where sizes follow from the quality, the first section finds out which, and the others start
    // from there
    let mut start_bpp = None;
    std::thread::scope(|scope| {
        let (ended, next_end) = mpsc::channel();
        let mut running = HashMap::new();
        let mut waiting = BTreeMap::<usize, Coded>::new();
        let mut more = true;
        loop {
            // a slow section may hold back twice as many as are fitted at once
            let jobs = if by_quality && written == 0 { 1 } else { jobs };
            while more && running.len() < jobs && read < written + 2 * jobs {
                let mut parts: Vec<Vec<Frame>> = Vec::new();
                while more && parts.len() < per_section {
                    let frames = match source.group(groups.size(read_groups), &|| shared.stop()) {
                        Ok(f) => f,
                        Err(e) => return stop(&shared, e),
                    };
                    more = !frames.is_empty();
                    if more {
                        parts.push(frames);
                        read_groups += 1;
                    }
                }
                if !parts.is_empty() {
                    let frames: usize = parts.iter().map(Vec::len).sum();
                    if let Err(e) = Limits::check(
                        "frames of a file",
                        (first_frame + frames) as u64,
                        MOST_FRAMES,
                    ) {
                        return stop(&shared, e);
                    }
                    let left = sections.map_or(jobs, |n| n.saturating_sub(read).max(1));
                    let threads = threads.div_ceil(jobs.min(left));
                    let coded = coded_bytes(read == 0, parts.len(), frames)
                        .map(|b| b * factors.get(read).unwrap_or(&1.0));
                    let start = by_quality.then(|| {
                        let bpp = start_bpp.unwrap_or_else(|| sizing::guess(parts[0].len()));
                        bpp * frames as f64 * samples / 8.0
                    });
                    let index = read_groups - parts.len();
                    let work = Work {
                        section: read,
                        index,
                        groups: groups.count(),
                        first_frame,
                        coded,
                        start,
                        parts,
                        threads,
                    };
                    first_frame += frames;
                    let (ended, shared, info) = (Ended(ended.clone(), read), &shared, &info);
                    running.insert(
                        read,
                        scope.spawn(move || {
                            let _ended = ended;
                            section::code(work, info, options, shared)
                        }),
                    );
                    read += 1;
                }
            }
            if running.is_empty() {
                break Ok(());
            }
            let Some(thread) = next_end.recv().ok().and_then(|i| running.remove(&i)) else {
                break Ok(());
            };
            match thread.join() {
                Ok(Ok(coded)) => waiting.insert(coded.section, coded),
                Ok(Err(e)) => return stop(&shared, e),
                Err(panic) => std::panic::resume_unwind(panic),
            };
            while let Some(c) = waiting.remove(&written) {
                if let Err(e) = write_section(&c, &mut writer, &mut scorer, &shared) {
                    return stop(&shared, e);
                }
                written += 1;
                let coded = c
                    .reports
                    .iter()
                    .map(|r| r.bytes.weights + r.bytes.latents)
                    .sum::<u64>() as f64;
                start_bpp.get_or_insert(coded * 8.0 / (c.frames.len() as f64 * samples));
                span = (span.0 + c.span.0, span.1 + c.span.1);
                reports.extend(c.reports);
            }
        }
    })?;
    if first_frame == 0 {
        return Err(Error::Parameter("the source has no frames".into()));
    }
    let (_, bytes) = writer.finish()?;
    let reach = if family.is_still() {
        let beside = bytes - reports.iter().map(|r| r.bytes.total()).sum::<u64>();
        ((span.0 + beside) as f64, (span.1 + beside) as f64)
    } else {
        let count = reports.len() as f64;
        (reach.0 * count, reach.1 * count)
    };
    let pixels = first_frame as f64 * samples;
    Ok(Report {
        frames: first_frame as u64,
        bytes,
        bpp: bytes as f64 * 8.0 / pixels,
        wanted: wanted_bpp
            .filter(|_| options.weight_bits.is_none())
            .map(|b| b * pixels / 8.0),
        wanted_psnr: match target {
            Target::Psnr(p) => Some(p),
            _ => None,
        },
        reach,
        fixed_size: options.model_size.is_some(),
        family,
        choice,
        groups: reports,
        scores: scorer.finish()?,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Ends the sections that are still fitted; what went wrong first is what is reported.
fn stop(shared: &Shared<'_, '_>, e: Error) -> Result<()> {
    shared.failed.store(true, Ordering::Relaxed);
    Err(e)
}

/// Writes a coded section and gives its frames to whoever wants them.
fn write_section(
    c: &Coded,
    writer: &mut ContainerWriter<impl Write>,
    scorer: &mut Scorer,
    shared: &Shared<'_, '_>,
) -> Result<()> {
    writer.section(c.frames.len() as u32, &c.payload)?;
    c.reports.iter().for_each(|r| shared.observer().done(r));
    for (a, b) in c.frames.iter().zip(&c.decoded) {
        scorer.add(a, b)?;
        shared.observer().recon(b)?;
    }
    Ok(())
}
