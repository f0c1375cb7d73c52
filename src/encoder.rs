//! Frames to a file: plan the groups, fit each, code it, decode it again with the real decoder, and report what a user gets.

mod choose;
mod section;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::time::Instant;

use crate::bitstream::container::{ContainerWriter, PACKET_OVERHEAD};
use crate::bitstream::header::SequenceHeader;
use crate::bitstream::limits::Limits;
use crate::error::{Error, Result};
use crate::fit;
use crate::frame::Frame;
use crate::group::GroupBytes;
use crate::io::FrameSource;
use crate::metrics::{Scorer, Scores};
use crate::plan::{self, Preset};

pub use choose::{Candidate, Choice, Family, Knobs};

/// Size to reach.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Bits of the whole file for each luma sample of each frame.
    Bpp(f64),
    /// Bytes of the whole file; needs a source that knows its length.
    Bytes(u64),
    /// What the model size gives at [`plan::MODEL_SIZE_BITS`] bits a parameter.
    Natural,
}

/// How far off the wanted size a file may be and still count as reached.
pub const TARGET_TOLERANCE: f64 = 0.03;

/// Share of the wanted size that fits aim at, so that what the last shift misses is not over it.
const AIM: f64 = 0.995;

/// What to encode to, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Representation.
    pub family: Family,
    /// What of each family's network is chosen.
    pub knobs: Knobs,
    /// Size to reach.
    pub target: Target,
    /// Parameters of the network and latents of each group; chosen from the target if not given.
    pub model_size: Option<f64>,
    /// Effort.
    pub preset: Preset,
    /// Optimiser steps of each group; from the preset if not given.
    pub steps: Option<usize>,
    /// Passes over the frames of a group, in place of the preset's.
    pub passes: Option<usize>,
    /// Frames of a group; chosen if not given.
    pub group: Option<usize>,
    /// Groups of a section, of which each starts from the one before; chosen if not given.
    pub section: Option<usize>,
    /// Gain of a step, dB, below which a group that starts from the one before ends.
    pub least_gain: f64,
    /// Frames a step.
    pub batch: usize,
    /// Peak learning rate; the family's own if not given.
    pub learning_rate: Option<f64>,
    /// What trains the hidden kernels.
    pub optimiser: fit::Optimiser,
    /// Share of the steps before quantisation starts.
    pub float_share: f64,
    /// Distortion to minimise.
    pub loss: fit::Loss,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Threads, 0 = one a processor. Does not change the result.
    pub threads: usize,
    /// Where to fit.
    pub device: fit::Device,
    /// Floating point of the activations while fitting.
    pub precision: fit::Precision,
    /// Sections fitted at once, 0 = as many as fill the device. Does not change the result.
    pub jobs: usize,
}

/// One group as coded.
#[derive(Clone, Debug)]
pub struct GroupReport {
    /// Index of the group.
    pub index: usize,
    /// First frame.
    pub first_frame: u64,
    /// Frames.
    pub frames: usize,
    /// Representation.
    pub arch: &'static str,
    /// Parameters of the network.
    pub params: u64,
    /// Multiply-accumulates for each luma sample.
    pub macs_per_pixel: f64,
    /// Optimiser steps.
    pub steps: usize,
    /// Bytes by part.
    pub bytes: GroupBytes,
    /// PSNR of the float network, activations kept to the coded ranges, over all planes as weighted by the loss, rounded to
    /// samples, dB.
    pub float_psnr: f64,
    /// The same of the exact decoder, dB.
    pub exact_psnr: f64,
    /// Seconds of fitting.
    pub fit_seconds: f64,
    /// Frames decoded a second.
    pub decode_fps: f64,
}

/// The whole file.
#[derive(Clone, Debug)]
pub struct Report {
    /// Frames coded.
    pub frames: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bits of the file for each luma sample.
    pub bpp: f64,
    /// Size that was wanted, bytes.
    pub wanted: Option<f64>,
    /// Representation.
    pub family: Family,
    /// How it was chosen, if it was.
    pub choice: Option<Choice>,
    /// Every group.
    pub groups: Vec<GroupReport>,
    /// Decoded against source.
    pub scores: Scores,
    /// Seconds in all.
    pub seconds: f64,
}

/// Is told how an encode goes, and may stop it.
pub trait Observer {
    /// A group starts. `groups` is the number in all, where known.
    fn start(&mut self, _group: usize, _groups: Option<usize>, _frames: usize, _params: u64) {}
    /// A step is done.
    fn progress(&mut self, _group: usize, _progress: &fit::Progress) {}
    /// A trial of a representation starts.
    fn trial(&mut self, _family: Family, _frames: usize, _steps: usize) {}
    /// The representation was chosen by trial.
    fn chosen(&mut self, _choice: &Choice) {}
    /// A group is coded.
    fn done(&mut self, _report: &GroupReport) {}
    /// A decoded frame, in display order.
    fn recon(&mut self, _frame: &Frame) -> Result<()> {
        Ok(())
    }
    /// Polled after every step; `true` ends the encode with [`Error::Interrupted`].
    fn stop(&self) -> bool {
        false
    }
}

/// What groups that are fitted at once share: the caller's observer, and whether one of them has failed.
struct Shared<'a, 'b> {
    observer: Mutex<&'a mut (dyn Observer + Send + 'b)>,
    failed: AtomicBool,
}

impl<'a, 'b> Shared<'a, 'b> {
    /// The observer. One that panicked is not asked to be consistent.
    fn observer(&self) -> MutexGuard<'_, &'a mut (dyn Observer + Send + 'b)> {
        self.observer.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn stop(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.observer().stop()
    }
}

/// One section on its way to the file.
struct Work {
    section: usize,
    /// Number of its first group.
    index: usize,
    groups: Option<usize>,
    first_frame: usize,
    /// Frames of each group.
    parts: Vec<Vec<Frame>>,
    /// Bytes wanted for all networks and latents, `None` if they follow from the model size.
    coded: Option<f64>,
    threads: usize,
}

/// A section ready to be written.
struct Coded {
    section: usize,
    reports: Vec<GroupReport>,
    payload: Vec<u8>,
    frames: Vec<Frame>,
    decoded: Vec<Frame>,
}

/// Says that a thread has ended, however it did.
struct Ended(mpsc::Sender<usize>, usize);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.send(self.1);
    }
}

/// Encodes everything `source` gives. Holds the frames of the sections that are fitted at once. Returns the report; whether the
/// target was reached is for [`Report::check_target`] to say.
pub fn encode(source: &mut dyn FrameSource, output: impl Write, options: &Options, observer: &mut (dyn Observer + Send)) -> Result<Report> {
    let info = *source.info();
    Limits::check("luma samples of a frame", info.width as u64 * info.height as u64, Limits::default().frame_samples)?;
    let start = Instant::now();
    let known = source.frames_hint().map(|n| n as usize);
    let wanted_bpp = match (options.target, known) {
        (Target::Bpp(b), _) => Some(b),
        (Target::Bytes(b), Some(n)) => Some(b as f64 * 8.0 / (n.max(1) * info.width * info.height) as f64),
        (Target::Bytes(_), None) => {
            return Err(Error::Parameter("a size in bytes needs a source of known length; a pipe takes --bpp".into()));
        }
        (Target::Natural, _) => None,
    };
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let shared = Shared { observer: Mutex::new(observer), failed: AtomicBool::new(false) };
    let mut source = Queued { source, frames: VecDeque::new() };
    let (family, choice) = choose::family(&mut source, wanted_bpp, options, threads, &shared)?;
    let options = &Options { family, ..options.clone() };
    let chained = family.chained();
    let groups = plan::groups(&info, known, options.group.or(chained.then_some(plan::CHAIN_GROUP)), !chained)?;
    let per_section = options.section.unwrap_or_else(|| if chained { plan::chain_length(&info, groups.size(0)) } else { 1 });
    let mut writer = ContainerWriter::new(output, &SequenceHeader::new(&info)?)?;
    // container bytes of a section, its groups' headers and its line in the index; the first also pays for header and index
    let fixed = writer.offset() + PACKET_OVERHEAD + 8;
    let coded_bytes = |first: bool, groups: usize, frames: usize| {
        let overhead = PACKET_OVERHEAD + 45 + 20 * (groups as u64 - 1) + if first { fixed } else { 0 };
        wanted_bpp.map(|b| AIM * b * (frames * info.width * info.height) as f64 / 8.0 - overhead as f64)
    };
    let sections = groups.count().map(|n| n.div_ceil(per_section));
    let jobs = match (options.jobs, sections) {
        (0, Some(count)) if count > 1 => {
            let frames = groups.size(0);
            let budget = section::Budget::new(coded_bytes(true, per_section, frames * per_section), per_section, chained);
            let (arch, _) = choose::network(&info, frames, budget.first, options)?;
            fit::groups_at_once(&arch.lower(&info, frames)?, options.batch, options.device, threads).min(count)
        }
        (0, _) => 1,
        (n, _) => n,
    };
    let mut scorer = Scorer::new(&info);
    let mut reports = Vec::<GroupReport>::new();
    let (mut read, mut read_groups, mut written, mut first_frame) = (0usize, 0usize, 0usize, 0usize);
    std::thread::scope(|scope| {
        let (ended, next_end) = mpsc::channel();
        let mut running = HashMap::new();
        let mut waiting = BTreeMap::<usize, Coded>::new();
        let mut more = true;
        loop {
            // a slow section may hold back twice as many as are fitted at once
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
                    let frames = parts.iter().map(Vec::len).sum();
                    let left = sections.map_or(jobs, |n| n.saturating_sub(read).max(1));
                    let threads = threads.div_ceil(jobs.min(left));
                    let coded = coded_bytes(read == 0, parts.len(), frames);
                    let index = read_groups - parts.len();
                    let work = Work { section: read, index, groups: groups.count(), first_frame, coded, parts, threads };
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
            let Some(thread) = next_end.recv().ok().and_then(|i| running.remove(&i)) else { break Ok(()) };
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
                reports.extend(c.reports);
            }
        }
    })?;
    if first_frame == 0 {
        return Err(Error::Parameter("the source has no frames".into()));
    }
    let (_, bytes) = writer.finish()?;
    let pixels = (first_frame * info.width * info.height) as f64;
    Ok(Report {
        frames: first_frame as u64,
        bytes,
        bpp: bytes as f64 * 8.0 / pixels,
        wanted: wanted_bpp.map(|b| b * pixels / 8.0),
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
fn write_section(c: &Coded, writer: &mut ContainerWriter<impl Write>, scorer: &mut Scorer, shared: &Shared<'_, '_>) -> Result<()> {
    writer.section(c.frames.len() as u32, &c.payload)?;
    c.reports.iter().for_each(|r| shared.observer().done(r));
    for (a, b) in c.frames.iter().zip(&c.decoded) {
        scorer.add(a, b)?;
        shared.observer().recon(b)?;
    }
    Ok(())
}

impl Report {
    /// An [`Error::Target`] if the file's size is off by more than [`TARGET_TOLERANCE`].
    pub fn check_target(&self) -> Result<()> {
        match self.wanted {
            Some(w) if (self.bytes as f64 / w - 1.0).abs() > TARGET_TOLERANCE => Err(Error::Target(format!(
                "the file has {} bytes, {:.0} were asked for ({:+.1} %, at most {:.0} % counts as reached)",
                self.bytes,
                w,
                (self.bytes as f64 / w - 1.0) * 100.0,
                TARGET_TOLERANCE * 100.0
            ))),
            _ => Ok(()),
        }
    }
}

/// A source whose first frames may have been looked at before.
struct Queued<'a> {
    source: &'a mut dyn FrameSource,
    frames: VecDeque<Frame>,
}

impl Queued<'_> {
    fn group(&mut self, size: usize, stop: &dyn Fn() -> bool) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        while frames.len() < size {
            let Some(f) = self.frames.pop_front().map_or_else(|| self.source.read(), |f| Ok(Some(f)))? else { break };
            if stop() {
                return Err(Error::Interrupted);
            }
            frames.push(f);
        }
        Ok(frames)
    }
}
