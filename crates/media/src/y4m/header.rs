//! The header line of YUV4MPEG2.

use std::io::Read;

use crate::aspect::{UNKNOWN, sample_aspect};
use crate::size::check_size;
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, ColorInfo, PixelFormat, Range, Ratio, Siting, VideoInfo};

/// First bytes of every stream.
pub const MAGIC: &[u8] = b"YUV4MPEG2 ";
/// Most bytes of the line.
const MAX_HEADER: usize = 1 << 16;

/// The header line without its newline, byte by byte: what follows belongs to the frames.
pub fn read(reader: &mut impl Read, name: &str) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() < MAX_HEADER {
        let mut byte = [0];
        match reader.read_exact(&mut byte) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
            r => r.map_err(|e| Error::io(format!("reading {name}"), e))?,
        }
        match byte[0] {
            b'\n' if line.starts_with(MAGIC) => return Ok(line),
            b'\n' => {
                return Err(Error::source(
                    name,
                    0,
                    "not y4m: the first line does not start with 'YUV4MPEG2 '",
                ));
            }
            b => line.push(b),
        }
    }
    let what = format!(
        "y4m header without a newline in {} bytes (at most {MAX_HEADER})",
        line.len()
    );
    Err(Error::source(name, line.len() as u64, what))
}

/// What a header line says; warnings for what of it cannot be kept.
pub fn parse(line: &[u8], name: &str, warnings: &mut Vec<String>) -> Result<VideoInfo> {
    let text = String::from_utf8_lossy(line);
    if text.ends_with('\r') {
        let what = "the header line ends in CR LF (allowed: LF alone): something took the file for text and may have changed its samples";
        return Err(Error::source(name, line.len() as u64 - 1, what));
    }
    let bad = |tag: &str, allowed: &str| {
        Error::source(
            name,
            0,
            format!(
                "y4m header tag '{}' (allowed: {allowed})",
                tag.escape_debug()
            ),
        )
    };
    let (mut width, mut height) = (None, None);
    let mut format = PixelFormat::new8(Chroma::Yuv420);
    let (mut fps, mut sar) = (None, UNKNOWN);
    let mut color = ColorInfo::UNSPECIFIED;
    let side = |tag: &str| {
        tag[1..]
            .parse::<usize>()
            .map_err(|_| bad(tag, "W and H with a number, as W176"))
    };
    for tag in text.split([' ', '\t']).skip(1).filter(|t| !t.is_empty()) {
        // X may be given as often as one likes
        let same = |t: &&str| {
            t.as_bytes()[0] == tag.as_bytes()[0]
                && b"WHFAIC".contains(&tag.as_bytes()[0])
                && *t != tag
        };
        if let Some(other) = text
            .split([' ', '\t'])
            .skip(1)
            .filter(|t| !t.is_empty())
            .find(same)
        {
            return Err(Error::source(
                name,
                0,
                format!("y4m header tags '{other}' and '{tag}' (allowed: one of a letter)"),
            ));
        }
        // tags are ASCII; a first letter of several bytes is none of them
        let Some(value) = tag.get(1..) else { continue };
        match tag.as_bytes()[0] {
            b'W' => width = Some(side(tag)?),
            b'H' => height = Some(side(tag)?),
            b'F' => {
                fps = Some(ratio(value).ok_or_else(|| {
                    bad(
                        tag,
                        "a ratio of whole numbers up to 4294967295, as F25:1 or F30000:1001",
                    )
                })?)
            }
            b'A' => {
                let parts = value
                    .split_once(':')
                    .and_then(|(n, d)| Some((n.parse().ok()?, d.parse().ok()?)));
                let (n, d): (u64, u64) =
                    parts.ok_or_else(|| bad(tag, "a ratio of whole numbers, as A1:1"))?;
                let (kept, warning) = sample_aspect(n, d);
                sar = kept;
                warnings.extend(warning);
            }
            b'C' => (format, color.siting) = colourspace(value, name)?,
            b'I' => warnings.extend(interlacing(value)),
            b'X' if value == "COLORRANGE=FULL" => color.range = Range::Full,
            b'X' if value == "COLORRANGE=LIMITED" => color.range = Range::Limited,
            _ => {}
        }
    }
    let missing = |tag: &str| {
        Error::source(
            name,
            0,
            format!("y4m header without {tag}, as in W176 H144"),
        )
    };
    let (width, height) = (
        width.ok_or_else(|| missing("W"))?,
        height.ok_or_else(|| missing("H"))?,
    );
    check_size(name, width, height)?;
    let fps = fps.filter(|r| r.num > 0 && r.den > 0).unwrap_or_else(|| {
        warnings.push("the header says no frame rate: 25 frames a second are taken; ffmpeg -r RATE before -i gives it one".into());
        Ratio { num: 25, den: 1 }
    });
    Ok(VideoInfo {
        fps,
        sar,
        color,
        ..VideoInfo::new(width, height, format)
    })
}

/// What is lost of a stream that is not progressive.
fn interlacing(value: &str) -> Option<String> {
    let order = match value {
        "t" => "interlaced, top field first",
        "b" => "interlaced, bottom field first",
        "m" => "interlaced in parts",
        _ => return None,
    };
    Some(format!(
        "the video is {order}: its frames are coded whole and marked progressive; ffmpeg -vf bwdif deinterlaces it first"
    ))
}

fn ratio(value: &str) -> Option<Ratio> {
    let (num, den) = value.split_once(':')?;
    Some(Ratio {
        num: num.parse().ok()?,
        den: den.parse().ok()?,
    })
}

fn colourspace(value: &str, name: &str) -> Result<(PixelFormat, Siting)> {
    // 420jpeg is what most programs write for any siting, so it says nothing
    let (chroma, bit_depth, siting) = match value {
        "420" | "420jpeg" => (Chroma::Yuv420, 8, Siting::Unspecified),
        "420mpeg2" => (Chroma::Yuv420, 8, Siting::Left),
        "420paldv" => (Chroma::Yuv420, 8, Siting::TopLeft),
        "444" => (Chroma::Yuv444, 8, Siting::Unspecified),
        "mono" => (Chroma::Gray, 8, Siting::Unspecified),
        "420p10" => (Chroma::Yuv420, 10, Siting::Unspecified),
        "444p10" => (Chroma::Yuv444, 10, Siting::Unspecified),
        "mono10" => (Chroma::Gray, 10, Siting::Unspecified),
        _ => {
            return Err(Error::Unsupported(format!(
                "{name}: y4m colourspace 'C{}' (known: 420, 420jpeg, 420mpeg2, 420paldv, 444, mono, 420p10, 444p10, mono10); convert it \
                 first, as with ffmpeg -i IN.y4m -pix_fmt yuv420p -f yuv4mpegpipe - | nvc encode -",
                value.escape_debug()
            )));
        }
    };
    Ok((PixelFormat { chroma, bit_depth }, siting))
}

/// The stream header with its newline. RGB and alpha have no y4m form and are an [`Error::Unsupported`].
pub fn write(info: &VideoInfo) -> Result<String> {
    let tag = match (info.format.chroma, info.format.bit_depth) {
        (Chroma::Yuv420, 8) => match info.color.siting {
            Siting::Left => "420mpeg2",
            Siting::TopLeft => "420paldv",
            _ => "420jpeg",
        },
        (Chroma::Yuv420, _) => "420p10 XYSCSS=420P10",
        (Chroma::Yuv444, 8) => "444",
        (Chroma::Yuv444, _) => "444p10 XYSCSS=444P10",
        (Chroma::Gray, 8) => "mono",
        (Chroma::Gray, _) => "mono10",
        (Chroma::Rgb, _) => {
            return Err(Error::Unsupported(format!(
                "{} pictures as y4m, which has no RGB; write them with --format yuv (raw planes) or --format png",
                info.format.name()
            )));
        }
        (Chroma::GrayAlpha | Chroma::Rgba, _) => {
            return Err(crate::sink_format::no_alpha("y4m", info));
        }
    };
    let range = match info.color.range {
        Range::Unspecified => "",
        Range::Limited => " XCOLORRANGE=LIMITED",
        Range::Full => " XCOLORRANGE=FULL",
    };
    let (fps, sar) = (info.fps, info.sar);
    Ok(format!(
        "YUV4MPEG2 W{} H{} F{}:{} Ip A{}:{} C{tag}{range}\n",
        info.width, info.height, fps.num, fps.den, sar.num, sar.den
    ))
}
