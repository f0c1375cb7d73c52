//! Which network: its family, by trial if none is given, and its size.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::{Coded, GroupReport, Observer, Options, Queued, Shared, Target, Work, section};
use crate::bitstream::limits::Limits;
use crate::error::{Error, Result};
use crate::frame::{Frame, VideoInfo};
use crate::group::Arch;
use crate::network::hnerv::Hnerv;
use crate::network::size::{self, HnervKnobs, nerv::NervKnobs, nirvana::NirvanaKnobs};
use crate::plan;

/// Families of representations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// The one that a short trial finds best.
    #[default]
    Auto,
    /// HNeRV.
    Hnerv,
    /// NeRV.
    Nerv,
    /// NeRV++.
    Nervpp,
    /// NIRVANA.
    Nirvana,
}

impl Family {
    /// Whether a group starts from the one before in its section.
    pub fn chained(self) -> bool {
        self == Family::Nirvana
    }

    /// Peak learning rate that suits it.
    pub fn learning_rate(self) -> f64 {
        match self {
            Family::Auto | Family::Hnerv => 0.015,
            Family::Nerv => 0.03,
            // 0.03 cost 6 dB at 139,000 parameters (docs/families.md)
            Family::Nervpp => 0.012,
            Family::Nirvana => 0.06,
        }
    }

    /// Name as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Auto => "auto",
            Family::Hnerv => "hnerv",
            Family::Nerv => "nerv",
            Family::Nervpp => "nervpp",
            Family::Nirvana => "nirvana",
        }
    }
}

/// What of each family's network is chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Knobs {
    /// HNeRV.
    pub hnerv: HnervKnobs,
    /// NeRV and NeRV++.
    pub nerv: NervKnobs,
    /// NIRVANA.
    pub nirvana: NirvanaKnobs,
}

/// One family's trial.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Which.
    pub family: Family,
    /// PSNR over all planes as weighted by the loss, exact decoder, dB.
    pub psnr: f64,
    /// Coded bytes.
    pub bytes: u64,
    /// Seconds it took.
    pub seconds: f64,
}

/// How a family was chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Frames of the trial.
    pub frames: usize,
    /// All that were tried.
    pub candidates: Vec<Candidate>,
    /// The one with the highest PSNR.
    pub family: Family,
}

/// Frames of a trial, its steps relative to those of a fit of them, and the passes over them that it takes at least, as families that
/// see a frame a step have learnt nothing before.
pub(super) const TRIAL_FRAMES: usize = 12;
const TRIAL_STEPS: f64 = 0.08;
const LEAST_TRIAL_PASSES: usize = 12;
/// Fewer bytes hold no network of these kinds.
const LEAST_BYTES: f64 = 150.0;

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let tried = |t: &Candidate| format!("{} {:.2} dB in {} bytes, {:.1} s", t.family.name(), t.psnr, t.bytes, t.seconds);
        let all = self.candidates.iter().map(tried).collect::<Vec<_>>().join("; ");
        write!(f, "{}, the best of short trials on {} frames: {all}", self.family.name(), self.frames)
    }
}

/// Trials are nobody's news; an interrupt ends them too.
struct Silent<'s, 'a, 'b>(&'s Shared<'a, 'b>);

impl Observer for Silent<'_, '_, '_> {
    fn stop(&self) -> bool {
        self.0.stop()
    }
}

/// The family to take: the one asked for, or the winner of a short trial on the first frames, of which the observer is told.
pub(super) fn family(
    source: &mut Queued<'_>,
    bpp: Option<f64>,
    options: &Options,
    threads: usize,
    shared: &Shared<'_, '_>,
) -> Result<(Family, Option<Choice>)> {
    let (Family::Auto, Some(bpp)) = (options.family, bpp) else {
        // without a size there is nothing to compare at
        return Ok((if options.family == Family::Auto { Family::Hnerv } else { options.family }, None));
    };
    let info = *source.source.info();
    let frames = source.group(TRIAL_FRAMES, &|| shared.stop())?;
    source.frames = frames.iter().cloned().collect();
    if frames.is_empty() {
        return Ok((Family::Hnerv, None));
    }
    let coded = trial_bytes(bpp, frames.len(), &info);
    let mut candidates = Vec::new();
    for family in [Family::Hnerv, Family::Nervpp, Family::Nirvana] {
        match trial(family, &frames, &info, coded, options, threads, shared) {
            Ok(c) => candidates.push(c),
            // a picture that a family cannot take is no reason to stop
            Err(Error::Parameter(_) | Error::Format { .. } | Error::Limits { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    let best = candidates.iter().max_by(|a, b| a.psnr.total_cmp(&b.psnr));
    let family = best.map_or(Family::Hnerv, |c| c.family);
    let choice = Choice { frames: frames.len(), candidates, family };
    shared.observer().chosen(&choice);
    Ok((family, Some(choice)))
}

/// Bytes of a trial on `frames` frames.
pub(super) fn trial_bytes(bpp: f64, frames: usize, info: &VideoInfo) -> f64 {
    (bpp * (frames * info.width * info.height) as f64 / 8.0).max(LEAST_BYTES)
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
    let size = if family.chained() { plan::CHAIN_GROUP } else { TRIAL_FRAMES };
    let parts: Vec<Vec<Frame>> = frames.chunks(size).map(<[Frame]>::to_vec).collect();
    let whole = options.steps.unwrap_or_else(|| options.preset.steps(options.passes, frames.len(), options.batch));
    let steps = ((whole as f64 * TRIAL_STEPS) as usize).max(LEAST_TRIAL_PASSES * TRIAL_FRAMES / options.batch).min(whole);
    shared.observer().trial(family, frames.len(), steps);
    let options = Options { family, steps: Some(steps), target: Target::Natural, ..options.clone() };
    let mut silent = Silent(shared);
    let shared = Shared { observer: Mutex::new(&mut silent), failed: AtomicBool::new(false) };
    let work = Work { section: 0, index: 0, groups: None, first_frame: 0, parts, coded: Some(coded), start: None, threads };
    let start = Instant::now();
    let Coded { reports, .. } = section::code(work, info, &options, &shared)?;
    let mean = |f: &dyn Fn(&GroupReport) -> f64| reports.iter().map(|g| f(g) * g.frames as f64).sum::<f64>() / frames.len() as f64;
    Ok(Candidate {
        family,
        psnr: mean(&|g| g.exact_psnr),
        bytes: reports.iter().map(|g| g.bytes.total()).sum(),
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Fewest coded bytes of a group.
pub(super) fn least_bytes() -> f64 {
    LEAST_BYTES
}

/// The network for a group and the coded bytes it shall have.
pub(super) fn network(info: &VideoInfo, frames: usize, coded: Option<f64>, options: &Options) -> Result<(Arch, f64)> {
    let coded = coded.map(|c| c.max(LEAST_BYTES));
    let params = match (options.model_size, coded) {
        (Some(p), _) => p,
        (None, Some(c)) => options.weight_bits.map_or_else(|| plan::params_for(c), |bits| c * 8.0 / f64::from(bits)),
        (None, None) => return Err(Error::Parameter("neither a size nor a model size is given".into())),
    };
    let knobs = &options.knobs;
    let arch = match options.family {
        Family::Auto | Family::Hnerv => Arch::Hnerv(match options.model_size {
            Some(_) => size::for_params(info, frames, params, &knobs.hnerv)?,
            None => nearest_size(info, frames, params, &knobs.hnerv)?,
        }),
        Family::Nerv => Arch::Nerv(size::nerv::for_params(info, params, false, &knobs.nerv)?),
        Family::Nervpp => Arch::Nerv(size::nerv::for_params(info, params, true, &knobs.nerv)?),
        Family::Nirvana => Arch::Nirvana(size::nirvana::for_params(info, frames, params, &knobs.nirvana)?),
    };
    arch.lower(info, frames)?.check(frames, &Limits::default())?;
    let values = values(&arch, info, frames)?;
    Ok((arch, coded.unwrap_or(values * plan::MODEL_SIZE_BITS / 8.0)))
}

/// Parameters and latents of a group of `frames` frames.
pub(super) fn values(arch: &Arch, info: &VideoInfo, frames: usize) -> Result<f64> {
    let graph = arch.lower(info, frames)?;
    Ok(graph.params() as f64 + (graph.latent_len() * graph.passes(frames)) as f64)
}

/// Fewest and most bytes, about, that a group of `frames` frames can have: the smallest network at a bit a value, and the largest at
/// twelve.
pub(super) fn reach(info: &VideoInfo, frames: usize, options: &Options) -> (f64, f64) {
    let values = |params: f64| {
        let options = Options { model_size: Some(params), target: Target::Natural, ..options.clone() };
        network(info, frames, None, &options).ok().map(|(_, bytes)| bytes * 8.0 / plan::MODEL_SIZE_BITS)
    };
    let sizes = |i: i32| 100.0 * 1.3f64.powi(i);
    let least = (0..60).find_map(|i| values(sizes(i)));
    let most = (0..60).rev().find_map(|i| values(sizes(i)));
    ((least.unwrap_or(0.0) / 8.0).max(LEAST_BYTES), most.unwrap_or(0.0) * 12.0 / 8.0)
}

/// The network of `params` parameters, or where there is none so small or large, the nearest that there is: the file's
/// size then misses the target, and the report says so.
fn nearest_size(info: &VideoInfo, frames: usize, params: f64, knobs: &HnervKnobs) -> Result<Hnerv> {
    let wanted = size::for_params(info, frames, params, knobs);
    let others = (1..120).flat_map(|i| [params * 1.1f64.powi(i), params / 1.1f64.powi(i)]);
    wanted.or_else(|e| others.into_iter().find_map(|p| size::for_params(info, frames, p, knobs).ok()).ok_or(e))
}
