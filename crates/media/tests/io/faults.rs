//! What is damaged, cannot be written, or is given up.

use super::clip::{frames, info, path, write};
use nvc::Error;
use nvc::frame::Chroma;
use nvc_media::{SinkFormat, SourceOptions, open_sink, open_source};

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
