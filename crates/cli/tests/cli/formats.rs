//! Odd sizes, other chroma, more bits, pictures, raw video.

use crate::clip::Clip;
use crate::run::{encode, nvc, nvc_decode, temp};

/// What changes the format least: size, sampling and depth come back, and the frames resemble the
/// source.
fn round_trip(tag: &'static str, width: usize, height: usize) {
    let dir = temp();
    let clip = Clip::moving(tag, width, height, 4);
    clip.write(dir.path().join("a.y4m"));
    encode(dir.path(), "a.y4m", "--bpp 5 --steps 60 --recon r.y4m");
    let bytes = nvc_decode(dir.path(), "a.nvc -o -").expect(0).stdout;
    assert!(
        bytes == std::fs::read(dir.path().join("r.y4m")).unwrap(),
        "{tag}: --recon differs"
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
    for p in 0..clip.frames[0].len() {
        let psnr = decoded.psnr(&clip, p);
        assert!(psnr > 12.0, "{tag} {width}x{height} plane {p}: {psnr} dB");
    }
    let scored = nvc_decode(dir.path(), "a.nvc -o null: --score a.y4m --json")
        .expect(0)
        .json();
    assert!(
        (scored["psnr_y"]["mean"].as_f64().unwrap() - decoded.psnr(&clip, 0)).abs() < 0.001,
        "{tag}: {scored}"
    );
    assert_eq!(scored["psnr_u"].is_null(), tag == "mono");
}

#[test]
fn odd_size() {
    round_trip("420", 35, 27);
}

#[test]
fn full_chroma() {
    round_trip("444", 40, 24);
}

#[test]
fn gray() {
    round_trip("mono", 33, 24);
}

#[test]
fn ten_bits() {
    round_trip("420p10", 40, 26);
}

#[test]
fn pictures_in_and_out() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    let source = image::RgbImage::from_fn(45, 31, |x, y| {
        image::Rgb([(x * 5) as u8, (y * 8) as u8, ((x + y) * 3) as u8])
    });
    source.save(at("in.png")).unwrap();
    encode(dir.path(), "in.png", "--bpp 12 --steps 250");
    let info = nvc(dir.path(), "info a.nvc --json").expect(0).json();
    assert_eq!(
        (info["pix_fmt"].as_str(), info["frames"].as_u64()),
        (Some("gbrp"), Some(1))
    );
    nvc_decode(dir.path(), "a.nvc -o out.png").expect(0);
    let decoded = image::open(at("out.png")).unwrap().into_rgb8();
    assert_eq!(decoded.dimensions(), (45, 31));
    let square: f64 = source
        .as_raw()
        .iter()
        .zip(decoded.as_raw())
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    let psnr = 10.0 * (65025.0 * source.as_raw().len() as f64 / square).log10();
    assert!(psnr > 14.0, "{psnr} dB");
    // the picture is lossless from the decoder's planes on: both count the same
    let scored = nvc_decode(dir.path(), "a.nvc -o null: --score in.png --json")
        .expect(0)
        .json();
    assert!(
        (scored["psnr_rgb"]["mean"].as_f64().unwrap() - psnr).abs() < 0.001,
        "{scored}, the pictures give {psnr}"
    );
    // planes in ffmpeg's order
    let raw = nvc_decode(dir.path(), "a.nvc -o - --format yuv")
        .expect(0)
        .stdout;
    let n = 45 * 31;
    assert_eq!(raw.len(), 3 * n);
    for (i, px) in decoded.pixels().enumerate() {
        assert_eq!([raw[2 * n + i], raw[i], raw[n + i]], px.0, "pixel {i}");
    }
    let e = nvc_decode(dir.path(), "a.nvc -o out.y4m").expect(5).stderr;
    assert!(e.contains("no RGB"), "{e}");
}

/// A BMP of 24 bits a pixel, the last row first; rows are of whole words.
fn bitmap(picture: &image::RgbImage) -> Vec<u8> {
    let (w, h) = picture.dimensions();
    let words = |all: &[u32]| {
        all.iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let planes_and_bits = 1 | 24 << 16;
    let size = 54 + w * h * 3;
    let header = words(&[
        size,
        0,
        54,
        40,
        w,
        h,
        planes_and_bits,
        0,
        w * h * 3,
        0,
        0,
        0,
        0,
    ]);
    let pixels = picture.rows().rev().flatten();
    let bgr = pixels.flat_map(|p| [p.0[2], p.0[1], p.0[0]]);
    b"BM".iter().copied().chain(header).chain(bgr).collect()
}

#[test]
fn what_is_told_of_a_picture_holds() {
    let dir = temp();
    let picture = image::RgbImage::from_fn(24, 16, |x, y| image::Rgb([x as u8, y as u8, 9]));
    picture.save(dir.path().join("in.png")).unwrap();
    let moment = "--device cpu --preset ultrafast --steps 10";
    let done = nvc(dir.path(), &format!("encode in.png -o a.nvc {moment}")).expect(0);
    let hint = "decode with: nvc-decode a.nvc -o out.png";
    assert!(done.stderr.contains(hint), "{}", done.stderr);
    nvc_decode(dir.path(), "a.nvc -o out.png").expect(0);
    let e = nvc(dir.path(), &format!("encode in.png -o gone/a.nvc {moment}"));
    let e = e.expect(3).stderr;
    assert!(e.contains("its folder gone: "), "{e}");
    let e = nvc(dir.path(), "encode in.png -o b.nvc --crf -1")
        .expect(2)
        .stderr;
    assert!(e.contains("crf") && e.contains("63"), "{e}");
    let e = nvc(
        dir.path(),
        &format!("encode in.png in.png -o both/ {moment}"),
    );
    assert!(e.expect(2).stderr.contains("in.png is given twice"));
    if cfg!(feature = "ffmpeg") {
        std::fs::write(dir.path().join("in.bmp"), bitmap(&picture)).unwrap();
        let done = nvc(dir.path(), &format!("encode in.bmp -o c.nvc {moment}")).expect(0);
        assert!(!done.stderr.contains("warning"), "{}", done.stderr);
    }
}

#[test]
fn transparency_in_and_out() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    // a disc that fades out, behind which colours change that nobody sees
    let source = image::RgbaImage::from_fn(45, 31, |x, y| {
        let away = (f64::from(x) - 22.0).hypot(f64::from(y) - 15.0);
        let alpha = ((14.0 - away) * 40.0).clamp(0.0, 255.0) as u8;
        image::Rgba([(x * 5) as u8, (y * 8) as u8, ((x * y) % 256) as u8, alpha])
    });
    source.save(at("in.png")).unwrap();
    nvc(dir.path(), "encode in.png -o a.nvc --crf 20 --steps 200").expect(0);
    let info = nvc(dir.path(), "info a.nvc --json").expect(0).json();
    assert_eq!(info["pix_fmt"].as_str(), Some("gbrap"));
    assert_eq!(info["level"].as_u64(), Some(1));
    nvc_decode(dir.path(), "a.nvc -o out.png").expect(0);
    // against the picture as it was decoded, and against the file: the same
    let scored = nvc_decode(dir.path(), "a.nvc -o null: --score in.png --json")
        .expect(0)
        .json();
    let compared = nvc(dir.path(), "compare in.png out.png --json")
        .expect(0)
        .json();
    for key in ["psnr_rgb", "psnr_alpha"] {
        assert_eq!(scored[key], compared[key], "{key}");
        assert!(scored[key]["mean"].as_f64().unwrap() > 20.0, "{scored}");
    }
    // on black and on white, by hand
    let decoded = image::open(at("out.png")).unwrap().into_rgba8();
    let multiplied = |p: &image::Rgba<u8>, c: usize| {
        let product = u32::from(p.0[c]) * u32::from(p.0[3]);
        f64::from((product + 127) / 255)
    };
    let pixels = source.pixels().zip(decoded.pixels());
    let square: f64 = pixels
        .flat_map(|(a, b)| (0..3).map(move |c| (a, b, c)))
        .map(|(a, b, c)| {
            let black = multiplied(a, c) - multiplied(b, c);
            let white = black - (f64::from(a.0[3]) - f64::from(b.0[3]));
            (black * black + white * white) / 2.0
        })
        .sum();
    let psnr = 10.0 * (65025.0 * 3.0 * 45.0 * 31.0 / square).log10();
    let told = scored["psnr_rgb"]["mean"].as_f64().unwrap();
    assert!((psnr - told).abs() < 1e-6, "{psnr} dB, told {told}");
    for (output, code) in [("out.jpg", 5), ("out.y4m", 5), ("out.yuv", 5)] {
        let e = nvc_decode(dir.path(), &format!("a.nvc -o {output}")).expect(code);
        assert!(e.stderr.contains("--format png"), "{}", e.stderr);
        assert!(!at(output).exists());
    }
    // a picture that is read without alpha is one that hides all behind it
    image::DynamicImage::from(source.clone())
        .into_rgb8()
        .save(at("opaque.png"))
        .unwrap();
    for command in ["in.png opaque.png", "opaque.png in.png"] {
        nvc(dir.path(), &format!("compare {command}")).expect(0);
    }
    let e = nvc_decode(dir.path(), "a.nvc -o null: --score opaque.png").expect(0);
    assert!(e.stderr.contains("of alpha "), "{}", e.stderr);
    std::fs::copy(at("in.png"), at("f_1.png")).unwrap();
    let e = nvc(dir.path(), "encode f_%d.png -o c.nvc").expect(5);
    assert!(e.stderr.contains("in a sequence"), "{}", e.stderr);
    let e = nvc(dir.path(), "encode in.png -o b.nvc --arch hnerv").expect(5);
    assert!(e.stderr.contains("with alpha: pyramid"), "{}", e.stderr);
}

#[test]
fn previews() {
    let dir = temp();
    let source = image::RgbImage::from_fn(45, 31, |x, y| {
        image::Rgb([(x * 5) as u8, (y * 8) as u8, ((x + y) * 3) as u8])
    });
    source.save(dir.path().join("in.png")).unwrap();
    nvc(dir.path(), "encode in.png -o a.nvc --crf 20 --steps 100").expect(0);
    for (scale, size) in [("1", (45, 31)), ("1/2", (23, 16)), ("1/8", (6, 4))] {
        nvc_decode(dir.path(), &format!("a.nvc -y -o out.png --scale {scale}")).expect(0);
        let small = image::open(dir.path().join("out.png")).unwrap().into_rgb8();
        assert_eq!(small.dimensions(), size);
    }
    let e = nvc(dir.path(), "decode a.nvc -o null: --scale 1/128").expect(2);
    assert!(
        e.stderr
            .contains("scale 1/128 of 7 grids (allowed 1/1 to 1/64)"),
        "{}",
        e.stderr
    );
    for scale in ["1/3", "2", "0", "1/0", "x"] {
        let e = nvc_decode(dir.path(), &format!("a.nvc -o null: --scale {scale}")).expect(2);
        assert!(e.stderr.contains("is not 1/2, 1/4"), "{}", e.stderr);
    }
    let e = nvc_decode(dir.path(), "a.nvc -o null: --scale 1/2 --score in.png").expect(2);
    assert!(
        e.stderr.contains("--score compares whole pictures"),
        "{}",
        e.stderr
    );
    // networks of frames have one size
    Clip::moving("420", 16, 16, 2).write(dir.path().join("c.y4m"));
    encode(dir.path(), "c.y4m", "--bpp 5 --steps 10 -y");
    let e = nvc_decode(dir.path(), "a.nvc -o null: --scale 1/2").expect(5);
    assert!(e.stderr.contains("only a pyramid"), "{}", e.stderr);
}

#[test]
fn numbered_pictures_in_and_out() {
    let dir = temp();
    for i in 0..3u32 {
        let picture = image::RgbImage::from_fn(32, 24, |x, y| {
            image::Rgb([(x * 5 + i * 20) as u8, (y * 8) as u8, 90])
        });
        picture
            .save(dir.path().join(format!("in_{i:03}.png")))
            .unwrap();
    }
    encode(dir.path(), "in_%03d.png", "--bpp 12 --steps 10 --fps 24");
    let info = nvc(dir.path(), "info a.nvc --json").expect(0).json();
    assert_eq!(
        (info["fps"].as_str(), info["frames"].as_u64()),
        (Some("24/1"), Some(3))
    );
    nvc(dir.path(), "decode a.nvc -o out_%02d.png").expect(0);
    let out: Vec<String> = crate::run::names(dir.path())
        .into_iter()
        .filter(|n| n.starts_with("out_"))
        .collect();
    assert_eq!(out.len(), 3, "{out:?}");
    assert!(out.iter().all(|n| n.len() == "out_00.png".len()), "{out:?}");
}

#[test]
fn raw_video_is_the_same_source() {
    let dir = temp();
    let clip = Clip::moving("420", 48, 32, 3);
    clip.write(dir.path().join("a.y4m"));
    let raw: Vec<u8> = clip
        .frames
        .iter()
        .flatten()
        .flatten()
        .map(|&v| v as u8)
        .collect();
    std::fs::write(dir.path().join("a.yuv"), raw).unwrap();
    let file = |input: &str| {
        encode(dir.path(), input, "-y --bpp 5 --steps 10");
        nvc_decode(dir.path(), "a.nvc -o - --format md5")
            .expect(0)
            .text()
    };
    assert_eq!(
        file("a.yuv --size-in 48x32 --fps 30000/1001"),
        file("a.y4m")
    );
}
