//! Conformance: every vector of `bitstream-spec/vectors` gives its MD5 on every executor, every
//! faulty file its error.

mod common;
#[path = "conformance/generate.rs"]
mod generate;
#[path = "conformance/python.rs"]
mod python;
#[path = "../crates/media/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};
use nvc::bitstream::Limits;
use nvc::decoder::{Options, StreamDecoder};
use nvc::synth::SimdLevel;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bitstream-spec/vectors");

fn path(name: &str) -> PathBuf {
    Path::new(VECTORS).join(name)
}

/// MD5 of the raw planar frames.
fn md5(bytes: &[u8], level: SimdLevel, threads: usize) -> nvc::Result<String> {
    let mut d = StreamDecoder::new(
        std::io::Cursor::new(bytes.to_vec()),
        Options {
            level,
            threads,
            ..Options::default()
        },
    )?;
    let (mut hash, mut raw) = (Md5::new(), Vec::new());
    let format = d.info().format;
    d.decode(0..u64::MAX, &mut |_, f| {
        f.write_raw(format, &mut raw);
        hash.update(&raw);
        Ok(())
    })?;
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Lines of a list, each `file rest`.
fn list(name: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path(name)).unwrap();
    let pair = |l: &str| {
        l.split_once(' ')
            .map(|(a, b)| (a.to_string(), b.trim().to_string()))
            .expect("file and value")
    };
    text.lines()
        .filter(|l| !l.starts_with('#'))
        .map(pair)
        .collect()
}

#[test]
fn every_vector_gives_its_md5_at_every_level_and_thread_count() {
    for (name, expected) in list("md5.txt") {
        let bytes = std::fs::read(path(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        for level in SimdLevel::available() {
            for threads in [1, 2] {
                let got = md5(&bytes, level, threads).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(got, expected, "{name} at {level:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn every_faulty_file_gives_its_error() {
    for (name, expected) in list("faulty/errors.txt") {
        let bytes =
            std::fs::read(path("faulty").join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (code, message) = expected.split_once(' ').unwrap();
        for level in [SimdLevel::Reference, SimdLevel::Scalar] {
            let e = md5(&bytes, level, 1)
                .err()
                .unwrap_or_else(|| panic!("{name} decoded"));
            assert_eq!(e.exit_code().to_string(), code, "{name}: {e}");
            assert!(
                e.to_string().contains(message),
                "{name}: '{e}' lacks '{message}'"
            );
        }
    }
}

#[test]
fn folders_and_lists_hold_the_same_files() {
    let md5 = list("md5.txt");
    let mut total = 0;
    for folder in ["core", "uncommon", "faulty"] {
        let readme = std::fs::read_to_string(path(folder).join("README.md")).unwrap();
        let errors = list("faulty/errors.txt");
        let mut here: Vec<String> = if folder == "faulty" {
            errors.into_keys().collect()
        } else {
            md5.keys()
                .filter_map(|k| k.strip_prefix(&format!("{folder}/")).map(String::from))
                .collect()
        };
        for name in &here {
            assert!(
                readme.contains(&format!("`{name}`")),
                "{folder}/README.md lacks {name}"
            );
        }
        here.push("README.md".into());
        if folder == "faulty" {
            here.push("errors.txt".into());
        }
        here.sort();
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path(folder)).unwrap() {
            let entry = entry.unwrap();
            let size = entry.metadata().unwrap().len();
            assert!(
                size < 30_000,
                "{:?} is {size} bytes (under 30000)",
                entry.path()
            );
            total += size;
            found.push(entry.file_name().into_string().unwrap());
        }
        found.sort();
        assert_eq!(found, here, "{folder}");
    }
    assert!(
        total < 550_000,
        "all vectors have {total} bytes (under 550000)"
    );
}

#[test]
fn the_worked_example_is_the_file() {
    let document = std::fs::read_to_string(path("../README.md")).unwrap();
    let tiny = std::fs::read(path("core/tiny.nvc")).unwrap();
    assert!(
        document.contains(&generate::example(&tiny)),
        "annex B is not what generate::example prints"
    );
}

/// Multiply-accumulates of all passes.
fn macs(bytes: &[u8]) -> u64 {
    let mut d = StreamDecoder::new(bytes, Options::default()).unwrap();
    let mut sum = 0;
    while let Some(s) = d.next_section().unwrap() {
        sum += s
            .groups
            .iter()
            .map(|(_, g)| g.graph.macs() * g.graph.passes(g.header.frames as usize) as u64)
            .sum::<u64>();
    }
    sum
}

/// The file with bytes of packet payloads changed and all CRCs right.
fn mutated(bytes: &[u8], rng: &mut common::Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut at = 8;
    while at + 9 <= bytes.len() {
        let end = at + 5 + u32::from_le_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize;
        // mostly near the front, where the headers are
        let reach = if rng.next().is_multiple_of(3) {
            end - at - 5
        } else {
            (end - at - 5).min(40)
        };
        for _ in 0..rng.next() % 3 {
            if reach > 0 {
                out[at + 5 + rng.next() as usize % reach] = rng.next() as u8;
            }
        }
        // the architecture of a section's first group, where its numbers of frames and groups have
        // one byte each
        if bytes[at] == b'S' && rng.next().is_multiple_of(8) {
            out[at + 9] = 1 + (rng.next() % 6) as u8;
        }
        let crc = crc32fast::hash(&out[at..end]).to_le_bytes();
        out[end..end + 4].copy_from_slice(&crc);
        at = end + 4;
    }
    out
}

#[test]
fn changed_vectors_under_right_crcs_never_panic() {
    let mut limits = Limits::default();
    (
        limits.frame_samples,
        limits.group_values,
        limits.pass_activations,
        limits.pass_macs,
    ) = (1 << 16, 1 << 18, 1 << 18, 1 << 21);
    let mut rng = common::Rng(1);
    let mut refused = 0;
    // of each architecture: changed files that have a group of it, and those of them that decode
    let mut seen = [[0; 2]; 7];
    for name in list("md5.txt").keys() {
        let bytes = std::fs::read(path(name)).unwrap();
        if bytes.len() > 4000 {
            continue;
        }
        let first = architectures(&bytes, limits).contains(&1);
        for i in 0..if first { 60 } else { 120 } {
            let b = mutated(&bytes, &mut rng);
            let there = architectures(&b, limits);
            let level = SimdLevel::available()
                .nth(i % SimdLevel::available().count())
                .unwrap();
            let halvings = u8::from(i % 3 == 2 && there.contains(&6));
            let result = StreamDecoder::new(
                std::io::Cursor::new(b),
                Options {
                    limits,
                    level,
                    threads: 1,
                    halvings,
                },
            )
            .and_then(|mut d| d.decode(i as u64 % 3..20, &mut |_, _| Ok(())));
            there
                .iter()
                .for_each(|&a| seen[a as usize][usize::from(result.is_ok())] += 1);
            if let Err(e) = result {
                // one grid has no preview
                let asked = halvings > 0 && e.to_string().contains("scale 1/2 of");
                assert!(asked || [4, 5].contains(&e.exit_code()), "{name}: {e}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "only {refused} were refused");
    assert!(
        seen[1..].iter().flatten().all(|&n| n > 20),
        "architectures that were refused and decoded: {seen:?}"
    );
}

/// Architectures of the groups whose headers are right.
fn architectures(bytes: &[u8], limits: Limits) -> std::collections::BTreeSet<u32> {
    let mut found = std::collections::BTreeSet::new();
    if let Ok(mut d) = StreamDecoder::new(
        bytes,
        Options {
            limits,
            ..Options::default()
        },
    ) {
        while let Ok(Some(s)) = d.next_section() {
            found.extend(s.groups.iter().map(|(_, g)| g.header.arch));
        }
    }
    found
}

/// Writes all vectors, lists, folder notes and annex B. Files that exist must not change: look at
/// the difference.
#[test]
#[ignore = "writes the vectors"]
fn regenerate() {
    let mut sums = String::from("# file, MD5 of its raw planar frames\n");
    let mut errors = String::from("# file, exit code of nvc-decode, part of its message\n");
    for folder in ["core", "uncommon", "faulty"] {
        let mut readme = format!("{}\n", generate::introduction(folder));
        for v in generate::vectors().iter().filter(|v| v.folder == folder) {
            std::fs::write(path(folder).join(v.name), &v.bytes).unwrap();
            let result = md5(&v.bytes, SimdLevel::Reference, 1);
            match (&v.error, result) {
                (None, r) => {
                    sums += &format!(
                        "{folder}/{} {}\n",
                        v.name,
                        r.unwrap_or_else(|e| panic!("{}: {e}", v.name))
                    )
                }
                (Some((code, message)), r) => {
                    let e = r.err().unwrap_or_else(|| panic!("{} decodes", v.name));
                    assert!(
                        e.exit_code() == *code && e.to_string().contains(message),
                        "{}: {e}",
                        v.name
                    );
                    errors += &format!("{} {code} {message}\n", v.name);
                }
            }
            readme += &format!("| `{}` | {} |\n", v.name, v.what);
        }
        std::fs::write(path(folder).join("README.md"), readme).unwrap();
    }
    std::fs::write(path("md5.txt"), sums).unwrap();
    std::fs::write(path("faulty/errors.txt"), errors).unwrap();
    let mut document = std::fs::read_to_string(path("../README.md")).unwrap();
    let start = document.find("<!-- example -->\n").unwrap() + "<!-- example -->\n".len();
    let end = start + document[start..].find("<!-- end -->").unwrap();
    document.replace_range(
        start..end,
        &generate::example(&std::fs::read(path("core/tiny.nvc")).unwrap()),
    );
    std::fs::write(path("../README.md"), document).unwrap();
}
