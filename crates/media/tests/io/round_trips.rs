//! Everything that is written is read again, and ffmpeg reads and writes the same.

use std::path::Path;
use std::process::Command;

use super::clip::{FORMATS, ffmpeg_md5, frames, info, path, read, write};
use super::support::ffmpeg;
use nvc::Error;
use nvc::frame::{Chroma, PixelFormat, Range};
use nvc_media::{SinkFormat, SourceOptions, SourceRange, open_source};

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
