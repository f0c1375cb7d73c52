//! `nvc import`: checkpoints of other programs decode to the pictures that those programs make of
//! them.
#![cfg(feature = "encode")]

mod checkpoint;
mod published;
#[path = "../../../media/tests/support/mod.rs"]
mod support;

use std::process::Command;

use checkpoint::{Checkpoint, RATE, checkpoint, import, safetensors, stored};
use nvc::bitstream::container::{PacketReader, tag};
use nvc::bitstream::header::{SectionHeader, SequenceHeader};
use nvc::bitstream::limits::Limits;
use nvc::decoder::{Options, StreamDecoder};
use nvc::entropy::tensor::QuantizedNetwork;
use nvc::frame::{Frame, VideoInfo};
use nvc::group::{Group, GroupLayout};
use nvc::synth::{SimdLevel, predictor};
use nvc_encoder::import::hnerv;
use published::published;
use support::skipped;

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
    let group = layout
        .decode(&mut r, None, &mut *predictor(SimdLevel::Reference))
        .unwrap();
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
        if let Err(e) = layout.decode(
            &mut nvc::bitstream::fields::Reader::new(&bad, 0),
            None,
            &mut *predictor(SimdLevel::Reference),
        ) {
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
