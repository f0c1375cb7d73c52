//! Files that are there: listing, paths, verifying, opening.

use nvc_lab::datasets::Store;

use super::run::{Room, clip, sha256};

/// A room whose clip is a plain file beside the manifest.
fn plain() -> Room {
    let room = Room::new();
    std::fs::write(room.path("b.yuv"), clip()).unwrap();
    room.clip("file = \"b.yuv\"");
    room
}

fn store(room: &Room) -> Store {
    Store::open(Some(&room.path("store")), &[room.path("m.toml")]).unwrap()
}

#[test]
fn a_plain_local_file_stays_where_it_is() {
    let room = plain();
    let path = room.path("b.yuv").display().to_string();
    assert_eq!(
        room.nvc("datasets path my/a").expect(0).stdout,
        format!("{path}\n")
    );
    room.nvc("datasets fetch my/a")
        .expect(0)
        .says(&["recorded now"]);
    assert_eq!(room.stored("my"), ["b.yuv.sha256"]);
    let done = room.nvc("datasets verify").expect(0);
    assert_eq!(
        done.stdout,
        format!("my/a: ok {} (record)\n", sha256(&clip()))
    );
    assert_eq!(done.stderr, "");
    std::fs::remove_file(&path).unwrap();
    for command in ["path", "fetch", "verify"] {
        room.nvc(&format!("datasets {command} my/a"))
            .expect(3)
            .says(&["my/a", &path]);
    }
}

#[test]
fn a_flipped_byte_is_found() {
    let room = plain();
    room.nvc("datasets fetch my").expect(0);
    let mut bytes = clip();
    bytes[100] ^= 1;
    std::fs::write(room.path("b.yuv"), &bytes).unwrap();
    let done = room.nvc("datasets verify").expect(8).says(&[
        "my/a",
        &sha256(&clip()),
        &sha256(&bytes),
        "first seen",
        "b.yuv.sha256",
    ]);
    assert_eq!(done.stdout, "");
    // removing the record, as the message says, accepts it
    std::fs::remove_file(room.path("store/my/b.yuv.sha256")).unwrap();
    room.nvc("datasets verify").expect(0);
    // a record that is none is not accepted
    std::fs::write(room.path("store/my/b.yuv.sha256"), "nonsense").unwrap();
    room.nvc("datasets verify")
        .expect(8)
        .says(&["b.yuv.sha256", "64"]);
}

#[test]
fn a_wrong_length_is_found_without_reading() {
    let room = plain();
    std::fs::write(room.path("b.yuv"), &clip()[..287]).unwrap();
    for command in ["path", "fetch", "verify"] {
        let words = ["287 bytes", "3 frames of 8x8 yuv420p are 288 (96 a frame)"];
        room.nvc(&format!("datasets {command} my/a"))
            .expect(8)
            .says(&words);
    }
    room.nvc("compare dataset:my/a dataset:my/a")
        .expect(8)
        .says(&["287"]);
}

#[test]
fn more_frames_than_named_are_fine_where_the_manifest_allows_it() {
    let room = plain();
    room.clip("file = \"b.yuv\"\nframes_exact = false");
    std::fs::write(room.path("b.yuv"), [clip(), clip()].concat()).unwrap();
    let store = store(&room);
    let mut source = store.open_source("my/a").unwrap();
    assert_eq!(source.frames_hint(), Some(3));
    for i in 0..3 {
        assert_eq!(source.read().unwrap().unwrap().planes[0].data[0], i * 10);
    }
    assert!(source.read().unwrap().is_none());
    std::fs::write(room.path("b.yuv"), [clip(), vec![0; 95]].concat()).unwrap();
    assert_eq!(
        store
            .path(store.find("my/a").unwrap())
            .unwrap_err()
            .exit_code(),
        8
    );
}

#[test]
fn what_is_not_there_names_its_command() {
    let room = Room::new();
    room.clip("url = \"http://127.0.0.1:1/a.yuv\"");
    room.nvc("datasets path my/a")
        .expect(3)
        .says(&["run: nvc datasets fetch my/a\n"]);
    room.nvc("compare dataset:my/a dataset:my/a")
        .expect(3)
        .says(&["run: nvc datasets fetch my/a\n"]);
    room.nvc("datasets path my/a --root here --manifest m.toml")
        .expect(3)
        .says(&["nvc datasets fetch my/a --root here --manifest m.toml"]);
    room.clip("store_as = \"a.yuv\"");
    let place = room.path("store/my/a.yuv").display().to_string();
    for command in ["path", "fetch"] {
        room.nvc(&format!("datasets {command} my/a"))
            .expect(3)
            .says(&["by hand", &place, "3 frames of 8x8 yuv420p"]);
    }
    // one that cannot be fetched does not keep the others from it
    std::fs::write(room.path("c.png"), "x").unwrap();
    let text = std::fs::read_to_string(room.path("m.toml")).unwrap();
    std::fs::write(
        room.path("m.toml"),
        text + "[[entry]]\nname = \"c\"\nfile = \"c.png\"\n",
    )
    .unwrap();
    let done = room.nvc("datasets fetch my").expect(3);
    assert_eq!(done.stdout, format!("{}\n", room.path("c.png").display()));
}

#[test]
fn names() {
    let room = plain();
    room.nvc("datasets path my/b")
        .expect(2)
        .says(&["no dataset 'my/b'", "did you mean my/a"]);
    room.nvc("datasets path uvg/Beuaty")
        .expect(2)
        .says(&["uvg/Beauty?"]);
    room.nvc("datasets path qqqqqqqqqq/x")
        .expect(2)
        .says(&["the sets are", "kodak"]);
    room.nvc("datasets list uvgg")
        .expect(2)
        .says(&["did you mean uvg"]);
    room.nvc("compare dataset:my dataset:my/a")
        .expect(2)
        .says(&["set of 1", "my/a"]);
    room.nvc("datasets fetch").expect(2);
    room.nvc("datasets").expect(2);
    let store = store(&room);
    assert_eq!(store.find("MY/A").unwrap().id(), "my/a");
    assert_eq!(store.expand("Uvg").unwrap().len(), 7);
    assert_eq!(store.expand("uvg/beauty").unwrap()[0].name, "Beauty");
    let mut ids: Vec<String> = store
        .sets()
        .iter()
        .flat_map(|s| s.entries.iter().map(|e| e.id().to_lowercase()))
        .collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!((ids.len(), all), (118, 118));
}

#[test]
fn a_user_s_set_replaces_one_of_the_crate_s() {
    let room = plain();
    let text = std::fs::read_to_string(room.path("m.toml"))
        .unwrap()
        .replace("name = \"my\"", "name = \"UVG\"");
    std::fs::write(room.path("m.toml"), text).unwrap();
    let store = store(&room);
    assert_eq!(store.expand("uvg").unwrap().len(), 1);
    assert!(store.find("uvg/Beauty").is_err());
}

#[test]
fn listing() {
    let room = plain();
    let done = room.nvc("datasets list").expect(0);
    assert_eq!(done.stdout.lines().count(), 9);
    assert!(
        done.stdout
            .lines()
            .any(|l| l.starts_with("my           1 of 1")),
        "{}",
        done.stdout
    );
    let done = room.nvc("datasets list my").expect(0);
    assert_eq!(done.stdout, "my/a  there  3 frames of 8x8 yuv420p 25 fps\n");
    let v: serde_json::Value =
        serde_json::from_str(&room.nvc("datasets list --json my").expect(0).stdout).unwrap();
    assert_eq!(v["sets"].as_array().unwrap().len(), 1);
    let e = &v["sets"][0]["entries"][0];
    assert_eq!(
        (
            e["id"].as_str(),
            e["raw_bytes"].as_u64(),
            e["present"].as_bool()
        ),
        (Some("my/a"), Some(288), Some(true))
    );
    let v: serde_json::Value =
        serde_json::from_str(&room.nvc("datasets list --json").expect(0).stdout).unwrap();
    assert_eq!(v["sets"].as_array().unwrap().len(), 9);
}

#[test]
fn wrong_manifests_are_usage_errors() {
    let room = plain();
    room.manifest("[[entry]]\nname = \"a\"\nfiel = \"b\"\n");
    room.nvc("datasets list")
        .expect(2)
        .says(&["m.toml", "fiel"]);
    room.manifest("[[entry]]\nname = \"a\"\nfile = \"b\"\n");
    room.nvc("datasets list --manifest none.toml")
        .expect(3)
        .says(&["reading manifest", "none.toml"]);
    std::fs::remove_file(room.path("m.toml")).unwrap();
    room.nvc("datasets list")
        .expect(3)
        .says(&["reading manifest", "m.toml"]);
}

#[test]
fn pictures_and_y4m_say_their_own_geometry() {
    let room = Room::new();
    std::fs::write(
        room.path("a.y4m"),
        [&b"YUV4MPEG2 W8 H8 F30:1 C420\nFRAME\n"[..], &clip()[..96]].concat(),
    )
    .unwrap();
    room.manifest(
        "[[entry]]\nname = \"a\"\nfile = \"a.y4m\"\n[[entry]]\nname = \"b\"\nfile = \"./a.y4m\"\nstore_as = \"b.y4m\"\nwidth = 9\n",
    );
    let store = store(&room);
    let source = store.open_source("my/a").unwrap();
    assert_eq!((source.info().width, source.info().fps.num), (8, 30));
    let e = store.open_source("my/b").err().unwrap();
    assert_eq!(e.exit_code(), 8);
    assert!(e.to_string().contains("8x8 yuv420p"), "{e}");
}

#[test]
fn raw_files_open_by_their_names() {
    let room = Room::new();
    let name = "x_8x8_50fps_420_8bit_YUV_3f.yuv";
    std::fs::write(room.path(name), clip()).unwrap();
    let done = room
        .nvc(&format!("compare {name} {name} --json"))
        .expect(0)
        .says(&["taken from the name: 8x8, 50 frames a second, yuv420p"]);
    let v: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (v["frames"].as_u64(), v["width"].as_u64()),
        (Some(3), Some(8))
    );
    // options win
    let done = room
        .nvc(&format!("compare {name} {name} --json --size-in 4x8"))
        .expect(0);
    let v: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (v["frames"].as_u64(), v["width"].as_u64()),
        (Some(6), Some(4))
    );
    std::fs::write(room.path("x_8x8_4x4.yuv"), clip()).unwrap();
    room.nvc("compare x_8x8_4x4.yuv x_8x8_4x4.yuv")
        .expect(2)
        .says(&["8x8 and 4x4", "--size-in"]);
    std::fs::write(room.path("x.yuv"), clip()).unwrap();
    room.nvc("compare x.yuv x.yuv")
        .expect(2)
        .says(&["--size-in"]);
}

#[test]
fn ranges_of_raw_files() {
    let room = Room::new();
    std::fs::write(room.path("x_8x8.yuv"), clip()).unwrap();
    for (range, frames) in [("0..1", 1), ("1..3", 2), ("2..9", 1), ("..", 3)] {
        let done = room
            .nvc(&format!(
                "compare x_8x8.yuv x_8x8.yuv --json --frames {range}"
            ))
            .expect(0);
        let v: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(v["frames"].as_u64(), Some(frames), "{range}");
    }
    room.nvc("compare x_8x8.yuv x_8x8.yuv --frames 3..4")
        .expect(2)
        .says(&["has only 3"]);
    // what is compared is the frame asked for
    let mut other = clip();
    other[96 * 2..].fill(0);
    std::fs::write(room.path("y_8x8.yuv"), other).unwrap();
    let psnr = |range: &str| {
        let done = room
            .nvc(&format!(
                "compare x_8x8.yuv y_8x8.yuv --json --frames {range}"
            ))
            .expect(0);
        let v: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        v["psnr_y"]["mean"].as_f64().unwrap()
    };
    assert!(psnr("0..2") > 99.0 && psnr("2..3") < 50.0);
}
