//! Rate-distortion points from the literature, each with where it was taken from. They were not
//! measured here.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::metric::Metric;

/// What is known of one data set from the literature.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Version of this form.
    pub schema: u32,
    /// Name of the data set.
    pub dataset: String,
    /// Luma samples a row, and rows, of its sequences.
    pub size: (usize, usize),
    /// Its sequences, and the pictures each has.
    pub frames: BTreeMap<String, u64>,
    /// Column of the quality: [`Metric::key`].
    pub metric: String,
    /// How the quality is defined and averaged.
    pub definition: String,
    /// Tables that the points were taken from.
    pub sources: BTreeMap<String, Source>,
    /// The points.
    pub curves: Vec<Published>,
}

/// A public table of points.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What it is called.
    pub title: String,
    /// Where it is.
    pub url: String,
    /// Under which terms its figures are quoted.
    pub licence: String,
    /// How its points were measured, and what is doubtful in them.
    pub note: String,
}

/// One curve from the literature.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The codec and its configuration.
    pub name: String,
    /// A sequence of the data set, or the average over them, [`AVERAGE`](super::AVERAGE).
    pub sequence: String,
    /// Key in [`Dataset::sources`].
    pub source: String,
    /// Luma samples a row, and rows, of the pictures that were coded, all of each sequence; `None`
    /// where the table does not tell which pictures these are.
    pub size: Option<(usize, usize)>,
    /// Address of the codec's paper or standard.
    pub reference: String,
    /// Whether the setting is one that its own authors would not use to compress well.
    pub weak: bool,
    /// What must be known of these points.
    pub note: String,
    /// Bits a pixel, rising.
    pub bpp: Vec<f64>,
    /// PSNR in dB at each rate.
    pub psnr: Vec<f64>,
}

impl Published {
    /// Whether it is of the same pictures as a sequence of which all pictures were coded at a size.
    pub fn is_of(&self, width: usize, height: usize) -> bool {
        self.size == Some((width, height))
    }

    /// Size of its pictures, as told to readers.
    pub fn size_text(&self) -> String {
        self.size
            .map_or("unknown crop".into(), |(w, h)| format!("{w}x{h}"))
    }
}

/// The points on the seven sequences of UVG, most of them of the whole 1920x1080 picture.
pub fn uvg() -> &'static Dataset {
    static UVG: OnceLock<Dataset> = OnceLock::new();
    UVG.get_or_init(|| {
        serde_json::from_str(include_str!("../../../../benches/rd/published/uvg.json"))
            .expect("embedded file, read by a test")
    })
}

impl Dataset {
    /// The metric of the points.
    pub fn metric(&self) -> Option<Metric> {
        Metric::from_key(&self.metric).ok()
    }

    /// The data set's own name of a sequence that may be written as its files are
    /// (`Beauty_1920x1080_120fps_420_8bit_YUV`) or with the data set before it (`uvg/beauty`).
    pub fn sequence(&self, name: &str) -> Option<&str> {
        let plain: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase();
        let plain = plain
            .strip_prefix(&self.dataset.to_lowercase())
            .unwrap_or(&plain)
            .replace("readysetgo", "readysteadygo");
        let names = |own: &&String| {
            plain
                .strip_prefix(&own.to_lowercase())
                .is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
        };
        self.frames.keys().find(names).map(String::as_str)
    }

    /// Whether these are the data set's sequences, all and no others, so that averages over them
    /// can be compared.
    pub fn is_whole(&self, sequences: &[String]) -> bool {
        let mut own: Vec<&str> = sequences.iter().filter_map(|s| self.sequence(s)).collect();
        own.sort_unstable();
        own.dedup();
        own.len() == sequences.len() && own.len() == self.frames.len()
    }

    /// The curves of one sequence, by its own name, or of their average.
    pub fn on(&self, sequence: &str) -> impl Iterator<Item = &Published> {
        self.curves.iter().filter(move |c| c.sequence == sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::AVERAGE;

    #[test]
    fn the_embedded_points_are_sound() {
        let d = uvg();
        assert_eq!(
            (d.schema, d.metric(), d.frames.len()),
            (1, Some(Metric::PsnrRgb), 7)
        );
        for c in &d.curves {
            let rising = |v: &[f64]| v.windows(2).all(|w| w[0] < w[1]);
            assert!(
                c.bpp.len() == c.psnr.len()
                    && c.bpp.len() >= 2
                    && rising(&c.bpp)
                    && rising(&c.psnr),
                "{c:?}"
            );
            assert!(
                c.bpp[0] > 0.0 && c.psnr[0] > 20.0 && *c.psnr.last().unwrap() < 60.0,
                "{c:?}"
            );
            assert!(
                d.sources.contains_key(&c.source)
                    && (c.sequence == AVERAGE || d.frames.contains_key(&c.sequence)),
                "{c:?}"
            );
            assert!(c.reference.starts_with("https://"), "{c:?}");
            // the name must not read as one of whole pictures
            assert_eq!(
                c.size != Some(d.size),
                c.name.contains(&c.size_text()),
                "{c:?}"
            );
            assert_eq!(
                d.on(&c.sequence).filter(|o| o.name == c.name).count(),
                1,
                "{c:?}"
            );
        }
        for name in [
            "HNeRV",
            "HiNeRV",
            "C3 (adaptive)",
            "HM 18.0 random access",
            "VTM 17.0 random access",
            "NeRV",
            "FFNeRV",
        ] {
            assert!(d.on(AVERAGE).any(|c| c.name == name), "{name}");
        }
        for sequence in d.frames.keys().map(String::as_str).chain([AVERAGE]) {
            assert!(
                d.on(sequence).filter(|c| c.is_of(1920, 1080)).count() >= 5,
                "{sequence}"
            );
            let cropped: Vec<_> = d
                .on(sequence)
                .filter(|c| c.is_of(1920, 960))
                .map(|c| c.name.as_str())
                .collect();
            assert_eq!(cropped, ["HNeRV (authors, 1920x960)"], "{sequence}");
        }
        assert!(
            d.sources
                .values()
                .all(|s| s.url.starts_with("https://") && !s.licence.is_empty())
        );
        // every average is that of the sequences, where one table has both
        let mean = |name: &str| {
            d.curves
                .iter()
                .filter(|c| c.name == name && c.sequence != AVERAGE)
                .map(|c| c.psnr[0])
                .sum::<f64>()
                / 7.0
        };
        let average = |name: &str| d.on(AVERAGE).find(|c| c.name == name).unwrap().psnr[0];
        for name in [
            "C3 (adaptive)",
            "VTM 17.0 random access",
            "HiNeRV",
            "HNeRV (authors, 1920x960)",
        ] {
            assert!(
                (mean(name) - average(name)).abs() < 0.001,
                "{name}: {} against {}",
                mean(name),
                average(name)
            );
        }
    }

    #[test]
    fn sequences_are_known_by_their_usual_names() {
        let d = uvg();
        for (name, want) in [
            ("Beauty", Some("Beauty")),
            ("uvg/beauty", Some("Beauty")),
            ("UVG-ReadySetGo", Some("ReadySteadyGo")),
            (
                "ReadySteadyGo_1920x1080_120fps_420_8bit_YUV",
                Some("ReadySteadyGo"),
            ),
            ("shake_n_dry", Some("ShakeNDry")),
            ("beautyful", None),
            ("bunny", None),
            ("", None),
        ] {
            assert_eq!(d.sequence(name), want, "{name}");
        }
        let names: Vec<String> = d.frames.keys().map(|n| format!("uvg_{n}")).collect();
        assert!(d.is_whole(&names) && !d.is_whole(&names[1..]));
        let mut other = names.clone();
        other.push("bunny".into());
        assert!(!d.is_whole(&other) && !d.is_whole(&[&names[1..], &names[1..2]].concat()));
    }
}
