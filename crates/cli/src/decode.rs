//! `nvc decode` and `nvc-decode`: frames out, and scores.

use std::path::Path;

use serde_json::{Value, json};

use super::args::{DecodeArgs, ScoreArgs};
use super::say::{print_line, say, say_missing};
use super::signals::leave_on_signal;
use super::sources::{files, in_range, open, open_any, warn};
use super::stream::{of_file, of_stream, open_stream, options};
use nvc::decoder::{Options, StreamDecoder};
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;
use nvc::metrics::{Scorer, Scores};
use nvc_lab::anchors::{Anchor, AnchorOptions, AnchorSpec, TableRow, run_anchor, score_table};
use nvc_lab::scores_json;
use nvc_media::{BoxedSource, FileGuard, SinkFormat, not_held, open_sink, with_alpha_of};

struct Scoring<'a> {
    args: &'a ScoreArgs,
    path: &'a Path,
    source: BoxedSource,
    scorer: Scorer,
}

/// Decodes `a.input` to `a.output`, and scores if asked.
pub fn run(a: &DecodeArgs, score: Option<&ScoreArgs>) -> Result<()> {
    let format = a
        .format
        .as_deref()
        .map(str::parse::<SinkFormat>)
        .transpose()?;
    let reads = files([Some(&a.input), score.and_then(|s| s.score.as_ref())]);
    let guard = reads.fold(FileGuard::new(a.overwrite), FileGuard::reads);
    let pictures = SinkFormat::of(&a.output, format)?.is_pictures();
    if pictures {
        guard.writes_pictures(&a.output)
    } else {
        guard.writes(&a.output)
    }
    .check()?;
    let anchors = score.map_or(Ok(Vec::new()), |s| {
        s.against
            .iter()
            .map(|x| x.parse())
            .collect::<Result<Vec<AnchorSpec>>>()
    })?;
    if let Some(s) = score
        && s.json
        && s.score.is_none()
    {
        return Err(Error::Parameter(
            "--json prints scores; it needs --score REF".into(),
        ));
    }
    if score.is_some_and(|s| s.json) && a.output == Path::new("-") {
        return Err(Error::Parameter(
            "--json and frames cannot both go to stdout; use -o null: or a file".into(),
        ));
    }
    if a.input == Path::new("-")
        && score.is_some_and(|s| s.score.as_deref() == Some(Path::new("-")))
    {
        return Err(Error::Parameter(
            "stdin can be read once: give the file or the reference of --score by name".into(),
        ));
    }
    if a.scale > 0 && score.is_some_and(|s| s.score.is_some()) {
        return Err(Error::Parameter(
            "--score compares whole pictures, not those of --scale".into(),
        ));
    }
    leave_on_signal()?;
    let options = Options {
        halvings: a.scale,
        ..options(a.threads, a.simd)?
    };
    let decoder = StreamDecoder::new(open_stream(&a.input)?, options);
    let mut decoder = decoder.map_err(|e| of_stream(&a.input, e))?;
    let info = *decoder.info();
    let range = a.frames.clone().unwrap_or(0..u64::MAX);
    let mut scoring = match score.and_then(|s| s.score.as_deref().map(|p| (s, p))) {
        Some((args, path)) => Some(Scoring {
            args,
            path,
            source: reference(args, path, &info, &range)?,
            scorer: Scorer::new(&info),
        }),
        None => None,
    };
    if let Some(lost) = not_held(SinkFormat::of(&a.output, format)?, &info) {
        say(&format!("warning: {}: {lost}", a.output.display()));
    }
    let mut sink = open_sink(&a.output, format, &info)?;
    let mut frames = 0;
    let decoded = decoder.decode(range.clone(), &mut |_, frame| {
        frames += 1;
        if let Some(s) = &mut scoring {
            let original = s.source.read()?.ok_or_else(|| {
                Error::Mismatch(format!(
                    "{} has only {} frames",
                    s.path.display(),
                    frames - 1
                ))
            })?;
            s.scorer.add(&original, &frame)?;
        }
        sink.write(&frame)
    });
    decoded.map_err(|e| of_file(&a.input, e))?;
    if range.start >= decoder.frames_read() {
        let (name, n) = (a.input.display(), decoder.frames_read());
        return Err(Error::Parameter(format!(
            "{name}: frames start at {}, the file has {n}",
            range.start
        )));
    }
    say_missing(&a.input.display(), Some(&range), frames);
    if let Some(line) = sink.finish()? {
        print_line(&line)?;
    }
    if let Some(s) = &mut scoring
        && range.end == u64::MAX
        && s.source.read()?.is_some()
    {
        say(&format!(
            "warning: {} goes on after {frames} frames, where the file ends",
            s.path.display()
        ));
    }
    if let Some(s) = &mut scoring {
        warn(s.path, &mut s.source);
    }
    match scoring {
        Some(s) => finish_scoring(
            s,
            &anchors,
            &info,
            &range,
            decoder.bytes_read(),
            decoder.frames_read(),
        ),
        None => Ok(()),
    }
}

fn reference(
    args: &ScoreArgs,
    path: &Path,
    info: &VideoInfo,
    range: &std::ops::Range<u64>,
) -> Result<BoxedSource> {
    let source = with_alpha_of(open(&args.reference, path)?, info.format);
    let (i, path) = (source.info(), path.display());
    if (i.width, i.height, i.format) != (info.width, info.height, info.format) {
        return Err(Error::Mismatch(format!(
            "{path} is {}x{} {}, the file {}x{} {}",
            i.width,
            i.height,
            i.format.name(),
            info.width,
            info.height,
            info.format.name()
        )));
    }
    if let Some(differ) = i.differences(info) {
        say(&format!(
            "warning: {path} and the file differ in {differ}; their samples are compared as they are"
        ));
    }
    in_range(source, Some(range).filter(|r| **r != (0..u64::MAX)))
}

fn finish_scoring(
    s: Scoring<'_>,
    specs: &[AnchorSpec],
    info: &VideoInfo,
    range: &std::ops::Range<u64>,
    bytes: u64,
    all_frames: u64,
) -> Result<()> {
    let scores: Scores = s.scorer.finish()?;
    // a part of the frames cannot be charged a part of the bytes: bpp is always the whole file's
    let bpp = bytes as f64 * 8.0 / (info.width as f64 * info.height as f64 * all_frames as f64);
    let range = range.start..range.start + scores.frames;
    let wanted =
        (bpp * info.width as f64 * info.height as f64 * scores.frames as f64 / 8.0).round() as u64;
    // what there is to say of the reference has been said
    let reopen = || {
        let mut source = open_any(&s.args.reference, s.path)?;
        source.take_warnings();
        in_range(source, Some(&range))
    };
    // one that fails takes none of the others' scores away
    let (mut anchors, mut failed) = (Vec::<Anchor>::new(), Vec::new());
    for spec in specs {
        match run_anchor(spec, &reopen, info, wanted, &AnchorOptions::default()) {
            Ok(a) => anchors.push(a),
            Err(e) => failed.push((spec.clone(), e.to_string())),
        }
    }
    if s.args.json {
        let mut out = scores_json(&scores);
        out["bytes"] = json!(bytes);
        out["bpp"] = json!(bpp);
        let mut list: Vec<Value> = anchors.iter().map(Anchor::to_json).collect();
        list.extend(failed.iter().map(
            |(spec, e)| json!({ "codec": spec.codec_name(), "preset": spec.config(), "error": e }),
        ));
        if !list.is_empty() {
            out["anchors"] = list.into();
        }
        return print_line(&out.to_string());
    }
    let own = TableRow {
        codec: "nvc",
        preset: "-".into(),
        bytes,
        bpp,
        scores: &scores,
    };
    let alpha = scores.psnr_alpha.map_or(String::new(), |p| {
        format!(
            "; of alpha {:.2} dB, the rest on black and on white",
            p.mean
        )
    });
    let note = format!(
        "{} frames of {}x{}; bpp from all bytes of the file; mean of per-frame PSNR in dB{}{alpha}",
        scores.frames,
        info.width,
        info.height,
        scores
            .rgb_matrix
            .map_or(String::new(), |m| format!("; RGB by {m}"))
    );
    say(&format!(
        "{}\n{note}",
        score_table(&own, &anchors, &failed).trim_end()
    ));
    Ok(())
}
