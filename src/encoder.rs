//! Frames to a file: plan the groups, fit each, code it, decode it again with the real decoder, and report what a user gets.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::time::Instant;

use crate::bitstream::container::{ContainerWriter, PACKET_OVERHEAD};
use crate::bitstream::fields::Reader;
use crate::bitstream::header::{SectionHeader, SequenceHeader};
use crate::bitstream::limits::Limits;
use crate::calibrate;
use crate::decoder;
use crate::error::{Error, Result};
use crate::fit::{self, Fitted, Job, Settings};
use crate::frame::{Frame, VideoInfo};
use crate::group::{Arch, Group, GroupBytes, GroupLayout};
use crate::io::FrameSource;
use crate::metrics::{Scorer, Scores};
use crate::network::hnerv::Hnerv;
use crate::network::size;
use crate::plan::{self, Preset};
use crate::synth::{Level, Synth};

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

/// What to encode to, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Size to reach.
    pub target: Target,
    /// Parameters of the network and latents of each group; chosen from the target if not given.
    pub model_size: Option<f64>,
    /// Effort.
    pub preset: Preset,
    /// Optimiser steps of each group; from the preset if not given.
    pub steps: Option<usize>,
    /// Frames of a group; chosen if not given.
    pub group: Option<usize>,
    /// Frames a step.
    pub batch: usize,
    /// Adam's peak learning rate.
    pub learning_rate: f64,
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
    /// Groups fitted at once, 0 = as many as fill the device. Does not change the result.
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

struct FitObserver<'s, 'a, 'b> {
    shared: &'s Shared<'a, 'b>,
    group: usize,
}

impl fit::Observer for FitObserver<'_, '_, '_> {
    fn progress(&mut self, p: &fit::Progress) {
        self.shared.observer().progress(self.group, p);
    }
    fn stop(&self) -> bool {
        self.shared.stop()
    }
}

/// One group on its way to the file.
struct Work {
    index: usize,
    groups: Option<usize>,
    first_frame: usize,
    frames: Vec<Frame>,
    /// Bytes wanted for network and latents, `None` if they follow from the model size.
    coded: Option<f64>,
    threads: usize,
}

/// A group ready to be written.
struct Coded {
    report: GroupReport,
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

/// Encodes everything `source` gives. Holds the frames of the groups that are fitted at once. Returns the report; whether the
/// target was reached is for [`Report::check_target`] to say.
pub fn encode(source: &mut dyn FrameSource, output: impl Write, options: &Options, observer: &mut (dyn Observer + Send)) -> Result<Report> {
    let info = *source.info();
    Limits::check("luma samples of a frame", info.width as u64 * info.height as u64, Limits::default().frame_samples)?;
    let start = Instant::now();
    let known = source.frames_hint().map(|n| n as usize);
    let groups = plan::groups(&info, known, options.group)?;
    let wanted_bpp = match (options.target, known) {
        (Target::Bpp(b), _) => Some(b),
        (Target::Bytes(b), Some(n)) => Some(b as f64 * 8.0 / (n.max(1) * info.width * info.height) as f64),
        (Target::Bytes(_), None) => {
            return Err(Error::Parameter("a size in bytes needs a source of known length; a pipe takes --bpp".into()));
        }
        (Target::Natural, _) => None,
    };
    let mut writer = ContainerWriter::new(output, &SequenceHeader::new(&info)?)?;
    // container bytes of a section, its groups' headers and its line in the index; the first also pays for header and index
    let fixed = writer.offset() + PACKET_OVERHEAD + 8;
    let coded_bytes = |index: usize, frames: usize| {
        let overhead = PACKET_OVERHEAD + 40 + 5 + if index == 0 { fixed } else { 0 };
        wanted_bpp.map(|b| b * (frames * info.width * info.height) as f64 / 8.0 - overhead as f64)
    };
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let jobs = match (options.jobs, groups.count()) {
        (0, Some(count)) if count > 1 => {
            let (arch, _) = choose_size(&info, groups.size(0), coded_bytes(0, groups.size(0)), options)?;
            fit::groups_at_once(&arch.lower(&info)?, options.batch, options.device, threads).min(count)
        }
        (0, _) => 1,
        (n, _) => n,
    };
    let mut scorer = Scorer::new(&info);
    let mut reports = Vec::<GroupReport>::new();
    let (mut read, mut first_frame) = (0usize, 0usize);
    let shared = Shared { observer: Mutex::new(observer), failed: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        let (ended, next_end) = mpsc::channel();
        let mut running = HashMap::new();
        let mut waiting = BTreeMap::<usize, Coded>::new();
        let mut more = true;
        loop {
            // a slow group may hold back twice as many as are fitted at once
            while more && running.len() < jobs && read < reports.len() + 2 * jobs {
                let frames = match read_group(source, groups.size(read), &|| shared.stop()) {
                    Ok(f) => f,
                    Err(e) => return stop(&shared, e),
                };
                more = !frames.is_empty();
                if more {
                    let coded = coded_bytes(read, frames.len());
                    let left = groups.count().map_or(jobs, |n| n.saturating_sub(read).max(1));
                    let threads = threads.div_ceil(jobs.min(left));
                    let work = Work { index: read, groups: groups.count(), first_frame, frames, coded, threads };
                    first_frame += work.frames.len();
                    let (ended, shared, info) = (Ended(ended.clone(), read), &shared, &info);
                    running.insert(
                        read,
                        scope.spawn(move || {
                            let _ended = ended;
                            code_group(work, info, options, shared)
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
                Ok(Ok(coded)) => waiting.insert(coded.report.index, coded),
                Ok(Err(e)) => return stop(&shared, e),
                Err(panic) => std::panic::resume_unwind(panic),
            };
            while let Some(c) = waiting.remove(&reports.len()) {
                if let Err(e) = write_group(&c, &mut writer, &mut scorer, &shared) {
                    return stop(&shared, e);
                }
                reports.push(c.report);
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
        groups: reports,
        scores: scorer.finish()?,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Ends the groups that are still fitted; what went wrong first is what is reported.
fn stop(shared: &Shared<'_, '_>, e: Error) -> Result<()> {
    shared.failed.store(true, Ordering::Relaxed);
    Err(e)
}

/// Fits one group, codes it, decodes it again.
fn code_group(work: Work, info: &VideoInfo, options: &Options, shared: &Shared<'_, '_>) -> Result<Coded> {
    let Work { index, frames, .. } = work;
    let (arch, target_bytes) = choose_size(info, frames.len(), work.coded, options)?;
    let graph = arch.lower(info)?;
    shared.observer().start(index, work.groups, frames.len(), graph.params());
    let steps = options.steps.unwrap_or_else(|| options.preset.steps(frames.len(), options.batch));
    let settings = Settings {
        steps,
        batch: options.batch,
        learning_rate: options.learning_rate,
        seed: options.seed.wrapping_add(index as u64),
        loss: options.loss,
        device: options.device,
        precision: options.precision,
    };
    let pool = decoder::pool(work.threads)?;
    let job = Job { info, frames: &frames, arch: &arch, target_bytes, settings };
    let fit_start = Instant::now();
    let mut observer = FitObserver { shared, group: index };
    let mut refine = |group: &mut Group| calibrate::refine_scales(group, &graph, info, &frames, &pool);
    let fitted = pool.install(|| fit::fit(&job, &mut refine, &mut observer))?;
    let fit_seconds = fit_start.elapsed().as_secs_f64();

    let mut payload = Vec::new();
    SectionHeader { first_frame: work.first_frame as u32, frames: frames.len() as u32, groups: 1 }.write(&mut payload);
    let section_header = payload.len();
    let bytes = fitted.group.write(&graph, &mut payload)?;
    let decode_start = Instant::now();
    let decoded = decode_back(&payload[section_header..], info, &fitted, &pool)?;
    let decode_fps = frames.len() as f64 / decode_start.elapsed().as_secs_f64();
    let report = GroupReport {
        index,
        first_frame: work.first_frame as u64,
        frames: frames.len(),
        params: graph.params(),
        macs_per_pixel: graph.macs() as f64 / (info.width * info.height) as f64,
        steps,
        bytes,
        float_psnr: fitted.float_psnr,
        exact_psnr: weighted_psnr(&frames, &decoded, info),
        fit_seconds,
        decode_fps,
    };
    Ok(Coded { report, payload, frames, decoded })
}

/// Writes a coded group and tells the observer.
fn write_group(c: &Coded, writer: &mut ContainerWriter<impl Write>, scorer: &mut Scorer, shared: &Shared<'_, '_>) -> Result<()> {
    writer.section(c.report.frames as u32, &c.payload)?;
    for (a, b) in c.frames.iter().zip(&c.decoded) {
        scorer.add(a, b)?;
        shared.observer().recon(b)?;
    }
    shared.observer().done(&c.report);
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

fn read_group(source: &mut dyn FrameSource, size: usize, stop: &dyn Fn() -> bool) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    while frames.len() < size
        && let Some(f) = source.read()?
    {
        if stop() {
            return Err(Error::Interrupted);
        }
        frames.push(f);
    }
    Ok(frames)
}

/// The network for a group and the coded bytes it shall have.
fn choose_size(info: &VideoInfo, frames: usize, coded: Option<f64>, options: &Options) -> Result<(Arch, f64)> {
    /// Fewer bytes hold no network of this kind.
    const LEAST: f64 = 150.0;
    let coded = coded.map(|c| c.max(LEAST));
    let params = match (options.model_size, coded) {
        (Some(p), _) => p,
        (None, Some(c)) => plan::params_for(c),
        (None, None) => return Err(Error::Parameter("neither a size nor a model size is given".into())),
    };
    let net = match options.model_size {
        Some(_) => size::for_params(info, frames, params)?,
        None => nearest_size(info, frames, params)?,
    };
    let graph = net.lower(info)?;
    graph.check(frames, &Limits::default())?;
    let values = graph.params() as f64 + (graph.latent_len() * frames) as f64;
    Ok((Arch::Hnerv(net), coded.unwrap_or(values * plan::MODEL_SIZE_BITS / 8.0)))
}

/// The network of `params` parameters, or where there is none so small or large, the nearest that there is: the file's
/// size then misses the target, and the report says so.
fn nearest_size(info: &VideoInfo, frames: usize, params: f64) -> Result<Hnerv> {
    let wanted = size::for_params(info, frames, params);
    let others = (1..120).flat_map(|i| [params * 1.1f64.powi(i), params / 1.1f64.powi(i)]);
    wanted.or_else(|e| others.into_iter().find_map(|p| size::for_params(info, frames, p).ok()).ok_or(e))
}

/// Reads the group back from its bytes and computes its frames: what any decoder will.
fn decode_back(bytes: &[u8], info: &VideoInfo, fitted: &Fitted, pool: &rayon::ThreadPool) -> Result<Vec<Frame>> {
    let mut r = Reader::new(bytes, 0);
    let layout = GroupLayout::read(&mut r, info, &Limits::default())?;
    let group = layout.decode(&mut r)?;
    if group != fitted.group {
        return Err(Error::Mismatch("the coded group does not read back as written; this is a bug".into()));
    }
    let synth = Synth::new(&layout.graph, &group.network, info, Level::detect())?;
    let mut frames = Vec::new();
    decoder::frames(pool, &synth, &group.latents, 0..group.frames, &mut |_, f| {
        frames.push(f);
        Ok(())
    })?;
    Ok(frames)
}

/// PSNR over all planes with the loss's plane weights: the decoded counterpart of [`Fitted::float_psnr`].
fn weighted_psnr(source: &[Frame], decoded: &[Frame], info: &VideoInfo) -> f64 {
    let peak = f64::from(info.format.max_value());
    let error = calibrate::weighted_error(&source.iter().collect::<Vec<_>>(), decoded, info);
    10.0 * (peak * peak * source.len() as f64 / error.max(1e-9)).log10()
}
