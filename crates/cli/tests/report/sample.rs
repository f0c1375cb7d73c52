//! Synthetic results: three codecs of four points on two sequences, with pictures.

use std::path::Path;

use nvc_lab::bench::report::SequenceInfo;
use nvc_lab::bench::{Bytes, Point, Progress, Row};

pub const ANCHOR: &str = "x265 medium";
pub const CODECS: [&str; 3] = ["x265", "nvc-hnerv", "x264"];
const EVIL: &str = "<img src=x onerror=window.hacked=2>";

pub struct Sample {
    pub points: Vec<Point>,
    pub sequences: Vec<SequenceInfo>,
}

/// A flat picture with a gradient in red, brighter by `step`.
fn picture(dir: &Path, name: &str, step: u8) -> String {
    let (w, h) = (96, 54);
    image::RgbImage::from_fn(w, h, |x, _| {
        image::Rgb([50 + x as u8 + step, 150 + step, 200 + step])
    })
    .save(dir.join(name))
    .unwrap();
    name.to_string()
}

pub fn make(dir: &Path) -> Sample {
    let mut points = Vec::new();
    let mut sequences = Vec::new();
    for (s, sequence) in ["clip one", "uvg/Jockey"].into_iter().enumerate() {
        sequences.push(SequenceInfo {
            name: sequence.into(),
            width: 96,
            height: 54,
            frames: 16,
            picture: Some(picture(dir, &format!("source-{s}.png"), 0).into()),
            picture_frame: 3,
        });
        for (c, codec) in CODECS.into_iter().enumerate() {
            for n in 0..4 {
                points.push(point(dir, sequence, s, c, codec, n));
            }
        }
    }
    Sample { points, sequences }
}

fn point(dir: &Path, sequence: &str, s: usize, c: usize, codec: &str, n: usize) -> Point {
    let nvc = c == 1;
    let bpp: f64 = [0.03, 0.06, 0.13, 0.29][n] * [1.0, 0.9, 1.1][c];
    // a gain over the anchor for nvc, a loss for x264, and a little bend
    let psnr = 34.0 + 2.0 * s as f64 + 7.5 * (bpp / 0.05).log10() + [0.0, 0.8 - s as f64, -1.1][c]
        - 0.4 * (bpp / 0.05).log10().powi(2);
    let labels = if nvc {
        ["bpp=0.05", "bpp=0.1", "bpp=0.2", "bpp=0.4"]
    } else {
        ["crf=37", "crf=32", "crf=27", "crf=22"]
    };
    let bytes = (bpp * 96.0 * 54.0 * 16.0 / 8.0).round() as u64;
    let row = Row {
        codec: codec.into(),
        version: "1.0".into(),
        config: ["medium".to_string(), "small".into(), EVIL.into()][c].clone(),
        point: labels[n].into(),
        weak: if c == 2 { "yes".into() } else { String::new() },
        sequence: sequence.into(),
        frames: 16,
        width: 96,
        height: 54,
        fps: "25/1".into(),
        pix_fmt: "yuv420p".into(),
        bit_depth: 8,
        bytes,
        bpp,
        kbps: Some(bpp * 96.0 * 54.0 * 25.0 / 1000.0),
        psnr_y: Some(psnr + 1.3),
        psnr_u: Some(psnr + 4.0),
        psnr_v: Some(psnr + 4.2),
        psnr_rgb: Some(psnr),
        ms_ssim_y: Some(1.0 - 10f64.powf(-psnr / 22.0)),
        vmaf: nvc.then_some(2.0 * psnr),
        enc_s: [3.0, 400.0, 1.2][c] * (1.0 + 0.3 * n as f64),
        dec_s: 0.2,
        enc_device: "cpu x2".into(),
        dec_device: "cpu x2".into(),
        jobs: 1,
        params: nvc.then_some(100_000 + 50_000 * n as u64),
        command: format!(
            "{codec} --in source.y4m --point {} </script><script>window.hacked=1</script>",
            labels[n]
        ),
        note: if nvc && n == 0 {
            "8 % above its size".into()
        } else {
            String::new()
        },
        ..Row::default()
    };
    let weights = bytes * 6 / 10;
    let header = bytes / 20;
    let curve = |i: i32| Progress {
        seconds: row.enc_s * f64::from(i) / 20.0,
        psnr: psnr - 9.0 / f64::from(i).sqrt() + 2.0,
    };
    Point {
        parts: nvc.then_some(Bytes {
            header,
            weights,
            latents: bytes - weights - header,
        }),
        order0_bytes: None,
        progress: if nvc {
            (1..=20).map(curve).collect()
        } else {
            Vec::new()
        },
        picture: (s == 0 || (c == 0 && n == 0))
            .then(|| picture(dir, &format!("{s}-{c}-{n}.png"), 5 - n as u8 + 2 * c as u8)),
        row,
        encode_note: String::new(),
    }
}
