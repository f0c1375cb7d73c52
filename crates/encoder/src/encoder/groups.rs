//! The groups of a section, one after another, each fitted, coded and decoded again with the real
//! decoder.

use std::time::Instant;

use super::observer::Shared;
use super::options::Options;
use super::order0::order0;
use super::report::{GroupReport, PSNR_TOLERANCE};
use super::sizing::{self, Sizing};
use super::work::{Coded, Work};
use crate::calibrate;
use crate::fit::{self, Job, Settings, Warm};
use nvc::bitstream::fields::Reader;
use nvc::bitstream::limits::Limits;
use nvc::decoder;
use nvc::entropy::tensor::{QuantizedNetwork, Syntax};
use nvc::error::{Error, Result};
use nvc::frame::{Frame, VideoInfo};
use nvc::group::{Group, GroupLayout};
use nvc::synth::{SimdLevel, Synth, predictor};

/// Bytes of a section's first group, relative to those of each that follows it.
const FIRST_SHARE: f64 = 6.0;
/// Bytes of a group that starts from the one before, relative to an equal share: at most, and kept
/// for each that follows.
const MOST_BYTES: f64 = 3.0;
const KEPT_BYTES: f64 = 0.9;
/// Bytes of a group, at least, however few are wanted.
const LEAST_BYTES: f64 = 8.0;
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
    pub(super) fn new(bytes: Option<f64>, groups: usize, warm: bool) -> Self {
        let share = if warm { FIRST_SHARE } else { 1.0 };
        let bytes = bytes.map(|b| b.max(LEAST_BYTES * groups as f64));
        let first = bytes.map(|b| b * share / (share + groups as f64 - 1.0));
        let share = first.map(|f| f / share);
        Budget {
            left: bytes,
            groups,
            first,
            share,
            started: false,
        }
    }

    /// An equal share of what is left.
    fn next(&self) -> Option<f64> {
        self.left.map(|b| (b / self.groups as f64).max(LEAST_BYTES))
    }

    /// Most bytes for the next group: what the ones before have saved, and a little of what the
    /// ones after it get.
    fn most(&self) -> Option<f64> {
        let (left, share, next) = (self.left?, self.share?, self.next()?);
        let after = self.groups as f64 - 1.0;
        Some(
            (left - after * KEPT_BYTES * share)
                .clamp(next.min(MOST_BYTES * share), (MOST_BYTES * share).max(next)),
        )
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

/// What comes before a group in its section.
struct Before {
    /// The network that this group's is coded after, and that those of a warm-started section start
    /// from.
    network: QuantizedNetwork,
    /// Mean PSNR of the section's groups so far, dB, over all planes as the loss weighs them.
    psnr: f64,
}

/// What all groups of a section share.
struct Section<'a, 'b, 'c> {
    info: &'a VideoInfo,
    options: &'a Options,
    shared: &'a Shared<'b, 'c>,
    pool: rayon::ThreadPool,
    groups: Option<usize>,
    /// The network of its groups, and the bytes that the first shall have.
    sizing: Sizing,
}

/// Fits all groups of a section, codes them, decodes them again; with `bytes` for all networks and
/// latents, `None` if they follow from the model size or the quality. The source frames are left
/// out.
pub(super) fn groups(
    work: &Work,
    bytes: Option<f64>,
    info: &VideoInfo,
    options: &Options,
    shared: &Shared<'_, '_>,
) -> Result<Coded> {
    let warm = options.arch.starts_warm();
    let mut budget = Budget::new(bytes, work.parts.len(), warm);
    let full = work.parts.iter().map(Vec::len).max().unwrap_or(0);
    let first = budget
        .first
        .or_else(|| Budget::new(work.start, work.parts.len(), warm).first);
    let mut section = Section {
        info,
        options,
        shared,
        pool: decoder::pool(work.threads)?,
        groups: work.groups,
        sizing: Sizing::new(info, full, first, options)?,
    };
    let mut coded = Coded::new(work);
    let mut before: Option<Before> = None;
    for (i, frames) in work.parts.iter().enumerate() {
        let (fitted, mut report) = section.fit(work.index + i, frames, &budget, before.as_ref())?;
        report.first_frame = (work.first_frame + coded.decoded.len()) as u64;
        let previous = before
            .as_ref()
            .map(|b| &b.network)
            .filter(|_| fitted.group.syntax(None) != Syntax::Plain);
        let start = coded.payload.len();
        let graph = fitted.group.arch.lower(info, frames.len())?;
        report.bytes = fitted.group.write(&graph, previous, &mut coded.payload)?;
        report.order0 = order0(&fitted.group, previous);
        let decode_start = Instant::now();
        let (network, decoded) = decode_back(
            &coded.payload[start..],
            info,
            &fitted.group,
            previous,
            &section.pool,
        )?;
        report.decode_fps = frames.len() as f64 / decode_start.elapsed().as_secs_f64();
        report.exact_psnr = weighted_psnr(frames, &decoded, info);
        budget.take(report.bytes.weights + report.bytes.latents);
        let mean = |before: Option<f64>, now: f64| {
            before.map_or(now, |b| (b * i as f64 + now) / (i + 1) as f64)
        };
        let psnr = mean(before.as_ref().map(|b| b.psnr), fitted.float_psnr);
        before = Some(Before { network, psnr });
        coded.reports.push(report);
        coded.decoded.extend(decoded);
    }
    Ok(coded)
}

impl Section<'_, '_, '_> {
    /// Fits one group, with other networks as well where a quality is wanted and this one has the
    /// wrong size for it. Of the report, what the coded bytes will say is still open.
    fn fit(
        &mut self,
        index: usize,
        frames: &[Frame],
        budget: &Budget,
        before: Option<&Before>,
    ) -> Result<(fit::Fitted, GroupReport)> {
        let start = Instant::now();
        let goal = sizing::goal(self.options.target(self.info)?);
        let mut best: Option<(f64, fit::Fitted)> = None;
        loop {
            let (spare, done) = match self.fit_once(index, frames, budget, before, goal)? {
                fit::Outcome::Misfit(m) => (m.spare, m.done),
                fit::Outcome::Fitted(f) => {
                    let spare = match goal {
                        Some(fit::QualityTarget::Psnr(wanted)) => {
                            f.far.unwrap_or(f.quality - wanted)
                        }
                        _ => 0.0,
                    };
                    if best.as_ref().is_none_or(|(b, _)| spare.abs() < b.abs()) {
                        best = Some((spare, *f));
                    }
                    (spare, 1.0)
                }
            };
            if let Some((_, fitted)) =
                best.take_if(|(s, _)| PSNR_TOLERANCE.contains(s) || !self.sizing.may_change())
            {
                // groups that follow start from this one
                (self.sizing.arch, self.sizing.bytes) =
                    (fitted.group.arch.clone(), fitted.target_bytes);
                return self.report(index, frames, fitted, start.elapsed().as_secs_f64());
            }
            let changed =
                self.sizing
                    .correct(spare, done, self.info, frames.len(), self.options)?;
            if let Some((_, fitted)) = best.take_if(|_| !changed) {
                // groups that follow start from this one
                (self.sizing.arch, self.sizing.bytes) =
                    (fitted.group.arch.clone(), fitted.target_bytes);
                return self.report(index, frames, fitted, start.elapsed().as_secs_f64());
            }
        }
    }

    fn report(
        &self,
        index: usize,
        frames: &[Frame],
        fitted: fit::Fitted,
        fit_seconds: f64,
    ) -> Result<(fit::Fitted, GroupReport)> {
        let info = self.info;
        let graph = fitted.group.arch.lower(info, frames.len())?;
        let report = GroupReport {
            index,
            first_frame: 0,
            frames: frames.len(),
            arch: fitted.group.arch.name(),
            params: graph.params(),
            macs_per_pixel: graph.macs() as f64 / (info.width * info.height * graph.frames) as f64,
            steps: fitted.steps,
            bytes: Default::default(),
            order0: Default::default(),
            float_psnr: fitted.float_psnr,
            exact_psnr: f64::NAN,
            fit_seconds,
            decode_fps: f64::NAN,
        };
        Ok((fitted, report))
    }

    fn fit_once(
        &self,
        index: usize,
        frames: &[Frame],
        budget: &Budget,
        before: Option<&Before>,
        goal: Option<fit::QualityTarget>,
    ) -> Result<fit::Outcome> {
        let (
            info,
            options,
            Sizing {
                arch,
                bytes: natural,
                ..
            },
        ) = (self.info, self.options, &self.sizing);
        let graph = arch.lower(info, frames.len())?;
        let previous = before.filter(|_| options.arch.starts_warm());
        self.shared
            .observer()
            .start(index, self.groups, frames.len(), graph.params());
        let anew = options.steps.unwrap_or_else(|| {
            options
                .preset
                .steps(options.passes, graph.passes(frames.len()), options.batch)
        });
        let settings = Settings {
            steps: if previous.is_some() {
                ((anew as f64 * WARM_STEPS) as usize).max(10)
            } else {
                anew
            },
            batch: options.batch,
            learning_rate: options.lr.unwrap_or(options.arch.learning_rate()),
            seed: options.seed.wrapping_add(index as u64),
            loss: options.loss,
            device: options.device,
            precision: options.precision,
            optimiser: options.optimiser,
            float_share: options.float_share,
            rate: !options.no_rate,
            weight_bits: options.weight_bits,
        };
        let target_bytes = match (budget.started, budget.next()) {
            (false, _) => *natural,
            (true, Some(share)) => share,
            (true, None) if previous.is_some() => natural / FIRST_SHARE,
            (true, None) => *natural,
        };
        let warm = previous.map(|b| Warm {
            network: &b.network,
            quality: b.psnr,
            least_gain: options.min_gain,
            most_bytes: budget.most().unwrap_or(target_bytes),
        });
        let job = Job {
            info,
            frames,
            arch,
            target_bytes,
            goal,
            resize: self.sizing.resize(),
            previous: before.map(|b| &b.network),
            warm,
            settings,
        };
        let mut observer = FitObserver {
            shared: self.shared,
            group: index,
        };
        let mut refine = |group: &mut Group| {
            calibrate::refine_frac_bits(group, &graph, info, frames, &self.pool)
        };
        self.pool
            .install(|| fit::fit(&job, &mut refine, &mut observer))
    }
}

/// Reads the group back from its bytes and computes its frames: what any decoder will.
pub(super) fn decode_back(
    bytes: &[u8],
    info: &VideoInfo,
    wanted: &Group,
    previous: Option<&QuantizedNetwork>,
    pool: &rayon::ThreadPool,
) -> Result<(QuantizedNetwork, Vec<Frame>)> {
    let mut r = Reader::new(bytes, 0);
    let layout = GroupLayout::read(&mut r, info, &Limits::default())?;
    let group = layout.decode(&mut r, previous, &mut *predictor(SimdLevel::detect()))?;
    if group != *wanted {
        return Err(Error::Mismatch(
            "the coded group does not read back as written; this is a bug".into(),
        ));
    }
    let synth = Synth::new(&layout.graph, &group.network, info, SimdLevel::detect())?;
    decoder::check_limits(&synth, &Limits::default())?;
    let mut frames = Vec::new();
    decoder::frames(
        pool,
        &synth,
        &group.latents,
        0..group.frames,
        &mut |_, f| {
            frames.push(f);
            Ok(())
        },
    )?;
    Ok((group.network, frames))
}

/// PSNR over all planes with the loss's plane weights: the decoded counterpart of
/// [`Fitted::float_psnr`](fit::Fitted::float_psnr).
pub(super) fn weighted_psnr(source: &[Frame], decoded: &[Frame], info: &VideoInfo) -> f64 {
    let peak = f64::from(info.format.max_value());
    let error = calibrate::weighted_error(&source.iter().collect::<Vec<_>>(), decoded, info);
    10.0 * (peak * peak * source.len() as f64 / error.max(1e-9)).log10()
}
