//! Video encoders through ffmpeg: y4m in on stdin, an elementary stream out, decoded by the same
//! ffmpeg frame by frame.

use std::io::BufReader;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use super::backend::{Backend, Job, Run};
use super::codec::Codec;
use super::ffmpeg::{Ffmpeg, Need};
use super::nal::{Syntax, size};
use super::spec::AnchorSpec;
use super::stream::{change_depth, feed, plain};
use crate::program::{Call, Program};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, PixelFormat, VideoInfo};
use nvc_media::{FrameSource, RawSource};

/// ffmpeg's encoder, its name of the elementary stream, that stream's extension, and whose NAL
/// units it has.
pub(super) fn names(
    codec: &Codec,
) -> Option<(&'static str, &'static str, &'static str, Option<Syntax>)> {
    Some(match codec {
        Codec::X264 => ("libx264", "h264", "264", Some(Syntax::H264)),
        Codec::X265 | Codec::X265Intra => ("libx265", "hevc", "265", Some(Syntax::Hevc)),
        Codec::SvtAv1 => ("libsvtav1", "obu", "obu", None),
        Codec::Aom => ("libaom-av1", "obu", "obu", None),
        Codec::Vvenc => ("libvvenc", "vvc", "266", Some(Syntax::Vvc)),
        _ => return None,
    })
}

/// A video encoder of ffmpeg's, ready for one sequence.
pub(super) struct Video<'a> {
    spec: &'a AnchorSpec,
    job: Job<'a>,
    ffmpeg: Ffmpeg,
    format: &'static str,
    extension: &'static str,
    syntax: Option<Syntax>,
    /// What the encoder is given: more bits where it takes nothing else.
    coded: VideoInfo,
}

impl<'a> Video<'a> {
    pub fn new(spec: &'a AnchorSpec, job: Job<'a>) -> Result<Self> {
        let format = job.info.format;
        let unsupported = |what: String| {
            Err(Error::Unsupported(format!(
                "{} has no path for {} pictures; {what}",
                spec.codec_name(),
                format.name()
            )))
        };
        if format.chroma == Chroma::Rgb {
            return unsupported("score a YUV form of them, as from ffmpeg -pix_fmt yuv444p".into());
        }
        let Some((encoder, stream, extension, syntax)) = names(&spec.codec) else {
            return Err(Error::Parameter(format!(
                "{} is no video encoder of ffmpeg's",
                spec.codec_name()
            )));
        };
        let ffmpeg = Ffmpeg::having(Need::Encoder(encoder))?;
        let deep = PixelFormat {
            bit_depth: 10,
            ..format
        };
        let Some(coded) = [format, deep].into_iter().find(|f| ffmpeg.takes(f.name())) else {
            return unsupported(format!(
                "{encoder} of {} takes neither them nor {}",
                ffmpeg.program.display(),
                deep.name()
            ));
        };
        Ok(Video {
            spec,
            job,
            ffmpeg,
            format: stream,
            extension,
            syntax,
            coded: plain(job.info, coded),
        })
    }

    fn encode_call(&self, quality: f64, input: &str, output: &str) -> Call {
        let mut args: Vec<String> = ["-f", "yuv4mpegpipe", "-i", input].map(String::from).into();
        args.extend(encoder_args(self.spec, quality, self.job.threads));
        args.extend(
            [
                "-pix_fmt",
                self.coded.format.name(),
                "-f",
                self.format,
                output,
            ]
            .map(String::from),
        );
        self.ffmpeg
            .call(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn decode_call(&self, stream: &Path, to_null: bool) -> Call {
        let threads = self.job.threads.max(1).to_string();
        let name = stream.display().to_string();
        let mut args = vec!["-threads", &threads, "-f", self.format, "-i", &name];
        // A gray stream may decode with chroma, and ffmpeg would stretch its range on the way to
        // gray.
        let gray = ["-vf", "extractplanes=y"];
        if to_null {
            args.extend(["-f", "null", "-"]);
        } else {
            args.extend(
                gray.iter()
                    .filter(|_| self.coded.format.chroma == Chroma::Gray),
            );
            args.extend([
                "-fps_mode",
                "passthrough",
                "-f",
                "rawvideo",
                "-pix_fmt",
                self.coded.format.name(),
                "-",
            ]);
        }
        self.ffmpeg.call(&args)
    }
}

impl Backend for Video<'_> {
    fn encode(&self, quality: f64) -> Result<Run> {
        let path = self.job.dir.join(format!("{quality}.{}", self.extension));
        let call = self.encode_call(quality, "-", &path.display().to_string());
        let begin = Instant::now();
        let mut program = Program::start(&call, Stdio::piped(), Stdio::null(), self.job.run_dir())?;
        let pipe = program
            .stdin
            .take()
            .ok_or_else(|| Error::Parameter("ffmpeg has no stdin".into()))?;
        feed(self.job.reference, &self.coded, self.job.siting, pipe)?;
        program.wait(&format!("encode with {}", self.spec.codec_name()))?;
        let seconds = begin.elapsed().as_secs_f64();
        let size = size(&path, self.syntax)
            .map_err(|e| Error::io(format!("reading {}", path.display()), e))?;
        Ok(Run {
            quality,
            bytes: size.bytes,
            whole: size.whole,
            seconds,
            streams: vec![path],
        })
    }

    fn decode(&self, run: &Run, each: &mut dyn FnMut(Frame) -> Result<()>) -> Result<f64> {
        const WHAT: &str = "decode its own stream";
        let [path] = &run.streams[..] else {
            return Err(Error::Parameter(format!(
                "{} streams to decode (expected 1)",
                run.streams.len()
            )));
        };
        // Timed by itself: below, it waits for the scores.
        let begin = Instant::now();
        self.decode_call(path, true).run(self.job.run_dir(), WHAT)?;
        let seconds = begin.elapsed().as_secs_f64();
        let mut program = Program::start(
            &self.decode_call(path, false),
            Stdio::null(),
            Stdio::piped(),
            self.job.run_dir(),
        )?;
        let pipe = program
            .stdout
            .take()
            .ok_or_else(|| Error::Parameter("ffmpeg has no stdout".into()))?;
        let mut decoded = RawSource::with_info(
            BufReader::with_capacity(1 << 18, pipe),
            "decoded anchor",
            None,
            &self.coded,
        )?;
        loop {
            let frame = match decoded.read() {
                Ok(frame) => frame,
                // A torn picture is what a failing program leaves: its own message is the better
                // one.
                Err(e) => return program.wait(WHAT).and(Err(e)),
            };
            let Some(mut frame) = frame else { break };
            change_depth(
                &mut frame,
                self.coded.format.bit_depth,
                self.job.info.format.bit_depth,
            );
            each(frame)?;
        }
        program.wait(WHAT)?;
        Ok(seconds)
    }

    fn command(&self, quality: f64) -> String {
        let line = self
            .encode_call(quality, "IN.y4m", &format!("OUT.{}", self.extension))
            .line();
        line.replacen(" -hide_banner -nostdin -v error -y", "", 1)
    }
}

/// What says codec, preset, tuning, quality and threads. With one thread every machine makes the
/// same bytes.
fn encoder_args(spec: &AnchorSpec, quality: f64, threads: usize) -> Vec<String> {
    let threads = threads.max(1);
    let q = quality.to_string();
    let (preset, tune) = (spec.preset.as_str(), spec.tune.as_deref());
    let low_delay = tune == Some("zerolatency");
    let mut args: Vec<String> = Vec::new();
    let mut add = |more: &[&str]| args.extend(more.iter().map(|a| a.to_string()));
    match spec.codec {
        Codec::X264 => {
            add(&["-c:v", "libx264", "-preset", preset]);
            tune.iter().for_each(|t| add(&["-tune", t]));
            if low_delay {
                // as published with DVC, for its picture group of 12
                add(&[
                    "-g",
                    "12",
                    "-bf",
                    "2",
                    "-b_strategy",
                    "0",
                    "-sc_threshold",
                    "0",
                ]);
            }
            add(&["-crf", &q, "-threads", &threads.to_string()]);
        }
        Codec::X265 => {
            add(&["-c:v", "libx265", "-preset", preset]);
            tune.iter().for_each(|t| add(&["-tune", t]));
            let keys = if low_delay { "keyint=12:" } else { "" };
            add(&[
                "-crf",
                &q,
                "-x265-params",
                &format!("{keys}{}:log-level=error", x265_threads(threads)),
            ]);
        }
        Codec::SvtAv1 => {
            let tune = match tune {
                Some("vq") => ":tune=0",
                Some("psnr") => ":tune=1",
                Some("ssim") => ":tune=2",
                _ => "",
            };
            add(&[
                "-c:v",
                "libsvtav1",
                "-preset",
                preset,
                "-crf",
                &q,
                "-svtav1-params",
                &format!("lp={threads}{tune}"),
            ]);
        }
        Codec::Aom => {
            add(&[
                "-c:v",
                "libaom-av1",
                "-cpu-used",
                preset,
                "-crf",
                &q,
                "-b:v",
                "0",
                "-threads",
                &threads.to_string(),
                "-row-mt",
                "0",
            ]);
            tune.iter().for_each(|t| add(&["-tune", t]));
        }
        Codec::Vvenc => {
            // the other encoders put no key picture into the first 250 either
            add(&[
                "-c:v",
                "libvvenc",
                "-preset",
                preset,
                "-qp",
                &q,
                "-period",
                "10",
                "-threads",
                &threads.to_string(),
            ]);
            if tune == Some("psnr") {
                add(&["-qpa", "0"]);
            }
        }
        _ => {}
    }
    args
}

/// x265's threads: none of its own, or a pool.
pub(super) fn x265_threads(threads: usize) -> String {
    if threads <= 1 {
        "pools=none:frame-threads=1".into()
    } else {
        format!("pools={threads}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(spec: &str, quality: f64, threads: usize) -> String {
        encoder_args(&spec.parse().unwrap(), quality, threads).join(" ")
    }

    #[test]
    fn arguments() {
        assert_eq!(
            args("x264:veryslow:psnr", 27.15, 1),
            "-c:v libx264 -preset veryslow -tune psnr -crf 27.15 -threads 1"
        );
        assert_eq!(
            args("x264:veryfast:zerolatency", 23.0, 1),
            "-c:v libx264 -preset veryfast -tune zerolatency -g 12 -bf 2 -b_strategy 0 -sc_threshold 0 -crf 23 -threads 1"
        );
        assert_eq!(
            args("x265:veryfast:zerolatency", 23.0, 1),
            "-c:v libx265 -preset veryfast -tune zerolatency -crf 23 -x265-params keyint=12:pools=none:frame-threads=1:log-level=error"
        );
        assert_eq!(
            args("x265", 28.0, 4),
            "-c:v libx265 -preset medium -crf 28 -x265-params pools=4:log-level=error"
        );
        assert_eq!(
            args("svtav1:6:vq", 40.0, 1),
            "-c:v libsvtav1 -preset 6 -crf 40 -svtav1-params lp=1:tune=0"
        );
        assert_eq!(
            args("aom", 40.0, 0),
            "-c:v libaom-av1 -cpu-used 4 -crf 40 -b:v 0 -threads 1 -row-mt 0"
        );
        assert_eq!(
            args("vvenc:slow:psnr", 32.0, 1),
            "-c:v libvvenc -preset slow -qp 32 -period 10 -threads 1 -qpa 0"
        );
    }
}
