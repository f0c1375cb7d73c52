//! `nvc encode`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::args::{ArchArg, EncodeArgs, LossArg, OptimiserArg, PrecisionArg, PresetArg};
use super::config;
use super::machine::{clamp_jobs, clamp_threads};
use super::progress::{Reporter, Stats};
use super::signals::{INTERRUPTED, leave, on_signal};
use super::{files, in_range, open, say, say_missing, warn};
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;
use nvc_encoder::encoder::{
    self, ArchConfig, CRF, Family, MODEL_SIZE, Options, PSNR, Report, Target,
};
use nvc_encoder::fit::{Device, Loss, Optimiser, Precision};
use nvc_encoder::plan::Preset;
use nvc_media::{
    BoxedSource, FileGuard, KeepGoing, Output, Pattern, SinkFormat, Survey, open_sink,
};

/// Bits a pixel that size the network where parameters have a fixed number of bits.
const WEIGHT_BITS_BPP: f64 = 0.1;
/// Largest `--size`, 2^50, and `--bitrate`.
const MOST_BYTES: f64 = 1_125_899_906_842_624.0;
const MOST_BITRATE: f64 = 1e12;

/// After the first signal, the time that a step may take to end.
const PATIENCE: Duration = Duration::from_secs(8);

/// Encodes `a.input` to `a.output`.
pub fn run(a: &EncodeArgs) -> Result<()> {
    let config = a.config.as_ref().map(PathBuf::from).filter(|c| c.is_file());
    let guard = files([Some(&a.input), config.as_ref()])
        .fold(FileGuard::new(a.overwrite), FileGuard::reads);
    let guard = [Some(&a.output), a.stats.as_ref()]
        .into_iter()
        .flatten()
        .fold(guard, FileGuard::writes);
    let pictures = |p: &Path| SinkFormat::of(p, None).map(SinkFormat::is_pictures);
    match &a.recon {
        Some(p) if pictures(p)? => guard.writes_pictures(p),
        Some(p) => guard.writes(p),
        None => guard,
    }
    .check()?;
    let interrupted = interrupt(a)?;
    let mut stats = Stats::open(a.stats.as_deref())?;
    let result = encode(a, interrupted, &mut stats);
    if let Err(e) = &result {
        stats.error(e)?;
    }
    stats.finish()?;
    result
}

fn encode(a: &EncodeArgs, interrupted: Arc<AtomicBool>, stats: &mut Stats) -> Result<()> {
    let (a, config) = &config::merge_config(a)?;
    let mut source = source(a)?;
    let info = *source.info();
    let unknown = source.frames_hint().is_none();
    one_picture_for_one_frame(a, source.frames_hint())?;
    let options = encode_options(a, config, &info, source.frames_hint())?;
    let mut output = Output::create(&a.output)?;
    let recon = a
        .recon
        .as_deref()
        .map(|p| open_sink(p, None, &info))
        .transpose()?;
    stats.start(a, &info, source.frames_hint(), &options)?;
    let mut reporter = Reporter::new(
        a,
        options.device.resolve().to_string(),
        stats,
        recon,
        interrupted,
    );
    let report = encoder::encode(&mut *source, &mut output, &options, &mut reporter);
    let recon = reporter.finish();
    let report = report.map_err(|e| keep_going_hint(e, None, a))?;
    output.flush().map_err(|e| output.error(e))?;
    output.commit()?;
    if let Some(mut r) = recon?
        && let Some(line) = r.finish()?
    {
        say(&line);
    }
    warn(&a.input, &mut source);
    if unknown {
        say_missing(&a.input.display(), a.frames.as_ref(), report.frames);
    }
    stats.done(&report)?;
    if !a.quiet {
        say(summary(a, &info, &report).trim_end());
    }
    report.check_target()
}

/// The source, looked through before hours are spent on it.
fn source(a: &EncodeArgs) -> Result<BoxedSource> {
    let mut source = open(&a.source, &a.input)?;
    if a.keep_going {
        source = Box::new(KeepGoing::new(source));
    }
    source = in_range(source, a.frames.as_ref())?;
    let Survey { frames, damage } = source.survey()?;
    warn(&a.input, &mut source);
    if let Some(e) = damage {
        return Err(keep_going_hint(e, frames, a));
    }
    // none at all is an error, which reading gives
    frames
        .filter(|&n| n > 0)
        .iter()
        .for_each(|&n| say_missing(&a.input.display(), a.frames.as_ref(), n));
    // with a range, reading says where it begins
    if frames == Some(0) && a.frames.is_none() {
        return Err(Error::source(
            a.input.display().to_string(),
            None,
            "no frames (at least one is needed)",
        ));
    }
    Ok(source)
}

/// Says of a damaged source how what comes before the damage can be had.
fn keep_going_hint(e: Error, frames: Option<u64>, a: &EncodeArgs) -> Error {
    let hint = match frames {
        _ if a.keep_going => return e,
        Some(0) => return e,
        Some(n) => format!("; --keep-going encodes the {n} frames before"),
        None => "; --keep-going encodes the frames before".into(),
    };
    match e {
        Error::Source { name, offset, what } => Error::Source {
            name,
            offset,
            what: what + &hint,
        },
        Error::Unsupported(what) if frames.is_some() => Error::Unsupported(what + &hint),
        e => e,
    }
}

/// Several frames in one picture file would be noticed only after the first group.
fn one_picture_for_one_frame(a: &EncodeArgs, frames: Option<u64>) -> Result<()> {
    let Some(recon) = &a.recon else { return Ok(()) };
    let wanted = a.frames.as_ref().map(|r| r.end - r.start);
    let one = frames.or(wanted) == Some(1);
    if one || !SinkFormat::of(recon, None)?.is_pictures() || Pattern::parse(recon).is_some() {
        return Ok(());
    }
    let frames = frames.map_or("a source of unknown length".into(), |n| {
        format!("{n} frames")
    });
    Err(Error::Parameter(format!(
        "--recon {} is one picture for {frames}; number them, as in f_%05d.png",
        recon.display()
    )))
}

fn encode_options(
    a: &EncodeArgs,
    config: &ArchConfig,
    info: &VideoInfo,
    frames: Option<u64>,
) -> Result<Options> {
    let defaults = Options::default();
    let positive = |v: Option<f64>, name: &str, max: f64| match v {
        Some(v) if !(v > 0.0 && v <= max) => Err(Error::Parameter(format!(
            "{name} is {v} (allowed above 0, at most {max})"
        ))),
        v => Ok(v),
    };
    let within = |v: Option<f64>, name: &str, range: std::ops::RangeInclusive<f64>| match v {
        Some(v) if !range.contains(&v) => Err(Error::Parameter(format!(
            "{name} is {v} (allowed {}..={})",
            range.start(),
            range.end()
        ))),
        v => Ok(v),
    };
    let psnr = within(a.psnr, "--psnr", PSNR)?;
    let crf = within(a.crf, "--crf", CRF)?;
    let bitrate = within(a.bitrate, "--bitrate", 1.0..=MOST_BITRATE)?;
    let target = match (
        positive(a.bpp, "--bpp", 48.0)?,
        a.size.map(whole_bytes).transpose()?,
        bitrate,
    ) {
        (Some(b), _, _) => Target::Bpp(b),
        (_, Some(s), _) => {
            if frames.is_none() {
                return Err(Error::Parameter("--size needs a source that knows its length; from a pipe use --bpp or --bitrate".into()));
            }
            Target::Bytes(s)
        }
        (_, _, Some(rate)) => {
            if info.fps.num == 0 || info.fps.den == 0 {
                return Err(Error::Parameter(
                    "--bitrate needs a frame rate; the source has none (give --fps or use --bpp)"
                        .into(),
                ));
            }
            let fps = f64::from(info.fps.num) / f64::from(info.fps.den);
            Target::Bpp(rate / fps / (info.width * info.height) as f64)
        }
        _ if psnr.is_some() => Target::Psnr(psnr.unwrap_or_default()),
        _ if crf.is_some() => Target::Crf(crf.unwrap_or_default()),
        _ if a.model_size.is_some() => Target::FromModelSize,
        _ if a.weight_bits.is_some() => Target::Bpp(WEIGHT_BITS_BPP),
        _ => defaults.target,
    };
    let learning_rate = positive(a.lr, "--lr", 1.0)?;
    let least_gain = a.min_gain.unwrap_or(defaults.least_gain);
    if !(0.0..=10.0).contains(&least_gain) {
        return Err(Error::Parameter(format!(
            "--min-gain is {least_gain} (allowed 0..=10)"
        )));
    }
    let float_share = a.float_share.unwrap_or(defaults.float_share);
    if !(0.0..=1.0).contains(&float_share) {
        return Err(Error::Parameter(format!(
            "--float-share is {float_share} (allowed 0..=1)"
        )));
    }
    let said = |(n, text): (usize, Option<String>)| {
        text.iter().for_each(|t| say(t));
        n
    };
    let range = |name: &str, v: Option<usize>, least: usize, most: usize| match v {
        Some(v) if !(least..=most).contains(&v) => Err(Error::Parameter(format!(
            "--{name} is {v} (allowed {least}..={most})"
        ))),
        v => Ok(v),
    };
    let or_auto = |name: &str, v: &Option<String>| match v.as_deref() {
        None | Some("auto") => Ok(None),
        Some(n) => match n.parse() {
            Ok(n @ 1..=65535) => Ok(Some(n)),
            _ => Err(Error::Parameter(format!(
                "--{name} is '{n}' (allowed: auto or 1..=65535)"
            ))),
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
        config: config.clone(),
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
        batch: range("batch", a.batch, 1, 64)?.unwrap_or(defaults.batch),
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
        seed: a.seed.unwrap_or(defaults.seed),
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
        return Err(Error::Parameter(format!(
            "--size is {size} (allowed: whole bytes, 1..={MOST_BYTES})"
        )));
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
            .ok_or_else(|| {
                Error::Parameter(format!(
                    "--device is '{text}' (allowed: auto, cpu, cuda, cuda:N)"
                ))
            }),
    }
}

/// First Ctrl-C, SIGTERM or SIGHUP: stop after this step or frame and leave nothing behind, at the
/// latest after [`PATIENCE`]. Second: stop now.
fn interrupt(a: &EncodeArgs) -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = flag.clone();
    on_signal(move |n| {
        seen.store(true, Ordering::SeqCst);
        if n > 1 {
            leave(INTERRUPTED);
        }
        std::thread::spawn(|| {
            std::thread::sleep(PATIENCE);
            say("error: interrupted; a step, or a source that gives nothing, did not end in time");
            leave(INTERRUPTED);
        });
    })?;
    if a.end_with_stdin {
        if a.input == Path::new("-") {
            return Err(Error::Parameter(
                "--end-with-stdin: stdin is the source already".into(),
            ));
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
    let db = |p: Option<nvc::metrics::Psnr>| p.map_or("-".into(), |p| format!("{:.3}", p.mean));
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
        r.scores
            .rgb_matrix
            .map_or(String::new(), |m| format!(" ({m})"))
    );
    let frames = r.frames as f64;
    let mean = |f: &dyn Fn(&encoder::GroupReport) -> f64| {
        r.groups.iter().map(|g| f(g) * g.frames as f64).sum::<f64>() / frames
    };
    s += &format!(
        "exact decoder against float network, all planes: {:.3} against {:.3} dB\n",
        mean(&|g| g.exact_psnr),
        mean(&|g| g.float_psnr)
    );
    if a.output != Path::new("-") && a.output != Path::new("null:") {
        s += &format!(
            "decode with: nvc-decode {} -o out.y4m\n",
            a.output.display()
        );
    }
    s
}
