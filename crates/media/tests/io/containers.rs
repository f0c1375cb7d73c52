//! Containers, through the library.

use std::process::Command;

use super::clip::{ffmpeg_md5, path, read, write};
use super::support::ffmpeg;
use nvc::frame::{Range, Ratio};
use nvc_media::{SinkFormat, SourceOptions, open_source};

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
        // read with its samples in another order
        ("gbrp", "gbrp", false),
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
        if !warned {
            assert_eq!(
                write("-", Some(SinkFormat::Md5), &i, &all).unwrap(),
                ffmpeg_md5(&["-i", &name], read_as)
            );
        }
    }
}
