//! Still-picture codecs: every picture of the reference becomes a PNG or PNM file, a file of the
//! codec's, and a file again.

use std::path::Path;
use std::time::Instant;

use super::backend::{Backend, Job, Run};
use super::nal::{Syntax, size};
use super::pnm;
use crate::program::Call;
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, ColorInfo, Frame, PixelFormat, VideoInfo};
use nvc_media::{SinkFormat, SourceOptions, open_sink, open_source};

/// The three files of one picture.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub input: String,
    pub stream: String,
    pub output: String,
}

/// How a picture codec is called.
pub(super) trait Calls {
    /// Extension of what the encoder reads, `png` or `ppm`.
    fn input(&self) -> &str;
    /// Extension of its stream.
    fn stream(&self) -> &str;
    /// Extension of what the decoder writes, `png` or `ppm`.
    fn output(&self) -> &str;
    /// The call that encodes.
    fn encode(&self, files: &Files, quality: f64) -> Result<Call>;
    /// The call that decodes.
    fn decode(&self, files: &Files, quality: f64) -> Result<Call>;
    /// Whose NAL units the stream has, if any.
    fn syntax(&self) -> Option<Syntax>;
}

/// A picture codec, ready for one sequence of pictures.
pub(super) struct Picture<'a, C> {
    name: String,
    job: Job<'a>,
    calls: C,
}

impl<'a, C: Calls> Picture<'a, C> {
    pub fn new(name: &str, job: Job<'a>, calls: C) -> Result<Self> {
        let format = job.info.format;
        if !matches!(format.chroma, Chroma::Rgb | Chroma::Gray) || format.bit_depth != 8 {
            return Err(Error::Unsupported(format!(
                "{name} codes 8-bit RGB and gray pictures; the reference is {}",
                format.name()
            )));
        }
        Ok(Picture {
            name: name.into(),
            job,
            calls,
        })
    }

    fn files(&self, stream: &Path) -> Files {
        let at = |name: String| self.job.dir.join(name).display().to_string();
        Files {
            input: at(format!("in.{}", self.calls.input())),
            stream: stream.display().to_string(),
            output: at(format!("dec.{}", self.calls.output())),
        }
    }
}

impl<C: Calls> Backend for Picture<'_, C> {
    fn encode(&self, quality: f64) -> Result<Run> {
        let mut run = Run {
            quality,
            bytes: 0,
            whole: 0,
            seconds: 0.0,
            streams: Vec::new(),
        };
        let mut source = (self.job.reference)()?;
        while let Some(frame) = source.read()? {
            let path = self.job.dir.join(format!(
                "{quality}_{}.{}",
                run.streams.len(),
                self.calls.stream()
            ));
            let files = self.files(&path);
            write(&files.input, self.job.info, &frame)?;
            let call = self.calls.encode(&files, quality)?;
            let begin = Instant::now();
            call.run(self.job.run_dir(), &format!("encode with {}", self.name))?;
            run.seconds += begin.elapsed().as_secs_f64();
            let size = size(&path, self.calls.syntax()).map_err(|e| {
                Error::io(
                    format!(
                        "reading {}, which {} should have written",
                        path.display(),
                        call.name
                    ),
                    e,
                )
            })?;
            run.whole += size.whole;
            run.bytes += size.bytes;
            run.streams.push(path);
        }
        Ok(run)
    }

    fn decode(&self, run: &Run, each: &mut dyn FnMut(Frame) -> Result<()>) -> Result<f64> {
        let mut seconds = 0.0;
        for path in &run.streams {
            let files = self.files(path);
            let call = self.calls.decode(&files, run.quality)?;
            let begin = Instant::now();
            call.run(
                self.job.run_dir(),
                &format!("decode a picture of {}", self.name),
            )?;
            seconds += begin.elapsed().as_secs_f64();
            each(read(&files.output, self.job.info, &self.name)?)?;
            // so that a decoder that writes nothing is not credited with the picture before
            std::fs::remove_file(&files.output)
                .map_err(|e| Error::io(format!("removing {}", files.output), e))?;
        }
        Ok(seconds)
    }

    fn command(&self, quality: f64) -> String {
        let name = |stem: &str, extension: &str| format!("{stem}.{extension}");
        let files = Files {
            input: name("IN", self.calls.input()),
            stream: name("OUT", self.calls.stream()),
            output: name("DEC", self.calls.output()),
        };
        // calls with names instead of files cannot fail where those with files did not
        let line = |call: Result<Call>| {
            call.map(|c| {
                c.line()
                    .replacen(" -hide_banner -nostdin -v error -y", "", 1)
            })
            .unwrap_or_default()
        };
        format!(
            "{} && {}",
            line(self.calls.encode(&files, quality)),
            line(self.calls.decode(&files, quality))
        )
    }
}

fn write(path: &str, info: &VideoInfo, frame: &Frame) -> Result<()> {
    // untagged, so that no codec spends bytes on the colour description or converts by it
    let untagged = VideoInfo {
        color: ColorInfo::UNSPECIFIED,
        ..*info
    };
    if !path.ends_with(".png") {
        return std::fs::write(path, pnm::write(frame, &untagged)?)
            .map_err(|e| Error::io(format!("writing {path}"), e));
    }
    let mut sink = open_sink(path, Some(SinkFormat::Png), &untagged)?;
    sink.write(frame)?;
    sink.finish().map(|_| ())
}

/// Reads a decoded picture; gray and RGB are brought to what the reference has.
fn read(path: &str, info: &VideoInfo, codec: &str) -> Result<Frame> {
    let (frame, format) = if path.ends_with(".png") {
        let mut source = open_source(path, &SourceOptions::default())?;
        let i = *source.info();
        let frame = source
            .read()?
            .ok_or_else(|| Error::Mismatch(format!("{codec} decodes to no picture")))?;
        (frame, i.format)
    } else {
        let bytes = std::fs::read(path).map_err(|e| Error::io(format!("reading {path}"), e))?;
        pnm::read(&bytes)?
    };
    let size = frame.planes.first().map_or((0, 0), |p| (p.width, p.height));
    if size != (info.width, info.height) {
        let ((w, h), i) = (size, info);
        return Err(Error::Mismatch(format!(
            "{codec} decodes to {w}x{h}, the reference is {}x{}",
            i.width, i.height
        )));
    }
    Ok(recolour(frame, format, info.format))
}

fn recolour(mut frame: Frame, from: PixelFormat, to: PixelFormat) -> Frame {
    match (from.chroma, to.chroma) {
        (Chroma::Gray, Chroma::Rgb) => frame.planes = vec![frame.planes[0].clone(); 3],
        (Chroma::Rgb, Chroma::Gray) => frame.planes = vec![nvc::metrics::luma_601(&frame)],
        _ => {}
    }
    frame
}
