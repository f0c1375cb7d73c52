//! Archives and compressed files, made here, with honest and hostile members.

use std::io::Write;
use std::path::Path;

use super::run::{Room, clip};

/// The clip as `xz` packs it.
const XZ: &str = "fd377a585a000004e6d6b4460200210116000000742fe5a3e0011f00165d00000052502718304cb0813e0ae0b882d36c6755d878600000\
                  0039cbd762b587a5c4000132a0020000006625c950b1c467fb020000000004595a";
/// The clip in LZMA and LZMA2, with dictionaries of 64 KiB.
const LZMA: &str = "00000052502718304cb0813e0ae0b882d36c675efc331ffffbf4e000";
const LZMA2: &str = "e0011f00165d00000052502718304cb0813e0ae0b882d36c6755d8786000";

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// Members of an archive: names and contents.
type Members<'a> = &'a [(&'a str, &'a [u8])];

fn zip_of(members: Members) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn tar_of(members: Members) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        // set_path would refuse the hostile ones
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

/// A coder of a 7z folder: its id and properties.
const COPY: (&[u8], &[u8]) = (&[0x00], &[]);

/// A 7z archive of one solid folder: `packed` is all members' bytes, coded.
fn seven_z(coder: (&[u8], &[u8]), packed: &[u8], members: Members) -> Vec<u8> {
    let number = |n: usize| -> Vec<u8> {
        // 7z's variable length numbers, up to 14 bits
        if n < 0x80 {
            vec![n as u8]
        } else {
            vec![0x80 | (n >> 8) as u8, n as u8]
        }
    };
    let all: usize = members.iter().map(|(_, b)| b.len()).sum();
    let mut h = vec![0x01, 0x04];
    // where the packed bytes are
    h.extend([0x06, 0x00, 0x01, 0x09]);
    h.extend(number(packed.len()));
    h.push(0x00);
    // one folder of one coder
    h.extend([
        0x07,
        0x0b,
        0x01,
        0x00,
        0x01,
        coder.0.len() as u8 | if coder.1.is_empty() { 0 } else { 0x20 },
    ]);
    h.extend(coder.0);
    if !coder.1.is_empty() {
        h.push(coder.1.len() as u8);
        h.extend(coder.1);
    }
    h.push(0x0c);
    h.extend(number(all));
    h.push(0x00);
    // its files, with CRCs
    h.extend([0x08, 0x0d, members.len() as u8]);
    if members.len() > 1 {
        h.push(0x09);
        members[..members.len() - 1]
            .iter()
            .for_each(|(_, b)| h.extend(number(b.len())));
    }
    h.extend([0x0a, 0x01]);
    members
        .iter()
        .for_each(|(_, b)| h.extend(crc(b).to_le_bytes()));
    h.extend([0x00, 0x00]);
    // their names
    h.extend([0x05, members.len() as u8, 0x11]);
    let names: Vec<u8> = members
        .iter()
        .flat_map(|(n, _)| n.encode_utf16().chain([0]).flat_map(u16::to_le_bytes))
        .collect();
    h.extend(number(names.len() + 1));
    h.push(0x00);
    h.extend(names);
    h.extend([0x00, 0x00]);
    let mut start = (packed.len() as u64).to_le_bytes().to_vec();
    start.extend((h.len() as u64).to_le_bytes());
    start.extend(crc(&h).to_le_bytes());
    let mut out = b"7z\xbc\xaf\x27\x1c\x00\x04".to_vec();
    out.extend(crc(&start).to_le_bytes());
    out.extend(start);
    out.extend(packed);
    out.extend(h);
    out
}

fn crc(bytes: &[u8]) -> u32 {
    let mut c = flate2::Crc::new();
    c.update(bytes);
    c.sum()
}

fn seven_z_of(members: Members) -> Vec<u8> {
    let all: Vec<u8> = members
        .iter()
        .flat_map(|(_, b)| b.iter().copied())
        .collect();
    seven_z(COPY, &all, members)
}

/// A packer of members.
type Pack = fn(Members) -> Vec<u8>;

/// All kinds of archives.
const KINDS: [(&str, Pack); 5] = [
    ("a.zip", zip_of),
    ("a.tar", tar_of),
    ("a.tar.gz", |m| gz(&tar_of(m))),
    ("a.tgz", |m| gz(&tar_of(m))),
    ("a.7z", seven_z_of),
];

/// A room whose manifest takes the member from the archive `name` of these bytes.
fn room(name: &str, bytes: &[u8], member: &str) -> Room {
    let room = Room::new();
    std::fs::write(room.path(name), bytes).unwrap();
    room.clip(&format!(
        "file = \"{name}\"\nmember = \"{member}\"\nstore_as = \"a.yuv\""
    ));
    room
}

#[test]
fn members_are_found_by_path_name_and_pattern() {
    let clip = clip();
    let members: Members = &[
        ("Copyright.txt", b"mine"),
        ("d/e/clip_8x8.yuv", &clip),
        ("z.txt", b"more"),
    ];
    for (name, pack) in KINDS {
        for member in ["d/e/clip_8x8.yuv", "clip_8x8.yuv", "cl*_8x8.yuv", "d/*.yuv"] {
            let room = room(name, &pack(members), member);
            room.nvc("datasets fetch my/a").expect(0);
            assert_eq!(room.read("my/a.yuv"), clip, "{name} {member}");
            assert_eq!(room.stored("my"), ["a.yuv", "a.yuv.sha256"]);
            // the user's archive stays
            assert!(room.path(name).exists());
        }
    }
}

#[test]
fn lzma_in_7z() {
    let clip = clip();
    let props = [0x5d, 0x00, 0x00, 0x01, 0x00];
    for (id, props, packed) in [
        (&[0x03, 0x01, 0x01][..], &props[..], LZMA),
        (&[0x21], &[0x08], LZMA2),
    ] {
        let room = room(
            "a.7z",
            &seven_z((id, props), &unhex(packed), &[("a.yuv", &clip)]),
            "a.yuv",
        );
        room.nvc("datasets fetch my/a").expect(0);
        assert_eq!(room.read("my/a.yuv"), clip);
    }
}

#[test]
fn compressed_files() {
    for (name, bytes) in [("b.yuv.xz", unhex(XZ)), ("b.yuv.gz", gz(&clip()))] {
        let room = Room::new();
        std::fs::write(room.path(name), &bytes).unwrap();
        room.clip(&format!("file = \"{name}\""));
        room.nvc("datasets fetch my/a").expect(0);
        assert_eq!(room.read("my/b.yuv"), clip(), "{name}");
        // damaged: in the middle, and cut short
        for damaged in [
            bytes
                .iter()
                .enumerate()
                .map(|(i, b)| if i == bytes.len() / 2 { b ^ 1 } else { *b })
                .collect(),
            bytes[..bytes.len() - 9].to_vec(),
        ] {
            let room = Room::new();
            std::fs::write(room.path(name), damaged).unwrap();
            room.clip(&format!("file = \"{name}\""));
            room.nvc("datasets fetch my/a")
                .expect(4)
                .says(&[name, "damaged"]);
            assert_eq!(room.stored("my"), [""; 0]);
        }
    }
}

/// All files below a folder.
fn files_below(dir: &Path, out: &mut Vec<String>) {
    for e in std::fs::read_dir(dir).unwrap() {
        let path = e.unwrap().path();
        if path.is_dir() {
            files_below(&path, out)
        } else {
            out.push(path.display().to_string())
        }
    }
}

#[test]
fn hostile_members_write_nowhere() {
    let clip = clip();
    for (name, pack) in KINDS {
        for hostile in [
            "../../evil.yuv",
            "/tmp/nvc-evil.yuv",
            "d/../../../evil.yuv",
            "C:\\evil.yuv",
            "..\\..\\evil.yuv",
        ] {
            let room = room(
                name,
                &pack(&[(hostile, &clip), ("fine.txt", b"fine")]),
                "*evil.yuv",
            );
            let mut before = Vec::new();
            files_below(room.dir.path(), &mut before);
            let done = room
                .nvc("datasets fetch my/a")
                .expect(4)
                .says(&["no file fits the member '*evil.yuv'", "fine.txt"]);
            assert!(!done.stderr.contains("has no data"), "{}", done.stderr);
            let mut after = Vec::new();
            files_below(room.dir.path(), &mut after);
            after.retain(|f| !f.ends_with(".lock"));
            before.sort();
            after.sort();
            assert_eq!(before, after, "{name} {hostile}");
            assert!(!Path::new("/tmp/nvc-evil.yuv").exists());
        }
    }
}

#[test]
fn links_are_not_followed() {
    let room = Room::new();
    std::fs::write(room.path("secret"), clip()).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        tar.append_link(&mut header, "a.yuv", room.path("secret"))
            .unwrap();
    }
    std::fs::write(room.path("a.tar"), tar.into_inner().unwrap()).unwrap();
    room.clip("file = \"a.tar\"\nmember = \"a.yuv\"");
    room.nvc("datasets fetch my/a")
        .expect(4)
        .says(&["no file fits"]);
}

#[test]
fn a_pattern_that_fits_two_is_refused() {
    let clip = clip();
    for (name, pack) in KINDS {
        let room = room(
            name,
            &pack(&[("x/a.yuv", &clip), ("y/a.yuv", &clip)]),
            "a.yuv",
        );
        room.nvc("datasets fetch my/a")
            .expect(4)
            .says(&["2 files fit", "x/a.yuv, y/a.yuv"]);
        assert_eq!(room.stored("my"), [""; 0]);
    }
}

#[test]
fn damaged_archives_are_errors() {
    let clip = clip();
    for (name, pack) in KINDS {
        let sound = pack(&[("a.yuv", &clip)]);
        for cut in [0, 3, 20, sound.len() / 2, sound.len() - 30] {
            // a tar's end may be missing: only what is cut within the member is damage
            if name == "a.tar" && cut > 512 + clip.len() {
                continue;
            }
            let room = room(name, &sound[..cut], "a.yuv");
            room.nvc("datasets fetch my/a").expect(4).says(&[name]);
            assert_eq!(room.stored("my"), [""; 0], "{name} cut at {cut}");
        }
        // each byte of it changed in turn gives the clip or an error
        for i in (0..sound.len()).step_by(sound.len() / 25 + 1) {
            let mut bytes = sound.clone();
            bytes[i] ^= 0x41;
            let room = room(name, &bytes, "a.yuv");
            let done = room.nvc("datasets fetch my/a");
            assert!(
                [0, 4, 8].contains(&done.code),
                "{name} byte {i}: {} {}",
                done.code,
                done.stderr
            );
            assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
            assert_eq!(
                done.code == 0,
                room.stored("my").contains(&"a.yuv".into()),
                "{name} byte {i}"
            );
        }
    }
}

#[test]
fn a_bomb_is_cut_at_the_size_of_the_clip() {
    let zeros = vec![0; 50_000_000];
    let room = room("a.zip", &zip_of(&[("a.yuv", &zeros)]), "a.yuv");
    room.nvc("datasets fetch my/a")
        .expect(8)
        .says(&["more than the 288 bytes", "3 frames of 8x8 yuv420p"]);
    assert_eq!(room.stored("my"), [""; 0]);
}
