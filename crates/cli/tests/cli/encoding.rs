//! What an encode promises: its report, and the same bytes again.

use std::path::Path;

use serde_json::Value;

use crate::clip::Clip;
use crate::run::{SAMPLE, encode, nvc, nvc_decode, sample, temp};

/// The sample's statistics up to `done`. A moment's fit may miss its size, which a last `error`
/// then says.
fn statistics() -> Vec<Value> {
    statistics_of(sample().dir())
}

fn statistics_of(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("a.ndjson")).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    if lines.last().unwrap()["type"] == "error" {
        assert_eq!(
            lines.pop().unwrap()["exit_code"].as_u64(),
            Some(6),
            "{text}"
        );
    }
    lines
}

#[test]
fn reported_psnr_is_the_decoded_one_by_three_counts() {
    let s = sample();
    let stats = statistics();
    let done = stats.last().unwrap();
    assert_eq!(done["type"], "done");
    let scored = nvc_decode(s.dir(), "a.nvc -o null: --score a.y4m --json")
        .expect(0)
        .json();
    let decoded = Clip::parse(&nvc_decode(s.dir(), "a.nvc -o -").expect(0).stdout);
    let planes = [0, 1, 2].map(|p| decoded.psnr(&s.clip, p));
    let own = [
        ("psnr_y", planes[0]),
        ("psnr_u", planes[1]),
        ("psnr_v", planes[2]),
    ];
    let yuv611 = (6.0 * planes[0] + planes[1] + planes[2]) / 8.0;
    for (key, own) in own.into_iter().chain([("psnr_yuv611", yuv611)]) {
        let of = |v: &Value| {
            v[key]["mean"]
                .as_f64()
                .unwrap_or_else(|| panic!("no {key}.mean in {v}"))
        };
        assert!(
            (of(done) - own).abs() < 0.001,
            "{key}: encode reports {}, the samples give {own}",
            of(done)
        );
        assert!(
            (of(&scored) - own).abs() < 0.001,
            "{key}: --score gives {}, the samples give {own}",
            of(&scored)
        );
        assert!(own > 8.0, "{key} is {own}: nothing was learnt");
    }
    for key in ["psnr_y", "psnr_u", "psnr_v", "psnr_yuv611", "psnr_rgb"] {
        for average in ["mean", "pooled"] {
            let (a, b) = (
                done[key][average].as_f64().unwrap(),
                scored[key][average].as_f64().unwrap(),
            );
            assert!((a - b).abs() < 0.001, "{key}.{average}: {a} and {b}");
        }
    }
    let size = std::fs::metadata(s.dir().join("a.nvc")).unwrap().len();
    assert_eq!(
        (done["bytes"].as_u64(), scored["bytes"].as_u64()),
        (Some(size), Some(size))
    );
    let bpp = size as f64 * 8.0 / (48.0 * 32.0 * 6.0);
    assert!(
        (done["bpp"].as_f64().unwrap() - bpp).abs() < 1e-9
            && (scored["bpp"].as_f64().unwrap() - bpp).abs() < 1e-9
    );
    assert_eq!(
        (
            scored["frames"].as_u64(),
            scored["width"].as_u64(),
            scored["height"].as_u64()
        ),
        (Some(6), Some(48), Some(32))
    );
    assert!(
        scored["ms_ssim_y"].is_null(),
        "defined from 176 samples a side on: {scored}"
    );

    // compare and score are one count
    let compared = nvc(s.dir(), "compare a.y4m recon.y4m --json")
        .expect(0)
        .json();
    assert_eq!(compared["psnr_yuv611"], scored["psnr_yuv611"]);
}

#[test]
fn statistics_follow_their_schema() {
    let stats = statistics();
    let types: Vec<&str> = stats.iter().map(|l| l["type"].as_str().unwrap()).collect();
    assert_eq!(types.first(), Some(&"start"));
    assert_eq!(types.iter().filter(|t| **t == "group").count(), 2);
    assert_eq!(types.last(), Some(&"done"));
    let keys = |v: &Value, names: &str| {
        names
            .split(' ')
            .for_each(|k| assert!(!v[k].is_null(), "no {k} in {v}"))
    };
    keys(
        &stats[0],
        "schema version input output width height pix_fmt fps frames target arch preset steps batch lr optimiser float_share rate loss seed threads jobs device precision",
    );
    assert_eq!(
        (
            stats[0]["schema"].as_u64(),
            stats[0]["target"]["bpp"].as_f64()
        ),
        (Some(1), Some(4.0))
    );
    let mut frames = 0;
    for l in &stats {
        match l["type"].as_str().unwrap() {
            "progress" => keys(l, "group groups step steps psnr seconds eta_seconds"),
            "group" => {
                keys(
                    l,
                    "group first_frame frames arch params macs_per_pixel steps bytes order0_bytes float_psnr exact_psnr fit_seconds decode_fps",
                );
                keys(&l["bytes"], "header weights latents");
                keys(&l["order0_bytes"], "ideal adaptive");
                assert_eq!(l["first_frame"].as_u64(), Some(frames));
                frames += l["frames"].as_u64().unwrap();
            }
            "done" => keys(
                l,
                "frames bytes bpp seconds groups arch psnr_y psnr_yuv611 psnr_rgb",
            ),
            _ => {}
        }
    }
    assert_eq!(frames, 6);
}

/// Of pictures large enough and a network that has been fitted: on a few hundred samples, choosing
/// scales by trial decodes can gain some hundredths of a dB by chance.
#[test]
fn exact_decoding_costs_next_to_nothing() {
    let dir = temp();
    Clip::moving("420", 96, 64, 12).write(dir.path().join("a.y4m"));
    encode(
        dir.path(),
        "a.y4m",
        "--bpp 1 --steps 400 --group 6 --stats a.ndjson",
    );
    let groups: Vec<Value> = statistics_of(dir.path())
        .into_iter()
        .filter(|l| l["type"] == "group")
        .collect();
    assert_eq!(groups.len(), 2);
    for group in groups {
        let (float, exact) = (
            group["float_psnr"].as_f64().unwrap(),
            group["exact_psnr"].as_f64().unwrap(),
        );
        // scales are chosen by trial decodes, which may gain a little; eight seeds: -0.0202 to
        // 0.0014 dB, 27.4 to 31.7 dB
        assert!(
            exact > 15.0 && (-0.07..0.02).contains(&(float - exact)),
            "float network {float} dB, exact decoder {exact} dB"
        );
    }
}

#[test]
fn recon_is_what_decoders_give() {
    let s = sample();
    let decoded = nvc_decode(s.dir(), "a.nvc -o -").expect(0).stdout;
    assert!(
        decoded == std::fs::read(s.dir().join("recon.y4m")).unwrap(),
        "--recon differs from the decoded frames"
    );
}

#[test]
fn same_seed_same_bytes_whatever_the_threads_and_jobs() {
    let s = sample();
    let bytes = |options: &str| {
        let dir = temp();
        s.clip.write(dir.path().join("a.y4m"));
        encode(dir.path(), "a.y4m", &format!("{SAMPLE} {options}"));
        std::fs::read(dir.path().join("a.nvc")).unwrap()
    };
    let first = std::fs::read(s.dir().join("a.nvc")).unwrap();
    assert!(bytes("") == first, "encoding again gives another file");
    assert!(
        bytes("--threads 1") == first,
        "one thread gives another file"
    );
    assert!(
        bytes("--threads 2") == first,
        "two threads give another file"
    );
    assert!(
        bytes("--threads 2 --jobs 1") == first,
        "one group after the other gives another file"
    );
    assert!(
        bytes("--threads 1 --jobs 2") == first,
        "two groups at once give another file"
    );
    assert!(bytes("--seed 1") != first, "the seed changes nothing");
}

/// Thin, tiny, few: all defaults and the smallest sizes.
#[test]
fn pictures_of_any_shape() {
    let dir = temp();
    for (width, height, frames) in [(1, 1, 1), (1, 2500, 1), (5000, 1, 2), (32, 32, 4)] {
        Clip::moving("420", width, height, frames).write(dir.path().join("a.y4m"));
        for options in ["", "--size 1", "--bitrate 1k --arch nirvana"] {
            let done = nvc(
                dir.path(),
                &format!("encode a.y4m -o a.nvc -y --device cpu --steps 10 {options}"),
            );
            assert!(
                [0, 6].contains(&done.code),
                "{width}x{height} {options}: exit code {}, {}",
                done.code,
                done.stderr
            );
            let decoded = Clip::parse(&nvc_decode(dir.path(), "a.nvc -o -").expect(0).stdout);
            assert_eq!(
                (decoded.width, decoded.height, decoded.frames.len()),
                (width, height, frames)
            );
        }
    }
}

#[test]
fn threads_and_jobs_are_those_there_are() {
    let dir = temp();
    sample().clip.write(dir.path().join("a.y4m"));
    let options =
        "--device cpu --arch hnerv --steps 10 --bpp 4 --group 3 --threads 10000 --jobs 9999";
    let done = nvc(dir.path(), &format!("encode a.y4m -o a.nvc {options}"));
    assert!(
        [0, 6].contains(&done.code),
        "exit code {}, {}",
        done.code,
        done.stderr
    );
    let has = std::thread::available_parallelism().unwrap();
    assert!(
        done.stderr.contains(&format!(
            "warning: --threads 10000: this machine has {has}; {has} are used\n"
        )),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("warning: --jobs 9999: at most 256"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_part_of_the_source() {
    let dir = temp();
    let clip = &sample().clip;
    clip.write(dir.path().join("a.y4m"));
    encode(
        dir.path(),
        "a.y4m",
        "--frames 2..5 --steps 10 --bpp 4 --recon r.y4m",
    );
    assert_eq!(Clip::read(dir.path().join("r.y4m")).frames.len(), 3);
    let part = Clip {
        frames: clip.frames[2..5].to_vec(),
        ..clip.clone()
    };
    part.write(dir.path().join("part.y4m"));
    std::fs::rename(dir.path().join("a.nvc"), dir.path().join("b.nvc")).unwrap();
    encode(dir.path(), "part.y4m", "--steps 10 --bpp 4");
    let read = |name| std::fs::read(dir.path().join(name)).unwrap();
    assert!(
        read("a.nvc") == read("b.nvc"),
        "--frames 2..5 encodes something else than those frames"
    );
}
