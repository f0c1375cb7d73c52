//! What is asked of an encode: the one list of options. Command line (feature `clap`) and
//! configuration files (serde) are derived from it.

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::families::Family;
use super::numbers::{Count, scaled};
use crate::fit;
use crate::plan::Preset;
use crate::size::hnerv::HnervConfig;
use crate::size::nerv::NervConfig;
use crate::size::nirvana::NirvanaConfig;
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;

/// Rate factor unless something else is asked for.
const DEFAULT_CRF: f64 = 36.0;
/// Bits a luma sample that size a network whose parameters have a fixed number of bits.
const WEIGHT_BITS_BPP: f64 = 0.1;
/// Most bytes of a file, 2^50.
const MOST_BYTES: f64 = 1_125_899_906_842_624.0;

/// Declares [`Options`]: for each its documentation, attributes, type and default.
macro_rules! options {
    ($(
        [$heading:literal]
        $($(#[$meta:meta])* $name:ident: $type:ty = $default:expr,)*
    )*) => {
        /// What to encode to, and how. Options are named as on the command line and in
        /// configuration files (docs/config.md), which may hold those of "Size or quality" and
        /// "Fitting".
        #[derive(Clone, Debug, Deserialize)]
        #[cfg_attr(feature = "clap", derive(clap::Args))]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Options {
            $($(
                $(#[$meta])*
                #[cfg_attr(feature = "clap", arg(long, help_heading = $heading))]
                pub $name: $type,
            )*)*
            /// What of an HNeRV is chosen by hand.
            #[cfg_attr(feature = "clap", arg(skip))]
            pub hnerv: HnervConfig,
            /// What of a NeRV or NeRV++ is chosen by hand.
            #[cfg_attr(feature = "clap", arg(skip))]
            pub nerv: NervConfig,
            /// What of a NIRVANA is chosen by hand.
            #[cfg_attr(feature = "clap", arg(skip))]
            pub nirvana: NirvanaConfig,
            /// Sizes are given group by group, by the encoder itself: the options of size and
            /// quality mean nothing.
            #[cfg_attr(feature = "clap", arg(skip))]
            #[serde(skip)]
            #[doc(hidden)]
            pub sized: bool,
        }

        impl Default for Options {
            /// What `nvc encode` does unless told otherwise.
            fn default() -> Self {
                Options {
                    $($($name: $default,)*)*
                    hnerv: HnervConfig::default(),
                    nerv: NervConfig::default(),
                    nirvana: NirvanaConfig::default(),
                    sized: false,
                }
            }
        }
    };
}

options! {
    ["Size or quality"]
    /// Quality by what a bit is worth, 0 to 63, on x264's scale: the size follows, and hard parts
    /// get more (default 36 unless another of these is given).
    #[cfg_attr(feature = "clap", arg(value_name = "Q", conflicts_with_all = ["size", "bitrate", "bpp", "psnr"]))]
    crf: Option<f64> = None,
    /// Quality as PSNR, 10 to 70 dB, mean over frames: 6:1:1, RGB of RGB sources, Y of gray ones.
    #[cfg_attr(feature = "clap", arg(value_name = "DB", conflicts_with_all = ["size", "bitrate", "bpp"]))]
    psnr: Option<f64> = None,
    /// Size as bits of the whole file for each luma sample of each frame.
    #[cfg_attr(feature = "clap", arg(value_name = "BPP", conflicts_with_all = ["size", "bitrate"]))]
    bpp: Option<f64> = None,
    /// Size of the whole file in bytes, as 500k; the source must know its length.
    #[cfg_attr(feature = "clap", arg(value_name = "BYTES", value_parser = super::numbers::parse_scaled, conflicts_with = "bitrate"))]
    #[serde(deserialize_with = "scaled")]
    size: Option<f64> = None,
    /// Size in bits a second, as 300k; the source must know its frame rate.
    #[cfg_attr(feature = "clap", arg(value_name = "RATE", value_parser = super::numbers::parse_scaled))]
    #[serde(deserialize_with = "scaled")]
    bitrate: Option<f64> = None,
    /// Parameters of each group's network and latents, as 1.5M (default: from the size, at 4.2 bits
    /// each).
    #[cfg_attr(feature = "clap", arg(value_name = "PARAMS", value_parser = super::numbers::parse_scaled))]
    #[serde(deserialize_with = "scaled")]
    model_size: Option<f64> = None,

    ["Fitting"]
    /// Representation (default auto).
    #[cfg_attr(feature = "clap", arg(value_enum))]
    arch: Family = Family::Auto,
    /// Effort (default medium).
    #[cfg_attr(feature = "clap", arg(value_enum))]
    preset: Preset = Preset::Medium,
    /// Passes over the frames of each group, or iterations for a picture, 1 to 1000000, in place of
    /// the preset's.
    #[cfg_attr(feature = "clap", arg(value_name = "N", conflicts_with = "steps"))]
    passes: Option<usize> = None,
    /// Optimiser steps of each group (default: from the preset).
    #[cfg_attr(feature = "clap", arg(value_name = "N"))]
    steps: Option<usize> = None,
    /// Passes a step, 1 to 64: frames, or whole groups of nirvana (default 1).
    #[cfg_attr(feature = "clap", arg(value_name = "N"))]
    batch: usize = 1,
    /// Peak learning rate, above 0, at most 1 (default 0.015 for hnerv, 0.03 for nerv, 0.012 for
    /// nervpp, 0.06 for nirvana).
    #[cfg_attr(feature = "clap", arg(value_name = "RATE"))]
    lr: Option<f64> = None,
    /// What trains the hidden kernels (default muon).
    #[cfg_attr(feature = "clap", arg(value_enum))]
    optimiser: fit::Optimiser = fit::Optimiser::Muon,
    /// Share of the steps before quantisation starts, 0 to 1 (default 0.4); at 1 the network is
    /// quantised after its last step.
    #[cfg_attr(feature = "clap", arg(value_name = "SHARE"))]
    float_share: f64 = fit::FLOAT_SHARE,
    /// Leave the rate out of the loss: quantisation steps alone bring the size.
    #[serde(skip)]
    no_rate: bool = false,
    /// Quantise each parameter to this many bits, 2 to 12, after the last step, as published codecs
    /// do; --bpp or --model-size sizes the network, and the file comes out smaller.
    #[cfg_attr(feature = "clap", arg(value_name = "BITS", conflicts_with_all = ["size", "bitrate", "psnr", "crf", "float_share"]))]
    #[serde(skip)]
    weight_bits: Option<u8> = None,
    /// Distortion to minimise (default l2).
    #[cfg_attr(feature = "clap", arg(value_enum))]
    loss: fit::Loss = fit::Loss::L2,
    /// Frames of a group, or auto: 1 for pyramid, 3 for nirvana, else up to 132, as equal as can be
    /// (default auto).
    #[cfg_attr(feature = "clap", arg(value_name = "N|auto"))]
    group: Count = Count(None),
    /// Groups of a section, the unit of random access, or auto: up to 132 frames for nirvana, whose
    /// groups each start from the one before; else 1 (default auto).
    #[cfg_attr(feature = "clap", arg(value_name = "N|auto"))]
    section: Count = Count(None),
    /// Gain of a step, dB, below which a group that starts from the one before ends (default
    /// 0.001).
    #[cfg_attr(feature = "clap", arg(value_name = "DB"))]
    min_gain: f64 = 0.001,
    /// Seed of all random numbers (default 0). The same seed gives the same file on the same
    /// machine.
    #[cfg_attr(feature = "clap", arg(value_name = "N"))]
    seed: u64 = 0,
    /// Where to fit: auto (the CPU), cpu, cuda or cuda:N (default auto).
    #[cfg_attr(feature = "clap", arg(value_name = "DEVICE"))]
    #[serde(skip)]
    device: fit::Device = fit::Device::Auto,
    /// Floating point of the network's activations while it is fitted (default f32).
    #[cfg_attr(feature = "clap", arg(value_enum))]
    precision: fit::Precision = fit::Precision::Full,
    /// Threads; 0 = one a processor (default 0). Does not change the file.
    #[cfg_attr(feature = "clap", arg(value_name = "N"))]
    #[serde(skip)]
    threads: usize = 0,
    /// Sections fitted at once; 0 = as many as fill the machine (default 0). Does not change the
    /// file; each takes memory of its own.
    #[cfg_attr(feature = "clap", arg(value_name = "N"))]
    #[serde(skip)]
    jobs: usize = 0,
}

/// Size or quality to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Bits of the whole file for each luma sample of each frame.
    Bpp(f64),
    /// Bytes of the whole file; needs a source that knows its length.
    Bytes(u64),
    /// What the model size gives at [`crate::plan::MODEL_SIZE_BITS`] bits a parameter.
    FromModelSize,
    /// [`nvc::metrics::Scores::quality`] of the whole file, dB; the size follows.
    Psnr(f64),
    /// Quality at which a bit more is worth as much squared error as x264 takes it for at this
    /// quantiser; the size follows.
    Crf(f64),
}

impl Options {
    /// The size or quality to reach for pictures of `info`.
    pub fn target(&self, info: &VideoInfo) -> Result<Target> {
        if self.sized {
            return Ok(Target::FromModelSize);
        }
        Ok(match self.wanted() {
            [Some(q), ..] => Target::Crf(q),
            [_, Some(db), ..] => Target::Psnr(db),
            [_, _, Some(bpp), ..] => Target::Bpp(bpp),
            [_, _, _, Some(bytes), _] => Target::Bytes(bytes.round() as u64),
            [.., Some(rate)] => Target::Bpp(rate_to_bpp(rate, info)?),
            _ if self.model_size.is_some() => Target::FromModelSize,
            _ if self.weight_bits.is_some() => Target::Bpp(WEIGHT_BITS_BPP),
            _ => Target::Crf(DEFAULT_CRF),
        })
    }

    /// The options of which one may be given.
    fn wanted(&self) -> [Option<f64>; 5] {
        [self.crf, self.psnr, self.bpp, self.size, self.bitrate]
    }

    /// These for groups whose sizes are given one by one.
    pub(super) fn sized(&self) -> Options {
        Options {
            sized: true,
            ..self.clone()
        }
    }

    /// Whether anything of the networks is chosen by hand.
    pub(super) fn chosen_by_hand(&self) -> bool {
        let defaults = Options::default();
        (&self.hnerv, &self.nerv, &self.nirvana)
            != (&defaults.hnerv, &defaults.nerv, &defaults.nirvana)
    }

    /// The options that are given and mean something to networks of frames only, not to pyramids.
    pub(super) fn of_networks(&self) -> Vec<&'static str> {
        let d = Options::default();
        let given = [
            ("model-size", self.model_size.is_some()),
            ("weight-bits", self.weight_bits.is_some()),
            ("batch", self.batch != d.batch),
            ("lr", self.lr.is_some()),
            ("optimiser", self.optimiser != d.optimiser),
            ("float-share", self.float_share != d.float_share),
            ("no-rate", self.no_rate),
            ("loss", self.loss != d.loss),
            ("min-gain", self.min_gain != d.min_gain),
            ("precision", self.precision != d.precision),
            ("hnerv", self.hnerv != d.hnerv),
            ("nerv", self.nerv != d.nerv),
            ("nirvana", self.nirvana != d.nirvana),
        ];
        let given = given.into_iter().filter(|(_, given)| *given);
        given.map(|(name, _)| name).collect()
    }

    /// Refuses values out of range, and two of what one is allowed of.
    pub fn check(&self) -> Result<()> {
        match self.wanted().iter().flatten().count() {
            0 | 1 => {}
            n => {
                return Err(Error::Parameter(format!(
                    "{n} of crf, psnr, bpp, size and bitrate (allowed: one)"
                )));
            }
        }
        within("crf", self.crf, 0.0..=63.0)?;
        within("psnr", self.psnr, 10.0..=70.0)?;
        above_zero("bpp", self.bpp, 48.0)?;
        // 1.1k is no whole number in binary
        if let Some(v) = self.size
            && !((1.0..=MOST_BYTES).contains(&v) && (v - v.round()).abs() <= 1e-6)
        {
            return Err(Error::Parameter(format!(
                "--size is {v} (allowed: whole bytes, 1..={MOST_BYTES})"
            )));
        }
        within("bitrate", self.bitrate, 1.0..=1e12)?;
        within("model-size", self.model_size, 100.0..=1e9)?;
        above_zero("lr", self.lr, 1.0)?;
        within("min-gain", Some(self.min_gain), 0.0..=10.0)?;
        within("float-share", Some(self.float_share), 0.0..=1.0)?;
        let whole = |name, v: Option<usize>, range: RangeInclusive<u32>| {
            let range = f64::from(*range.start())..=f64::from(*range.end());
            within(name, v.map(|v| v as f64), range)
        };
        whole("batch", Some(self.batch), 1..=64)?;
        whole("steps", self.steps, 10..=100_000_000)?;
        whole("passes", self.passes, 1..=1_000_000)?;
        whole("group", self.group.0, 1..=65535)?;
        whole("section", self.section.0, 1..=65535)?;
        whole("weight-bits", self.weight_bits.map(usize::from), 2..=12)
    }

    /// Takes what the command line says; of size or quality, and of how long, it says all or
    /// nothing.
    #[cfg(feature = "clap")]
    pub fn update(&mut self, matches: &clap::ArgMatches) -> std::result::Result<(), clap::Error> {
        use clap::FromArgMatches;
        let any = |names: &[&str]| names.iter().any(|n| matches.contains_id(n));
        if any(&["crf", "psnr", "bpp", "size", "bitrate"]) {
            [self.crf, self.psnr, self.bpp, self.size, self.bitrate] = [None; 5];
        }
        if any(&["passes", "steps"]) {
            (self.passes, self.steps) = (None, None);
        }
        self.update_from_arg_matches(matches)
    }
}

fn rate_to_bpp(rate: f64, info: &VideoInfo) -> Result<f64> {
    if info.fps.num == 0 || info.fps.den == 0 {
        return Err(Error::Parameter(
            "--bitrate needs a frame rate; the source has none (give --fps or use --bpp)".into(),
        ));
    }
    let fps = f64::from(info.fps.num) / f64::from(info.fps.den);
    Ok(rate / fps / (info.width * info.height) as f64)
}

fn refused(name: &str, v: f64, allowed: &str) -> Error {
    Error::Parameter(format!("--{name} is {v} (allowed {allowed})"))
}

fn within(name: &str, v: Option<f64>, range: RangeInclusive<f64>) -> Result<()> {
    match v {
        Some(v) if !range.contains(&v) => {
            let allowed = format!("{}..={}", range.start(), range.end());
            Err(refused(name, v, &allowed))
        }
        _ => Ok(()),
    }
}

fn above_zero(name: &str, v: Option<f64>, most: f64) -> Result<()> {
    match v {
        Some(v) if !(v > 0.0 && v <= most) => {
            Err(refused(name, v, &format!("above 0, at most {most}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl Fn(&mut Options)) -> String {
        let mut o = Options::default();
        change(&mut o);
        let e = o.check().unwrap_err();
        assert_eq!(e.exit_code(), 2);
        e.to_string()
    }

    #[test]
    fn values_out_of_range_are_refused() {
        Options::default().check().unwrap();
        for v in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
            assert!(refusal(|o| o.bpp = Some(v)).contains("--bpp is"));
            assert!(refusal(|o| o.lr = Some(v)).contains("allowed above 0, at most 1"));
        }
        assert!(refusal(|o| o.psnr = Some(9.0)).contains("--psnr is 9 (allowed 10..=70)"));
        assert!(refusal(|o| o.crf = Some(64.0)).contains("allowed 0..=63"));
        assert!(refusal(|o| o.size = Some(1.5)).contains("whole bytes"));
        assert!(refusal(|o| o.model_size = Some(f64::NAN)).contains("--model-size"));
        assert!(refusal(|o| o.batch = 0).contains("--batch is 0 (allowed 1..=64)"));
        assert!(refusal(|o| o.steps = Some(9)).contains("--steps is 9 (allowed 10..="));
        assert!(refusal(|o| o.group = Count(Some(0))).contains("--group"));
        assert!(refusal(|o| o.float_share = f64::NAN).contains("--float-share"));
        assert!(refusal(|o| o.weight_bits = Some(1)).contains("--weight-bits"));
        let two = refusal(|o| (o.crf, o.bpp) = (Some(30.0), Some(0.1)));
        assert!(two.starts_with("2 of crf"), "{two}");
    }
}
