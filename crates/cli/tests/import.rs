//! `nvc import`: checkpoints of other programs decode to the pictures that those programs make of
//! them.
#![cfg(feature = "encode")]

#[path = "../../media/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::process::Command;

use nvc::bitstream::container::{PacketReader, tag};
use nvc::bitstream::header::{SectionHeader, SequenceHeader};
use nvc::bitstream::limits::Limits;
use nvc::decoder::{Options, StreamDecoder};
use nvc::entropy::tensor::QuantizedNetwork;
use nvc::frame::{Frame, Ratio, VideoInfo};
use nvc::group::{Group, GroupLayout};
use nvc_encoder::import::hnerv::{self, Report};
use support::skipped;

const RATE: Ratio = Ratio { num: 25, den: 1 };

/// A tensor of a checkpoint: integers, and `min` and `scale` of the shape of its slices.
#[derive(Clone)]
struct Stored {
    shape: Vec<usize>,
    slices: Vec<usize>,
    q: Vec<u8>,
    min: Vec<f32>,
    scale: Vec<f32>,
}

type Checkpoint = BTreeMap<String, Stored>;

fn stored(shape: &[usize], slices: &[usize], top: u8, size: f32, seed: &mut u32) -> Stored {
    let mut number = || {
        *seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
        *seed >> 8
    };
    let count: usize = slices.iter().product();
    let scale: Vec<f32> = (0..count)
        .map(|_| size / 128.0 * (0.5 + (number() % 1000) as f32 / 1000.0))
        .collect();
    let min = scale
        .iter()
        .map(|s| -s * f32::from(top) * (0.4 + (number() % 1000) as f32 / 5000.0))
        .collect();
    let q = (0..shape.iter().product())
        .map(|_| (number() % (u32::from(top) + 1)) as u8)
        .collect();
    Stored {
        shape: shape.to_vec(),
        slices: slices.to_vec(),
        q,
        min,
        scale,
    }
}

/// Three frames of 18x12 with every kind of slices.
fn checkpoint() -> Checkpoint {
    let mut seed = 7;
    let mut s = |shape: &[usize], slices: &[usize], top: u8, size: f32| {
        stored(shape, slices, top, size, &mut seed)
    };
    [
        ("embed", s(&[3, 4, 2, 3], &[1, 4, 2, 3], 63, 4.0)),
        (
            "decoder.0.conv.downconv.weight",
            s(&[5, 4, 1, 1], &[1, 4, 1, 1], 255, 0.5),
        ),
        ("decoder.0.conv.downconv.bias", s(&[5], &[1], 255, 0.2)),
        (
            "decoder.1.conv.upconv.0.weight",
            s(&[24, 5, 1, 1], &[24, 1, 1, 1], 255, 0.7),
        ),
        ("decoder.1.conv.upconv.0.bias", s(&[24], &[24], 255, 0.2)),
        (
            "decoder.2.conv.upconv.0.weight",
            s(&[63, 6, 3, 3], &[63, 1, 3, 3], 255, 0.3),
        ),
        ("decoder.2.conv.upconv.0.bias", s(&[63], &[1], 255, 0.2)),
        ("head_layer.weight", s(&[3, 7, 3, 3], &[1], 255, 0.3)),
        ("head_layer.bias", s(&[3], &[1], 255, 0.2)),
    ]
    .map(|(name, t)| (name.to_string(), t))
    .into()
}

/// The checkpoint as safetensors.
fn safetensors(c: &Checkpoint) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, t) in c {
        for (suffix, kind, shape, bytes) in [
            ("quant", "U8", &t.shape, t.q.clone()),
            (
                "min",
                "F32",
                &t.slices,
                t.min.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ),
            (
                "scale",
                "F32",
                &t.slices,
                t.scale.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ),
        ] {
            let place = [data.len(), data.len() + bytes.len()];
            header.insert(
                format!("{name}.{suffix}"),
                serde_json::json!({"dtype": kind, "shape": shape, "data_offsets": place}),
            );
            data.extend(bytes);
        }
    }
    let header = serde_json::to_vec(&header).unwrap();
    [
        (header.len() as u64).to_le_bytes().as_slice(),
        &header,
        &data,
    ]
    .concat()
}

fn import(c: &Checkpoint) -> nvc::Result<(Vec<u8>, Report)> {
    let mut bytes = Vec::new();
    let report = hnerv::import(&safetensors(c), RATE, &mut bytes)?;
    assert_eq!(bytes.len() as u64, report.bytes);
    Ok((bytes, report))
}

fn decode(bytes: &[u8], range: std::ops::Range<u64>) -> Vec<Frame> {
    let mut out = Vec::new();
    let mut d =
        StreamDecoder::new(std::io::Cursor::new(bytes.to_vec()), Options::default()).unwrap();
    d.decode(range, &mut |_, f| {
        out.push(f);
        Ok(())
    })
    .unwrap();
    out
}

fn values(t: &Stored) -> Vec<f64> {
    let shape: Vec<usize> = t.shape.iter().copied().chain([1; 4]).take(4).collect();
    let slices: Vec<usize> = t.slices.iter().copied().chain([1; 4]).take(4).collect();
    (0..t.q.len())
        .map(|n| {
            let (mut rest, mut index) = (n, [0; 4]);
            for a in (0..4).rev() {
                (index[a], rest) = (rest % shape[a], rest / shape[a]);
            }
            let s = (0..4).fold(0, |s, a| {
                s * slices[a] + if slices[a] > 1 { index[a] } else { 0 }
            });
            f64::from(t.min[s]) + f64::from(t.scale[s]) * f64::from(t.q[n])
        })
        .collect()
}

/// The published network in the plainest way: red, green and blue of frame `t`, 0 to 255.
fn published(c: &Checkpoint, t: usize, strides: &[usize]) -> [Vec<f64>; 3] {
    let [_, mut channels, mut h, mut w] = c["embed"].shape[..] else {
        panic!()
    };
    let mut x = values(&c["embed"])[t * channels * h * w..][..channels * h * w].to_vec();
    let gelu = |v: f64| {
        // Phi by Simpson's rule from 0
        let d = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let (n, u) = (200, v.clamp(-8.0, 8.0));
        let sum: f64 = (1..n)
            .map(|i| d(u * f64::from(i) / f64::from(n)) * if i % 2 == 1 { 4.0 } else { 2.0 })
            .sum();
        v * (0.5 + (d(0.0) + sum + d(u)) * u / f64::from(n) / 3.0)
    };
    let conv = |x: &[f64], cin: usize, h: usize, w: usize, name: &str| -> Vec<f64> {
        let (weights, bias) = (
            values(&c[&format!("{name}.weight")]),
            values(&c[&format!("{name}.bias")]),
        );
        let k = c[&format!("{name}.weight")].shape[2];
        let mut out = Vec::new();
        for (o, b) in bias.iter().enumerate() {
            for (y, xx) in (0..h * w).map(|p| (p / w, p % w)) {
                let mut sum = *b;
                for (n, weight) in weights[o * cin * k * k..][..cin * k * k].iter().enumerate() {
                    let (i, u, v) = (n / (k * k), n / k % k, n % k);
                    let (yy, xx) = ((y + u).wrapping_sub(k / 2), (xx + v).wrapping_sub(k / 2));
                    if yy < h && xx < w {
                        sum += weight * x[(i * h + yy) * w + xx];
                    }
                }
                out.push(sum);
            }
        }
        out
    };
    x = conv(&x, channels, h, w, "decoder.0.conv.downconv")
        .into_iter()
        .map(gelu)
        .collect();
    channels = x.len() / (h * w);
    for (i, &r) in strides.iter().enumerate() {
        let before = conv(
            &x,
            channels,
            h,
            w,
            &format!("decoder.{}.conv.upconv.0", i + 1),
        );
        channels = before.len() / (h * w * r * r);
        x = vec![0.0; before.len()];
        for (n, &v) in before.iter().enumerate() {
            let (o, y, xx) = (n / (h * w), n / w % h, n % w);
            let (ch, dy, dx) = (o / (r * r), o / r % r, o % r);
            x[(ch * h * r + y * r + dy) * w * r + xx * r + dx] = gelu(v);
        }
        (h, w) = (h * r, w * r);
    }
    let head = conv(&x, channels, h, w, "head_layer");
    [0, 1, 2].map(|p| {
        head[p * h * w..][..h * w]
            .iter()
            .map(|v| (v.tanh() * 0.5 + 0.5) * 255.0)
            .collect()
    })
}

fn network(bytes: &[u8]) -> (VideoInfo, GroupLayout, Vec<u8>, Group) {
    let mut packets = PacketReader::new(bytes, Limits::default()).unwrap();
    let header = packets.next_packet().unwrap().unwrap();
    let info = SequenceHeader::read(&mut header.reader())
        .unwrap()
        .info(0)
        .unwrap();
    let section = packets.next_packet().unwrap().unwrap();
    assert_eq!(section.tag, tag::SECTION);
    let mut r = section.reader();
    SectionHeader::read(&mut r).unwrap();
    let layout = GroupLayout::read(&mut r, &info, &Limits::default()).unwrap();
    let coded = r.bytes(layout.coded_bytes(), "coded").unwrap().to_vec();
    let mut r = nvc::bitstream::fields::Reader::new(&coded, 0);
    let group = layout.decode(&mut r, None).unwrap();
    (info, layout, coded, group)
}

#[test]
fn pictures_are_those_of_the_published_network() {
    let c = checkpoint();
    let (bytes, report) = import(&c).unwrap();
    assert_eq!(
        (report.info.width, report.info.height, report.frames),
        (18, 12, 3)
    );
    assert_eq!(
        report.params,
        c.iter()
            .filter(|(n, _)| *n != "embed")
            .map(|(_, t)| t.q.len() as u64)
            .sum::<u64>()
    );
    assert!(report.beyond_one == 0.0 && report.psnr > 50.0, "{report:?}");
    for (t, frame) in decode(&bytes, 0..u64::MAX).iter().enumerate() {
        let rgb = published(&c, t, &[2, 3]);
        let distinct: std::collections::HashSet<u16> =
            frame.planes[0].data.iter().copied().collect();
        assert!(distinct.len() > 30, "frame {t} is flat");
        for (plane, wanted) in frame.planes.iter().zip([&rgb[1], &rgb[2], &rgb[0]]) {
            for (n, (&got, &w)) in plane.data.iter().zip(wanted).enumerate() {
                assert!(
                    (f64::from(got) - w).abs() < 1.5,
                    "frame {t}, sample {n}: {got}, should be {w:.2}"
                );
            }
        }
    }
}

#[test]
fn integers_are_kept() {
    let c = checkpoint();
    let (_, layout, _, group) = network(&import(&c).unwrap().0);
    let q = |n: &QuantizedNetwork, i: usize| {
        n.tensors[i].scaled.as_ref().unwrap().values.values.clone()
    };
    let wanted = |name: &str| {
        c[name]
            .q
            .iter()
            .map(|&v| u16::from(v))
            .collect::<Vec<u16>>()
    };
    assert_eq!(layout.graph.tensors[0].name, "stem.weight");
    assert_eq!(
        q(&group.network, 0),
        wanted("decoder.0.conv.downconv.weight")
    );
    assert_eq!(
        q(&group.network, 4),
        wanted("decoder.2.conv.upconv.0.weight")
    );
    assert_eq!(q(&group.network, 5), wanted("decoder.2.conv.upconv.0.bias"));
    assert_eq!(
        group.network.scaled_latents.as_ref().unwrap().values.values,
        wanted("embed")
    );
    // and a decoded group can be written again
    let mut again = Vec::new();
    let parts = group.write(&layout.graph, None, &mut again).unwrap();
    assert_eq!(parts.total(), again.len() as u64);
}

#[test]
fn damage_is_refused_or_decodes_but_never_panics() {
    let (_, layout, coded, _) = network(&import(&checkpoint()).unwrap().0);
    let mut refused = 0;
    for n in 0..2000usize {
        let mut bad = coded.clone();
        let at = n * 7919 % bad.len().min(if n % 2 == 0 { 60 } else { usize::MAX });
        bad[at] ^= 1 << (n % 8);
        if n % 5 == 0 {
            bad[at..].fill(if n % 2 == 0 { 255 } else { 0 });
        }
        if let Err(e) = layout.decode(&mut nvc::bitstream::fields::Reader::new(&bad, 0), None) {
            assert_eq!(e.exit_code(), 4, "{e}");
            refused += 1;
        }
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn what_does_not_fit_is_said() {
    let refused = |change: &dyn Fn(&mut Checkpoint), part: &str| {
        let mut c = checkpoint();
        change(&mut c);
        let e = import(&c).expect_err(part);
        assert!(e.to_string().contains(part) && e.exit_code() == 5, "{e}");
    };
    refused(
        &|c| drop(c.remove("head_layer.bias")),
        "no tensor 'head_layer.bias.quant'",
    );
    refused(&|c| drop(c.remove("embed")), "no tensor 'embed.quant'");
    refused(
        &|c| c.get_mut("embed").unwrap().shape = vec![3, 24],
        "4 axes",
    );
    refused(
        &|c| c.get_mut("head_layer.bias").unwrap().shape = vec![1, 3],
        "'head_layer.bias.quant' has shape [1, 3]",
    );
    refused(
        &|c| c.get_mut("decoder.0.conv.downconv.weight").unwrap().shape = vec![5, 2, 2, 1],
        "reads 2 channels (expected 4",
    );
    refused(
        &|c| c.get_mut("decoder.2.conv.upconv.0.weight").unwrap().shape = vec![63, 6, 1, 9],
        "kernel of 1x9",
    );
    refused(
        &|c| c.get_mut("decoder.0.conv.downconv.weight").unwrap().scale[1] = f32::NAN,
        "NaN",
    );
    refused(
        &|c| {
            let t = c.get_mut("decoder.2.conv.upconv.0.bias").unwrap();
            (t.slices, t.min, t.scale) = (vec![2], vec![0.0; 2], vec![0.1; 2]);
        },
        "have shapes [2] and [2]",
    );
    refused(
        &|c| {
            let mut seed = 1;
            c.insert(
                "decoder.1.conv.upconv.0.weight".into(),
                stored(&[25, 5, 1, 1], &[1], 255, 0.5, &mut seed),
            );
        },
        "gives 25 channels, what comes after it takes 6",
    );
    assert_eq!(
        hnerv::import(b"PK\x03\x04", RATE, Vec::new())
            .unwrap_err()
            .exit_code(),
        5
    );
}

#[test]
fn the_command_line_imports() {
    let dir = std::env::temp_dir().join(format!("nvc-import-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("c.safetensors"), safetensors(&checkpoint())).unwrap();
    let nvc = |args: &str| {
        Command::new(env!("CARGO_BIN_EXE_nvc"))
            .current_dir(&dir)
            .args(args.split(' '))
            .output()
            .unwrap()
    };
    let text = |o: &std::process::Output| String::from_utf8_lossy(&o.stderr).into_owned();
    let done = nvc("import hnerv c.safetensors -o c.nvc --fps 30000/1001");
    assert!(
        done.status.success() && text(&done).contains("3 frames of 18x12"),
        "{}",
        text(&done)
    );
    let again = nvc("import hnerv c.safetensors -o c.nvc");
    assert!(
        again.status.code() == Some(2) && text(&again).contains("-y"),
        "{}",
        text(&again)
    );
    assert!(nvc("verify c.nvc").status.success());
    let none = nvc("import hnerv none.safetensors -o d.nvc");
    assert!(
        !none.status.success()
            && !dir.join("d.nvc").exists()
            && text(&none).contains("none.safetensors"),
        "{}",
        text(&none)
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

/// The authors' own checkpoint, where it is: its frames, its quality, fewer bytes than an order-0
/// coder.
#[test]
fn the_published_checkpoint() {
    let dir = std::env::var("NVC_ORACLE_DIR").or_else(|_| {
        std::env::var("NVC_DATA_DIR").map(|d| format!("{d}/../oracle/hnerv-bunny-1.5m"))
    });
    let Some(file) = dir
        .as_ref()
        .ok()
        .and_then(|d| std::fs::read(format!("{d}/quant_vid.safetensors")).ok())
    else {
        return skipped("no checkpoint (NVC_ORACLE_DIR)");
    };
    if cfg!(debug_assertions) {
        return skipped("the checkpoint takes minutes without optimisation");
    }
    let mut bytes = Vec::new();
    let report = hnerv::import(&file, RATE, &mut bytes).unwrap();
    assert_eq!(
        (
            report.info.width,
            report.info.height,
            report.frames,
            report.params
        ),
        (1280, 640, 132, 1_488_276)
    );
    assert!(bytes.len() < 1_400_000, "{} bytes", bytes.len());
    let frame = decode(&bytes, 66..67).remove(0);
    let wanted = image::open(format!("{}/frame066.png", dir.unwrap()))
        .unwrap()
        .into_rgb8();
    let near = |(n, p): (usize, &image::Rgb<u8>)| {
        (0..3)
            .filter(|&c| frame.planes[[2, 0, 1][c]].data[n].abs_diff(p[c].into()) <= 1)
            .count()
    };
    let share =
        wanted.pixels().enumerate().map(near).sum::<usize>() as f64 / (3 * 1280 * 640) as f64;
    assert!(share >= 0.999, "{share} of frame 66 is within 1");
}
