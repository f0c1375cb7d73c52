//! `--config`: options of fitting and choices for the networks, from a TOML file or a published
//! configuration.

use serde::Deserialize;
use serde::de::Error as _;

use super::args::{ArchArg, EncodeArgs, LossArg, OptimiserArg, PrecisionArg, PresetArg};
use super::parse_scaled;
use nvc::error::{Error, Result};
use nvc_encoder::encoder::ArchConfig;
use nvc_encoder::size::hnerv::HnervConfig;
use nvc_encoder::size::nerv::NervConfig;
use nvc_encoder::size::nirvana::NirvanaConfig;

/// The published configurations, by name.
const PUBLISHED: &[(&str, &str)] = &[
    ("hnerv-0.35m", include_str!("configs/hnerv-0.35m.toml")),
    ("hnerv-0.75m", include_str!("configs/hnerv-0.75m.toml")),
    ("hnerv-1.5m", include_str!("configs/hnerv-1.5m.toml")),
    ("hnerv-3m", include_str!("configs/hnerv-3m.toml")),
    ("nerv-s", include_str!("configs/nerv-s.toml")),
    ("nervpp-xs", include_str!("configs/nervpp-xs.toml")),
    ("nervpp-s", include_str!("configs/nervpp-s.toml")),
    ("nervpp-m", include_str!("configs/nervpp-m.toml")),
    ("nervpp-l", include_str!("configs/nervpp-l.toml")),
    ("nirvana-g3", include_str!("configs/nirvana-g3.toml")),
];

fn names() -> String {
    PUBLISHED
        .iter()
        .map(|(n, _)| *n)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What the option does, for `--help`.
pub fn help() -> String {
    format!(
        "Choices for all options of fitting and for the networks: a TOML file (docs/config.md), or one of the published configurations: {}. \
         Options of the command line come before it",
        names()
    )
}

/// A configuration; keys are the names of the command line's options.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    arch: Option<ArchArg>,
    bpp: Option<f64>,
    size: Option<Scaled>,
    bitrate: Option<Scaled>,
    psnr: Option<f64>,
    crf: Option<f64>,
    model_size: Option<Scaled>,
    preset: Option<PresetArg>,
    passes: Option<usize>,
    steps: Option<usize>,
    batch: Option<usize>,
    lr: Option<f64>,
    loss: Option<LossArg>,
    optimiser: Option<OptimiserArg>,
    float_share: Option<f64>,
    group: Option<Count>,
    section: Option<Count>,
    min_gain: Option<f64>,
    seed: Option<u64>,
    precision: Option<PrecisionArg>,
    hnerv: HnervConfig,
    nerv: NervConfig,
    nirvana: NirvanaConfig,
}

/// 1500000 or "1.5M".
#[derive(Clone, Copy, Debug)]
struct Scaled(f64);

impl<'de> Deserialize<'de> for Scaled {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Text(String),
        }
        match Either::deserialize(d)? {
            Either::Number(v) => Ok(Scaled(v)),
            Either::Text(t) => parse_scaled(&t).map(Scaled).map_err(D::Error::custom),
        }
    }
}

/// 3 or "auto".
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u32),
    Text(String),
}

impl From<Count> for String {
    fn from(c: Count) -> String {
        match c {
            Count::Number(n) => n.to_string(),
            Count::Text(t) => t,
        }
    }
}

/// The arguments with what the configuration says where they are silent, and its choices for the
/// networks.
pub fn merge_config(a: &EncodeArgs) -> Result<(EncodeArgs, ArchConfig)> {
    let Some(name) = &a.config else {
        return Ok((a.clone(), ArchConfig::default()));
    };
    let c = read(name)?;
    let mut a = a.clone();
    let size = |v: Option<Scaled>| v.map(|v| v.0);
    if [a.bpp, a.size, a.bitrate, a.psnr, a.crf]
        .iter()
        .all(Option::is_none)
    {
        let all = [c.bpp, size(c.size), size(c.bitrate), c.psnr, c.crf];
        let given = all.iter().flatten().count();
        if given > 1 {
            return Err(Error::Parameter(format!(
                "configuration {name}: {given} of bpp, size, bitrate, psnr and crf (allowed: one)"
            )));
        }
        [a.bpp, a.size, a.bitrate, a.psnr, a.crf] = all;
    }
    a.model_size = a.model_size.or(c.model_size.map(|v| v.0));
    a.arch = a.arch.or(c.arch);
    a.preset = a.preset.or(c.preset);
    // either says how long
    if a.passes.is_none() && a.steps.is_none() {
        (a.passes, a.steps) = (c.passes, c.steps);
    }
    a.batch = a.batch.or(c.batch);
    a.lr = a.lr.or(c.lr);
    a.loss = a.loss.or(c.loss);
    a.optimiser = a.optimiser.or(c.optimiser);
    a.float_share = a.float_share.or(c.float_share);
    a.group = a.group.or(c.group.map(String::from));
    a.section = a.section.or(c.section.map(String::from));
    a.min_gain = a.min_gain.or(c.min_gain);
    a.seed = a.seed.or(c.seed);
    a.precision = a.precision.or(c.precision);
    Ok((
        a,
        ArchConfig {
            hnerv: c.hnerv,
            nerv: c.nerv,
            nirvana: c.nirvana,
        },
    ))
}

fn read(name: &str) -> Result<Config> {
    let published = PUBLISHED
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, text)| (*text).to_string());
    let text = match published {
        Some(t) => t,
        None => std::fs::read_to_string(name).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::Parameter(format!(
                "--config '{name}' is neither a file nor a published configuration ({})",
                names()
            )),
            std::io::ErrorKind::InvalidData => Error::Parameter(format!(
                "configuration {name}: not TOML: it is no text in UTF-8"
            )),
            _ => Error::io(format!("reading {name}"), e),
        })?,
    };
    toml::from_str(&text).map_err(|e| {
        Error::Parameter(format!(
            "configuration {name}: {}",
            e.to_string().trim_end()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nvc::frame::{Chroma, ColorInfo, PixelFormat, Ratio, VideoInfo};
    use nvc::network::Representation;
    use nvc_encoder::size;

    fn rgb(width: usize, height: usize) -> VideoInfo {
        let ratio = Ratio { num: 0, den: 0 };
        VideoInfo {
            width,
            height,
            format: PixelFormat::new8(Chroma::Rgb),
            fps: ratio,
            sar: ratio,
            color: ColorInfo::UNSPECIFIED,
        }
    }

    #[test]
    fn every_published_configuration_gives_its_size() {
        for (name, params) in [
            ("hnerv-0.35m", 312_830),
            ("hnerv-0.75m", 719_256),
            ("hnerv-1.5m", 1_488_276),
            ("hnerv-3m", 3_012_686),
        ] {
            let c = read(name).unwrap();
            let net =
                size::hnerv::for_params(&rgb(1280, 640), 132, c.model_size.unwrap().0, &c.hnerv)
                    .unwrap();
            assert_eq!(
                net.lower(&rgb(1280, 640), 1).unwrap().params(),
                params,
                "{name}"
            );
        }
        let c = read("nirvana-g3").unwrap();
        let net = size::nirvana::for_params(&rgb(1920, 1080), 3, 1.0, &c.nirvana).unwrap();
        assert_eq!(net.lower(&rgb(1920, 1080), 3).unwrap().params(), 2_380_017);
        for (name, first) in [
            ("nervpp-xs", 8),
            ("nervpp-s", 26),
            ("nervpp-m", 58),
            ("nervpp-l", 112),
            ("nerv-s", 26),
        ] {
            let c = read(name).unwrap();
            let plus = name != "nerv-s";
            let net = size::nerv::for_params(&rgb(1280, 720), 1.0, plus, &c.nerv).unwrap();
            assert_eq!(
                (net.header.rows, net.header.columns, net.header.channels),
                (9, 16, first),
                "{name}"
            );
            assert!(net.lower(&rgb(1280, 720), 132).is_ok());
        }
        for (name, _) in PUBLISHED {
            assert!(
                read(name).unwrap().arch.is_some(),
                "{name} names no architecture"
            );
        }
    }

    #[test]
    fn faults_say_where_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        for (text, part) in [
            ("arch = \"hnerv\"\nspeed = 3\n", "speed"),
            ("[nerv]\nlevls = 3\n", "levls"),
            ("model-size = \"much\"\n", "much"),
            ("arch = \"vgg\"\n", "vgg"),
            ("arch = \n", "line 1"),
        ] {
            std::fs::write(&path, text).unwrap();
            let e = read(path.to_str().unwrap()).unwrap_err();
            assert!(
                e.exit_code() == 2 && e.to_string().contains(part),
                "{text}: {e}"
            );
        }
        assert!(
            read("nosuch")
                .unwrap_err()
                .to_string()
                .contains("nirvana-g3")
        );
    }
}
