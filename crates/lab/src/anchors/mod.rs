//! Other codecs at the same size or at chosen qualities, scored by the same code: what a user would
//! get from x264, x265, SVT-AV1, VVenC, JPEG, AVIF and so on, or from a codec of one's own.
//!
//! External programs encode and decode; frames go to them and come back without any conversion but
//! the codec's own. What is run, why so, and which settings are weak: docs/anchors.md. The
//! encoder's identification message is not counted: it is up to 2.5 kB of text.

mod external;
mod ffmpeg;
mod nal;
mod perceptual;
mod picture;
mod pnm;
mod program;
mod search;
mod spec;
mod stream;
mod table;
mod version;
mod video;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, Siting, VideoInfo};
use nvc::metrics::{Scorer, Scores};
use nvc_media::{BoxedSource, TemporaryFolder};

pub use external::ExternalCodec;
pub use ffmpeg::FFMPEG_VARIABLE;
pub use perceptual::{
    Measure, Perceptual, VMAF_MODEL, Wanted, Xpsnr, perceptual, perceptual_identity,
};
pub use spec::{AnchorSpec, Codec};
pub use table::{TableRow, score_table};
pub use version::version;

use program::{Place, stopped};
use search::{Run, search};

/// How to run, and how to look for a size.
#[derive(Clone, Debug)]
pub struct AnchorOptions {
    /// Encoder threads. One gives the same bytes on every machine.
    pub threads: usize,
    /// Most encodes to try.
    pub max_runs: usize,
    /// Relative size error to be content with.
    pub tolerance: f64,
    /// Where 8-bit 4:2:0 chroma samples are said to lie: left, as H.264 and HEVC assume without a
    /// word, or in the middle, as JPEG. It moves no sample; some encoders spend a few bits on it.
    pub siting: Siting,
    /// Ends programs and returns [`Error::Interrupted`] soon after it is set.
    pub stop: Option<Arc<AtomicBool>>,
    /// Existing folder that temporary files go below; the system's if not given.
    pub dir: Option<PathBuf>,
}

impl Default for AnchorOptions {
    fn default() -> Self {
        AnchorOptions {
            threads: 1,
            max_runs: 9,
            tolerance: 0.01,
            siting: Siting::Left,
            stop: None,
            dir: None,
        }
    }
}

/// The result of one anchor.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// What was run.
    pub spec: AnchorSpec,
    /// The quality, on the scale that [`AnchorSpec::quality_name`] names.
    pub quality: f64,
    /// The encoder and its version, as [`version`] tells it.
    pub version: String,
    /// Full command lines, with names of files replaced.
    pub command: String,
    /// Bytes that count: of the elementary stream less supplemental messages, or of the whole file
    /// for picture codecs.
    pub bytes: u64,
    /// Bytes with supplemental messages, among them the encoder's name and settings.
    pub bytes_with_identification: u64,
    /// Bits per luma sample of the whole sequence.
    pub bpp: f64,
    /// Quality.
    pub scores: Scores,
    /// Wall-clock seconds of the encode, the reading of the reference included where it is fed
    /// frame by frame.
    pub encode_seconds: f64,
    /// Wall-clock seconds of the decode.
    pub decode_seconds: f64,
    /// Set where the wanted size was missed by more than the tolerance, with the reason.
    pub note: Option<String>,
}

impl Anchor {
    /// Preset and tuning in one word.
    pub fn preset(&self) -> String {
        self.spec.config()
    }

    /// An element of `anchors` in the command line's JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = self.scores.to_json();
        json["codec"] = self.spec.codec_name().into();
        json["preset"] = self.preset().into();
        json["weak"] = self.spec.weak().into();
        json["version"] = self.version.clone().into();
        json["quality_name"] = self.spec.quality_name().into();
        json["quality"] = self.quality.into();
        json["crf"] = (self.spec.quality_name() == "crf")
            .then_some(self.quality)
            .into();
        json["command"] = self.command.clone().into();
        json["bytes"] = self.bytes.into();
        json["bytes_with_identification"] = self.bytes_with_identification.into();
        json["bpp"] = self.bpp.into();
        json["encode_seconds"] = self.encode_seconds.into();
        json["decode_seconds"] = self.decode_seconds.into();
        json["note"] = self.note.clone().into();
        json
    }
}

/// Opens the reference anew; called once per encode and once for scoring.
pub type Reopen<'a> = &'a dyn Fn() -> Result<BoxedSource>;

/// Sees every pair of pictures that is scored: index, reference, decoded.
pub type Observer<'a> = &'a mut dyn FnMut(u64, &Frame, &Frame) -> Result<()>;

/// What every codec needs to know of the work.
#[derive(Clone, Copy)]
struct Job<'a> {
    reference: Reopen<'a>,
    info: &'a VideoInfo,
    threads: usize,
    siting: Siting,
    dir: &'a Path,
    stop: Option<&'a Arc<AtomicBool>>,
}

impl<'a> Job<'a> {
    fn new(
        reference: Reopen<'a>,
        info: &'a VideoInfo,
        opts: &'a AnchorOptions,
        dir: &'a Path,
    ) -> Self {
        Job {
            reference,
            info,
            threads: opts.threads,
            siting: opts.siting,
            dir,
            stop: opts.stop.as_ref(),
        }
    }

    fn place(&self) -> Place<'a> {
        Place {
            dir: self.dir,
            stop: self.stop,
        }
    }
}

/// A codec, ready for one sequence.
trait Backend {
    /// Encodes the reference.
    fn encode(&self, quality: f64) -> Result<Run>;
    /// Decodes a run's streams, picture by picture, in the reference's format; returns the seconds
    /// that decoding takes.
    fn decode(&self, run: &Run, each: &mut dyn FnMut(Frame) -> Result<()>) -> Result<f64>;
    /// Command lines with names of files replaced.
    fn command(&self, quality: f64) -> String;
}

fn backend<'a>(spec: &'a AnchorSpec, job: Job<'a>) -> Result<Box<dyn Backend + 'a>> {
    Ok(match &spec.codec {
        Codec::External(c) if job.info.format.chroma == Chroma::Rgb => Box::new(
            picture::Picture::new(&c.name, job, external::ExternalPicture::new(c, &job)?)?,
        ),
        Codec::External(c) => Box::new(external::ExternalVideo::new(c, job)?),
        codec if codec.is_picture() => Box::new(picture::Picture::new(
            codec.name(),
            job,
            picture::Known::new(spec, &job)?,
        )?),
        _ => Box::new(video::Video::new(spec, job)?),
    })
}

/// Encodes the reference as close to `target_bytes` as the codec's quality allows, decodes and
/// scores it.
pub fn run_anchor(
    spec: &AnchorSpec,
    reference: Reopen,
    info: &VideoInfo,
    target_bytes: u64,
    opts: &AnchorOptions,
) -> Result<Anchor> {
    let scale = spec.codec.scale().ok_or_else(|| {
        Error::Parameter(format!(
            "{}: the quality that gives {target_bytes} bytes cannot be searched, for its scale is not known",
            spec.codec_name()
        ))
    })?;
    let dir = temp_dir(opts.dir.as_deref())?;
    let job = Job::new(reference, info, opts, dir.path());
    let backend = backend(spec, job)?;
    let (best, note) = search(&scale, target_bytes, opts, |quality| {
        backend.encode(quality)
    })?;
    report(spec, &*backend, &job, &best, note, &mut |_, _, _| Ok(()))
}

/// Encodes at a chosen quality; otherwise as [`run_anchor`]. `observer` sees the pictures.
pub fn run_anchor_at(
    spec: &AnchorSpec,
    reference: Reopen,
    info: &VideoInfo,
    quality: f64,
    opts: &AnchorOptions,
    observer: Observer,
) -> Result<Anchor> {
    if let Some(s) = spec.codec.scale() {
        let (low, high) = (s.small.min(s.large), s.small.max(s.large));
        let whole = s.step != 1.0 || quality.fract() == 0.0;
        if !(low..=high).contains(&quality) || !whole {
            let kind = if s.step == 1.0 { "whole numbers " } else { "" };
            return Err(Error::Parameter(format!(
                "{spec}: {} {quality} (allowed: {kind}{low}..={high})",
                s.name
            )));
        }
    } else if !quality.is_finite() {
        return Err(Error::Parameter(format!(
            "{spec}: quality {quality} (allowed: finite numbers)"
        )));
    }
    let dir = temp_dir(opts.dir.as_deref())?;
    let job = Job::new(reference, info, opts, dir.path());
    let backend = backend(spec, job)?;
    let run = backend.encode(quality)?;
    report(spec, &*backend, &job, &run, None, observer)
}

/// A temporary folder below another, or below the system's.
fn temp_dir(below: Option<&Path>) -> Result<TemporaryFolder> {
    let place = below.map_or(String::new(), |d| format!(" in {}", d.display()));
    TemporaryFolder::create(below)
        .map_err(|e| Error::io(format!("creating a temporary folder{place}"), e))
}

/// Decodes and scores.
fn report(
    spec: &AnchorSpec,
    backend: &dyn Backend,
    job: &Job,
    run: &Run,
    note: Option<String>,
    observer: Observer,
) -> Result<Anchor> {
    let mut source = (job.reference)()?;
    let mut scorer = Scorer::new(job.info);
    let mut frames = 0;
    let uneven = |less: &str, frames: u64| {
        Error::Mismatch(format!(
            "{} decodes to {less} frames than the reference has ({frames} compared)",
            spec.codec_name()
        ))
    };
    let decode_seconds = backend.decode(run, &mut |decoded| {
        if stopped(job.stop) {
            return Err(Error::Interrupted);
        }
        let reference = source.read()?.ok_or_else(|| uneven("more", frames))?;
        scorer.add(&reference, &decoded)?;
        observer(frames, &reference, &decoded)?;
        frames += 1;
        Ok(())
    })?;
    if source.read()?.is_some() {
        return Err(uneven("fewer", frames));
    }
    let scores = scorer.finish()?;
    let samples = (job.info.width * job.info.height) as f64 * scores.frames as f64;
    Ok(Anchor {
        spec: spec.clone(),
        quality: run.quality,
        version: version(spec)?,
        command: backend.command(run.quality),
        bytes: run.bytes,
        bytes_with_identification: run.whole,
        bpp: 8.0 * run.bytes as f64 / samples,
        scores,
        encode_seconds: run.seconds,
        decode_seconds,
        note,
    })
}
