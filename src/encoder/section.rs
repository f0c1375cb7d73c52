//! One section: its groups one after another, each fitted, coded and decoded again with the real decoder.

use std::time::Instant;

use super::{Coded, GroupReport, Options, Shared, Work, choose};
use crate::bitstream::fields::Reader;
use crate::bitstream::header::SectionHeader;
use crate::bitstream::limits::Limits;
use crate::calibrate;
use crate::decoder;
use crate::entropy::tensor::Network;
use crate::error::{Error, Result};
use crate::fit::{self, Job, Settings, Warm};
use crate::frame::{Frame, VideoInfo};
use crate::group::{Arch, Group, GroupLayout};
use crate::synth::{Level, Synth};

/// Bytes of a chain's first group, relative to those of each that follows it.
const FIRST_SHARE: f64 = 6.0;
/// Bytes of a group that starts from the one before, relative to an equal share: at most, and kept for each that follows.
const MOST_BYTES: f64 = 3.0;
const KEPT_BYTES: f64 = 0.9;
/// Most steps of such a group, relative to one that starts anew.
const WARM_STEPS: f64 = 0.5;

/// The bytes that a section's groups have yet to share.
pub(super) struct Budget {
    left: Option<f64>,
    groups: usize,
    /// Bytes of the first group, for which the section's networks are sized.
    pub(super) first: Option<f64>,
    /// Bytes of each other, if they were equal.
    share: Option<f64>,
    started: bool,
}

impl Budget {
    /// `bytes` for `groups` groups, `None` if sizes follow from the model size.
    pub(super) fn new(bytes: Option<f64>, groups: usize, chained: bool) -> Self {
        let share = if chained { FIRST_SHARE } else { 1.0 };
        let first = bytes.map(|b| b * share / (share + groups as f64 - 1.0));
        let share = first.map(|f| f / share);
        Budget { left: bytes, groups, first, share, started: false }
    }

    /// An equal share of what is left.
    fn next(&self) -> Option<f64> {
        self.left.map(|b| (b / self.groups as f64).max(8.0))
    }

    /// Most bytes for the next group: what the ones before have saved, and a little of what the ones after it get.
    fn most(&self) -> Option<f64> {
        let (left, share, next) = (self.left?, self.share?, self.next()?);
        let after = self.groups as f64 - 1.0;
        Some((left - after * KEPT_BYTES * share).clamp(next.min(MOST_BYTES * share), (MOST_BYTES * share).max(next)))
    }

    fn take(&mut self, bytes: u64) {
        self.left = self.left.map(|b| b - bytes as f64);
        self.groups -= 1;
        self.started = true;
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

/// What a group may start from.
struct Before {
    network: Network,
    /// Mean PSNR of the section's groups so far, dB.
    quality: f64,
}

/// What all groups of a section share.
struct Section<'a, 'b, 'c> {
    info: &'a VideoInfo,
    options: &'a Options,
    shared: &'a Shared<'b, 'c>,
    pool: rayon::ThreadPool,
    groups: Option<usize>,
    /// The network of all its groups, and the bytes that its first shall have.
    arch: Arch,
    natural: f64,
}

/// Fits all groups of a section, codes them, decodes them again.
pub(super) fn code(work: Work, info: &VideoInfo, options: &Options, shared: &Shared<'_, '_>) -> Result<Coded> {
    let chained = options.family.chained();
    let mut budget = Budget::new(work.coded, work.parts.len(), chained);
    let full = work.parts.iter().map(Vec::len).max().unwrap_or(0);
    let (arch, natural) = choose::network(info, full, budget.first, options)?;
    let section = Section { info, options, shared, pool: decoder::pool(work.threads)?, groups: work.groups, arch, natural };
    let frames: usize = work.parts.iter().map(Vec::len).sum();
    let mut coded = Coded { section: work.section, reports: Vec::new(), payload: Vec::new(), frames: Vec::new(), decoded: Vec::new() };
    SectionHeader { first_frame: work.first_frame as u32, frames: frames as u32, groups: work.parts.len() as u32 }
        .write(&mut coded.payload);
    let mut before: Option<Before> = None;
    for (i, frames) in work.parts.into_iter().enumerate() {
        let (fitted, mut report) = section.fit(work.index + i, &frames, &budget, before.as_ref())?;
        report.first_frame = (work.first_frame + coded.frames.len()) as u64;
        let previous = before.as_ref().map(|b| &b.network);
        let start = coded.payload.len();
        let graph = fitted.group.arch.lower(info, frames.len())?;
        report.bytes = fitted.group.write(&graph, previous, &mut coded.payload)?;
        let decode_start = Instant::now();
        let decoded = decode_back(&coded.payload[start..], info, &fitted.group, previous, &section.pool)?;
        report.decode_fps = frames.len() as f64 / decode_start.elapsed().as_secs_f64();
        report.exact_psnr = weighted_psnr(&frames, &decoded, info);
        budget.take(report.bytes.weights + report.bytes.latents);
        let quality = before.map_or(fitted.float_psnr, |b| (b.quality * i as f64 + fitted.float_psnr) / (i + 1) as f64);
        before = chained.then_some(Before { network: fitted.group.network, quality });
        coded.reports.push(report);
        coded.frames.extend(frames);
        coded.decoded.extend(decoded);
    }
    Ok(coded)
}

impl Section<'_, '_, '_> {
    /// Fits one group. Of the report, what the coded bytes will say is still open.
    fn fit(&self, index: usize, frames: &[Frame], budget: &Budget, before: Option<&Before>) -> Result<(fit::Fitted, GroupReport)> {
        let (info, options, arch, natural) = (self.info, self.options, &self.arch, self.natural);
        let graph = arch.lower(info, frames.len())?;
        self.shared.observer().start(index, self.groups, frames.len(), graph.params());
        let anew = options.steps.unwrap_or_else(|| options.preset.steps(options.passes, graph.passes(frames.len()), options.batch));
        let settings = Settings {
            steps: if before.is_some() { ((anew as f64 * WARM_STEPS) as usize).max(10) } else { anew },
            batch: options.batch,
            learning_rate: options.learning_rate.unwrap_or(options.family.learning_rate()),
            seed: options.seed.wrapping_add(index as u64),
            loss: options.loss,
            device: options.device,
            precision: options.precision,
            optimiser: options.optimiser,
            float_share: options.float_share,
        };
        let target_bytes = match (budget.started, budget.next()) {
            (false, _) => natural,
            (true, Some(share)) => share,
            (true, None) if before.is_some() => natural / FIRST_SHARE,
            (true, None) => natural,
        };
        let warm = before.map(|b| Warm {
            network: &b.network,
            quality: b.quality,
            least_gain: options.least_gain,
            most_bytes: budget.most().unwrap_or(target_bytes),
        });
        let job = Job { info, frames, arch, target_bytes, warm, settings };
        let start = Instant::now();
        let mut observer = FitObserver { shared: self.shared, group: index };
        let mut refine = |group: &mut Group| calibrate::refine_scales(group, &graph, info, frames, &self.pool);
        let fitted = self.pool.install(|| fit::fit(&job, &mut refine, &mut observer))?;
        let report = GroupReport {
            index,
            first_frame: 0,
            frames: frames.len(),
            arch: arch.name(),
            params: graph.params(),
            macs_per_pixel: graph.macs() as f64 / (info.width * info.height * graph.frames) as f64,
            steps: fitted.steps,
            bytes: Default::default(),
            float_psnr: fitted.float_psnr,
            exact_psnr: f64::NAN,
            fit_seconds: start.elapsed().as_secs_f64(),
            decode_fps: f64::NAN,
        };
        Ok((fitted, report))
    }
}

/// Reads the group back from its bytes and computes its frames: what any decoder will.
fn decode_back(bytes: &[u8], info: &VideoInfo, wanted: &Group, previous: Option<&Network>, pool: &rayon::ThreadPool) -> Result<Vec<Frame>> {
    let mut r = Reader::new(bytes, 0);
    let layout = GroupLayout::read(&mut r, info, &Limits::default())?;
    let group = layout.decode(&mut r, previous)?;
    if group != *wanted {
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

/// PSNR over all planes with the loss's plane weights: the decoded counterpart of [`Fitted::float_psnr`](fit::Fitted::float_psnr).
fn weighted_psnr(source: &[Frame], decoded: &[Frame], info: &VideoInfo) -> f64 {
    let peak = f64::from(info.format.max_value());
    let error = calibrate::weighted_error(&source.iter().collect::<Vec<_>>(), decoded, info);
    10.0 * (peak * peak * source.len() as f64 / error.max(1e-9)).log10()
}
