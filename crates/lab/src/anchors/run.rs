//! One codec on one sequence: encoded, decoded, scored.

use super::backend::{Backend, Job, Run};
use super::codec::Codec;
use super::external::{ExternalPicture, ExternalVideo};
use super::options::AnchorOptions;
use super::picture::Picture;
use super::picture_codecs::KnownPicture;
use super::reference::{FrameCallback, SourceFactory};
use super::search::search;
use super::spec::AnchorSpec;
use super::version::version;
use super::video::Video;
use crate::program::{stopped, temp_dir};
use crate::scores::scores_json;
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, VideoInfo};
use nvc::metrics::{Scorer, Scores};

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
        let mut json = scores_json(&self.scores);
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

fn backend<'a>(spec: &'a AnchorSpec, job: Job<'a>) -> Result<Box<dyn Backend + 'a>> {
    Ok(match &spec.codec {
        Codec::External(c) if job.info.format.chroma == Chroma::Rgb => {
            Box::new(Picture::new(&c.name, job, ExternalPicture::new(c, &job)?)?)
        }
        Codec::External(c) => Box::new(ExternalVideo::new(c, job)?),
        codec if codec.is_picture() => Box::new(Picture::new(
            codec.name(),
            job,
            KnownPicture::new(spec, &job)?,
        )?),
        _ => Box::new(Video::new(spec, job)?),
    })
}

/// Encodes the reference as close to `target_bytes` as the codec's quality allows, decodes and
/// scores it.
pub fn run_anchor(
    spec: &AnchorSpec,
    reference: SourceFactory,
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

/// Encodes at a chosen quality; otherwise as [`run_anchor`]. `callback` sees the pictures.
pub fn run_anchor_at(
    spec: &AnchorSpec,
    reference: SourceFactory,
    info: &VideoInfo,
    quality: f64,
    opts: &AnchorOptions,
    callback: FrameCallback,
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
    report(spec, &*backend, &job, &run, None, callback)
}

/// Decodes and scores.
fn report(
    spec: &AnchorSpec,
    backend: &dyn Backend,
    job: &Job,
    run: &Run,
    note: Option<String>,
    callback: FrameCallback,
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
        callback(frames, &reference, &decoded)?;
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
