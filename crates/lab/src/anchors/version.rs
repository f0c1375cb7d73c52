//! What encoder a spec runs, in the encoder's own words.

use std::path::PathBuf;
use std::process::Stdio;

use super::codec::Codec;
use super::ffmpeg::{Ffmpeg, Need};
use super::spec::AnchorSpec;
use super::stream::feed;
use super::video;
use crate::memo::Memo;
use crate::program::{Call, Program, RunDir, temp_dir};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, Frame, PixelFormat, Ratio, Siting, VideoInfo};
use nvc_media::{BoxedSource, MemorySource};

/// Name and version of the encoder that `spec` runs here: `x264 164 r3095 baee400`,
/// `x265 3.5+1-f0c1022b6`, `SVT-AV1 1.4.1`, `libavif 0.11.1 aom 3.6.0`. Two tiny gray pictures are
/// encoded to hear it, once a process and program.
pub fn version(spec: &AnchorSpec) -> Result<String> {
    static KNOWN: Memo<(PathBuf, String), String> = Memo::new();
    if let Codec::External(c) = &spec.codec {
        return Ok(c.version.clone());
    }
    let ffmpeg = match video::names(&spec.codec) {
        Some((encoder, ..)) => Some(Ffmpeg::having(Need::Encoder(encoder))?),
        None => None,
    };
    let key = (
        ffmpeg
            .as_ref()
            .map_or_else(PathBuf::new, |f| f.program.clone()),
        spec.codec_name().to_string(),
    );
    KNOWN.get(key, || ask(spec, ffmpeg.as_ref()))
}

/// Asks the program itself.
fn ask(spec: &AnchorSpec, ffmpeg: Option<&Ffmpeg>) -> Result<String> {
    let (said, found) = match ffmpeg {
        Some(f) => {
            let said = tiny(f, &spec.codec)?;
            let found = parse_video(&spec.codec, &said);
            (said, found)
        }
        None => {
            let (program, option) = match spec.codec {
                Codec::Jpeg => ("cjpeg", "-version"),
                Codec::Webp => ("cwebp", "-version"),
                Codec::Avif => ("avifenc", "--version"),
                _ => ("cjxl", "--version"),
            };
            let said = Call::new(program, &[option]).output()?;
            let found = parse_picture(&spec.codec, &said);
            (said, found)
        }
    };
    found.ok_or_else(|| {
        let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        Error::Unsupported(format!(
            "{} does not tell its version: '{said}'",
            spec.codec_name()
        ))
    })
}

/// Encodes two gray pictures, the least that every encoder takes: what ffmpeg and the encoder said,
/// and the stream after it (where x264 names itself).
fn tiny(ffmpeg: &Ffmpeg, codec: &Codec) -> Result<String> {
    let Some((encoder, format, ..)) = video::names(codec) else {
        return Err(Error::Parameter(format!(
            "{} is no video encoder of ffmpeg's",
            codec.name()
        )));
    };
    let dir = temp_dir(None)?;
    let path = dir.path().join("tiny");
    let bit_depth = if ffmpeg.takes("yuv420p") { 8 } else { 10 };
    let format_of = PixelFormat {
        chroma: Chroma::Yuv420,
        bit_depth,
    };
    let (fps, sar) = (Ratio { num: 25, den: 1 }, Ratio { num: 1, den: 1 });
    let info = VideoInfo {
        fps,
        sar,
        ..VideoInfo::new(128, 128, format_of)
    };
    let call = ffmpeg.call(&[
        "-v",
        "info",
        "-f",
        "yuv4mpegpipe",
        "-i",
        "-",
        "-c:v",
        encoder,
        "-pix_fmt",
        format_of.name(),
        "-f",
        format,
        &path.display().to_string(),
    ]);
    let mut program = Program::start(
        &call,
        Stdio::piped(),
        Stdio::null(),
        RunDir {
            dir: dir.path(),
            stop: None,
        },
    )?;
    let pipe = program
        .stdin
        .take()
        .ok_or_else(|| Error::Parameter("ffmpeg has no stdin".into()))?;
    let mut gray = Frame::new(info.format, info.width, info.height);
    let middle = info.format.max_value() / 2 + 1;
    gray.planes.iter_mut().for_each(|p| p.data.fill(middle));
    feed(
        &|| {
            let source = MemorySource::new(&info, vec![gray.clone(); 2]);
            Ok(Box::new(source) as BoxedSource)
        },
        &info,
        Siting::Left,
        pipe,
    )?;
    program.wait(&format!("encode with {encoder}"))?;
    let stream =
        std::fs::read(&path).map_err(|e| Error::io(format!("reading {}", path.display()), e))?;
    Ok(program.stderr() + "\n" + &String::from_utf8_lossy(&stream))
}

/// What follows `mark` up to one of `ends` or the end of the line.
fn after<'a>(text: &'a str, mark: &str, ends: &[char]) -> Option<&'a str> {
    let rest = &text[text.find(mark)? + mark.len()..];
    let end = rest
        .find(|c: char| c.is_control() || ends.contains(&c))
        .unwrap_or(rest.len());
    Some(rest[..end].trim()).filter(|v| !v.is_empty())
}

fn parse_video(codec: &Codec, said: &str) -> Option<String> {
    match codec {
        Codec::X264 => after(said, "x264 - core ", &['-']).map(|v| format!("x264 {v}")),
        Codec::X265 | Codec::X265Intra => {
            after(said, "HEVC encoder version ", &[' ']).map(|v| format!("x265 {v}"))
        }
        Codec::SvtAv1 => {
            after(said, "SVT-AV1 Encoder Lib v", &[' ']).map(|v| format!("SVT-AV1 {v}"))
        }
        Codec::Aom => {
            let line = said.lines().find(|l| l.starts_with("[libaom-av1 @"))?;
            after(line, "] ", &[' ']).map(|v| format!("libaom {}", v.trim_start_matches('v')))
        }
        Codec::Vvenc => after(said, "libvvenc version: ", &[' ']).map(|v| format!("VVenC {v}")),
        _ => None,
    }
}

fn parse_picture(codec: &Codec, said: &str) -> Option<String> {
    match codec {
        Codec::Jpeg => {
            after(said, "libjpeg-turbo version ", &[' ']).map(|v| format!("libjpeg-turbo {v}"))
        }
        // a bare number on a line of its own
        Codec::Webp => said
            .lines()
            .map(str::trim)
            .find(|l| l.starts_with(|c: char| c.is_ascii_digit()))
            .map(|v| format!("libwebp {v}")),
        Codec::Avif => {
            let own = after(said, "Version: ", &[' '])?;
            // the library that encodes unless told otherwise
            let aom = after(said, "aom [enc/dec]:", &[',', ')'])
                .map(|v| format!(" aom {}", v.trim_start_matches('v')));
            Some(format!("libavif {own}{}", aom.unwrap_or_default()))
        }
        Codec::Jxl => after(said, "cjxl v", &[' ']).map(|v| format!("libjxl {v}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_programs_print_them() {
        for (codec, said, want) in [
            (
                Codec::X264,
                "log\n\0\u{fffd}x264 - core 164 r3095 baee400 - H.264/MPEG-4 AVC codec - Copyleft",
                "x264 164 r3095 baee400",
            ),
            (
                Codec::X265,
                "x265 [info]: HEVC encoder version 3.5+1-f0c1022b6\nx265 [info]: build",
                "x265 3.5+1-f0c1022b6",
            ),
            (
                Codec::SvtAv1,
                "Svt[info]: SVT [version]:\tSVT-AV1 Encoder Lib v1.4.1\n",
                "SVT-AV1 1.4.1",
            ),
            (
                Codec::Aom,
                "x\n[libaom-av1 @ 0x5556236c4080] v3.6.0\nOutput",
                "libaom 3.6.0",
            ),
            (
                Codec::Vvenc,
                "[libvvenc @ 0x5] libvvenc version: 1.15.0-dev\n",
                "VVenC 1.15.0-dev",
            ),
        ] {
            assert_eq!(parse_video(&codec, said).as_deref(), Some(want));
            assert_eq!(parse_video(&codec, "something else"), None);
        }
        let avif = "Version: 0.11.1 (dav1d [dec]:1.0.0, aom [enc/dec]:v3.6.0, rav1e [enc]:0.5.1)\nlibyuv : available (1857)";
        for (codec, said, want) in [
            (
                Codec::Jpeg,
                "\nlibjpeg-turbo version 2.1.5 (build 20230203)\n",
                "libjpeg-turbo 2.1.5",
            ),
            (Codec::Webp, "1.2.4\nlibsharpyuv: 0.2.0\n", "libwebp 1.2.4"),
            (Codec::Avif, avif, "libavif 0.11.1 aom 3.6.0"),
            (
                Codec::Jxl,
                "cjxl v0.7.0 [AVX3,SSE4]\nCopyright",
                "libjxl 0.7.0",
            ),
        ] {
            assert_eq!(parse_picture(&codec, said).as_deref(), Some(want));
        }
    }
}
