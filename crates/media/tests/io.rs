//! Sources and sinks through their public doors, against each other and against the ffmpeg program.

mod support;

use std::path::Path;
use std::process::Command;

use nvc::Error;
use nvc::frame::{Chroma, ColorInfo, Frame, PixelFormat, Range, Ratio, VideoInfo};
use nvc_media::{BoxedSource, SinkFormat, SourceOptions, SourceRange, open_sink, open_source};
use support::ffmpeg;

fn info(chroma: Chroma, bit_depth: u8, width: usize, height: usize) -> VideoInfo {
    VideoInfo {
        width,
        height,
        format: PixelFormat { chroma, bit_depth },
        fps: Ratio {
            num: 30000,
            den: 1001,
        },
        sar: Ratio { num: 0, den: 0 },
        color: ColorInfo {
            range: Range::Limited,
            ..ColorInfo::UNSPECIFIED
        },
    }
}

/// Frames of a moving slope with some noise, over the whole sample range.
fn frames(i: &VideoInfo, n: usize) -> Vec<Frame> {
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

fn write(
    path: &str,
    format: Option<SinkFormat>,
    i: &VideoInfo,
    frames: &[Frame],
) -> Option<String> {
    let mut sink = open_sink(path, format, i).unwrap();
    frames.iter().for_each(|f| sink.write(f).unwrap());
    sink.finish().unwrap()
}

fn read(mut source: BoxedSource) -> Vec<Frame> {
    std::iter::from_fn(|| source.read().unwrap()).collect()
}

fn path(dir: &tempfile::TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_string()
}

fn ffmpeg_md5(args: &[&str], pix_fmt: &str) -> String {
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

const FORMATS: [(Chroma, u8); 6] = [
    (Chroma::Yuv420, 8),
    (Chroma::Yuv420, 10),
    (Chroma::Yuv444, 8),
    (Chroma::Yuv444, 10),
    (Chroma::Gray, 8),
    (Chroma::Gray, 10),
];

#[test]
fn y4m_round_trip_and_md5_as_ffmpeg() {
    let dir = tempfile::tempdir().unwrap();
    let compare = ffmpeg();
    for (chroma, depth) in FORMATS {
        for (w, h) in [(17, 13), (16, 8), (1, 1)] {
            let i = info(chroma, depth, w, h);
            let all = frames(&i, 3);
            let name = path(&dir, "a.y4m");
            assert_eq!(write(&name, None, &i, &all), None);
            let source = open_source(&name, &SourceOptions::default()).unwrap();
            assert_eq!((*source.info(), source.frames_hint()), (i, Some(3)));
            assert_eq!(read(source), all);
            let ours = write("-", Some(SinkFormat::Md5), &i, &all).unwrap();
            if compare {
                assert_eq!(
                    ours,
                    ffmpeg_md5(&["-i", &name], i.format.name()),
                    "{} {w}x{h}",
                    i.format.name()
                );
            }
        }
    }
    assert!(!Path::new(&path(&dir, "a.y4m.part")).exists());
}

#[test]
fn y4m_that_ffmpeg_writes() {
    if !ffmpeg() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let name = path(&dir, "f.y4m");
    for pix_fmt in [
        "yuv420p",
        "yuv444p",
        "gray",
        "yuv420p10le",
        "yuv444p10le",
        "gray10le",
    ] {
        let make = [
            "-nostdin",
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=50x38:r=25:d=0.2",
            "-pix_fmt",
            pix_fmt,
            "-strict",
            "-1",
            &name,
        ];
        assert!(
            Command::new("ffmpeg")
                .args(make)
                .status()
                .unwrap()
                .success()
        );
        let source = open_source(&name, &SourceOptions::default()).unwrap();
        let i = *source.info();
        assert_eq!((i.format.name(), i.fps.num, i.width), (pix_fmt, 25, 50));
        assert_eq!(
            write("null:", Some(SinkFormat::Md5), &i, &read(source)).unwrap(),
            ffmpeg_md5(&["-i", &name], pix_fmt)
        );
    }
}

#[test]
fn raw_round_trip_of_every_format() {
    let dir = tempfile::tempdir().unwrap();
    for (chroma, depth) in FORMATS
        .into_iter()
        .chain([(Chroma::Rgb, 8), (Chroma::Rgb, 10)])
    {
        let i = info(chroma, depth, 9, 7);
        let all = frames(&i, 2);
        let name = path(&dir, "a.yuv");
        write(&name, None, &i, &all);
        assert_eq!(
            std::fs::metadata(&name).unwrap().len() as usize,
            2 * i.format.frame_bytes(9, 7)
        );
        let opts = SourceOptions {
            size_in: Some((9, 7)),
            pix_fmt: Some(i.format),
            ..Default::default()
        };
        assert_eq!(read(open_source(&name, &opts).unwrap()), all);
    }
}

#[test]
fn pictures_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    for chroma in [Chroma::Rgb, Chroma::Gray] {
        let i = info(chroma, 8, 11, 5);
        let all = frames(&i, 3);
        let single = path(&dir, "one.png");
        write(&single, None, &i, &all[..1]);
        let source = open_source(&single, &SourceOptions::default()).unwrap();
        assert_eq!(
            (source.info().format, source.info().color.range),
            (i.format, Range::Full)
        );
        assert_eq!(read(source), all[..1]);

        let pattern = path(&dir, "f_%03d.png");
        write(&pattern, None, &i, &all);
        let source = open_source(&pattern, &SourceOptions::default()).unwrap();
        assert_eq!(source.frames_hint(), Some(3));
        assert_eq!(read(source), all);
        // A sequence may begin at 0 too.
        std::fs::copy(path(&dir, "f_003.png"), path(&dir, "f_000.png")).unwrap();
        assert_eq!(
            read(open_source(&pattern, &SourceOptions::default()).unwrap()).len(),
            4
        );
        std::fs::remove_file(path(&dir, "f_000.png")).unwrap();
    }
    let i = info(Chroma::Yuv420, 8, 11, 5);
    write(&path(&dir, "yuv.png"), None, &i, &frames(&i, 1));
    let source = open_source(path(&dir, "yuv.png"), &SourceOptions::default()).unwrap();
    assert_eq!(source.info().format, PixelFormat::new8(Chroma::Rgb));
    write(&path(&dir, "yuv.jpg"), None, &i, &frames(&i, 1));
    assert_eq!(
        read(open_source(path(&dir, "yuv.jpg"), &SourceOptions::default()).unwrap()).len(),
        1
    );
}

#[test]
fn a_second_frame_needs_a_number() {
    let dir = tempfile::tempdir().unwrap();
    let i = info(Chroma::Rgb, 8, 4, 4);
    let all = frames(&i, 2);
    let mut sink = open_sink(path(&dir, "x.png"), None, &i).unwrap();
    sink.write(&all[0]).unwrap();
    let e = sink.write(&all[1]).unwrap_err();
    assert!(
        matches!(&e, Error::Parameter(m) if m.contains("%05d")),
        "{e}"
    );
    drop(sink);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "an unfinished sink leaves nothing behind"
    );
}

#[test]
fn unfinished_files_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let i = info(Chroma::Yuv420, 8, 64, 64);
    for name in ["a.y4m", "a.yuv", "a.png"] {
        let mut sink = open_sink(path(&dir, name), None, &i).unwrap();
        sink.write(&frames(&i, 1)[0]).unwrap();
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn torn_and_hostile_files() {
    let dir = tempfile::tempdir().unwrap();
    let i = info(Chroma::Yuv420, 8, 16, 16);
    let name = path(&dir, "a.y4m");
    write(&name, None, &i, &frames(&i, 2));
    let bytes = std::fs::read(&name).unwrap();
    std::fs::write(&name, &bytes[..bytes.len() - 1]).unwrap();
    let mut source = open_source(&name, &SourceOptions::default()).unwrap();
    assert!(source.read().unwrap().is_some());
    assert!(matches!(source.read(), Err(Error::Source { .. })));

    let open = |content: &[u8], name: &str| {
        std::fs::write(path(&dir, name), content).unwrap();
        open_source(path(&dir, name), &SourceOptions::default()).err()
    };
    assert!(matches!(
        open(b"YUV4MPEG2 W4294967295 H4294967295 F25:1\nFRAME\n", "b.y4m"),
        Some(Error::Unsupported(_))
    ));
    assert!(matches!(
        open(b"YUV4MPEG2 W4 H4 C422\n", "c.y4m"),
        Some(Error::Unsupported(_))
    ));
    assert!(matches!(open(b"", "d.y4m"), Some(Error::Source { .. })));
    assert!(matches!(
        open(b"something", "e.y4m"),
        Some(Error::Source { .. })
    ));
    assert!(matches!(
        open(b"0123456789", "f.yuv"),
        Some(Error::Parameter(_))
    ));
    assert!(matches!(
        open(b"not a video at all", "g.mkv"),
        Some(Error::Unsupported(_))
    ));
    let missing = open_source(path(&dir, "none.y4m"), &SourceOptions::default())
        .err()
        .unwrap();
    assert_eq!(missing.exit_code(), 3);
    assert_eq!(
        open_source(dir.path().to_str().unwrap(), &SourceOptions::default())
            .err()
            .unwrap()
            .exit_code(),
        3
    );
    assert_eq!(
        open_source(path(&dir, "n_%02d.png"), &SourceOptions::default())
            .err()
            .unwrap()
            .exit_code(),
        3
    );
}

#[test]
fn content_goes_before_the_extension() {
    let dir = tempfile::tempdir().unwrap();
    let i = info(Chroma::Yuv420, 8, 6, 6);
    let all = frames(&i, 2);
    write(&path(&dir, "a.y4m"), None, &i, &all);
    std::fs::rename(path(&dir, "a.y4m"), path(&dir, "a.yuv")).unwrap();
    assert_eq!(
        read(open_source(path(&dir, "a.yuv"), &SourceOptions::default()).unwrap()),
        all
    );
}

#[test]
fn outputs_that_cannot_be() {
    let dir = tempfile::tempdir().unwrap();
    let rgb = info(Chroma::Rgb, 8, 4, 4);
    let e = open_sink(path(&dir, "a.y4m"), None, &rgb).err().unwrap();
    assert!(
        matches!(&e, Error::Unsupported(m) if m.contains("--format yuv")),
        "{e}"
    );
    assert_eq!(
        open_sink(path(&dir, "a.mkv"), None, &rgb)
            .err()
            .unwrap()
            .exit_code(),
        5
    );
    assert_eq!("webm".parse::<SinkFormat>().err().unwrap().exit_code(), 2);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let mut sink = open_sink("null:", None, &rgb).unwrap();
    sink.write(&frames(&rgb, 1)[0]).unwrap();
    assert_eq!(sink.finish().unwrap(), None);
    let mut sink = open_sink(path(&dir, "a.yuv"), None, &rgb).unwrap();
    assert_eq!(
        sink.write(&frames(&info(Chroma::Rgb, 8, 4, 5), 1)[0])
            .unwrap_err()
            .exit_code(),
        2
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error() {
    let i = info(Chroma::Yuv420, 8, 64, 64);
    let mut sink = open_sink("/dev/full", Some(SinkFormat::Yuv), &i).unwrap();
    let written = frames(&i, 1)
        .iter()
        .try_for_each(|f| sink.write(f))
        .and_then(|()| sink.finish().map(|_| ()));
    assert_eq!(written.unwrap_err().exit_code(), 3);
}

#[test]
fn frame_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let i = info(Chroma::Gray, 8, 4, 4);
    let all = frames(&i, 5);
    let name = path(&dir, "a.y4m");
    write(&name, None, &i, &all);
    let range = |r| SourceRange::new(open_source(&name, &SourceOptions::default()).unwrap(), r);
    let s = range(1..3).unwrap();
    assert_eq!(nvc_media::FrameSource::frames_hint(&s), Some(2));
    assert_eq!(read(Box::new(s)), all[1..3]);
    assert_eq!(read(Box::new(range(3..99).unwrap())), all[3..]);
    let e = nvc_media::FrameSource::read(&mut range(5..6).unwrap()).unwrap_err();
    assert!(
        matches!(&e, Error::Parameter(m) if m.contains("only 5")),
        "{e}"
    );
    assert!(range(2..2).is_err());
}

#[cfg(feature = "ffmpeg")]
#[test]
fn containers_through_the_library() {
    if !ffmpeg() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let name = path(&dir, "a.mkv");
    for (made, read_as, warned) in [
        ("yuv420p", "yuv420p", false),
        ("yuv420p10le", "yuv420p10le", false),
        ("yuv444p", "yuv444p", false),
        ("gray", "gray", false),
        ("gbrp", "gbrp", true),
        ("yuv422p", "yuv444p", true),
        ("yuva420p", "yuv420p", true),
    ] {
        let tags = [
            "-colorspace",
            "bt709",
            "-color_primaries",
            "bt709",
            "-color_trc",
            "bt709",
            "-color_range",
            "tv",
        ];
        let make = [
            "-nostdin",
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=70x52:r=30000/1001:d=0.3",
            "-pix_fmt",
            made,
            "-c:v",
            "ffv1",
        ];
        assert!(
            Command::new("ffmpeg")
                .args(make)
                .args(tags)
                .arg(&name)
                .status()
                .unwrap()
                .success()
        );
        let mut source = open_source(&name, &SourceOptions::default()).unwrap();
        let i = *source.info();
        assert_eq!(
            (i.format.name(), i.width, i.height, i.fps),
            (
                read_as,
                70,
                52,
                Ratio {
                    num: 30000,
                    den: 1001
                }
            )
        );
        let warnings = source.take_warnings();
        assert_eq!(!warnings.is_empty(), warned, "{made}: {warnings:?}");
        assert_eq!(
            source.frames_hint(),
            Some(9),
            "Matroska says no length, so packets are counted"
        );
        if read_as.starts_with("yuv") {
            let c = i.color;
            assert_eq!(
                (c.primaries, c.transfer, c.matrix, c.range),
                (1, 1, 1, Range::Limited),
                "{made}"
            );
        }
        let all = read(source);
        assert_eq!(all.len(), 9);
        if !warned || made == "gbrp" {
            assert_eq!(
                write("-", Some(SinkFormat::Md5), &i, &all).unwrap(),
                ffmpeg_md5(&["-i", &name], read_as)
            );
        }
    }
}
