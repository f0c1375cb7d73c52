//! What a source says is kept, or a warning says that it is not.

use image::RgbImage;

use super::inputs::*;
use crate::run::{NVC, names, nvc, nvc_decode, temp};

#[test]
fn pictures_stand_as_their_exif_says() {
    let dir = temp();
    let stored = picture(40, 24, 0);
    let at = |x: u32, y: u32| *stored.get_pixel(x, y);
    // where a picture as shown has each of its pixels in the file
    let upright: [RgbImage; 8] = [
        RgbImage::from_fn(40, 24, at),
        RgbImage::from_fn(40, 24, |x, y| at(39 - x, y)),
        RgbImage::from_fn(40, 24, |x, y| at(39 - x, 23 - y)),
        RgbImage::from_fn(40, 24, |x, y| at(x, 23 - y)),
        RgbImage::from_fn(24, 40, |x, y| at(y, x)),
        RgbImage::from_fn(24, 40, |x, y| at(y, 23 - x)),
        RgbImage::from_fn(24, 40, |x, y| at(39 - y, 23 - x)),
        RgbImage::from_fn(24, 40, |x, y| at(39 - y, x)),
    ];
    for (orientation, upright) in (1..).zip(&upright) {
        std::fs::write(dir.path().join("upright.png"), png(upright, &[])).unwrap();
        for big_endian in [false, true] {
            let said = chunk(b"eXIf", &exif(orientation, big_endian));
            std::fs::write(dir.path().join("exif.png"), png(&stored, &said)).unwrap();
            let psnr = likeness(dir.path(), "exif.png", "upright.png");
            assert_eq!(
                psnr, 100.0,
                "orientation {orientation}, big endian: {big_endian}"
            );
        }
    }
}

/// A JPEG whose EXIF asks for a quarter turn to the right, and the picture so turned as a PNG.
fn turned_jpeg(dir: &std::path::Path) {
    let stored = picture(40, 24, 0);
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 90)
        .encode_image(&stored)
        .unwrap();
    let decoded = image::load_from_memory(&jpeg).unwrap().into_rgb8();
    let upright = RgbImage::from_fn(24, 40, |x, y| *decoded.get_pixel(y, 23 - x));
    std::fs::write(dir.join("upright.png"), png(&upright, &[])).unwrap();
    let said = [&b"Exif\0\0"[..], &exif(6, true)[..]].concat();
    let segment = [
        &[0xff, 0xe1][..],
        &(said.len() as u16 + 2).to_be_bytes()[..],
        &said[..],
    ]
    .concat();
    std::fs::write(
        dir.join("turned.jpg"),
        [&jpeg[..2], &segment[..], &jpeg[2..]].concat(),
    )
    .unwrap();
}

#[test]
fn turned_pictures_are_coded_upright() {
    let dir = temp();
    turned_jpeg(dir.path());
    assert!(likeness(dir.path(), "turned.jpg", "upright.png") > 50.0);
    std::fs::write(
        dir.path().join("turned.png"),
        png(&picture(40, 24, 0), &chunk(b"eXIf", &exif(6, true))),
    )
    .unwrap();
    for source in ["turned.jpg", "turned.png"] {
        encoded(dir.path(), &format!("{source} -o a.nvc -y"));
        let info = info(dir.path(), "a.nvc");
        assert_eq!(
            (info["width"].as_u64(), info["height"].as_u64()),
            (Some(24), Some(40)),
            "{source}"
        );
        nvc_decode(dir.path(), "a.nvc -o out.png -y").expect(0);
        let out = std::fs::read(dir.path().join("out.png")).unwrap();
        assert_eq!(
            image::load_from_memory(&out)
                .unwrap()
                .into_rgb8()
                .dimensions(),
            (24, 40),
            "{source}"
        );
        // turned once, not by each program that shows it
        assert!(find_chunk(&out, b"eXIf").is_none(), "{source}");
    }
}

#[test]
fn every_picture_of_an_animation_is_read() {
    let dir = temp();
    numbered(dir.path(), "f", 1..=2);
    let control = |number: u32| {
        let numbers = [number, 40, 24, 0, 0].map(u32::to_be_bytes).concat();
        chunk(b"fcTL", &[&numbers[..], &[0, 1, 0, 10, 0, 0][..]].concat())
    };
    let count = [2u32, 0].map(u32::to_be_bytes).concat();
    let second = [
        &2u32.to_be_bytes()[..],
        &zlib(&lines(&picture(40, 24, 2)))[..],
    ]
    .concat();
    let before = [chunk(b"acTL", &count), control(0)].concat();
    let after = [control(1), chunk(b"fdAT", &second)].concat();
    std::fs::write(
        dir.path().join("anim.png"),
        png_around(&picture(40, 24, 1), &before, &after),
    )
    .unwrap();
    encoded(dir.path(), "anim.png -o a.nvc");
    assert_eq!(info(dir.path(), "a.nvc")["frames"].as_u64(), Some(2));
    assert_eq!(likeness(dir.path(), "anim.png", "f_%03d.png"), 100.0);
}

#[test]
fn a_gap_in_a_sequence_is_said() {
    let dir = temp();
    numbered(dir.path(), "gap", [1, 2, 4, 5]);
    let done = encoded(dir.path(), "gap_%03d.png -o a.nvc");
    assert_eq!(warnings(&done).len(), 1, "{}", done.stderr);
    assert!(
        has_number(&warned(&done, &["gap_003.png"]), 2),
        "how many are left out: {}",
        done.stderr
    );
    assert_eq!(info(dir.path(), "a.nvc")["frames"].as_u64(), Some(2));
    numbered(dir.path(), "whole", 1..=3);
    assert!(warnings(&encoded(dir.path(), "whole_%03d.png -o b.nvc")).is_empty());
}

#[test]
fn a_colour_profile_is_said_to_be_lost() {
    let dir = temp();
    // the least that is a profile: a header for displays, of RGB, and no tags
    let mut profile = vec![0u8; 132];
    profile[..4].copy_from_slice(&132u32.to_be_bytes());
    profile[8..10].copy_from_slice(&[2, 0x40]);
    for (at, text) in [(12, b"mntr"), (16, b"RGB "), (20, b"XYZ "), (36, b"acsp")] {
        profile[at..at + 4].copy_from_slice(text);
    }
    let said = [&b"Wide\0\0"[..], &zlib(&profile)[..]].concat();
    std::fs::write(
        dir.path().join("wide.png"),
        png(&picture(40, 24, 0), &chunk(b"iCCP", &said)),
    )
    .unwrap();
    warned(
        &encoded(dir.path(), "wide.png -o a.nvc"),
        &["wide.png", "ICC"],
    );
}

#[test]
fn colours_that_chunks_name_are_kept() {
    let dir = temp();
    for (kind, data, primaries, transfer) in [
        (b"cICP", vec![9, 16, 0, 1], Some(9), 16),
        (b"gAMA", 100000u32.to_be_bytes().to_vec(), None, 8),
    ] {
        std::fs::write(
            dir.path().join("c.png"),
            png(&picture(40, 24, 0), &chunk(kind, &data)),
        )
        .unwrap();
        encoded(dir.path(), "c.png -o a.nvc -y");
        let color = info(dir.path(), "a.nvc")["color"].clone();
        assert_eq!(color["transfer"].as_u64(), Some(transfer), "{color}");
        if primaries.is_some() {
            assert_eq!(color["primaries"].as_u64(), primaries, "{color}");
            nvc_decode(dir.path(), "a.nvc -o out.png -y").expect(0);
            let out = std::fs::read(dir.path().join("out.png")).unwrap();
            assert_eq!(find_chunk(&out, kind), Some(&data[..]));
        }
    }
}

/// The first line of what `a.nvc` decodes to.
fn header(dir: &std::path::Path) -> String {
    let bytes = nvc_decode(dir, "a.nvc -o -").expect(0).stdout;
    String::from_utf8(bytes.split(|&b| b == b'\n').next().unwrap().to_vec()).unwrap()
}

/// Whether a header has a tag.
fn has_tag(header: &str, tag: &str) -> bool {
    header.split(' ').any(|t| t == tag)
}

#[test]
fn sample_aspect_ratios_are_reduced_or_said_to_be_lost() {
    let dir = temp();
    let encode = |ratio: &str| {
        std::fs::write(
            dir.path().join("sar.y4m"),
            video(32, 32, &format!("F25:1 Ip A{ratio} C420jpeg"), 2),
        )
        .unwrap();
        encoded(dir.path(), "sar.y4m -o a.nvc -y")
    };
    for (ratio, sar, tag) in [
        ("100000:75000", "4/3", "A4:3"),
        ("16:15", "16/15", "A16:15"),
        ("4294967295:4294967295", "1/1", "A1:1"),
    ] {
        let done = encode(ratio);
        assert!(warnings(&done).is_empty(), "{ratio}: {}", done.stderr);
        assert_eq!(
            info(dir.path(), "a.nvc")["sar"].as_str(),
            Some(sar),
            "{ratio}"
        );
        let header = header(dir.path());
        assert!(has_tag(&header, tag), "{ratio}: {header}");
    }
    for ratio in ["1:99999999999", "99999999999:1", "1:70001"] {
        warned(&encode(ratio), &["sar.y4m"]);
        header(dir.path());
    }
    assert!(warnings(&encode("0:0")).is_empty(), "unknown is no loss");
}

#[test]
fn chroma_sitings_come_back() {
    let dir = temp();
    for (tag, want) in [
        ("420mpeg2", "C420mpeg2"),
        ("420paldv", "C420paldv"),
        ("420jpeg", "C420jpeg"),
        ("420", "C420jpeg"),
    ] {
        std::fs::write(
            dir.path().join("a.y4m"),
            video(32, 32, &format!("F25:1 Ip A1:1 C{tag}"), 2),
        )
        .unwrap();
        encoded(dir.path(), "a.y4m -o a.nvc -y");
        let header = header(dir.path());
        assert!(has_tag(&header, want), "{tag}: {header}");
    }
}

#[test]
fn interlaced_video_is_warned_of_with_a_remedy() {
    let dir = temp();
    for (tag, interlaced) in [
        ("Ib", true),
        ("It", true),
        ("Im", true),
        ("I?", false),
        ("Ip", false),
    ] {
        std::fs::write(
            dir.path().join("il.y4m"),
            video(32, 32, &format!("F25:1 {tag} A1:1 C420jpeg"), 2),
        )
        .unwrap();
        let done = encoded(dir.path(), "il.y4m -o a.nvc -y");
        if interlaced {
            let line = warned(&done, &["il.y4m", "interlaced"]);
            assert!(
                line.contains("ffmpeg") || line.contains("deinterlac"),
                "no remedy: {line}"
            );
        } else {
            assert!(warnings(&done).is_empty(), "{tag}: {}", done.stderr);
        }
    }
}

#[test]
fn ranges_that_differ_are_not_compared_in_silence() {
    let dir = temp();
    for (name, tags) in [
        ("a.y4m", "F25:1 Ip A1:1 C420jpeg"),
        ("full.y4m", "F25:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL"),
    ] {
        std::fs::write(dir.path().join(name), video(32, 32, tags, 2)).unwrap();
    }
    warned(
        &nvc(dir.path(), "compare a.y4m full.y4m").expect(0),
        &["range"],
    );
    assert!(warnings(&nvc(dir.path(), "compare full.y4m full.y4m").expect(0)).is_empty());
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let dir = temp();
    std::fs::write(
        dir.path().join("a.y4m"),
        video(32, 32, "F25:1 Ip A1:1 C420jpeg", 2),
    )
    .unwrap();
    std::fs::write(dir.path().join("a.png"), png(&picture(40, 24, 0), &[])).unwrap();
    for (input, option, value) in [
        ("a.y4m", "--fps", "50"),
        ("a.y4m", "--size-in", "32x32"),
        ("a.y4m", "--pix-fmt", "gray"),
        ("a.y4m", "--start-number", "1"),
        ("a.y4m", "--vfr-to-cfr", ""),
        ("a.png", "--size-in", "40x24"),
        ("a.png", "--pix-fmt", "gray"),
    ] {
        let e = quick(dir.path(), &format!("{input} -o a.nvc {option} {value}"))
            .expect(2)
            .stderr;
        assert!(
            e.contains(option) && !e.contains("unexpected argument"),
            "{input} {option}: {e}"
        );
        assert_eq!(names(dir.path()), ["a.png", "a.y4m"]);
    }
    let y4m = std::fs::read(dir.path().join("a.y4m")).unwrap();
    let args = format!("encode - -o a.nvc --fps 50 {QUICK}");
    let e = run_os(NVC, dir.path(), &words(&args), &y4m)
        .expect(2)
        .stderr;
    assert!(e.contains("--fps"), "{e}");
}
