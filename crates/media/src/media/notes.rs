//! What a media file says that a file of ours cannot keep, and what it can.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::chroma::Location;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::format::stream::Disposition;
use ffmpeg_next::frame::Video;
use ffmpeg_next::frame::side_data::Type as FrameData;
use ffmpeg_next::packet::side_data::Type as StreamData;

use crate::turn::Turn;
use nvc::frame::{ContentLight, LightInfo, Mastering, Siting};
/// Warnings, shared with the decoder's thread, and how many of them were taken.
pub type Notes = Arc<Mutex<(Vec<String>, usize)>>;

/// Adds a warning, once.
pub fn add(notes: &Notes, what: String) {
    let (list, _) = &mut *notes.lock().unwrap_or_else(|e| e.into_inner());
    if !list.contains(&what) {
        list.push(what);
    }
}

/// Takes all new warnings.
pub fn take(notes: &Notes) -> Vec<String> {
    let (list, taken) = &mut *notes.lock().unwrap_or_else(|e| e.into_inner());
    let new = list[*taken..].to_vec();
    *taken = list.len();
    new
}

/// Of a file that holds fewer pictures than it says, beyond rounding.
pub fn cut_short(frames: u64, said: u64) -> Option<String> {
    let missing = said.saturating_sub(frames);
    (missing > 1 && missing as f64 > 0.02 * said as f64).then(|| {
        format!("it holds {frames} pictures where its header says {said}: it seems to be cut short")
    })
}

/// Streams that are left out.
pub fn streams(input: &Input, taken: usize, notes: &Notes) {
    let mut others = BTreeMap::<&str, usize>::new();
    for s in input.streams().filter(|s| s.index() != taken) {
        let kind = match s.parameters().medium() {
            ffmpeg::media::Type::Audio => "audio",
            ffmpeg::media::Type::Video => "video",
            ffmpeg::media::Type::Subtitle => "subtitle",
            ffmpeg::media::Type::Attachment => "attachment",
            _ => "data",
        };
        *others.entry(kind).or_default() += 1;
    }
    if !others.is_empty() {
        let list: Vec<String> = others
            .iter()
            .map(|(kind, n)| format!("{n} {kind}"))
            .collect();
        add(
            notes,
            format!(
                "other streams are left out ({}); ffmpeg -i DECODED.y4m -i IT -map 0 -map 1 -map -1:v puts them back",
                list.join(", ")
            ),
        );
    }
    // VP8 and VP9 have alpha in a stream of its own within each packet, which no decoder of theirs
    // gives
    if input
        .stream(taken)
        .is_some_and(|s| s.metadata().get("alpha_mode").is_some_and(|v| v != "0"))
    {
        add(
            notes,
            "its alpha is dropped; flatten it first where it matters".into(),
        );
    }
    if input.stream(taken).is_some_and(|s| is_cover(&s)) {
        add(
            notes,
            "its only pictures are a cover; that is what is taken".into(),
        );
    }
}

/// Whether a stream is the picture that belongs to music.
pub fn is_cover(stream: &ffmpeg::Stream) -> bool {
    stream.disposition().contains(Disposition::ATTACHED_PIC)
}

/// How the pictures of a stream are to be shown.
pub fn turn(stream: &ffmpeg::Stream, notes: &Notes) -> Turn {
    let Some(matrix) = stream
        .side_data()
        .find(|d| d.kind() == StreamData::DisplayMatrix)
        .map(|d| words(d.data()))
    else {
        return Turn::NONE;
    };
    let turn = match matrix[..] {
        [a, b, _, c, d, ..] => Turn::from_matrix([a, b, c, d]),
        _ => None,
    };
    turn.unwrap_or_else(|| {
        add(notes, "its display matrix, which does more than turn by right angles, is not applied; ffmpeg applies it".into());
        Turn::NONE
    })
}

/// Native integers of a structure of ffmpeg's.
fn words(data: &[u8]) -> Vec<i32> {
    data.chunks_exact(4)
        .map(|w| i32::from_ne_bytes([w[0], w[1], w[2], w[3]]))
        .collect()
}

/// What the first picture says beside its samples.
pub fn picture(p: &Video, notes: &Notes) {
    if p.is_interlaced() {
        let order = if p.is_top_first() { "top" } else { "bottom" };
        let what = format!(
            "the video is interlaced, {order} field first: its frames are coded whole and marked progressive; ffmpeg -vf bwdif deinterlaces it first"
        );
        add(notes, what);
    }
    if p.side_data(FrameData::IccProfile).is_some() {
        add(
            notes,
            "its ICC profile is not kept: the samples are, their meaning is not; convert it first"
                .into(),
        );
    }
    if p.side_data(FrameData::DYNAMIC_HDR_PLUS).is_some() {
        add(notes, "its HDR10+ metadata are not kept".into());
    }
}

/// Where chroma samples lie.
pub fn siting(p: &Video) -> Siting {
    match p.chroma_location() {
        Location::Unspecified => Siting::Unspecified,
        Location::Left => Siting::Left,
        Location::Center => Siting::Center,
        Location::TopLeft => Siting::TopLeft,
        Location::Top => Siting::Top,
        Location::BottomLeft => Siting::BottomLeft,
        Location::Bottom => Siting::Bottom,
    }
}

/// Mastering display and light levels, of the first picture or else of the stream (libavutil's
/// AVMasteringDisplayMetadata: ratios of the primaries R, G, B and the white point, then of the
/// least and the greatest luminance, then two flags; AVContentLightMetadata).
pub fn light(p: &Video, stream: &[(StreamData, Vec<u8>)]) -> Option<LightInfo> {
    let of = |frame: FrameData, kind: StreamData| {
        let own = p.side_data(frame).map(|d| words(d.data()));
        own.or_else(|| {
            stream
                .iter()
                .find(|(k, _)| *k == kind)
                .map(|(_, d)| words(d))
        })
    };
    let mastering = of(
        FrameData::MasteringDisplayMetadata,
        StreamData::MasteringDisplayMetadata,
    )
    .and_then(|w| mastering(&w));
    let content = of(FrameData::ContentLightLevel, StreamData::ContentLightLevel).and_then(|w| {
        let level = |i: usize| w.get(i).map(|&v| u16::try_from(v).unwrap_or(u16::MAX));
        Some(ContentLight {
            max_cll: level(0)?,
            max_fall: level(1)?,
        })
    });
    (mastering.is_some() || content.is_some()).then_some(LightInfo { mastering, content })
}

fn mastering(w: &[i32]) -> Option<Mastering> {
    let &[has_primaries, has_luminance] = w.get(20..22)? else {
        return None;
    };
    let ratio = |i: usize, unit: f64| {
        let (n, d) = (f64::from(w[2 * i]), f64::from(w[2 * i + 1]));
        if d == 0.0 {
            0.0
        } else {
            (n / d * unit).round().max(0.0)
        }
    };
    if has_primaries == 0 || has_luminance == 0 {
        return None;
    }
    let point = |i: usize| [i, i + 1].map(|i| ratio(i, 50_000.0) as u16);
    let [red, green, blue, white] = [0, 2, 4, 6].map(point);
    let [min_luminance, max_luminance] = [8, 9].map(|i| ratio(i, 10_000.0) as u32);
    Some(Mastering {
        green,
        blue,
        red,
        white,
        max_luminance,
        min_luminance,
    })
}
