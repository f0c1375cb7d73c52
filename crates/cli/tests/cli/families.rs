//! Representations: each encodes and decodes, chains seek, the choice is said, configurations are
//! read.

use serde_json::Value;

use crate::clip::Clip;
use crate::run::{NVC, nvc, nvc_decode, run, temp};

/// Encodes; a moment's fit may miss its size.
fn encode(dir: &std::path::Path, args: &str) -> String {
    let done = run(NVC, dir, &format!("encode {args} --progress off"), b"");
    assert!(
        matches!(done.code, 0 | 6),
        "encode {args}: exit code {}, {}",
        done.code,
        done.stderr
    );
    done.stderr
}

#[test]
fn every_family_and_chroma_decodes_as_encoded() {
    for arch in ["hnerv", "nerv", "nervpp", "nirvana"] {
        for (tag, width, height) in [
            ("420", 35, 27),
            ("444", 40, 24),
            ("mono", 33, 24),
            ("420p10", 40, 26),
        ] {
            let dir = temp();
            let clip = Clip::moving(tag, width, height, 4);
            clip.write(dir.path().join("a.y4m"));
            let said = encode(
                dir.path(),
                &format!("a.y4m -o a.nvc --arch {arch} --bpp 6 --steps 60 --recon r.y4m"),
            );
            assert!(said.contains(&format!("representation: {arch}")), "{said}");
            let bytes = nvc_decode(dir.path(), "a.nvc -o -").expect(0).stdout;
            assert!(
                bytes == std::fs::read(dir.path().join("r.y4m")).unwrap(),
                "{arch} {tag}: --recon differs"
            );
            let decoded = Clip::parse(&bytes);
            assert_eq!(
                (
                    decoded.width,
                    decoded.height,
                    decoded.tag,
                    decoded.frames.len()
                ),
                (width, height, tag, 4)
            );
            assert!(
                decoded.psnr(&clip, 0) > 11.0,
                "{arch} {tag}: {} dB",
                decoded.psnr(&clip, 0)
            );
            let md5 = |simd: &str| {
                nvc_decode(
                    dir.path(),
                    &format!("a.nvc -o - --format md5 --simd {simd}"),
                )
                .expect(0)
                .text()
            };
            assert_eq!(md5("auto"), md5("reference"), "{arch} {tag}");
            let info = nvc(dir.path(), "info a.nvc --json").expect(0).json();
            assert_eq!(
                info["sections"][0]["groups"][0]["arch"].as_str(),
                Some(arch)
            );
            nvc(dir.path(), "verify a.nvc").expect(0);
        }
    }
}

#[test]
fn chains_are_sections_and_seek() {
    let dir = temp();
    Clip::moving("420", 48, 32, 14).write(dir.path().join("a.y4m"));
    encode(
        dir.path(),
        "a.y4m -o a.nvc --arch nirvana --bpp 3 --steps 40 --section 3 --stats a.ndjson",
    );
    let info = nvc(dir.path(), "info a.nvc --json").expect(0).json();
    let groups = |s: usize| {
        info["sections"][s]["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|g| g["frames"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!((groups(0), groups(1)), (vec![3, 3, 3], vec![3, 2]));
    let whole = Clip::parse(&nvc_decode(dir.path(), "a.nvc -o -").expect(0).stdout);
    for (from, to) in [(0, 2), (4, 5), (7, 11), (13, 14)] {
        let part = Clip::parse(
            &nvc_decode(dir.path(), &format!("a.nvc -o - --frames {from}..{to}"))
                .expect(0)
                .stdout,
        );
        assert!(part.frames == whole.frames[from..to], "{from}..{to}");
    }
    // the groups that follow cost less than the first
    let bytes = |s: usize, g: usize| {
        info["sections"][s]["groups"][g]["bytes"]["weights"]
            .as_u64()
            .unwrap()
    };
    assert!(bytes(0, 1) + bytes(0, 2) < bytes(0, 0), "{info}");
    let stats = std::fs::read_to_string(dir.path().join("a.ndjson")).unwrap();
    let groups: Vec<Value> = stats
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap())
        .filter(|v: &Value| v["type"] == "group")
        .collect();
    assert_eq!(groups.len(), 5);
    assert!(groups.iter().all(|g| g["arch"] == "nirvana"), "{stats}");
}

/// Networks of a section are coded one after the other, whether or not their fits start so.
#[test]
fn sections_of_several_groups_decode() {
    let dir = temp();
    Clip::moving("420", 40, 24, 6).write(dir.path().join("a.y4m"));
    for arch in ["hnerv", "nerv", "nervpp", "nirvana"] {
        encode(
            dir.path(),
            &format!(
                "a.y4m -o a.nvc -y --arch {arch} --bpp 6 --steps 12 --group 2 --section 3 --recon r.y4m"
            ),
        );
        let bytes = nvc_decode(dir.path(), "a.nvc -o -").expect(0).stdout;
        assert!(
            bytes == std::fs::read(dir.path().join("r.y4m")).unwrap(),
            "{arch}: --recon differs"
        );
        let info = nvc(dir.path(), "info a.nvc --json").expect(0).json();
        assert_eq!(
            info["sections"][0]["groups"].as_array().map(Vec::len),
            Some(3),
            "{arch}"
        );
        let part = Clip::parse(
            &nvc_decode(dir.path(), "a.nvc -o - --frames 4..6")
                .expect(0)
                .stdout,
        );
        assert!(
            part.frames == Clip::parse(&bytes).frames[4..],
            "{arch}: the end alone differs"
        );
    }
}

#[test]
fn auto_says_what_it_took_and_why() {
    let dir = temp();
    Clip::moving("420", 48, 32, 5).write(dir.path().join("a.y4m"));
    let said = encode(
        dir.path(),
        "a.y4m -o a.nvc --bpp 4 --steps 40 --stats a.ndjson",
    );
    let stats = std::fs::read_to_string(dir.path().join("a.ndjson")).unwrap();
    let choice: Value = stats
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap())
        .find(|v| v["type"] == "choice")
        .unwrap();
    let trials = choice["trials"].as_array().unwrap();
    let names: Vec<&str> = trials.iter().map(|t| t["arch"].as_str().unwrap()).collect();
    assert_eq!(names, ["hnerv", "nervpp", "nirvana"]);
    let best = trials
        .iter()
        .max_by(|a, b| {
            a["psnr"]
                .as_f64()
                .unwrap()
                .total_cmp(&b["psnr"].as_f64().unwrap())
        })
        .unwrap();
    assert_eq!(choice["arch"], best["arch"]);
    let taken = choice["arch"].as_str().unwrap();
    assert!(
        said.contains(&format!(
            "representation: {taken}, the best of short trials on 5 frames: hnerv "
        )),
        "{said}"
    );
    let info = nvc(dir.path(), "info a.nvc --json").expect(0).json();
    assert_eq!(info["sections"][0]["groups"][0]["arch"], choice["arch"]);
}

#[test]
fn a_picture_is_a_group_of_one_frame() {
    let dir = temp();
    let source = image::RgbImage::from_fn(45, 31, |x, y| {
        image::Rgb([(x * 5) as u8, (y * 8) as u8, ((x + y) * 3) as u8])
    });
    source.save(dir.path().join("rgb.png")).unwrap();
    image::imageops::grayscale(&source)
        .save(dir.path().join("gray.png"))
        .unwrap();
    for name in ["rgb", "gray"] {
        encode(
            dir.path(),
            &format!("{name}.png -o {name}.nvc --arch nirvana --bpp 10 --steps 250"),
        );
        nvc_decode(dir.path(), &format!("{name}.nvc -o {name}-out.png")).expect(0);
        let open = |n: String| image::open(dir.path().join(n)).unwrap().into_rgb8();
        let (a, b) = (open(format!("{name}.png")), open(format!("{name}-out.png")));
        let square: f64 = a
            .as_raw()
            .iter()
            .zip(b.as_raw())
            .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
            .sum();
        let psnr = 10.0 * (65025.0 * a.as_raw().len() as f64 / square).log10();
        assert!(
            a.dimensions() == b.dimensions() && psnr > 18.0,
            "{name}: {psnr} dB"
        );
    }
}

#[test]
fn configurations_choose_and_the_command_line_comes_first() {
    let dir = temp();
    Clip::moving("420", 40, 24, 4).write(dir.path().join("a.y4m"));
    let config = "arch = \"nerv\"\nbpp = 5\nsteps = 30\n[nerv]\nlevels = 12\nhidden = 24\nstrides = [2, 2, 2]\n";
    std::fs::write(dir.path().join("c.toml"), config).unwrap();
    encode(dir.path(), "a.y4m -o a.nvc --config c.toml");
    let info = nvc(dir.path(), "info a.nvc --json").expect(0).json();
    let group = &info["sections"][0]["groups"][0];
    assert_eq!(group["arch"], "nerv");
    let header = &group["nerv"]["header"];
    assert_eq!(
        (
            header["levels"].as_u64(),
            header["hidden"].as_u64(),
            header["stages"].as_u64()
        ),
        (Some(12), Some(24), Some(3)),
        "{group}"
    );
    encode(dir.path(), "a.y4m -o b.nvc --config c.toml --arch nervpp");
    let info = nvc(dir.path(), "info b.nvc --json").expect(0).json();
    assert_eq!(info["sections"][0]["groups"][0]["arch"], "nervpp");

    for (text, part) in [
        ("arhc = \"nerv\"\n", "arhc"),
        ("[nerv]\nlevels = 41\n", "1..=40"),
        ("[nerv]\nchannels = 5000\n", "1..=4096"),
        ("bpp = 1\nsize = 3\n", "allowed: one"),
    ] {
        std::fs::write(dir.path().join("bad.toml"), text).unwrap();
        let done = nvc(
            dir.path(),
            "encode a.y4m -o x.nvc --arch nerv --steps 10 --config bad.toml",
        )
        .expect(2);
        assert!(done.stderr.contains(part), "{text}: {}", done.stderr);
        assert!(!dir.path().join("x.nvc").exists());
    }
    let done = nvc(dir.path(), "encode a.y4m -o x.nvc --config hnerv-9m").expect(2);
    assert!(done.stderr.contains("hnerv-1.5m"), "{}", done.stderr);
}
