//! How the picture codecs known here are called.

use super::backend::Job;
use super::codec::Codec;
use super::ffmpeg::{Ffmpeg, Need};
use super::nal::Syntax;
use super::picture::{Calls, Files};
use super::spec::AnchorSpec;
use super::video::x265_threads;
use crate::program::Call;
use nvc::error::{Error, Result};
use nvc::frame::Chroma;

/// swscale without shortcuts, for the one codec that needs it.
const EXACT: &str = "accurate_rnd+full_chroma_int+full_chroma_inp+bitexact+bicubic";

/// A known picture codec at one setting.
pub(super) struct KnownPicture<'a> {
    spec: &'a AnchorSpec,
    gray: bool,
    threads: usize,
    ffmpeg: Option<Ffmpeg>,
}

impl<'a> KnownPicture<'a> {
    pub fn new(spec: &'a AnchorSpec, job: &Job) -> Result<Self> {
        let needs = spec.codec == Codec::X265Intra;
        let ffmpeg = if needs {
            Some(Ffmpeg::having(Need::Encoder("libx265"))?)
        } else {
            None
        };
        Ok(KnownPicture {
            spec,
            gray: job.info.format.chroma == Chroma::Gray,
            threads: job.threads.max(1),
            ffmpeg,
        })
    }

    fn ffmpeg(&self, args: &[&str]) -> Result<Call> {
        let ffmpeg = self.ffmpeg.as_ref().ok_or_else(|| {
            Error::Parameter(format!("{} needs no ffmpeg", self.spec.codec_name()))
        })?;
        Ok(ffmpeg.call(args))
    }
}

impl Calls for KnownPicture<'_> {
    fn input(&self) -> &str {
        if self.spec.codec == Codec::Jpeg {
            "ppm"
        } else {
            "png"
        }
    }

    fn stream(&self) -> &str {
        match self.spec.codec {
            Codec::Jpeg => "jpg",
            Codec::Webp => "webp",
            Codec::Avif => "avif",
            Codec::Jxl => "jxl",
            _ => "265",
        }
    }

    fn output(&self) -> &str {
        self.input()
    }

    fn encode(&self, f: &Files, quality: f64) -> Result<Call> {
        let q = quality.to_string();
        let sampling = self.spec.preset.as_str();
        let (one, many) = (self.threads == 1, self.threads.to_string());
        Ok(match self.spec.codec {
            Codec::Jpeg => {
                let sample = if sampling == "420" { "2x2" } else { "1x1" };
                let args = [
                    "-quality",
                    &q,
                    "-optimize",
                    "-progressive",
                    "-sample",
                    sample,
                    "-outfile",
                    &f.stream,
                    &f.input,
                ];
                Call::new("cjpeg", &args)
            }
            Codec::Webp => Call::new(
                "cwebp",
                &["-q", &q, "-m", sampling, &f.input, "-o", &f.stream],
            ),
            Codec::Avif => {
                let speed = self.spec.tune.as_deref().unwrap_or("6");
                let sampling = if self.gray { "400" } else { sampling };
                let level = format!("cq-level={q}");
                let args = [
                    "-s",
                    speed,
                    "-j",
                    &many,
                    "-y",
                    sampling,
                    "--min",
                    "0",
                    "--max",
                    "63",
                    "-a",
                    "end-usage=q",
                    "-a",
                    &level,
                ];
                Call::new("avifenc", &[&args[..], &[&f.input, &f.stream]].concat())
            }
            Codec::Jxl => {
                // its threads are beside the main one
                let threads = format!("--num_threads={}", if one { 0 } else { self.threads });
                Call::new(
                    "cjxl",
                    &[&f.input, &f.stream, "-d", &q, "-e", sampling, &threads],
                )
            }
            _ => {
                let scale = format!("scale=out_color_matrix=bt601:out_range=full:flags={EXACT}");
                let format = if self.gray {
                    "gray".into()
                } else {
                    format!("yuv{sampling}p")
                };
                let preset = self.spec.tune.as_deref().unwrap_or("veryslow");
                let params = format!(
                    "{}:keyint=1:log-level=error:range=full",
                    x265_threads(self.threads)
                );
                let args = [
                    "-i", &f.input, "-vf", &scale, "-pix_fmt", &format, "-c:v", "libx265",
                    "-preset", preset, "-crf", &q,
                ];
                self.ffmpeg(
                    &[
                        &args[..],
                        &["-x265-params", &params, "-f", "hevc", &f.stream],
                    ]
                    .concat(),
                )?
            }
        })
    }

    fn decode(&self, f: &Files, _: f64) -> Result<Call> {
        let many = self.threads.to_string();
        Ok(match self.spec.codec {
            Codec::Jpeg => Call::new("djpeg", &["-outfile", &f.output, &f.stream]),
            Codec::Webp => Call::new("dwebp", &[&f.stream, "-o", &f.output]),
            Codec::Avif => Call::new("avifdec", &["-j", &many, &f.stream, &f.output]),
            Codec::Jxl => {
                let threads = format!(
                    "--num_threads={}",
                    if self.threads == 1 { 0 } else { self.threads }
                );
                Call::new("djxl", &[&f.stream, &f.output, &threads])
            }
            _ => {
                let scale = format!("scale=in_color_matrix=bt601:in_range=full:flags={EXACT}");
                let (filter, format) = if self.gray {
                    ("extractplanes=y", "gray")
                } else {
                    (scale.as_str(), "rgb24")
                };
                self.ffmpeg(&[
                    "-f", "hevc", "-i", &f.stream, "-vf", filter, "-pix_fmt", format, &f.output,
                ])?
            }
        })
    }

    fn syntax(&self) -> Option<Syntax> {
        (self.spec.codec == Codec::X265Intra).then_some(Syntax::Hevc)
    }
}
