//! Several pictures in one `nvc encode`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::clip::Clip;
use crate::run::{Done, names, nvc, nvc_decode, temp};

/// A moment's fit.
const MOMENT: &str = "--device cpu --preset ultrafast --steps 10";

fn picture(path: &Path, width: u32, height: u32, blue: u8) {
    let picture = image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x * 9) as u8, (y * 13) as u8, blue])
    });
    picture.save(path).unwrap();
}

/// a.png (24x16), b.png (17x9), c.y4m (16x16).
fn pictures() -> TempDir {
    let dir = temp();
    picture(&dir.path().join("a.png"), 24, 16, 40);
    picture(&dir.path().join("b.png"), 17, 9, 200);
    Clip::moving("420", 16, 16, 1).write(dir.path().join("c.y4m"));
    dir
}

fn encode(dir: &TempDir, args: &str) -> Done {
    nvc(dir.path(), &format!("encode {MOMENT} {args}"))
}

fn read(dir: &TempDir, name: &str) -> Vec<u8> {
    std::fs::read(dir.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The words of the table's line that begins with `name`; the lines told on the way have a colon
/// after it.
#[track_caller]
fn row<'a>(done: &'a Done, name: &str) -> Vec<&'a str> {
    let words = |l: &'a str| l.split_whitespace().collect::<Vec<_>>();
    let found = done
        .stderr
        .lines()
        .map(words)
        .find(|w| w.first() == Some(&name));
    found.unwrap_or_else(|| panic!("no line of {name}: {}", done.stderr))
}

#[test]
fn files_are_those_of_one_after_the_other() {
    let dir = pictures();
    let inputs = "a.png b.png c.y4m";
    for (folder, options) in [
        ("two", "--threads 2"),
        ("many", "--jobs 3"),
        ("one", "--threads 1"),
    ] {
        encode(&dir, &format!("{inputs} -o {folder}/ {options}")).expect(0);
        assert_eq!(names(&dir.path().join(folder)), ["a.nvc", "b.nvc", "c.nvc"]);
    }
    for (input, file) in [("a.png", "a.nvc"), ("b.png", "b.nvc"), ("c.y4m", "c.nvc")] {
        encode(&dir, &format!("{input} -o {file}")).expect(0);
        // a pattern may match one
        encode(&dir, &format!("{input} -o {file}.d/")).expect(0);
        std::fs::rename(
            dir.path().join(format!("{file}.d")),
            dir.path().join("alone"),
        )
        .unwrap();
        let alone = read(&dir, file);
        for folder in ["two", "many", "one", "alone"] {
            assert!(
                read(&dir, &format!("{folder}/{file}")) == alone,
                "{folder}/{file} is another file than that of {input} alone"
            );
        }
        std::fs::remove_dir_all(dir.path().join("alone")).unwrap();
    }
}

#[test]
fn the_table_says_what_decoders_find() {
    let dir = pictures();
    std::fs::create_dir(dir.path().join("out")).unwrap();
    let done = encode(&dir, "a.png b.png c.y4m -o out").expect(0);
    assert!(done.stdout.is_empty());
    assert_eq!(
        row(&done, "file"),
        ["file", "bytes", "bpp", "PSNR", "dB", "seconds"]
    );
    let (mut bytes, mut samples, mut sum) = (0, 0, 0.0);
    for (input, file, pixels, key) in [
        ("a.png", "out/a.nvc", 24 * 16, "psnr_rgb"),
        ("b.png", "out/b.nvc", 17 * 9, "psnr_rgb"),
        ("c.y4m", "out/c.nvc", 16 * 16, "psnr_yuv611"),
    ] {
        let size = read(&dir, file).len();
        let scored = nvc_decode(
            dir.path(),
            &format!("{file} -o null: --score {input} --json"),
        );
        let psnr = scored.expect(0).json()[key]["mean"].as_f64().unwrap();
        let bpp = size as f64 * 8.0 / f64::from(pixels);
        let words = row(&done, input);
        let figures = [size.to_string(), format!("{bpp:.5}"), format!("{psnr:.3}")];
        assert_eq!(
            (words.len(), &words[1..4]),
            (5, &figures.each_ref().map(String::as_str)[..])
        );
        let line = format!("{input}: {size} bytes, {bpp:.5} bpp, {psnr:.3} dB, ");
        assert!(done.stderr.contains(&line), "no '{line}': {}", done.stderr);
        (bytes, samples, sum) = (bytes + size, samples + pixels, sum + psnr);
    }
    let all = format!(
        "3 of 3 files: {bytes} bytes, {:.5} bpp, mean PSNR {:.3} dB, ",
        bytes as f64 * 8.0 / f64::from(samples),
        sum / 3.0
    );
    let last = done.stderr.lines().last().unwrap();
    assert!(last.starts_with(&all), "'{last}' is not '{all}'");
    assert_eq!(done.stderr.lines().count(), 3 + 4 + 1, "{}", done.stderr);
    // nothing to say
    assert_eq!(
        encode(&dir, "a.png b.png -o out -y -q").expect(0).stderr,
        ""
    );
}

#[test]
fn one_that_fails_does_not_lose_the_others() {
    let dir = pictures();
    std::fs::write(dir.path().join("bad.png"), "hello").unwrap();
    for (inputs, folder, code) in [
        ("bad.png a.png none.png b.png", "x", 4),
        ("none.png bad.png a.png b.png", "y", 3),
    ] {
        let done = encode(&dir, &format!("{inputs} -o {folder}/")).expect(code);
        assert_eq!(names(&dir.path().join(folder)), ["a.nvc", "b.nvc"]);
        for name in ["bad.png", "none.png"] {
            assert_eq!(row(&done, name), [name, "-", "-", "-", "-", "failed"]);
            let errors = done.stderr.lines().filter(|l| l.starts_with("error: "));
            assert_eq!(
                errors.filter(|l| l.contains(name)).count(),
                1,
                "{}",
                done.stderr
            );
        }
        assert!(done.stderr.contains("\n2 of 4 files: "), "{}", done.stderr);
    }
    // nothing to put there
    encode(&dir, "bad.png none.png -o z/").expect(4);
    assert!(!dir.path().join("z").exists());
}

#[test]
fn what_makes_no_sense_of_several_is_refused_before_anything_is_encoded() {
    let dir = pictures();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    picture(&dir.path().join("sub/a.jpg"), 8, 8, 0);
    for (args, says) in [
        (
            "b.png a.png sub/a.jpg -o o/",
            "a.png and sub/a.jpg would both go to o/a.nvc",
        ),
        ("a.png b.png a.png -o o/", "a.png is given twice"),
        ("a.png - -o o/", "stdin (-) is one of 2 inputs"),
        (
            "a.png b.png -o o",
            "-o o is no folder, and there are 2 inputs (allowed: ",
        ),
        ("a.png b.png -o c.y4m -y", "-o c.y4m is no folder"),
        ("a.png b.png -o -", "-o - is no folder"),
        (
            "a.png b.png -o o/ --recon r.png",
            "--recon r.png with 2 inputs (allowed: one)",
        ),
        ("a.png b.png .. -o o/", ".. has no name"),
        ("a.png b.png -o o/ --bpp 1 --size 3k", "--size"),
    ] {
        let done = encode(&dir, args).expect(2);
        assert!(done.stderr.contains(says), "{args}: {}", done.stderr);
        assert_eq!(
            names(dir.path()),
            ["a.png", "b.png", "c.y4m", "sub"],
            "{args}"
        );
    }
}

#[test]
fn nothing_is_overwritten_unasked() {
    let dir = pictures();
    std::fs::write(dir.path().join("b.nvc"), "precious").unwrap();
    let done = encode(&dir, "a.png b.png -o ./").expect(2);
    assert!(
        done.stderr.contains("./b.nvc exists; -y overwrites it"),
        "{}",
        done.stderr
    );
    assert_eq!(read(&dir, "b.nvc"), b"precious");
    assert!(
        !dir.path().join("a.nvc").exists(),
        "one was encoded all the same"
    );
    encode(&dir, "a.png b.png -o ./ -y").expect(0);
    assert_eq!(
        names(dir.path()),
        ["a.nvc", "a.png", "b.nvc", "b.png", "c.y4m"]
    );
    let before = read(&dir, "b.nvc");
    let done = encode(&dir, "a.png b.nvc -o ./ -y").expect(2);
    assert!(done.stderr.contains("same file"), "{}", done.stderr);
    assert!(read(&dir, "b.nvc") == before);
    encode(&dir, "a.png b.png -o null:").expect(0);
}

#[test]
fn a_target_that_is_missed_is_told_of_each() {
    let dir = pictures();
    let done = encode(&dir, "a.png b.png -o out/ --size 1").expect(6);
    assert_eq!(names(&dir.path().join("out")), ["a.nvc", "b.nvc"]);
    for name in ["a.png", "b.png"] {
        let error = format!("error: {name}: target not reached: ");
        assert!(done.stderr.contains(&error), "{}", done.stderr);
        let words = row(&done, name);
        assert!(words[1].parse::<usize>().unwrap() > 1, "{words:?}");
        assert_eq!(words[5..], ["target", "not", "reached"]);
    }
    assert!(done.stderr.contains("\n2 of 2 files: "), "{}", done.stderr);
}

/// The types of the lines of each source, in order.
fn types(lines: &str) -> BTreeMap<String, Vec<String>> {
    let mut types = BTreeMap::<_, Vec<_>>::new();
    for line in lines.lines().filter(|l| l.starts_with('{')) {
        let v: Value = serde_json::from_str(line).unwrap();
        let word = |key: &str| {
            v[key]
                .as_str()
                .unwrap_or_else(|| panic!("no {key}: {v}"))
                .into()
        };
        types.entry(word("input")).or_default().push(word("type"));
    }
    types
}

#[test]
fn statistics_name_the_source_of_each_line() {
    let dir = pictures();
    std::fs::write(dir.path().join("bad.png"), "hello").unwrap();
    let args = "a.png bad.png b.png -o out/ --stats s.ndjson --progress json";
    let done = encode(&dir, args).expect(4);
    let stats = String::from_utf8(read(&dir, "s.ndjson")).unwrap();
    let types_there = types(&stats);
    assert_eq!(types_there.len(), 3, "{stats}");
    assert_eq!(types_there["bad.png"], ["error"]);
    for name in ["a.png", "b.png"] {
        let t = &types_there[name];
        assert_eq!(
            (t[0].as_str(), t[t.len() - 1].as_str()),
            ("start", "done"),
            "{stats}"
        );
        assert_eq!(t.iter().filter(|t| *t == "group").count(), 1, "{stats}");
    }
    let told = types(&done.stderr);
    // ffmpeg's libraries have words of their own
    let mut text = done.stderr.lines().filter(|l| !l.starts_with(['{', '[']));
    assert!(text.all(|l| l.starts_with("error: ")), "{}", done.stderr);
    assert_eq!(told["b.png"].last().map(String::as_str), Some("done"));
    assert_eq!(told.keys().collect::<Vec<_>>(), ["a.png", "b.png"]);
    assert!(told["a.png"].contains(&"group".into()), "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_all_and_keeps_what_is_finished() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let dir = pictures();
    // takes as many iterations, and ends long after the signal
    picture(&dir.path().join("large.png"), 1500, 1000, 0);
    let args = "encode a.png large.png b.png -o out/ --steps 1000 --jobs 1 --stats -";
    let mut child = Command::new(crate::run::NVC)
        .current_dir(dir.path())
        .args(args.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stats = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !(line.contains("\"start\"") && line.contains("large.png")) {
        line.clear();
        assert!(stats.read_line(&mut line).unwrap() > 0, "ended by itself");
    }
    crate::pipes::signal(&child, "INT");
    std::io::copy(&mut stats, &mut std::io::sink()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(130), "{said}");
    assert!(
        said.contains("1 of 3 files: ") && said.ends_with("error: interrupted\n"),
        "{said}"
    );
    assert_eq!(said.matches("interrupted").count(), 1, "{said}");
    assert!(
        !said.contains("large.png"),
        "it neither failed nor ended: {said}"
    );
    assert_eq!(names(&dir.path().join("out")), ["a.nvc"]);
}
