//! A point of nvc: `nvc encode`, `nvc decode` and `nvc info` as a user would run them, and the
//! frames scored.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::anchor::Seen;
use super::jobs::At;
use super::plan::CodecPlan;
use super::process::{self, Usage};
use super::row::{Bytes, Progress};
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

fn arguments(plan: &CodecPlan, at: At, threads: usize) -> Vec<String> {
    let (target, value) = match at {
        At::Bpp(v) => ("--bpp", v),
        At::Quality(v) => ("--crf", v),
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
pub fn command(plan: &CodecPlan, at: At, threads: usize) -> String {
    let quoted = |a: &String| {
        if a.contains(|c: char| c.is_whitespace() || c == '\'') {
            format!("'{}'", a.replace('\'', "'\\''"))
        } else {
            a.clone()
        }
    };
    let args: Vec<String> = arguments(plan, at, threads).iter().map(quoted).collect();
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
    pub stop: &'a AtomicBool,
}

impl Run<'_> {
    /// The file that [`Run::encode`] writes.
    pub fn encoded_file(&self) -> PathBuf {
        self.dir.join("coded.nvc")
    }

    fn nvc(&self, subcommand: &str) -> Command {
        let mut command = Command::new(self.program);
        command.arg(subcommand);
        command
    }

    /// Encodes the sequence.
    pub fn encode(&self, plan: &CodecPlan, at: At) -> Result<Encoded> {
        let stats = self.dir.join("coded.ndjson");
        let mut command = self.nvc("encode");
        command
            .arg(self.input)
            .arg("-o")
            .arg(self.encoded_file())
            .args(arguments(plan, at, self.threads));
        command
            .args(["--end-with-stdin", "--progress", "off", "--stats"])
            .arg(&stats);
        let encoded = process::run(&mut command, None, &self.dir.join("log"), self.stop)?;
        // 6: written, but the size was missed
        encoded.check("nvc encode", &[6])?;
        let note = if encoded.status.success() {
            String::new()
        } else {
            encoded.said.clone()
        };
        let stats = read(&stats)?;
        let device = match device(&stats).as_str() {
            "cpu" => format!("cpu x{}", self.threads),
            other => other.into(),
        };
        let (progress, order0_bytes) = (progress(&stats), order0_bytes(&stats));
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
    /// that codecs read may hold less of it. `seen` gets every pair of frames.
    pub fn decode(
        &self,
        file: &Path,
        source: &VideoInfo,
        mut reference: BoxedSource,
        seen: Seen,
    ) -> Result<Decoded> {
        let log = self.dir.join("log");
        let mut command = self.nvc("decode");
        command
            .arg(file)
            .args(["-o", "null:", "--threads", &self.threads.to_string()]);
        let decoded = process::run(&mut command, None, &log, self.stop)?;
        decoded.check("nvc decode", &[])?;

        let info = self.dir.join("info");
        process::run(
            self.nvc("info").arg(file).arg("--json"),
            Some(&info),
            &log,
            self.stop,
        )?
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
            seen(index, &original, &frame)
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

/// The device that the statistics name.
fn device(stats: &str) -> String {
    let start = stats
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok())
        .find(|v| v["type"] == "start");
    start
        .and_then(|v| v["device"].as_str().map(str::to_string))
        .unwrap_or("cpu".into())
}

/// Bytes of an adaptive coder of order 0, of all groups.
fn order0_bytes(stats: &str) -> Option<f64> {
    let lines = stats
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok());
    lines
        .filter(|v| v["type"] == "group")
        .map(|v| v["order0_bytes"]["adaptive"].as_f64())
        .sum()
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

/// Points on the curve of quality over time of a whole file.
const PROGRESS_POINTS: usize = 40;

/// Quality over time from the lines of `--stats`: had all groups been stopped after the same share
/// of their steps, the time that all would have taken and the mean quality over their frames.
fn progress(stats: &str) -> Vec<Progress> {
    // of each group: share of steps, seconds, PSNR
    let mut groups: Vec<(f64, Vec<[f64; 3]>)> = Vec::new();
    let mut frames = Vec::new();
    for v in stats
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok())
    {
        let number = |key: &str| v[key].as_f64();
        let group = v["group"].as_u64().unwrap_or(0) as usize;
        match v["type"].as_str() {
            Some("progress") => {
                let (Some(step), Some(steps), Some(seconds), Some(psnr)) = (
                    number("step"),
                    number("steps"),
                    number("seconds"),
                    number("psnr"),
                ) else {
                    continue;
                };
                if groups.len() == group {
                    groups.push((0.0, Vec::new()));
                }
                if let Some((_, curve)) = groups.get_mut(group) {
                    curve.push([step / steps.max(1.0), seconds, psnr]);
                }
            }
            Some("group") => frames.push(number("frames").unwrap_or(0.0)),
            _ => {}
        }
    }
    if groups.is_empty() || groups.len() != frames.len() {
        return Vec::new();
    }
    groups.iter_mut().zip(&frames).for_each(|(g, n)| g.0 = *n);
    let total: f64 = frames.iter().sum();
    let first = groups
        .iter()
        .filter_map(|(_, c)| c.first())
        .map(|p| p[0])
        .fold(0.0, f64::max);
    let count = groups
        .iter()
        .map(|(_, c)| c.len())
        .max()
        .unwrap_or(0)
        .min(PROGRESS_POINTS);
    (0..count)
        .map(|i| {
            if count < 2 {
                1.0
            } else {
                first + (1.0 - first) * i as f64 / (count - 1) as f64
            }
        })
        .map(|share| {
            let all = groups
                .iter()
                .map(|(n, curve)| (n, interpolate(curve, share)));
            let (seconds, psnr) =
                all.fold((0.0, 0.0), |(s, p), (n, at)| (s + at[0], p + n * at[1]));
            Progress {
                seconds,
                psnr: psnr / total.max(1.0),
            }
        })
        .collect()
}

/// Seconds and PSNR at a share of the steps; `curve` is not empty.
fn interpolate(curve: &[[f64; 3]], share: f64) -> [f64; 2] {
    let after = curve
        .iter()
        .position(|p| p[0] >= share)
        .unwrap_or(curve.len() - 1);
    let (a, b) = (curve[after.saturating_sub(1)], curve[after]);
    let t = if b[0] > a[0] {
        ((share - a[0]) / (b[0] - a[0])).clamp(0.0, 1.0)
    } else {
        1.0
    };
    [a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_of_groups_is_joined_by_share() {
        let line = |g: u64, step: u64, seconds: f64, psnr: f64| {
            format!(
                r#"{{"type":"progress","group":{g},"step":{step},"steps":10,"seconds":{seconds},"psnr":{psnr}}}"#
            )
        };
        let group = |g: u64, n: u64| format!(r#"{{"type":"group","group":{g},"frames":{n}}}"#);
        let text = [
            r#"{"type":"start"}"#.into(),
            line(0, 5, 2.0, 20.0),
            line(0, 10, 4.0, 30.0),
            group(0, 30),
            line(1, 5, 1.0, 24.0),
            line(1, 10, 2.0, 34.0),
            group(1, 10),
        ];
        let p = progress(&text.join("\n"));
        assert_eq!(
            p,
            [
                Progress {
                    seconds: 3.0,
                    psnr: 21.0
                },
                Progress {
                    seconds: 6.0,
                    psnr: 31.0
                }
            ]
        );
        assert!(progress("").is_empty() && progress(&line(0, 5, 1.0, 2.0)).is_empty());
        // one short group gives its end only
        assert_eq!(
            progress(&[line(0, 10, 4.0, 30.0), group(0, 3)].join("\n")),
            [Progress {
                seconds: 4.0,
                psnr: 30.0
            }]
        );
    }

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
