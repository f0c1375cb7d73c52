//! `nvc encode`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{ArchArg, EncodeArgs, LossArg, OptimiserArg, PrecisionArg, PresetArg};
use super::config;
use super::machine::{clamp_jobs, clamp_threads};
use super::progress::{Reporter, Stats};
use super::{guard_distinct, guard_output, open_range, say};
use crate::encoder::{self, CRF, Family, Knobs, MODEL_SIZE, Options, PSNR, Report, Target};
use crate::error::{Error, Result};
use crate::fit::{self, Device, Loss, Optimiser, Precision};
use crate::frame::VideoInfo;
use crate::io::{Output, open_sink};
use crate::plan::Preset;

/// Rate factor if neither a size, a quality nor a model size is asked for.
const DEFAULT_CRF: f64 = 36.0;
/// Bits a pixel that size the network where parameters have a fixed number of bits.
const WEIGHT_BITS_BPP: f64 = 0.1;
/// Largest `--size`, 2^50, and `--bitrate`.
const MOST_BYTES: f64 = 1_125_899_906_842_624.0;
const MOST_BITRATE: f64 = 1e12;

/// Encodes `a.input` to `a.output`.
pub fn run(a: &EncodeArgs) -> Result<()> {
    let outputs: Vec<&String> = [Some(&a.output), a.recon.as_ref(), a.stats.as_ref()].into_iter().flatten().collect();
    guard_distinct(&outputs)?;
    for output in outputs {
        guard_output(output, &a.input, a.overwrite)?;
    }
    let mut stats = Stats::open(a.stats.as_deref())?;
    let result = encode(a, &mut stats);
    if let Err(e) = &result {
        stats.error(e)?;
    }
    stats.finish()?;
    result
}

fn encode(a: &EncodeArgs, stats: &mut Stats) -> Result<()> {
    let (a, knobs) = &config::settle(a)?;
    let mut source = open_range(&a.source, &a.input, a.frames.as_ref())?;
    let info = *source.info();
    let options = encode_options(a, knobs, &info, source.frames_hint())?;
    let mut output = Output::create(&a.output)?;
    let recon = a.recon.as_deref().map(|p| open_sink(p, None, &info)).transpose()?;
    stats.start(a, &info, source.frames_hint(), &options)?;
    let mut reporter = Reporter::new(a.progress, a.quiet, stats, recon, interrupt(a)?);
    let report = encoder::encode(&mut *source, &mut output, &options, &mut reporter);
    let recon = reporter.finish();
    let report = report?;
    output.flush().map_err(|e| output.error(e))?;
    output.commit()?;
    if let Some(mut r) = recon?
        && let Some(line) = r.finish()?
    {
        say(&line);
    }
    stats.done(&report)?;
    if !a.quiet {
        say(summary(a, &info, &report).trim_end());
    }
    report.check_target()
}

fn encode_options(a: &EncodeArgs, knobs: &Knobs, info: &VideoInfo, frames: Option<u64>) -> Result<Options> {
    let positive = |v: Option<f64>, name: &str, max: f64| match v {
        Some(v) if !(v > 0.0 && v <= max) => Err(Error::Parameter(format!("{name} is {v} (allowed above 0, at most {max})"))),
        v => Ok(v),
    };
    let within = |v: Option<f64>, name: &str, range: std::ops::RangeInclusive<f64>| match v {
        Some(v) if !range.contains(&v) => Err(Error::Parameter(format!("{name} is {v} (allowed {}..={})", range.start(), range.end()))),
        v => Ok(v),
    };
    let psnr = within(a.psnr, "--psnr", PSNR)?;
    let crf = within(a.crf, "--crf", CRF)?;
    let bitrate = within(a.bitrate, "--bitrate", 1.0..=MOST_BITRATE)?;
    let target = match (positive(a.bpp, "--bpp", 48.0)?, a.size.map(whole_bytes).transpose()?, bitrate) {
        (Some(b), _, _) => Target::Bpp(b),
        (_, Some(s), _) => {
            if frames.is_none() {
                return Err(Error::Parameter("--size needs a source that knows its length; from a pipe use --bpp or --bitrate".into()));
            }
            Target::Bytes(s)
        }
        (_, _, Some(rate)) => {
            if info.fps.num == 0 || info.fps.den == 0 {
                return Err(Error::Parameter("--bitrate needs a frame rate; the source has none (give --fps or use --bpp)".into()));
            }
            let fps = f64::from(info.fps.num) / f64::from(info.fps.den);
            Target::Bpp(rate / fps / (info.width * info.height) as f64)
        }
        _ if psnr.is_some() => Target::Psnr(psnr.unwrap_or_default()),
        _ if crf.is_some() => Target::Crf(crf.unwrap_or_default()),
        _ if a.model_size.is_some() => Target::Natural,
        _ if a.weight_bits.is_some() => Target::Bpp(WEIGHT_BITS_BPP),
        _ => Target::Crf(DEFAULT_CRF),
    };
    let learning_rate = positive(a.lr, "--lr", 1.0)?;
    let least_gain = a.min_gain.unwrap_or(0.001);
    if !(0.0..=10.0).contains(&least_gain) {
        return Err(Error::Parameter(format!("--min-gain is {least_gain} (allowed 0..=10)")));
    }
    let float_share = a.float_share.unwrap_or(fit::FLOAT_SHARE);
    if !(0.0..=1.0).contains(&float_share) {
        return Err(Error::Parameter(format!("--float-share is {float_share} (allowed 0..=1)")));
    }
    let said = |(n, text): (usize, Option<String>)| {
        text.filter(|_| !a.quiet).iter().for_each(|t| say(t));
        n
    };
    let range = |name: &str, v: Option<usize>, least: usize, most: usize| match v {
        Some(v) if !(least..=most).contains(&v) => Err(Error::Parameter(format!("--{name} is {v} (allowed {least}..={most})"))),
        v => Ok(v),
    };
    let or_auto = |name: &str, v: &Option<String>| match v.as_deref() {
        None | Some("auto") => Ok(None),
        Some(n) => match n.parse() {
            Ok(n @ 1..=65535) => Ok(Some(n)),
            _ => Err(Error::Parameter(format!("--{name} is '{n}' (allowed: auto or 1..=65535)"))),
        },
    };
    Ok(Options {
        family: match a.arch.unwrap_or(ArchArg::Auto) {
            ArchArg::Auto => Family::Auto,
            ArchArg::Hnerv => Family::Hnerv,
            ArchArg::Nerv => Family::Nerv,
            ArchArg::Nervpp => Family::Nervpp,
            ArchArg::Nirvana => Family::Nirvana,
        },
        knobs: knobs.clone(),
        target,
        model_size: within(a.model_size, "--model-size", MODEL_SIZE)?,
        preset: match a.preset.unwrap_or(PresetArg::Medium) {
            PresetArg::Ultrafast => Preset::Ultrafast,
            PresetArg::Fast => Preset::Fast,
            PresetArg::Medium => Preset::Medium,
            PresetArg::Slow => Preset::Slow,
            PresetArg::Veryslow => Preset::Veryslow,
        },
        passes: range("passes", a.passes, 1, 1_000_000)?,
        steps: range("steps", a.steps, 10, 100_000_000)?,
        group: or_auto("group", &a.group)?,
        section: or_auto("section", &a.section)?,
        least_gain,
        batch: range("batch", a.batch, 1, 64)?.unwrap_or(1),
        learning_rate,
        optimiser: match a.optimiser.unwrap_or(OptimiserArg::Muon) {
            OptimiserArg::Muon => Optimiser::Muon,
            OptimiserArg::Adam => Optimiser::Adam,
        },
        float_share,
        rate: !a.no_rate,
        weight_bits: range("weight-bits", a.weight_bits, 2, 12)?.map(|b| b as u8),
        loss: match a.loss.unwrap_or(LossArg::L2) {
            LossArg::L2 => Loss::L2,
            LossArg::Fusion6 => Loss::Fusion6,
        },
        seed: a.seed.unwrap_or(0),
        threads: said(clamp_threads(a.threads)),
        device: device(&a.device)?,
        precision: match a.precision.unwrap_or(PrecisionArg::F32) {
            PrecisionArg::F32 => Precision::Full,
            PrecisionArg::F16 => Precision::Half,
        },
        jobs: said(clamp_jobs(a.jobs)),
    })
}

/// `--size` in whole bytes.
fn whole_bytes(size: f64) -> Result<u64> {
    // 1.1k is no whole number in binary
    let whole = size.round();
    if !(1.0..=MOST_BYTES).contains(&whole) || (size - whole).abs() > 1e-6 {
        return Err(Error::Parameter(format!("--size is {size} (allowed: whole bytes, 1..={MOST_BYTES})")));
    }
    Ok(whole as u64)
}

fn device(text: &str) -> Result<Device> {
    match text {
        "auto" => Ok(Device::Auto),
        "cpu" => Ok(Device::Cpu),
        "cuda" => Ok(Device::Cuda(0)),
        _ => text
            .strip_prefix("cuda:")
            .and_then(|n| n.parse().ok())
            .map(Device::Cuda)
            .ok_or_else(|| Error::Parameter(format!("--device is '{text}' (allowed: auto, cpu, cuda, cuda:N)"))),
    }
}

/// First Ctrl-C or SIGTERM: stop after this step or frame and leave nothing behind. Second: stop now, as when the first
/// waits for a source that gives nothing.
fn interrupt(a: &EncodeArgs) -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = flag.clone();
    let parts: Vec<String> =
        [Some(&a.output), a.recon.as_ref(), a.stats.as_ref()].into_iter().flatten().map(|o| format!("{o}.part")).collect();
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::SeqCst) {
            // leaving at once runs no destructors
            parts.iter().for_each(|p| drop(std::fs::remove_file(p)));
            std::process::exit(130);
        }
    })
    .map_err(|e| Error::io("installing the interrupt handler", std::io::Error::other(e)))?;
    if a.end_with_stdin {
        if a.input == "-" {
            return Err(Error::Parameter("--end-with-stdin: stdin is the source already".into()));
        }
        let ended = flag.clone();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            ended.store(true, Ordering::SeqCst);
        });
    }
    Ok(flag)
}

fn summary(a: &EncodeArgs, info: &VideoInfo, r: &Report) -> String {
    let db = |p: Option<crate::metrics::Psnr>| p.map_or("-".into(), |p| format!("{:.3}", p.mean));
    let sum = |f: &dyn Fn(&encoder::GroupReport) -> u64| r.groups.iter().map(f).sum::<u64>();
    let (weights, latents) = (sum(&|g| g.bytes.weights), sum(&|g| g.bytes.latents));
    let params = sum(&|g| g.params);
    let mut s = format!(
        "{} frames of {}x{} in {} groups: {} bytes, {:.5} bpp, {:.1} s\n",
        r.frames,
        info.width,
        info.height,
        r.groups.len(),
        r.bytes,
        r.bpp,
        r.seconds
    );
    s += &match &r.choice {
        Some(c) => format!("representation: {c}\n"),
        None => format!("representation: {}\n", r.family.name()),
    };
    s += &format!(
        "bytes: weights {weights} ({:.2} bits for each of {params} parameters), latents {latents}, headers and container {}\n",
        weights as f64 * 8.0 / params.max(1) as f64,
        r.bytes - weights - latents
    );
    s += &format!(
        "decoded PSNR, mean over frames, dB: Y {}  U {}  V {}  6:1:1 {}  RGB {}{}\n",
        db(r.scores.psnr_y),
        db(r.scores.psnr_u),
        db(r.scores.psnr_v),
        db(r.scores.psnr_yuv611),
        db(r.scores.psnr_rgb),
        r.scores.rgb_matrix.map_or(String::new(), |m| format!(" ({m})"))
    );
    let frames = r.frames as f64;
    let mean = |f: &dyn Fn(&encoder::GroupReport) -> f64| r.groups.iter().map(|g| f(g) * g.frames as f64).sum::<f64>() / frames;
    s += &format!(
        "exact decoder against float network, all planes: {:.3} against {:.3} dB\n",
        mean(&|g| g.exact_psnr),
        mean(&|g| g.float_psnr)
    );
    if a.output != "-" {
        s += &format!("decode with: nvc-decode {} -o out.y4m\n", a.output);
    }
    s
}
