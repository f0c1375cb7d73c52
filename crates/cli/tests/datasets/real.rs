//! Memory, and a real file in UVG's format where `NVC_DATA_DIR` has one.

use std::path::PathBuf;

use nvc_lab::datasets::Store;

use super::run::Room;
#[cfg(target_os = "linux")]
use super::run::peak;
use super::support::skipped;

/// The memory of a run must not grow with the frames. `frame` is the raw bytes of one.
#[cfg(target_os = "linux")]
fn stays_small(room: &Room, name: &str, frames: u64, frame: u64) {
    let name = format!("dataset:{name}");
    let run = |range: &str| {
        let (bytes, code) = peak(
            room.dir.path(),
            &["compare", &name, &name, "--frames", range],
        );
        assert_eq!(code, 0);
        bytes
    };
    // the second frame is read while the first one's buffers are there; the last two follow on many
    // that are passed over
    let (two, all, last) = (
        run("0..2"),
        run(&format!("0..{frames}")),
        run(&format!("{}..{frames}", frames - 2)),
    );
    for (what, bytes) in [("all frames", all), ("the last two", last)] {
        let allowed = two + 2 * frame + (2 << 20);
        assert!(
            bytes <= allowed,
            "{what} take {bytes} bytes, the first two {two}, at most {allowed} are allowed"
        );
    }
    assert!(
        2 * frame + (2 << 20) < frames * frame,
        "the test could not see a file held in memory"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_file() {
    let room = Room::new();
    let (frames, frame) = (400u64, 160 * 120 * 3 / 2u64);
    std::fs::write(room.path("b.yuv"), vec![7; (frames * frame) as usize]).unwrap();
    let keys =
        format!("width = 160\nheight = 120\nframes = {frames}\npix_fmt = \"yuv420p\"\nfps = 25\n");
    room.manifest(&format!(
        "[[entry]]\nname = \"a\"\nfile = \"b.yuv\"\n{keys}"
    ));
    stays_small(&room, "my/a", frames, frame);
}

#[test]
fn a_real_file_in_uvg_s_format() {
    let clip = "street_1920x1080_25fps_420_8bit_YUV_8f.yuv";
    let packed =
        std::env::var_os("NVC_DATA_DIR").map(|d| PathBuf::from(d).join(format!("video/{clip}.xz")));
    let Some(packed) = packed.filter(|p| p.exists()) else {
        return skipped("NVC_DATA_DIR has no video in UVG's format, so none was fetched");
    };
    let room = Room::new();
    let keys = "width = 1920\nheight = 1080\nframes = 8\npix_fmt = \"yuv420p\"\nfps = 25\n";
    room.manifest(&format!(
        "[[entry]]\nname = \"street\"\nfile = \"{}\"\n{keys}",
        packed.display()
    ));
    room.nvc("datasets path my/street")
        .expect(3)
        .says(&["nvc datasets fetch my/street"]);
    room.nvc("datasets fetch my/street")
        .expect(0)
        .says(&["24883200 bytes"]);
    let path = room.path("store/my").join(clip);
    assert_eq!(
        room.nvc("datasets path my/street").expect(0).stdout,
        format!("{}\n", path.display())
    );
    room.nvc("datasets verify").expect(0);
    let store = Store::open(Some(&room.path("store")), &[room.path("m.toml")]).unwrap();
    let mut source = store.open_source("my/street").unwrap();
    assert_eq!(
        (
            source.info().width,
            source.info().height,
            source.frames_hint()
        ),
        (1920, 1080, Some(8))
    );
    // by its name alone it is the same
    let mut named = nvc_media::open_source(path.to_str().unwrap(), &Default::default()).unwrap();
    assert_eq!(source.info(), named.info());
    let mut frames = 0;
    while let Some(frame) = source.read().unwrap() {
        assert!(named.read().unwrap() == Some(frame));
        frames += 1;
    }
    assert!(frames == 8 && named.read().unwrap().is_none());
    #[cfg(target_os = "linux")]
    stays_small(&room, "my/street", 8, 1920 * 1080 * 3 / 2);
}
