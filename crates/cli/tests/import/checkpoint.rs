//! A small checkpoint as the HNeRV authors' program writes it.

use std::collections::BTreeMap;

use nvc::frame::Ratio;
use nvc_encoder::import::hnerv::{self, Report};

pub const RATE: Ratio = Ratio { num: 25, den: 1 };

/// A tensor of a checkpoint: integers, and `min` and `scale` of the shape of its slices.
#[derive(Clone)]
pub struct Stored {
    pub shape: Vec<usize>,
    pub slices: Vec<usize>,
    pub q: Vec<u8>,
    pub min: Vec<f32>,
    pub scale: Vec<f32>,
}

pub type Checkpoint = BTreeMap<String, Stored>;

pub fn stored(shape: &[usize], slices: &[usize], top: u8, size: f32, seed: &mut u32) -> Stored {
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
pub fn checkpoint() -> Checkpoint {
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
pub fn safetensors(c: &Checkpoint) -> Vec<u8> {
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

pub fn import(c: &Checkpoint) -> nvc::Result<(Vec<u8>, Report)> {
    let mut bytes = Vec::new();
    let report = hnerv::import(&safetensors(c), RATE, &mut bytes)?;
    assert_eq!(bytes.len() as u64, report.bytes);
    Ok((bytes, report))
}
