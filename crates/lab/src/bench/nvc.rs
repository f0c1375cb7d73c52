//! A point of nvc: `nvc encode`, `nvc decode` and `nvc info` as a user would run them, and the
//! frames scored.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::jobs::OperatingPoint;
use super::plan::CodecPlan;
use super::process::{self, Ended, Usage};
use super::row::{Bytes, Progress};
use super::stats;
use crate::anchors::FrameCallback;
use crate::files::utf8;
use crate::program::{Call, RunDir, quoted};
use ::nvc::decoder::{Options, StreamDecoder};
use ::nvc::error::{Error, Result};
use ::nvc::frame::VideoInfo;
use ::nvc::metrics::{Scorer, Scores};
use nvc_media::BoxedSource;

/// What came of an encode, beside the file.
pub struct Encoded {
    /// Wall-clock seconds of `nvc encode`.
    pub seconds: f64,
    /// What `nvc encode` took.
    pub usage: Usage,
    /// Where it was encoded.
    pub device: String,
    /// Said of the target, if it was missed.
    pub note: String,
    /// Quality while fitting.
    pub progress: Vec<Progress>,
    /// Bytes of an adaptive coder of order 0 for networks and content.
    pub order0_bytes: Option<f64>,
}

/// What a file is and decodes to.
pub struct Decoded {
    /// Bytes of the file.
    pub bytes: u64,
    /// Quality of the decoded frames.
    pub scores: Scores,
    /// Wall-clock seconds of `nvc decode`.
    pub seconds: f64,
    /// What `nvc decode` took.
    pub usage: Usage,
    /// Bytes by part.
    pub parts: Bytes,
    /// Parameters of all networks.
    pub params: u64,
    /// Multiply-accumulates a luma sample, mean over frames.
    pub macs_per_pixel: f64,
}

/// Name of the codec in the results.
pub fn codec_name(plan: &CodecPlan) -> String {
    format!("nvc-{}", plan.arch.as_deref().unwrap_or("auto"))
}

/// Name of the curve beside the codec's.
pub fn config(plan: &CodecPlan) -> String {
    if let Some(name) = &plan.name {
        return name.clone();
    }
    plan.args.iter().fold(
        plan.preset.as_deref().unwrap_or("medium").to_string(),
        |text, a| text + " " + a,
    )
}

fn arguments(plan: &CodecPlan, at: OperatingPoint, threads: usize) -> Vec<String> {
    let (target, value) = match at {
        OperatingPoint::Bpp(v) => ("--bpp", v),
        OperatingPoint::Quality(v) => ("--crf", v),
    };
    let mut args = vec![
        "--arch".to_string(),
        plan.arch.clone().unwrap_or("auto".into()),
    ];
    args.extend([
        "--preset".into(),
        plan.preset.clone().unwrap_or("medium".into()),
        target.into(),
        value.to_string(),
    ]);
    args.extend(["--threads".into(), threads.to_string()]);
    args.extend(plan.args.iter().cloned());
    args
}

/// The command line, with names of files replaced.
pub fn command(plan: &CodecPlan, at: OperatingPoint, threads: usize) -> String {
    let args: Vec<String> = arguments(plan, at, threads)
        .iter()
        .map(|a| quoted(a))
        .collect();
    format!("nvc encode IN -o OUT.nvc {}", args.join(" "))
}

/// The programs and files of one run.
pub struct Run<'a> {
    /// The `nvc` program.
    pub program: &'a Path,
    /// The sequence.
    pub input: &'a Path,
    /// Folder to write to.
    pub dir: &'a Path,
    /// Threads.
    pub threads: usize,
    /// Set to stop.
    pub stop: &'a Arc<AtomicBool>,
}

impl Run<'_> {
    /// The file that [`Run::encode`] writes.
    pub fn encoded_file(&self) -> PathBuf {
        self.dir.join("coded.nvc")
    }

    /// Runs `nvc` with these arguments, with stdout in `out` if given.
    fn nvc(&self, args: &[&str], out: Option<&Path>) -> Result<Ended> {
        let call = Call {
            program: self.program.into(),
            ..Call::new("nvc", args)
        };
        let at = RunDir {
            dir: self.dir,
            stop: Some(self.stop),
        };
        process::run(&call, out, at)
    }

    /// Encodes the sequence.
    pub fn encode(&self, plan: &CodecPlan, at: OperatingPoint) -> Result<Encoded> {
        let stats = self.dir.join("coded.ndjson");
        let coded = self.encoded_file();
        let files = ["encode", utf8(self.input)?, "-o", utf8(&coded)?];
        let more = [
            "--end-with-stdin",
            "--progress",
            "off",
            "--stats",
            utf8(&stats)?,
        ];
        let chosen = arguments(plan, at, self.threads);
        let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
        let encoded = self.nvc(&[&files, &chosen[..], &more].concat(), None)?;
        // 6: written, but the size was missed
        encoded.check("nvc encode", &[6])?;
        let note = if encoded.status.success() {
            String::new()
        } else {
            encoded.said.clone()
        };
        let stats = read(&stats)?;
        let device = match stats::device(&stats).as_str() {
            "cpu" => format!("cpu x{}", self.threads),
            other => other.into(),
        };
        let (progress, order0_bytes) = (stats::progress(&stats), stats::order0_bytes(&stats));
        Ok(Encoded {
            seconds: encoded.seconds,
            usage: encoded.usage,
            device,
            note,
            progress,
            order0_bytes,
        })
    }

    /// Decodes `file`, and scores it against `reference`, whose description is `source`: the file
    /// that codecs read may hold less of it. `callback` gets every pair of frames.
    pub fn decode(
        &self,
        file: &Path,
        source: &VideoInfo,
        mut reference: BoxedSource,
        callback: FrameCallback,
    ) -> Result<Decoded> {
        let name = utf8(file)?;
        let threads = self.threads.to_string();
        let decoded = self.nvc(
            &["decode", name, "-o", "null:", "--threads", &threads],
            None,
        )?;
        decoded.check("nvc decode", &[])?;

        let info = self.dir.join("info");
        self.nvc(&["info", name, "--json"], Some(&info))?
            .check("nvc info", &[])?;
        let json: Value = serde_json::from_str(&read(&info)?)
            .map_err(|e| Error::Parameter(format!("nvc info --json: {e}")))?;
        let (parts, params, macs_per_pixel) = layout(&json);

        let stream = std::fs::File::open(file)
            .map_err(|e| Error::io(format!("opening {}", file.display()), e))?;
        let options = Options {
            threads: self.threads,
            ..Options::default()
        };
        let mut decoder = StreamDecoder::new(std::io::BufReader::new(stream), options)?;
        let mut scorer = Scorer::new(source);
        decoder.decode(0..u64::MAX, &mut |index, frame| {
            if self.stop.load(Ordering::SeqCst) {
                return Err(Error::Interrupted);
            }
            let original = reference.read()?.ok_or_else(|| {
                Error::Mismatch(format!(
                    "the file has more frames than the source ({index})"
                ))
            })?;
            scorer.add(&original, &frame)?;
            callback(index, &original, &frame)
        })?;
        if reference.read()?.is_some() {
            return Err(Error::Mismatch(format!(
                "the file has fewer frames than the source ({})",
                decoder.frames_read()
            )));
        }
        let scores = scorer.finish()?;
        Ok(Decoded {
            bytes: decoder.bytes_read(),
            scores,
            seconds: decoded.seconds,
            usage: decoded.usage,
            parts,
            params,
            macs_per_pixel,
        })
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::io(format!("reading {}", path.display()), e))
}

/// Bytes by part, parameters and multiply-accumulates from `nvc info --json`.
fn layout(info: &Value) -> (Bytes, u64, f64) {
    let (mut bytes, mut params, mut macs, mut frames) = (Bytes::default(), 0, 0.0, 0.0);
    let groups = info["sections"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| s["groups"].as_array())
        .flatten();
    for g in groups {
        bytes.weights += g["bytes"]["weights"].as_u64().unwrap_or(0);
        bytes.latents += g["bytes"]["latents"].as_u64().unwrap_or(0);
        params += g["params"].as_u64().unwrap_or(0);
        let n = g["frames"].as_f64().unwrap_or(0.0);
        macs += n * g["macs_per_pixel"].as_f64().unwrap_or(0.0);
        frames += n;
    }
    bytes.header = info["bytes"]
        .as_u64()
        .unwrap_or(0)
        .saturating_sub(bytes.weights + bytes.latents);
    (
        bytes,
        params,
        if frames > 0.0 { macs / frames } else { 0.0 },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_adds_groups_up() {
        let g = |n: u64, m: f64| serde_json::json!({"frames": n, "params": 7, "macs_per_pixel": m, "bytes": {"header": 3, "weights": 40, "latents": 5}});
        let info = serde_json::json!({"bytes": 120, "sections": [{"groups": [g(1, 10.0)]}, {"groups": [g(3, 30.0)]}]});
        assert_eq!(
            layout(&info),
            (
                Bytes {
                    header: 30,
                    weights: 80,
                    latents: 10
                },
                14,
                25.0
            )
        );
    }
}
