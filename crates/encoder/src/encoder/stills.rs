//! Pictures as pyramids: each fitted by itself, to a price of a bit, or to a size or quality that
//! trials of other prices find.

use std::time::Instant;

use super::content::Content;
use super::forecast;
use super::groups::{decode_back, weighted_psnr};
use super::observer::Shared;
use super::options::{Options, Target};
use super::order0::order0;
use super::price::{Aim, Brought, LARGE_CHANGE, Search};
use super::report::GroupReport;
use super::sizing::price;
use super::work::{Coded, Work};
use crate::calibrate::refine_frac_bits;
use crate::fit::{self, Device, Progress};
use crate::pyramid::{self, Colour, Context, Engine, Plane, Settings, Shape, Stage, integers};
use crate::size::pyramid::{for_picture, is_rich};
use nvc::decoder;
use nvc::entropy::tensor::QuantizedNetwork;
use nvc::entropy::{Cost, law};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, VideoInfo};
use nvc::group::{Group, GroupBytes};
use nvc::metrics::Scorer;

/// Corrections after the first fit that a size or quality may take.
const CORRECTIONS: usize = 4;
/// Iterations of a trial, relative to a fit's, and their range.
const TRIAL: f64 = 0.1;
const TRIAL_ITERATIONS: std::ops::RangeInclusive<usize> = 200..=800;
/// Trials that take more of a fit than this are not worth it.
const MOST_TRIAL: f64 = 0.4;
/// Change of the price's logarithm after which a second trial is worth it.
const FAR: f64 = 0.5;
/// Share of how far a fit was off that the integer search alone leaves where it is of no use.
const STUCK: f64 = 0.8;
/// Iterations from which on weights are quantised with compensation, and those for which curvature
/// comes from the whole picture: it takes an evaluation of the loss for each weight.
const COMPENSATED: usize = 1000;
const WHOLE: f64 = 10_000.0;

/// Codes the pictures of a section, each a group. The source frames are left out.
pub(super) fn code(
    work: &Work,
    info: &VideoInfo,
    options: &Options,
    shared: &Shared<'_, '_>,
) -> Result<Coded> {
    let mut coded = Coded::new(work);
    let aim = match (options.target(info)?, work.coded) {
        (Target::Crf(q), _) => Aim::Price(price(q) / 255f64.powi(2)),
        (Target::Psnr(p), _) => Aim::Psnr(p),
        (_, Some(bytes)) => Aim::Bytes(bytes.max(1.0)),
        _ => return Err(Error::Parameter("no size or quality is given".into())),
    };
    let aims = match aim {
        Aim::Bytes(bytes) if work.parts.len() > 1 => {
            let frames = work.parts.iter().flatten();
            let shares = forecast::of_pictures(frames, info, bytes * 8.0);
            shares.iter().map(|s| Aim::Bytes(bytes * s)).collect()
        }
        aim => vec![aim; work.parts.len()],
    };
    let pool = decoder::pool(work.threads)?;
    // groups of a section may lean on the one before
    let mut previous: Option<QuantizedNetwork> = None;
    for (i, (frames, aim)) in work.parts.iter().zip(aims).enumerate() {
        let [frame] = &frames[..] else {
            let what = format!(
                "a group of {} frames of a pyramid (allowed 1)",
                frames.len()
            );
            return Err(Error::Parameter(what));
        };
        let index = work.index + i;
        let before = previous.as_ref();
        let picture = Picture::new(info, frame, options, index, before, &pool, shared);
        let search = Search::new(aim, &picture.content);
        shared.observer().start(
            picture.index,
            work.groups,
            1,
            picture.params(search.price()) as u64,
        );
        let start = Instant::now();
        let fitted = picture.reach(aim, search)?;
        let fit_seconds = start.elapsed().as_secs_f64();
        let at = coded.payload.len();
        let graph = fitted.group.arch.lower(info, 1)?;
        let bytes = fitted.group.write(&graph, before, &mut coded.payload)?;
        let start = Instant::now();
        let payload = &coded.payload[at..];
        let (network, decoded) = decode_back(payload, info, &fitted.group, before, &pool)?;
        coded.reports.push(GroupReport {
            index: picture.index,
            first_frame: (work.first_frame + i) as u64,
            frames: 1,
            arch: fitted.group.arch.name(),
            params: graph.params(),
            macs_per_pixel: graph.macs() as f64 / (info.width * info.height) as f64,
            steps: fitted.steps,
            bytes,
            order0: order0(&fitted.group, previous.as_ref()),
            float_psnr: fitted.float_psnr,
            exact_psnr: weighted_psnr(frames, &decoded, info),
            fit_seconds,
            decode_fps: 1.0 / start.elapsed().as_secs_f64(),
        });
        coded.span.0 += fitted.span.0;
        coded.span.1 += fitted.span.1;
        previous = Some(network);
        coded.decoded.extend(decoded);
    }
    Ok(coded)
}

fn colour(info: &VideoInfo) -> Colour {
    match info.format.chroma {
        Chroma::Rgb | Chroma::Rgba => Colour::Gbr,
        Chroma::GrayAlpha => Colour::GrayAlpha,
        Chroma::Gray | Chroma::Yuv420 | Chroma::Yuv444 => Colour::Yuv,
    }
}

/// A picture to fit, and how.
struct Picture<'a, 'b, 'c> {
    info: &'a VideoInfo,
    frame: &'a Frame,
    planes: Vec<Plane>,
    content: Content,
    settings: Settings,
    device: Device,
    index: usize,
    /// The network of the picture before in the section.
    previous: Option<&'a QuantizedNetwork>,
    pool: &'a rayon::ThreadPool,
    shared: &'a Shared<'b, 'c>,
}

/// What a fit gave.
struct Fitted {
    shape: Shape,
    fit: pyramid::Fit,
    group: Group,
    /// Iterations and sweeps of all fits.
    steps: usize,
    float_psnr: f64,
    bytes: GroupBytes,
    /// Bytes of the smallest and the largest group among all fits of as many iterations.
    span: (u64, u64),
    /// [`nvc::metrics::Scores::quality`] of the decoded picture, dB.
    psnr: f64,
}

impl Fitted {
    fn brought(&self) -> Brought {
        Brought {
            psnr: self.psnr,
            bytes: self.bytes.total() as f64,
        }
    }
}

impl<'a, 'b, 'c> Picture<'a, 'b, 'c> {
    fn new(
        info: &'a VideoInfo,
        frame: &'a Frame,
        options: &Options,
        index: usize,
        previous: Option<&'a QuantizedNetwork>,
        pool: &'a rayon::ThreadPool,
        shared: &'a Shared<'b, 'c>,
    ) -> Self {
        let (iterations, sweeps) = options.preset.still_steps();
        let iterations = options.steps.or(options.passes).unwrap_or(iterations);
        let settings = Settings {
            seed: options.seed.wrapping_add(index as u64),
            colour: colour(info),
            ..Settings::new(iterations, sweeps)
        };
        let planes = integers::planes(info, frame);
        Picture {
            info,
            frame,
            content: forecast::content(info, &planes),
            planes,
            settings,
            device: options.device,
            index,
            previous,
            pool,
            shared,
        }
    }

    /// The model of a fit with `settings` whose latents will take about so many bits.
    fn shape(&self, settings: &Settings, bits: f64) -> Shape {
        let pyramid = for_picture(self.info, settings.iterations, bits);
        integers::shape(self.info, &pyramid)
    }

    fn params(&self, price: f64) -> usize {
        let shape = self.shape(&self.settings, self.content.bits(price));
        pyramid::Layout::new(&shape).total()
    }

    /// Fits until the aim is reached, as near as a few fits bring it.
    fn reach(&self, aim: Aim, mut search: Search) -> Result<Fitted> {
        let mut steps = 0;
        let mut fit = |price: f64, settings: &Settings, from: Option<&Fitted>| {
            let fitted = self.fit(price, settings, from)?;
            steps += fitted.steps;
            Ok::<Fitted, Error>(Fitted { steps, ..fitted })
        };
        if let Aim::Price(_) = aim {
            return fit(search.price(), &self.settings, None);
        }
        let iterations = (self.settings.iterations as f64 * TRIAL) as usize;
        let iterations = iterations.clamp(*TRIAL_ITERATIONS.start(), *TRIAL_ITERATIONS.end());
        let trial = Settings {
            seed: self.settings.seed,
            colour: self.settings.colour,
            ..Settings::new(iterations, 0)
        };
        let whole = self.settings.iterations as f64;
        if (trial.iterations as f64) < MOST_TRIAL * whole {
            let short = 1.0 / trial.iterations as f64 - 1.0 / whole;
            let first = fit(search.price(), &trial, None)?;
            let far = search.correct(first.brought(), short);
            // far from where it was asked for, a forecast is worth little
            if far.abs() > FAR {
                let second = fit(search.price(), &trial, None)?;
                search.correct(second.brought(), short);
            }
            search.forget();
        }
        let mut best: Option<(f64, Fitted)> = None;
        let mut whole: Option<(f64, Brought)> = None;
        let (mut change, mut stuck) = (f64::INFINITY, false);
        let mut span = (u64::MAX, 0);
        for _ in 0..=CORRECTIONS {
            // a fit is worth going on from unless the price is far from its
            let from = best.as_ref();
            let from = from.filter(|_| change.abs() < LARGE_CHANGE && !stuck);
            let price = search.price();
            let fitted = fit(price, &self.settings, from.map(|(_, f)| f))?;
            let total = fitted.bytes.total();
            span = (span.0.min(total), span.1.max(total));
            let brought = fitted.brought();
            let (off, reached) = (search.off(brought).abs(), search.is_reached(brought));
            change = search.correct(brought, 0.0);
            match (from, whole) {
                // weights that are rounded anew may outweigh what latents move
                (Some((before, _)), Some((price, brought))) if off > STUCK * before => {
                    stuck = true;
                    search.go_back(price, brought);
                }
                (None, _) => whole = Some((price, brought)),
                _ => {}
            }
            if reached || best.as_ref().is_none_or(|(b, _)| off < *b) {
                best = Some((off, fitted));
            }
            if reached {
                break;
            }
        }
        let (_, fitted) = best.ok_or(Error::Interrupted)?;
        Ok(Fitted {
            steps,
            span,
            ..fitted
        })
    }

    /// One fit at a price of a bit, in squares of a sample's range, coded and decoded; if there is one
    /// `from` which to go on, by the integer search alone.
    fn fit(&self, price: f64, settings: &Settings, from: Option<&Fitted>) -> Result<Fitted> {
        let (info, lambda) = (self.info, price as f32);
        let bits = self.content.bits(price);
        let mut settings = settings.clone();
        if !is_rich(bits) {
            // latents would teach a new one too little
            settings.context = Context::Trained;
        }
        let settings = &settings;
        let samples = (info.width * info.height) as f64;
        let shared = self.shared;
        let mut steps = 0;
        let mut observe = |p: pyramid::Progress| {
            steps = p.done;
            shared.observer().progress(
                self.index,
                &Progress {
                    step: p.done,
                    steps: p.of,
                    psnr: -10.0 * (p.terms.distortion / samples).max(1e-12).log10(),
                    bytes: (p.stage != Stage::Soft).then_some(p.terms.bits / 8.0),
                },
            );
            !shared.stop()
        };
        let planes = &self.planes;
        let shape = from.map_or_else(|| self.shape(settings, bits), |f| f.shape.clone());
        let (w, h) = (info.width, info.height);
        let device = match from {
            None => fit::pyramid::descent(self.device, &shape, (w, h), planes, settings.seed)?,
            Some(_) => None,
        };
        let fit = self.pool.install(|| {
            let (size, observe) = ((w, h), &mut observe);
            match from.map(|f| &f.fit) {
                None => pyramid::fit_on(device, &shape, size, planes, lambda, settings, observe),
                Some(from) => {
                    let go_on = pyramid::adjust;
                    Some(go_on(&shape, size, planes, lambda, settings, from, observe))
                }
            }
        });
        let fit = fit.ok_or(Error::Interrupted)?;
        if fit.params.iter().any(|p| !p.is_finite()) {
            return Err(Error::Parameter(format!(
                "the fit of picture {} diverged; try another seed",
                self.index + 1
            )));
        }
        let (tensors, distortion) = self
            .pool
            .install(|| {
                let mut engine = Engine::with_latents(&shape, (w, h), planes, &fit.latents);
                let mut tensors = pyramid::quantise(&mut engine, &fit.params, lambda, &tensor_bits);
                if settings.iterations >= COMPENSATED {
                    let share = (settings.iterations as f64 / WHOLE).min(1.0);
                    let (mut sample, ratio) =
                        pyramid::sample(&shape, (w, h), planes, &fit.latents, share);
                    tensors = pyramid::compensate(
                        &mut engine,
                        (&mut sample, ratio),
                        &fit.params,
                        lambda,
                        tensors,
                        &tensor_bits,
                        &|| !shared.stop(),
                    )?;
                }
                let params = pyramid::dequantise(&tensors);
                let terms = engine.eval(&params, lambda, pyramid::What::Distortion, false);
                Some((tensors, terms.distortion))
            })
            .filter(|_| !shared.stop())
            .ok_or(Error::Interrupted)?;
        let mut group = integers::group(info, &shape, &tensors, &fit.latents)?;
        let graph = group.arch.lower(info, 1)?;
        let frames = std::slice::from_ref(self.frame);
        refine_frac_bits(&mut group, &graph, info, frames, self.pool)?;
        let mut coded = Vec::new();
        let bytes = group.write(&graph, self.previous, &mut coded)?;
        let (_, decoded) = decode_back(&coded, info, &group, self.previous, self.pool)?;
        let mut scorer = Scorer::new(info);
        scorer.add(self.frame, &decoded[0])?;
        Ok(Fitted {
            shape,
            fit,
            group,
            steps,
            float_psnr: -10.0 * (distortion / samples).max(1e-12).log10(),
            bytes,
            span: (bytes.total(), bytes.total()),
            psnr: scorer.finish()?.quality(),
        })
    }
}

/// Bits of a tensor's mode, step and level, about.
const TENSOR_SIDE: f64 = 10.0;

/// Bits of a tensor's integers, about.
fn tensor_bits(values: &[i32]) -> f64 {
    let most = i32::from(i16::MAX);
    let mut values: Vec<i16> = values
        .iter()
        .map(|v| *v.clamp(&-most, &most) as i16)
        .collect();
    // a cost is never refused
    let units = law::cost(&mut values).unwrap_or_default();
    units as f64 / Cost::UNIT as f64 + TENSOR_SIDE
}
