//! A point of another codec, and the figures that other programs measure.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::jobs::OperatingPoint;
use super::plan::{CodecPlan, Plan};
use super::row::Row;
use super::sequence::{Sequence, open};
use crate::anchors::{
    AnchorOptions, AnchorSpec, ExternalCodec, FrameCallback, Measure, Wanted, perceptual_identity,
    run_anchor, run_anchor_at, version,
};
use ::nvc::error::{Error, Result};
use ::nvc::frame::{Frame, VideoInfo};
use nvc_media::hex;
use sha2::{Digest, Sha256};

/// The codec that an entry of a plan names.
pub fn spec(plan: &CodecPlan) -> Result<AnchorSpec> {
    if plan.codec != "external" {
        return plan.codec.parse();
    }
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let codec = ExternalCodec {
        version: text(&plan.version),
        extension: text(&plan.extension),
        ..ExternalCodec::new(&text(&plan.name), &text(&plan.encode), &text(&plan.decode))
    };
    codec.check()?;
    Ok(codec.into())
}

/// What calls the programs: with other text they may be called otherwise.
const CALLS: [&str; 7] = [
    include_str!("../anchors/command.rs"),
    include_str!("../anchors/external.rs"),
    include_str!("../anchors/nal.rs"),
    include_str!("../anchors/picture.rs"),
    include_str!("../anchors/picture_codecs.rs"),
    include_str!("../anchors/stream.rs"),
    include_str!("../anchors/video.rs"),
];

/// What results of a codec are filed under: its encoder's version, and how we call it.
pub fn identity(plan: &CodecPlan) -> Result<String> {
    let hash = CALLS
        .iter()
        .fold(Sha256::new(), |h, text| h.chain_update(text));
    Ok(format!(
        "{} called by {}",
        version(&spec(plan)?)?,
        hex(&hash.finalize()[..8])
    ))
}

/// The figures that a plan asks for beyond our own.
fn wanted(plan: &Plan) -> Wanted {
    Wanted {
        vmaf: plan.wants("vmaf"),
        xpsnr: plan.wants("xpsnr"),
    }
}

/// What measures the figures that a plan asks for beyond our own; empty if it asks for none.
pub fn measures(plan: &Plan) -> String {
    perceptual_identity(wanted(plan))
}

/// Whether it only codes still pictures.
pub fn is_picture(plan: &CodecPlan) -> bool {
    spec(plan).is_ok_and(|s| s.is_picture())
}

/// VMAF and XPSNR as the plan asks for, fed with frames as they come.
pub struct Perceptual(Option<Measure>);

impl Perceptual {
    /// Starts what the plan names; nothing if it names neither.
    pub fn start(plan: &Plan, info: &VideoInfo) -> Result<Self> {
        let wanted = wanted(plan);
        let any = wanted.vmaf || wanted.xpsnr;
        Ok(Perceptual(
            any.then(|| Measure::start(info, wanted, plan.threads.max(1)))
                .transpose()?,
        ))
    }

    /// Takes a pair of frames.
    pub fn add(&mut self, reference: &Frame, decoded: &Frame) -> Result<()> {
        self.0
            .as_mut()
            .map_or(Ok(()), |m| m.add(reference, decoded))
    }

    /// Writes the figures, or why there are none, into a row.
    pub fn finish(self, row: &mut Row) -> Result<()> {
        let Some(m) = self.0 else { return Ok(()) };
        let p = m.finish()?;
        (row.vmaf, row.xpsnr) = (p.vmaf, p.xpsnr.map(|x| x.yuv611()));
        p.missing.iter().for_each(|m| row.add_note(m));
        Ok(())
    }
}

/// What a point is made from, where, and what stops it.
#[derive(Clone, Copy)]
pub struct PointContext<'a> {
    /// The sequence's file.
    pub input: &'a Path,
    /// The sequence.
    pub sequence: &'a Sequence,
    /// Folder for temporary files.
    pub dir: &'a Path,
    /// Set to stop.
    pub stop: &'a Arc<AtomicBool>,
}

/// Runs one point and fills its row; `callback` gets every pair of frames.
pub fn point(
    plan: &Plan,
    codec: &CodecPlan,
    at: OperatingPoint,
    row: &mut Row,
    context: &PointContext,
    callback: FrameCallback,
) -> Result<()> {
    let PointContext {
        input,
        sequence,
        dir,
        stop,
    } = *context;
    let spec = spec(codec)?;
    let options = AnchorOptions {
        threads: plan.threads,
        stop: Some(stop.clone()),
        dir: Some(dir.to_path_buf()),
        ..AnchorOptions::default()
    };
    let reopen = || open(input);
    let mut measure = Perceptual::start(plan, &sequence.info)?;
    let mut found = None;
    let quality = match at {
        OperatingPoint::Quality(q) => q,
        OperatingPoint::Bpp(bpp) => {
            let samples =
                sequence.info.width as f64 * sequence.info.height as f64 * sequence.frames as f64;
            let searched = run_anchor(
                &spec,
                &reopen,
                &sequence.info,
                (bpp * samples / 8.0).round() as u64,
                &options,
            )?;
            found = searched.note;
            searched.quality
        }
    };
    let a = run_anchor_at(
        &spec,
        &reopen,
        &sequence.info,
        quality,
        &options,
        &mut |i, reference, decoded| {
            measure.add(reference, decoded)?;
            callback(i, reference, decoded)
        },
    )?;
    row.codec = spec.codec_name().into();
    row.config = spec.config();
    row.version = a.version.clone();
    row.point = OperatingPoint::Quality(quality).label(spec.quality_name());
    row.weak = if spec.weak() {
        "yes".into()
    } else {
        String::new()
    };
    row.bytes = a.bytes;
    row.set_scores(&a.scores);
    (row.enc_s, row.dec_s) = (a.encode_seconds, a.decode_seconds);
    row.enc_device = format!("cpu x{}", plan.threads);
    row.dec_device = row.enc_device.clone();
    row.command = a.command;
    found
        .into_iter()
        .chain(a.note)
        .for_each(|n| row.add_note(&n));
    measure.finish(row)
}

/// Error of a codec that does not fit a sequence.
pub fn check(codec: &CodecPlan, sequence: &Sequence) -> Result<()> {
    if codec.codec == "nvc"
        || codec.codec == "external"
        || is_picture(codec) == sequence.is_picture()
    {
        return Ok(());
    }
    let (kind, other) = if sequence.is_picture() {
        ("a picture", "video")
    } else {
        ("video", "pictures")
    };
    Err(Error::Parameter(format!(
        "{} is {kind}, {} codes {other}; limit it with sequences = [...]",
        sequence.name, codec.codec
    )))
}
