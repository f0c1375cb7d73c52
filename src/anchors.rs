//! Classical codecs at the same size, scored by the same code: what a user would get from x264 or x265.
//!
//! The `ffmpeg` program encodes raw frames from its stdin; constant quality (crf) is searched until the elementary
//! stream has the wanted size. The encoder's identification message is not counted: it is up to 2.5 kB of text.

mod table;

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::frame::{Chroma, VideoInfo};
use crate::io::{BoxedSource, FrameSource, RawSource};
use crate::metrics::{Scorer, Scores};

pub use table::{TableRow, score_table};

const CRF_MAX: f64 = 51.0;

/// An encoder that ffmpeg drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264 by libx264.
    X264,
    /// HEVC by libx265.
    X265,
}

impl Codec {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Codec::X264 => "x264",
            Codec::X265 => "x265",
        }
    }

    /// ffmpeg's encoder, its name of the elementary stream, and that stream's extension.
    fn ffmpeg_names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Codec::X264 => ("libx264", "h264", "264"),
            Codec::X265 => ("libx265", "hevc", "265"),
        }
    }
}

/// What to compare with: `codec[:preset[:tune]]`, as in `x265` or `x264:veryslow:psnr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorSpec {
    /// The encoder.
    pub codec: Codec,
    /// Its preset, `medium` if not given.
    pub preset: String,
    /// Its tuning, none if not given.
    pub tune: Option<String>,
}

impl FromStr for AnchorSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(':');
        let codec = match parts.next() {
            Some("x264") => Codec::X264,
            Some("x265") => Codec::X265,
            _ => {
                return Err(Error::Parameter(format!(
                    "anchor '{text}' (known: x264, x265, each with :preset[:tune], as in x265:veryslow:psnr)"
                )));
            }
        };
        let preset = parts.next().unwrap_or("medium").to_string();
        let tune = parts.next().map(str::to_string);
        let word = |w: &String| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric());
        if parts.next().is_some() || !word(&preset) || !tune.as_ref().is_none_or(word) {
            return Err(Error::Parameter(format!("anchor '{text}' is not of the form codec[:preset[:tune]]")));
        }
        Ok(AnchorSpec { codec, preset, tune })
    }
}

/// How to look for the size.
#[derive(Clone, Copy, Debug)]
pub struct AnchorOptions {
    /// Encoder threads. One gives the same bytes on every machine.
    pub threads: usize,
    /// Most encodes to try.
    pub max_runs: usize,
    /// Relative size error to be content with.
    pub tolerance: f64,
}

impl Default for AnchorOptions {
    fn default() -> Self {
        AnchorOptions { threads: 1, max_runs: 9, tolerance: 0.01 }
    }
}

/// The result of one anchor.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// What was run.
    pub spec: AnchorSpec,
    /// The constant rate factor found.
    pub crf: f64,
    /// Full command line, with names of files replaced.
    pub command: String,
    /// Bytes of the elementary stream less the identification message.
    pub bytes: u64,
    /// Bits per luma sample of the whole sequence.
    pub bpp: f64,
    /// Quality.
    pub scores: Scores,
    /// Set where the wanted size was missed by more than the tolerance, with the reason.
    pub note: Option<String>,
}

impl Anchor {
    /// Preset and tuning in one word.
    pub fn preset(&self) -> String {
        self.spec.tune.as_ref().map_or(self.spec.preset.clone(), |t| format!("{}:{t}", self.spec.preset))
    }

    /// An element of `anchors` in the command line's JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = self.scores.to_json();
        json["codec"] = self.spec.codec.name().into();
        json["preset"] = self.preset().into();
        json["crf"] = self.crf.into();
        json["command"] = self.command.clone().into();
        json["bytes"] = self.bytes.into();
        json["bpp"] = self.bpp.into();
        json["note"] = self.note.clone().into();
        json
    }
}

/// Opens the reference anew; called once per encode and once for scoring.
pub type Reopen<'a> = &'a dyn Fn() -> Result<BoxedSource>;

/// Encodes the reference as close to `target_bytes` as crf allows, decodes and scores it.
pub fn run_anchor(spec: &AnchorSpec, reference: Reopen, info: &VideoInfo, target_bytes: u64, opts: &AnchorOptions) -> Result<Anchor> {
    let dir = temp_dir()?;
    let encode = |crf: f64| encode(spec, reference, info, crf, opts.threads, dir.path());
    let (best, note) = search(target_bytes, opts, encode)?;
    report(spec, &best, note, reference, info, opts)
}

/// Encodes at a fixed crf; otherwise as [`run_anchor`].
pub fn run_anchor_at(spec: &AnchorSpec, reference: Reopen, info: &VideoInfo, crf: f64, opts: &AnchorOptions) -> Result<Anchor> {
    let dir = temp_dir()?;
    let run = encode(spec, reference, info, crf, opts.threads, dir.path())?;
    report(spec, &run, None, reference, info, opts)
}

fn temp_dir() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|e| Error::io("creating a temporary directory", e))
}

fn report(spec: &AnchorSpec, run: &Run, note: Option<String>, reference: Reopen, info: &VideoInfo, opts: &AnchorOptions) -> Result<Anchor> {
    let scores = score(spec, &run.path, reference, info)?;
    let samples = (info.width * info.height) as f64 * scores.frames as f64;
    let command = command_line(&encoder_args(spec, info, run.crf, opts.threads), spec);
    Ok(Anchor { spec: spec.clone(), crf: run.crf, command, bytes: run.bytes, bpp: 8.0 * run.bytes as f64 / samples, scores, note })
}

/// One encode.
#[derive(Clone, Debug)]
struct Run {
    crf: f64,
    bytes: u64,
    path: PathBuf,
}

/// Looks for the crf by interpolating the logarithm of the size, which is nearly linear in it.
fn search(target: u64, opts: &AnchorOptions, encode: impl Fn(f64) -> Result<Run>) -> Result<(Run, Option<String>)> {
    const HALVING: f64 = 6.0 / std::f64::consts::LN_2;
    let excess = |r: &Run| (r.bytes.max(1) as f64 / target.max(1) as f64).ln();
    // The nearest too large and too small encodes: crf, and logarithm of size over wanted size.
    let (mut large, mut small) = (None::<(f64, f64)>, None::<(f64, f64)>);
    let mut best: Option<Run> = None;
    let mut crf = 28.0;
    let mut reason = "after the allowed number of encodes";
    for n in 0..opts.max_runs.max(1) {
        let run = encode(crf)?;
        let e = excess(&run);
        let bracket = if e > 0.0 { &mut large } else { &mut small };
        *bracket = Some((crf, e));
        if best.as_ref().is_none_or(|b| e.abs() < excess(b).abs()) {
            best = Some(run);
        }
        if e.exp_m1().abs() <= opts.tolerance {
            break;
        }
        if (e > 0.0 && crf >= CRF_MAX) || (e < 0.0 && crf <= 0.0) {
            reason = if e > 0.0 { "the wanted size is below what crf 51 gives" } else { "the wanted size is above what crf 0 gives" };
            break;
        }
        let next = match (large, small) {
            // Bisect now and then, for curves that are anything but linear.
            (Some((a, _)), Some((b, _))) if n % 4 == 3 => (a + b) / 2.0,
            (Some((a, ea)), Some((b, eb))) => {
                (a + (b - a) * ea / (ea - eb)).clamp(a.min(b) + 0.05 * (a - b).abs(), a.max(b) - 0.05 * (a - b).abs())
            }
            (Some((a, ea)), None) => a + (ea * HALVING).max(0.5),
            (None, Some((b, eb))) => b + (eb * HALVING).min(-0.5),
            (None, None) => crf,
        };
        let next = (next.clamp(0.0, CRF_MAX) * 100.0).round() / 100.0;
        if [large, small].iter().flatten().any(|&(c, _)| c == next) {
            reason = "crf has no finer steps";
            break;
        }
        crf = next;
    }
    let best = best.ok_or_else(|| Error::Parameter("no encode allowed".into()))?;
    let off = excess(&best).exp_m1();
    let note = (off.abs() > opts.tolerance).then(|| format!("{:+.1} % off the wanted {target} bytes: {reason}", 100.0 * off));
    Ok((best, note))
}

fn encoder_args(spec: &AnchorSpec, info: &VideoInfo, crf: f64, threads: usize) -> Vec<String> {
    let (encoder, format, _) = spec.codec.ffmpeg_names();
    let fps = if info.fps.num == 0 || info.fps.den == 0 { "25/1".into() } else { format!("{}/{}", info.fps.num, info.fps.den) };
    let size = format!("{}x{}", info.width, info.height);
    let name = info.format.name();
    let mut args: Vec<String> =
        ["-f", "rawvideo", "-pix_fmt", name, "-s", &size, "-r", &fps, "-i", "-", "-pix_fmt", name].map(String::from).into();
    args.extend(["-c:v", encoder, "-preset", &spec.preset, "-crf", &crf.to_string()].map(String::from));
    if let Some(tune) = &spec.tune {
        args.extend(["-tune".into(), tune.clone()]);
    }
    let threads = threads.max(1);
    match spec.codec {
        Codec::X264 => args.extend(["-threads".into(), threads.to_string()]),
        Codec::X265 if threads == 1 => args.extend(["-x265-params", "pools=none:frame-threads=1:log-level=error"].map(String::from)),
        Codec::X265 => args.extend(["-x265-params".into(), format!("pools={threads}:log-level=error")]),
    }
    args.extend(["-f".into(), format.into()]);
    args
}

fn command_line(args: &[String], spec: &AnchorSpec) -> String {
    let args: Vec<&str> = args.iter().map(|a| if a == "-" { "IN.yuv" } else { a }).collect();
    format!("ffmpeg {} OUT.{}", args.join(" "), spec.codec.ffmpeg_names().2)
}

/// A started ffmpeg that does not outlive its owner, with its stderr in a file.
struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    fn start(args: &[String], output: &Path, dir: &Path) -> Result<Self> {
        let log = dir.join("log");
        let stderr = File::create(&log).map_err(|e| Error::io(format!("creating {}", log.display()), e))?;
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-v", "error", "-y"]).args(args).arg(output);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let child =
            command.spawn().map_err(|e| Error::io("starting the program 'ffmpeg' (anchors need it, with libx264 and libx265)", e))?;
        Ok(Program { child, log })
    }

    fn wait(&mut self, what: &str) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait().map_err(|e| Error::io("waiting for ffmpeg", e))?;
        if status.success() {
            return Ok(());
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|l| !l.trim().is_empty()).collect();
        let tail = lines[lines.len().saturating_sub(4)..].join("; ");
        Err(Error::Unsupported(format!("ffmpeg could not {what} ({status}): {tail}")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail harmlessly when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn encode(spec: &AnchorSpec, reference: Reopen, info: &VideoInfo, crf: f64, threads: usize, dir: &Path) -> Result<Run> {
    if info.format.chroma == Chroma::Rgb {
        let what = format!(
            "{} has no path for {} pictures; score a YUV form of them, as from ffmpeg -pix_fmt yuv444p",
            spec.codec.name(),
            info.format.name()
        );
        return Err(Error::Unsupported(what));
    }
    let path = dir.join(format!("{crf}.{}", spec.codec.ffmpeg_names().2));
    let mut program = Program::start(&encoder_args(spec, info, crf, threads), &path, dir)?;
    let mut pipe = program.child.stdin.take().ok_or_else(|| Error::Parameter("ffmpeg has no stdin".into()))?;
    let mut source = reference()?;
    let mut raw = Vec::new();
    while let Some(frame) = source.read()? {
        frame.write_raw(info.format, &mut raw);
        match pipe.write_all(&raw) {
            // It has ended early; its own message is the better one.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => break,
            r => r.map_err(|e| Error::io("writing to ffmpeg", e))?,
        }
    }
    drop(pipe);
    program.wait(&format!("encode with {}", spec.codec.name()))?;
    let stream = std::fs::read(&path).map_err(|e| Error::io(format!("reading {}", path.display()), e))?;
    Ok(Run { crf, bytes: stream.len() as u64 - identification_bytes(&stream, spec.codec), path })
}

/// Bytes of an Annex B stream that are unregistered user data: the encoder's name and settings.
fn identification_bytes(stream: &[u8], codec: Codec) -> u64 {
    let starts: Vec<usize> = stream.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(i, _)| i).collect();
    // A fourth zero belongs to the start code that it precedes.
    let begin = |i: usize| if i > 0 && stream[i - 1] == 0 { i - 1 } else { i };
    let mut bytes = 0;
    for (n, &i) in starts.iter().enumerate() {
        let end = starts.get(n + 1).map_or(stream.len(), |&e| begin(e));
        let nal = &stream[i + 3..end.max(i + 3)];
        let user_data = match codec {
            Codec::X264 => nal.len() > 1 && nal[0] & 31 == 6 && nal[1] == 5,
            Codec::X265 => nal.len() > 2 && (nal[0] >> 1) & 63 == 39 && nal[2] == 5,
        };
        if user_data {
            bytes += end - begin(i);
        }
    }
    bytes as u64
}

fn score(spec: &AnchorSpec, stream: &Path, reference: Reopen, info: &VideoInfo) -> Result<Scores> {
    let dir = stream.parent().unwrap_or(Path::new("."));
    let name = stream.display().to_string();
    let args =
        ["-f", spec.codec.ffmpeg_names().1, "-i", &name, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", info.format.name()];
    let mut program = Program::start(&args.map(String::from), Path::new("-"), dir)?;
    let pipe = program.child.stdout.take().ok_or_else(|| Error::Parameter("ffmpeg has no stdout".into()))?;
    let mut decoded = RawSource::with_info(BufReader::with_capacity(1 << 18, pipe), "decoded anchor", None, info)?;
    let mut source = reference()?;
    let mut scorer = Scorer::new(info);
    let mut frames = 0u64;
    loop {
        match (source.read()?, decoded.read()?) {
            (Some(a), Some(b)) => scorer.add(&a, &b)?,
            (None, None) => break,
            (a, _) => {
                program.wait("decode its own stream")?;
                let less = if a.is_some() { "fewer" } else { "more" };
                return Err(Error::Mismatch(format!(
                    "{} decodes to {less} frames than the reference has ({frames} compared)",
                    spec.codec.name()
                )));
            }
        }
        frames += 1;
    }
    program.wait("decode its own stream")?;
    scorer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs() {
        let s: AnchorSpec = "x264:veryslow:psnr".parse().unwrap();
        assert_eq!((s.codec, s.preset.as_str(), s.tune.as_deref()), (Codec::X264, "veryslow", Some("psnr")));
        assert_eq!("x265".parse::<AnchorSpec>().unwrap(), AnchorSpec { codec: Codec::X265, preset: "medium".into(), tune: None });
        for bad in ["", "vp9", "x264:", "x264:a:b:c", "x264:-y", "x265:slow:a b"] {
            assert!(matches!(bad.parse::<AnchorSpec>(), Err(Error::Parameter(_))), "{bad}");
        }
    }

    #[test]
    fn identification_is_found_in_both_syntaxes() {
        // Sequence header, user data of 4 + 5 bytes, another message, a slice that holds no start code.
        let h264 = [0, 0, 0, 1, 0x67, 9, 9, 0, 0, 0, 1, 6, 5, 7, 7, 7, 0, 0, 1, 6, 1, 7, 0, 0, 1, 0x65, 5, 0, 2];
        assert_eq!(identification_bytes(&h264, Codec::X264), 9);
        let hevc = [0, 0, 0, 1, 0x40, 1, 9, 0, 0, 1, 0x4e, 1, 5, 7, 7, 0, 0, 1, 0x26, 1, 5];
        assert_eq!(identification_bytes(&hevc, Codec::X265), 8);
        assert_eq!(identification_bytes(&[0, 0, 1], Codec::X264), 0);
    }

    fn model(target: u64) -> (Run, Option<String>, usize) {
        let runs = std::cell::Cell::new(0);
        let encode = |crf: f64| {
            runs.set(runs.get() + 1);
            // Size halves every 5 at first and every 9 later, and is never below 900.
            let bytes = 900.0 + 1e6 * (-crf / 5.0f64).exp2() + 1e5 * (-crf / 9.0f64).exp2();
            Ok(Run { crf, bytes: bytes as u64, path: PathBuf::new() })
        };
        let (run, note) = search(target, &AnchorOptions::default(), encode).unwrap();
        (run, note, runs.get())
    }

    #[test]
    fn search_hits_the_size_or_says_why_not() {
        for target in [4000, 20_000, 100_000, 1_000_000] {
            let (run, note, runs) = model(target);
            assert!((run.bytes as f64 / target as f64 - 1.0).abs() <= 0.01 && note.is_none(), "{target}: {run:?} in {runs}");
            assert!(runs <= 9);
        }
        let (run, note, _) = model(100);
        assert!(run.crf == 51.0 && note.unwrap().contains("crf 51"));
        let (run, note, _) = model(1 << 30);
        assert!(run.crf == 0.0 && note.unwrap().contains("crf 0"));
    }
}
