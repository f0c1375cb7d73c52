//! Clips to write and read, and what ffmpeg makes of them.

use std::process::Command;

use super::support;
use nvc::frame::{Chroma, ColorInfo, Frame, Range, Ratio, VideoInfo};
use nvc_media::{BoxedSource, SinkFormat, open_sink};

/// A clip in the range of video, at a rate that is no whole number.
pub fn info(chroma: Chroma, bit_depth: u8, width: usize, height: usize) -> VideoInfo {
    VideoInfo {
        fps: Ratio {
            num: 30000,
            den: 1001,
        },
        sar: Ratio { num: 0, den: 0 },
        color: ColorInfo {
            range: Range::Limited,
            ..ColorInfo::UNSPECIFIED
        },
        ..support::info(chroma, bit_depth, width, height)
    }
}

/// Frames of a moving slope with some noise, over the whole sample range.
pub fn frames(i: &VideoInfo, n: usize) -> Vec<Frame> {
    let mut noise = 1u32;
    let mut make = |t: usize| {
        let mut f = Frame::new(i.format, i.width, i.height);
        for (p, plane) in f.planes.iter_mut().enumerate() {
            let w = plane.width;
            for (k, v) in plane.data.iter_mut().enumerate() {
                noise = noise.wrapping_mul(1664525).wrapping_add(1013904223);
                let slope = ((k % w) * 3 + (k / w) * 2 + t * 5 + p * 40) as u32 + (noise >> 29);
                *v = (slope * if i.format.bit_depth > 8 { 4 } else { 1 }
                    % (u32::from(i.format.max_value()) + 1)) as u16;
            }
        }
        f
    };
    (0..n).map(&mut make).collect()
}

/// Writes a file; what the sink returns for stdout.
pub fn write(
    path: &str,
    format: Option<SinkFormat>,
    i: &VideoInfo,
    frames: &[Frame],
) -> Option<String> {
    let mut sink = open_sink(path, format, i).unwrap();
    frames.iter().for_each(|f| sink.write(f).unwrap());
    sink.finish().unwrap()
}

/// All frames.
pub fn read(mut source: BoxedSource) -> Vec<Frame> {
    std::iter::from_fn(|| source.read().unwrap()).collect()
}

/// The name of a file in a folder.
pub fn path(dir: &tempfile::TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_string()
}

/// What the ffmpeg program's MD5 of a file's samples is.
pub fn ffmpeg_md5(args: &[&str], pix_fmt: &str) -> String {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]).args(args);
    let out = command
        .args(["-c:v", "rawvideo", "-pix_fmt", pix_fmt, "-f", "md5", "-"])
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap().trim().to_string()
}

/// What y4m holds.
pub const FORMATS: [(Chroma, u8); 6] = [
    (Chroma::Yuv420, 8),
    (Chroma::Yuv420, 10),
    (Chroma::Yuv444, 8),
    (Chroma::Yuv444, 10),
    (Chroma::Gray, 8),
    (Chroma::Gray, 10),
];
