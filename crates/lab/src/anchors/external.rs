//! A codec of the user's own at work, on video and on pictures.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use super::backend::{Backend, Job, Run};
use super::command::{ExternalCodec, Values};
use super::nal::Syntax;
use super::picture::{Calls, Files};
use super::stream::{change_depth, feed, plain};
use crate::program::{Call, Program};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, VideoInfo};
use nvc_media::{FrameSource, Y4mSource};

/// An external codec on one video sequence.
pub(super) struct ExternalVideo<'a> {
    codec: &'a ExternalCodec,
    job: Job<'a>,
    coded: VideoInfo,
    frames: u64,
}

impl<'a> ExternalVideo<'a> {
    pub fn new(codec: &'a ExternalCodec, job: Job<'a>) -> Result<Self> {
        codec.check()?;
        if job.info.format.chroma == Chroma::Rgb {
            return Err(Error::Parameter(format!(
                "{}: RGB goes as pictures",
                codec.name
            )));
        }
        // Counted only where a command asks for it: it takes a pass over the reference.
        let mut frames = 0;
        if format!("{}{}", codec.encode, codec.decode).contains("{frames}") {
            let mut source = (job.reference)()?;
            while source.read()?.is_some() {
                frames += 1;
            }
        }
        Ok(ExternalVideo {
            codec,
            job,
            coded: plain(job.info, job.info.format),
            frames,
        })
    }

    fn values<'v>(&'v self, input: &'v str, output: &'v str, quality: f64) -> Values<'v> {
        Values {
            input,
            output,
            quality,
            info: &self.coded,
            frames: self.frames,
            threads: self.job.threads.max(1),
        }
    }

    fn create(path: &Path) -> Result<File> {
        File::create(path).map_err(|e| Error::io(format!("creating {}", path.display()), e))
    }

    fn open(path: &Path) -> Result<File> {
        File::open(path).map_err(|e| {
            Error::io(
                format!(
                    "opening {}, which a command should have written",
                    path.display()
                ),
                e,
            )
        })
    }
}

impl Backend for ExternalVideo<'_> {
    fn encode(&self, quality: f64) -> Result<Run> {
        let what = format!("encode with {}", self.codec.name);
        let stream = self
            .job
            .dir
            .join(format!("{quality}.{}", self.codec.extension));
        let input = self.job.dir.join("in.y4m");
        let by_file = self.codec.encode.contains("{input}");
        if by_file {
            feed(
                self.job.reference,
                &self.coded,
                self.job.siting,
                Self::create(&input)?,
            )?;
        }
        let call = self.codec.call(
            &self.codec.encode,
            &self.values(
                &input.display().to_string(),
                &stream.display().to_string(),
                quality,
            ),
        )?;
        let stdout = if self.codec.encode.contains("{output}") {
            Stdio::null()
        } else {
            Self::create(&stream)?.into()
        };
        let begin = Instant::now();
        let mut program = Program::start(
            &call,
            if by_file {
                Stdio::null()
            } else {
                Stdio::piped()
            },
            stdout,
            self.job.run_dir(),
        )?;
        if let Some(pipe) = program.stdin.take() {
            feed(self.job.reference, &self.coded, self.job.siting, pipe)?;
        }
        program.wait(&what)?;
        let seconds = begin.elapsed().as_secs_f64();
        let bytes = Self::open(&stream)?
            .metadata()
            .map_err(|e| Error::io(format!("reading {}", stream.display()), e))?
            .len();
        // decoding must not be able to look at it
        if by_file {
            std::fs::remove_file(&input)
                .map_err(|e| Error::io(format!("removing {}", input.display()), e))?;
        }
        Ok(Run {
            quality,
            bytes,
            whole: bytes,
            seconds,
            streams: vec![stream],
        })
    }

    fn decode(&self, run: &Run, each: &mut dyn FnMut(Frame) -> Result<()>) -> Result<f64> {
        let what = format!("decode a stream of {}", self.codec.name);
        let [stream] = &run.streams[..] else {
            return Err(Error::Parameter(format!(
                "{} streams to decode (expected 1)",
                run.streams.len()
            )));
        };
        let output = self.job.dir.join("dec.y4m");
        let call = self.codec.call(
            &self.codec.decode,
            &self.values(
                &stream.display().to_string(),
                &output.display().to_string(),
                run.quality,
            ),
        )?;
        let stdin = || -> Result<Stdio> {
            Ok(if self.codec.decode.contains("{input}") {
                Stdio::null()
            } else {
                Self::open(stream)?.into()
            })
        };
        // timed with the output discarded: else scoring would count into the time
        let begin = Instant::now();
        Program::start(&call, stdin()?, Stdio::null(), self.job.run_dir())?.wait(&what)?;
        let seconds = begin.elapsed().as_secs_f64();
        if self.codec.decode.contains("{output}") {
            self.frames(
                BufReader::with_capacity(1 << 18, Self::open(&output)?),
                each,
            )?;
            std::fs::remove_file(&output)
                .map_err(|e| Error::io(format!("removing {}", output.display()), e))?;
            return Ok(seconds);
        }
        let mut program = Program::start(&call, stdin()?, Stdio::piped(), self.job.run_dir())?;
        if let Some(pipe) = program.stdout.take() {
            match self.frames(BufReader::with_capacity(1 << 18, pipe), each) {
                // what a failing program leaves is torn: its own message is the better one
                Err(e @ Error::Format { .. }) => return program.wait(&what).and(Err(e)),
                r => r?,
            }
        }
        program.wait(&what)?;
        Ok(seconds)
    }

    fn command(&self, quality: f64) -> String {
        let stream = format!("OUT.{}", self.codec.extension);
        // these calls differ from those that ran in names only
        let line = |template: &str, input: &str, output: &str| {
            let call = self
                .codec
                .call(template, &self.values(input, output, quality))
                .map(|c| c.line())
                .unwrap_or_default();
            let from = if template.contains("{input}") {
                String::new()
            } else {
                format!(" < {input}")
            };
            let to = if template.contains("{output}") {
                String::new()
            } else {
                format!(" > {output}")
            };
            call + &from + &to
        };
        format!(
            "{} && {}",
            line(&self.codec.encode, "IN.y4m", &stream),
            line(&self.codec.decode, &stream, "DEC.y4m")
        )
    }
}

impl ExternalVideo<'_> {
    fn frames(
        &self,
        reader: impl std::io::Read,
        each: &mut dyn FnMut(Frame) -> Result<()>,
    ) -> Result<()> {
        let mut source = Y4mSource::new(reader, &format!("output of {}", self.codec.name), None)?;
        let (got, want) = (*source.info(), self.job.info);
        if (got.width, got.height, got.format.chroma)
            != (want.width, want.height, want.format.chroma)
        {
            let ((gw, gh, gf), (ww, wh, wf)) = (
                (got.width, got.height, got.format),
                (want.width, want.height, want.format),
            );
            let what = format!(
                "{} decodes to {gw}x{gh} {}, the reference is {ww}x{wh} {}",
                self.codec.name,
                gf.name(),
                wf.name()
            );
            return Err(Error::Mismatch(what));
        }
        while let Some(mut frame) = source.read()? {
            change_depth(&mut frame, got.format.bit_depth, want.format.bit_depth);
            each(frame)?;
        }
        Ok(())
    }
}

/// An external codec on RGB pictures.
pub(super) struct ExternalPicture<'a> {
    codec: &'a ExternalCodec,
    info: VideoInfo,
    threads: usize,
}

impl<'a> ExternalPicture<'a> {
    pub fn new(codec: &'a ExternalCodec, job: &Job) -> Result<Self> {
        codec.check()?;
        for (what, template) in [("encode", &codec.encode), ("decode", &codec.decode)] {
            if !(template.contains("{input}") && template.contains("{output}")) {
                return Err(codec.wrong(&format!(
                    "{what} command: for RGB pictures it must name {{input}} and {{output}}"
                )));
            }
        }
        Ok(ExternalPicture {
            codec,
            info: *job.info,
            threads: job.threads.max(1),
        })
    }

    fn values<'v>(&'v self, input: &'v str, output: &'v str, quality: f64) -> Values<'v> {
        Values {
            input,
            output,
            quality,
            info: &self.info,
            frames: 1,
            threads: self.threads,
        }
    }
}

impl Calls for ExternalPicture<'_> {
    fn input(&self) -> &str {
        "png"
    }

    fn stream(&self) -> &str {
        &self.codec.extension
    }

    fn output(&self) -> &str {
        "png"
    }

    fn encode(&self, f: &Files, quality: f64) -> Result<Call> {
        self.codec.call(
            &self.codec.encode,
            &self.values(&f.input, &f.stream, quality),
        )
    }

    fn decode(&self, f: &Files, quality: f64) -> Result<Call> {
        self.codec.call(
            &self.codec.decode,
            &self.values(&f.stream, &f.output, quality),
        )
    }

    fn syntax(&self) -> Option<Syntax> {
        None
    }
}
