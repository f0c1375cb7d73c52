//! `--config`: options of fitting and choices for the networks, from a TOML file or a published
//! configuration.

use clap::ArgMatches;

use nvc::error::{Error, Result};
use nvc_encoder::Options;

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

/// The options of a configuration, or the defaults, with what the command line says.
pub fn options(name: Option<&str>, said: &ArgMatches) -> Result<Options> {
    let mut options = name.map_or(Ok(Options::default()), read)?;
    options
        .update(said)
        .map_err(|e| Error::Parameter(e.to_string()))?;
    options.check()?;
    Ok(options)
}

fn read(name: &str) -> Result<Options> {
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
    let named = |e: String| Error::Parameter(format!("configuration {name}: {e}"));
    let options: Options =
        toml::from_str(&text).map_err(|e| named(e.to_string().trim_end().into()))?;
    options.check().map_err(|e| named(e.to_string()))?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::info;
    use nvc::frame::{Chroma, VideoInfo};
    use nvc::network::Representation;
    use nvc_encoder::Family;
    use nvc_encoder::size;

    fn rgb(width: usize, height: usize) -> VideoInfo {
        info(Chroma::Rgb, 8, width, height)
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
                size::hnerv::for_params(&rgb(1280, 640), 132, c.model_size.unwrap(), &c.hnerv)
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
                read(name).unwrap().arch != Family::Auto,
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
