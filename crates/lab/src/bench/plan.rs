//! What to run: the TOML file of `nvc bench`, its schema and its checks. docs/bench.md describes it
//! for its writers.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::metric::Metric;
use ::nvc::error::{Error, Result};
use ::nvc::metrics::bd_rate::Method;
use nvc_media::{MAX_SIDE, parse_range, parse_size};

/// A plan: every codec at every of its points on every sequence.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Heading of the report.
    pub title: String,
    /// What the reader should know of the choice of clips and settings; shown in the report.
    #[serde(default)]
    pub description: String,
    /// Curve (`Row::curve`) that BD-rate is taken against.
    #[serde(default = "default_anchor")]
    pub anchor: String,
    /// Metrics of the BD-rate tables and plots; `vmaf` and `xpsnr` are measured only if named here.
    #[serde(default = "default_metrics")]
    pub metrics: Vec<String>,
    /// How BD-rates interpolate: `pchip`, `akima` or `cubic`.
    #[serde(default = "default_method")]
    pub method: String,
    /// Points that run at once, each a process of its own. None: processors / `threads`.
    pub jobs: Option<usize>,
    /// Threads of each encoder and decoder; 0 = one a processor.
    #[serde(default = "one")]
    pub threads: usize,
    /// Frame shown in the report; the middle one if not given.
    pub picture: Option<u64>,
    /// What is coded.
    pub sequence: Vec<SequencePlan>,
    /// What codes it.
    pub codec: Vec<CodecPlan>,
}

/// A sequence, or all of a data set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequencePlan {
    /// Name in the results; from the source if not given.
    pub name: Option<String>,
    /// `dataset:SET/NAME`, `dataset:SET`, or a file; relative to the plan's folder.
    pub source: String,
    /// Half-open range `A..B` of frames.
    pub frames: Option<String>,
    /// Centre crop `WxH`, before scaling.
    pub crop: Option<String>,
    /// Size `WxH` to scale to (Lanczos 3, each plane by itself).
    pub scale: Option<String>,
    /// Size of a raw source whose name does not say it.
    pub size_in: Option<String>,
    /// Format of a raw source.
    pub pix_fmt: Option<String>,
    /// Frame rate of a raw source.
    pub fps: Option<String>,
}

/// A codec with its points.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodecPlan {
    /// `nvc`, `external`, or an anchor such as `x265:veryslow:psnr`.
    #[serde(rename = "use")]
    pub codec: String,
    /// Representation (nvc).
    pub arch: Option<String>,
    /// Effort (nvc).
    pub preset: Option<String>,
    /// Also a curve of what an ideal coder of order 0 would take for the same integers (nvc).
    #[serde(default)]
    pub order0: bool,
    /// Further arguments of `nvc encode`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Points by size: bits a pixel.
    #[serde(default)]
    pub bpp: Vec<f64>,
    /// Points by the codec's own quality scale: crf, q, cq, distance.
    #[serde(default)]
    pub quality: Vec<f64>,
    /// Names of the sequences to run on; all if empty.
    #[serde(default)]
    pub sequences: Vec<String>,
    /// Name of the codec (external), or of the curve (nvc) in place of what follows from preset and
    /// args.
    pub name: Option<String>,
    /// Command that makes `{output}` from `{input}` at `{quality}` (external).
    pub encode: Option<String>,
    /// Command that makes the y4m `{output}` from `{input}` (external).
    pub decode: Option<String>,
    /// Version for the results (external); changing it makes old results stale.
    pub version: Option<String>,
    /// Extension of its files (external).
    pub extension: Option<String>,
}

fn default_anchor() -> String {
    "x265 medium".into()
}

fn default_method() -> String {
    "pchip".into()
}

fn default_metrics() -> Vec<String> {
    vec!["psnr_611".into(), "psnr_rgb".into()]
}

fn one() -> usize {
    1
}

impl Plan {
    /// Reads and checks a plan. Every fault is an [`Error::Parameter`] that names the file and the
    /// key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::io(format!("reading {}", path.display()), e))?;
        Self::parse(&text).map_err(|e| match e {
            Error::Parameter(m) => Error::Parameter(format!("{}: {m}", path.display())),
            e => e,
        })
    }

    /// Parses and checks the text of a plan.
    pub fn parse(text: &str) -> Result<Self> {
        let plan: Plan = toml::from_str(text)
            .map_err(|e| Error::Parameter(e.to_string().trim_end().to_string()))?;
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        let fail = |m: String| Err(Error::Parameter(m));
        if self.sequence.is_empty() || self.codec.is_empty() {
            return fail("a plan needs at least one [[sequence]] and one [[codec]]".into());
        }
        if self.threads > 1024 || self.jobs.is_some_and(|j| !(1..=1024).contains(&j)) {
            return fail(format!(
                "threads is {}, jobs is {:?} (allowed 0..=1024 and 1..=1024)",
                self.threads, self.jobs
            ));
        }
        self.metrics()?;
        self.method()?;
        for s in &self.sequence {
            s.frames()?;
            s.crop()?;
            s.scale()?;
        }
        self.codec.iter().try_for_each(CodecPlan::check)
    }

    /// The metrics of tables and plots.
    pub fn metrics(&self) -> Result<Vec<Metric>> {
        self.metrics.iter().map(|m| Metric::from_key(m)).collect()
    }

    /// How BD-rates interpolate.
    pub fn method(&self) -> Result<Method> {
        let known = || Method::ALL.map(Method::name).join(", ");
        let found = Method::ALL.into_iter().find(|m| m.name() == self.method);
        found.ok_or_else(|| {
            Error::Parameter(format!("method: '{}' (known: {})", self.method, known()))
        })
    }

    /// Whether a metric is asked for.
    pub fn wants(&self, metric: &str) -> bool {
        self.metrics.iter().any(|m| m == metric)
    }
}

impl SequencePlan {
    /// A whole source as it is.
    pub fn of(source: &str) -> Self {
        SequencePlan {
            source: source.into(),
            ..Default::default()
        }
    }

    /// Range of frames.
    pub fn frames(&self) -> Result<Option<Range<u64>>> {
        let Some(text) = &self.frames else {
            return Ok(None);
        };
        let bad = || {
            Error::Parameter(format!(
                "frames of {}: '{text}' is not a half-open range A..B with A below B",
                self.source
            ))
        };
        let range = parse_range(text).ok_or_else(bad)?;
        if range.is_empty() {
            Err(bad())
        } else {
            Ok(Some(range))
        }
    }

    /// Centre crop.
    pub fn crop(&self) -> Result<Option<(usize, usize)>> {
        self.crop
            .as_deref()
            .map(|t| size(t, "crop", &self.source))
            .transpose()
    }

    /// Size to scale to.
    pub fn scale(&self) -> Result<Option<(usize, usize)>> {
        self.scale
            .as_deref()
            .map(|t| size(t, "scale", &self.source))
            .transpose()
    }

    /// Size of a raw source.
    pub fn size_in(&self) -> Result<Option<(usize, usize)>> {
        self.size_in
            .as_deref()
            .map(|t| size(t, "size_in", &self.source))
            .transpose()
    }

    /// The file, if the source is one; relative names are below `base`.
    pub fn file(&self, base: &Path) -> Option<PathBuf> {
        (!self.source.starts_with("dataset:")).then(|| base.join(&self.source))
    }
}

fn size(text: &str, key: &str, source: &str) -> Result<(usize, usize)> {
    let allowed = 1..=MAX_SIDE;
    parse_size(text)
        .filter(|(w, h)| allowed.contains(w) && allowed.contains(h))
        .ok_or_else(|| {
            Error::Parameter(format!(
                "{key} of {source}: '{text}' is not WIDTHxHEIGHT (both 1..={MAX_SIDE})"
            ))
        })
}

impl CodecPlan {
    fn check(&self) -> Result<()> {
        let fail = |m: &str| Err(Error::Parameter(format!("codec '{}': {m}", self.codec)));
        if self.bpp.is_empty() && self.quality.is_empty() {
            return fail("no points; give bpp = [...] or quality = [...]");
        }
        if let Some(b) = self.bpp.iter().find(|b| !(**b > 0.0 && **b <= 48.0)) {
            return fail(&format!("bpp is {b} (allowed above 0, at most 48)"));
        }
        if let Some(q) = self.quality.iter().find(|q| !q.is_finite()) {
            return fail(&format!("quality is {q}"));
        }
        let nvc = self.codec == "nvc";
        let external = self.codec == "external";
        if !nvc
            && (self.arch.is_some()
                || self.preset.is_some()
                || !self.args.is_empty()
                || self.order0)
        {
            return fail(
                "arch, preset, order0 and args belong to 'nvc'; an anchor's preset stands in its name, as in x265:slow",
            );
        }
        let keys = [&self.encode, &self.decode, &self.version, &self.extension];
        if external && (self.name.is_none() || keys.iter().any(|k| k.is_none())) {
            return fail("needs name, version, extension, encode and decode");
        }
        if external && !self.bpp.is_empty() {
            return fail("its points are values of {quality}: quality = [...]");
        }
        if !external && keys.iter().any(|k| k.is_some()) {
            return fail("encode, decode, version and extension belong to 'external'");
        }
        Ok(())
    }

    /// Whether it runs on a sequence.
    pub fn runs_on(&self, sequence: &str) -> bool {
        self.sequences.is_empty() || self.sequences.iter().any(|s| s == sequence)
    }
}

#[cfg(test)]
mod tests;
