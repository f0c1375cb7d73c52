//! The network of a group: of the size that is asked for, or the nearest that format and pictures
//! allow.

use std::ops::RangeInclusive;

use super::families::Family;
use super::options::Options;
use crate::plan;
use crate::size::{self, strides::unfit};
use nvc::bitstream::limits::Limits;
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;
use nvc::network::Arch;
use nvc::network::nirvana::MAX_FRAMES;

/// Fewer bytes hold no network of these kinds.
pub(super) const LEAST_BYTES: f64 = 150.0;
/// Fewer bytes hold no picture, about.
const LEAST_STILL: f64 = 100.0;
/// Bits for each luma sample beyond which networks do not grow: no format has so many uncoded.
const MOST_BPP: f64 = 48.0;
/// Parameters between which a network is sought where there is none of the wanted size.
const PARAMS: RangeInclusive<f64> = 100.0..=67e6;
/// Sizes on the way there are this far apart.
const APART: f64 = 1.1;
/// Parameters and latents, relative to a model size, that are another size.
const OTHER: f64 = 1.5;
/// Bits that no value of a fitted network exceeds by much.
const MOST_BITS: f64 = 12.0;

/// Most coded bytes of a group that make a difference.
fn most_bytes(info: &VideoInfo, frames: usize) -> f64 {
    (MOST_BPP / 8.0 * frames as f64 * info.width as f64 * info.height as f64).max(LEAST_BYTES)
}

/// The network for a group and the coded bytes it shall have. Where there is none of the size, it
/// is the nearest that there is: the file's size then misses the target, and the report says so.
pub(super) fn network(
    info: &VideoInfo,
    frames: usize,
    coded: Option<f64>,
    options: &Options,
) -> Result<(Arch, f64)> {
    let coded = coded.map(|c| c.clamp(LEAST_BYTES, most_bytes(info, frames)));
    let params = match (options.model_size, coded) {
        (Some(p), _) => p,
        (None, Some(c)) => options
            .weight_bits
            .map_or_else(|| plan::params_for(c), |bits| c * 8.0 / f64::from(bits)),
        (None, None) => {
            return Err(Error::Parameter(
                "neither a size nor a model size is given".into(),
            ));
        }
    };
    let arch = nearest(info, frames, params, options)?;
    let bytes = match coded {
        Some(c) => c,
        None => values(&arch, info, frames)? * plan::MODEL_SIZE_BITS / 8.0,
    };
    Ok((arch, bytes))
}

/// Parameters and latents of a group of `frames` frames.
pub(super) fn values(arch: &Arch, info: &VideoInfo, frames: usize) -> Result<f64> {
    let graph = arch.lower(info, frames)?;
    Ok(graph.params() as f64 + graph.latent_len() as f64 * graph.passes(frames) as f64)
}

/// The network of about `params` parameters, if the format has one for these pictures.
fn of_size(info: &VideoInfo, frames: usize, params: f64, options: &Options) -> Result<Arch> {
    let arch = match options.arch {
        Family::Auto | Family::Hnerv => Arch::Hnerv(size::hnerv::for_params(
            info,
            frames,
            params,
            &options.hnerv,
        )?),
        Family::Nerv => Arch::Nerv(size::nerv::for_params(info, params, false, &options.nerv)?),
        Family::Nervpp => Arch::Nerv(size::nerv::for_params(info, params, true, &options.nerv)?),
        Family::Nirvana if frames > MAX_FRAMES => {
            return Err(Error::Parameter(format!(
                "a group of nirvana has {frames} frames (allowed 1..={MAX_FRAMES})"
            )));
        }
        Family::Nirvana => Arch::Nirvana(size::nirvana::for_params(
            info,
            frames,
            params,
            &options.nirvana,
        )?),
        Family::Pyramid if frames > 1 => {
            return Err(Error::Parameter(format!(
                "a group of pyramid has {frames} frames (allowed 1)"
            )));
        }
        Family::Pyramid => Arch::Pyramid(size::pyramid::for_picture(info, 0, 0.0)),
    };
    arch.check_fields()?;
    let graph = arch.lower(info, frames).map_err(unfit)?;
    graph.check(frames, &Limits::default())?;
    Ok(arch)
}

fn nearest(info: &VideoInfo, frames: usize, params: f64, options: &Options) -> Result<Arch> {
    let mut why = match of_size(info, frames, params, options) {
        Ok(a) => return Ok(a),
        Err(e) => e,
    };
    let start = params.clamp(*PARAMS.start(), *PARAMS.end());
    let steps = (PARAMS.end() / PARAMS.start()).log(APART) as i32 + 1;
    for p in (0..=steps)
        .flat_map(|i| [start / APART.powi(i), start * APART.powi(i)])
        .filter(|p| PARAMS.contains(p))
    {
        match (of_size(info, frames, p, options), &why) {
            (Ok(a), _) => return Ok(a),
            // what even the smallest network exceeds says most; that one is too small says nothing
            (
                Err(Error::Limits {
                    what,
                    actual,
                    allowed,
                }),
                Error::Limits { actual: before, .. },
            ) if actual < *before => {
                why = Error::Limits {
                    what,
                    actual,
                    allowed,
                };
            }
            (Err(e), Error::Parameter(_)) if !matches!(e, Error::Parameter(_)) => why = e,
            _ => {}
        }
    }
    Err(refused(why, info, frames, options))
}

/// Why there is no network, in words of the caller's: nothing has been read from a stream.
fn refused(e: Error, info: &VideoInfo, frames: usize, options: &Options) -> Error {
    let what = match e {
        Error::Unsupported(what) => what,
        Error::Limits {
            what,
            actual,
            allowed,
        } => format!("{what} would be {actual} (allowed at most {allowed})"),
        e => return e,
    };
    let family = if options.arch == Family::Auto {
        Family::Hnerv
    } else {
        options.arch
    };
    let (name, width, height) = (family.name(), info.width, info.height);
    let text = format!(
        "{name} has no network for groups of {frames} pictures of {width}x{height}: {what}"
    );
    // what was chosen by hand can be chosen otherwise
    if !options.chosen_by_hand() {
        Error::Unsupported(text)
    } else {
        Error::Parameter(text)
    }
}

/// Fewest and most bytes, about, that a group of `frames` frames can have: the smallest network at
/// a bit a value, and the largest at twelve. What most a picture can have depends on it.
pub(super) fn reach(info: &VideoInfo, frames: usize, options: &Options) -> (f64, f64) {
    if options.arch.is_still() {
        return (LEAST_STILL, f64::INFINITY);
    }
    let values = |params: f64| {
        let options = Options {
            model_size: Some(params),
            ..options.sized()
        };
        network(info, frames, None, &options)
            .map_or(0.0, |(_, bytes)| bytes * 8.0 / plan::MODEL_SIZE_BITS)
    };
    let least = (values(*PARAMS.start()) / 8.0).max(LEAST_BYTES);
    (
        least,
        (values(*PARAMS.end()) * MOST_BITS / 8.0)
            .min(most_bytes(info, frames))
            .max(least),
    )
}

/// What to say of a network that is not of the model size asked for.
pub(super) fn other_size(
    info: &VideoInfo,
    frames: usize,
    options: &Options,
) -> Result<Option<String>> {
    let Some(wanted) = options.model_size.filter(|_| !options.chosen_by_hand()) else {
        return Ok(None);
    };
    let (arch, _) = network(info, frames, None, options)?;
    let values = values(&arch, info, frames)?;
    let (most, least) = (values > OTHER * wanted, values < wanted / OTHER);
    Ok((most || least).then(|| {
        format!(
            "model size {wanted:.0}: the {} {} for groups of {frames} pictures of {}x{} has {values:.0} parameters and latents; it is taken",
            if most { "smallest" } else { "largest" },
            arch.name(),
            info.width,
            info.height
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{info, options};
    use super::*;

    #[test]
    fn every_budget_has_a_network() {
        for family in [Family::Hnerv, Family::Nerv, Family::Nervpp, Family::Nirvana] {
            let options = Options {
                arch: family,
                ..options(|o| o.bpp = Some(1.0))
            };
            for (width, height) in [(1, 1), (1, 16384), (16384, 1), (64, 48), (3, 200)] {
                let info = info(width, height);
                for coded in [f64::MIN, -1.0, 0.0, 1.0, 1e3, 1e30, f64::INFINITY] {
                    let (arch, bytes) = network(&info, 3, Some(coded), &options).unwrap();
                    assert!(
                        (LEAST_BYTES..=most_bytes(&info, 3)).contains(&bytes),
                        "{bytes} bytes for {coded}"
                    );
                    arch.check_fields().unwrap();
                }
                for params in [100.0, 1e9] {
                    network(
                        &info,
                        3,
                        None,
                        &Options {
                            model_size: Some(params),
                            ..options.clone()
                        },
                    )
                    .unwrap();
                }
                let (least, most) = reach(&info, 3, &options);
                assert!(
                    least <= most,
                    "{} {width}x{height}: {least} to {most} bytes",
                    family.name()
                );
            }
        }
    }

    #[test]
    fn what_no_network_takes_is_named() {
        let e = network(
            &info(8192, 8192),
            3,
            Some(1e6),
            &options(|o| o.bpp = Some(1.0)),
        )
        .unwrap_err();
        let text = e.to_string();
        assert!(
            e.exit_code() == 5
                && text.contains("8192x8192")
                && text.contains("allowed at most 1073741824"),
            "{text}"
        );
        let mut by_hand = options(|o| o.bpp = Some(1.0));
        by_hand.hnerv.strides = Some(vec![2]);
        let text = network(&info(1, 16384), 3, Some(1e6), &by_hand)
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("1x16384") && text.contains("latent_height is 8192 (allowed 1..=1024)"),
            "{text}"
        );
        let many = Options {
            arch: Family::Nirvana,
            ..options(|o| o.bpp = Some(1.0))
        };
        assert_eq!(
            network(&info(64, 48), 100, Some(1e3), &many)
                .unwrap_err()
                .exit_code(),
            2
        );
    }

    #[test]
    fn another_size_is_said() {
        let said = |p: f64| {
            let options = Options {
                model_size: Some(p),
                ..options(|_| ()).sized()
            };
            other_size(&info(64, 48), 3, &options).unwrap()
        };
        assert!(said(100.0).unwrap().contains("the smallest hnerv") && said(20_000.0).is_none());
    }
}
