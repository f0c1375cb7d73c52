//! Checkpoints of the program that HNeRV was published with, quantised, to a file of this format.

use std::collections::BTreeMap;
use std::io::Write;

use super::float;
use super::quantised::{Quantised, Tolerance};
use super::safetensors::{self, Array};
use crate::frac_bits::most_frac_bits;
use nvc::bitstream::container::{ContainerWriter, WRITING};
use nvc::bitstream::header::{HnervHeader, HnervStage, SectionHeader};
use nvc::bitstream::limits::Limits;
use nvc::decoder::{self, StreamDecoder};
use nvc::entropy::tensor::{QuantizedNetwork, Tensor, blank_network};
use nvc::error::{Error, Result};
use nvc::frame::{Chroma, ColorInfo, PixelFormat, Range, Ratio, VideoInfo};
use nvc::group::{Group, GroupBytes};
use nvc::network::Arch;
use nvc::network::TensorId;
use nvc::network::hnerv::Hnerv;
use nvc::network::{Graph, Role};

/// Frames that are evaluated in floating point.
const SAMPLES: usize = 5;
/// Room over the ranges that those frames need.
const ROOM: f32 = 1.1;
/// Sums of 32767 times weights fit 32 bits up to here: decoders then add in 32 bits.
const MOST_SUM: f64 = 65535.0;
/// How far below 0 a GELU goes, at most, in parts of the largest activation, if that stands for 1.4
/// or more.
const BELOW_ZERO: f64 = 0.125;

/// Latents are few, and their errors spread furthest.
const LATENT_TOLERANCE: Tolerance = Tolerance(0.0625);

/// What was imported.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the pictures are.
    pub info: VideoInfo,
    /// Frames.
    pub frames: usize,
    /// Parameters of the network.
    pub params: u64,
    /// Bytes of the group's parts.
    pub group: GroupBytes,
    /// Bytes of the file.
    pub bytes: u64,
    /// Frames that the exact decoder was compared on with floating point.
    pub compared: usize,
    /// Share of their samples that differ by more than one code value.
    pub beyond_one: f64,
    /// PSNR between the two over these, dB.
    pub psnr: f64,
}

/// Writes the checkpoint `file`, in safetensors, as a file of this format.
pub fn import(file: &[u8], fps: Ratio, mut output: impl Write) -> Result<Report> {
    let checkpoint = safetensors::parse(file)?;
    let (hnerv, frames) = header(&checkpoint)?;
    let h = &hnerv.header;
    let up = hnerv.upsampling() as usize;
    let info = VideoInfo {
        fps,
        sar: Ratio { num: 1, den: 1 },
        color: ColorInfo {
            matrix: 0,
            range: Range::Full,
            ..ColorInfo::UNSPECIFIED
        },
        ..VideoInfo::new(
            h.latent_width as usize * up,
            h.latent_height as usize * up,
            PixelFormat::new8(Chroma::Rgb),
        )
    };
    let arch = Arch::Hnerv(hnerv);
    let graph = arch.lower(&info, frames)?;
    graph.check(frames, &Limits::default())?;
    let mut network = blank_network(&graph);
    let names = names(&graph);
    for (t, ((spec, name), tensor)) in graph
        .tensors
        .iter()
        .zip(&names)
        .zip(&mut network.tensors)
        .enumerate()
    {
        let mut q = Quantised::take(&checkpoint, name, spec.shape)?;
        if name.starts_with("head_layer") {
            q.reorder(&head_order(&graph));
        }
        let below = if *name == STEM { 1.0 } else { BELOW_ZERO };
        *tensor = weights(&q, spec.role, below, factor_after(&graph, t))?;
    }
    let [c, rows, columns] = graph.latent_shape();
    let embed = Quantised::take(&checkpoint, "embed", [frames, c, rows, columns])?;
    network.latent_step = embed.step(|_| 0.0, 1.0);
    let (scaled, latents) = embed.scaled(network.latent_step, LATENT_TOLERANCE, 1)?;
    let count = frames.min(SAMPLES);
    let samples: Vec<usize> = (0..count)
        .map(|i| (2 * i + 1) * frames / (2 * count))
        .collect();
    let latent = |t: usize| &latents[t * graph.latent_len()..][..graph.latent_len()];
    let float = samples
        .iter()
        .map(|&t| float::evaluate(&graph, &network, latent(t)))
        .collect::<Result<Vec<_>>>()?;
    set_frac_bits(&graph, &mut network, &float);
    network.scaled_latents = Some(Box::new(scaled));
    let group = Group {
        arch,
        network,
        latents,
        frames,
    };

    let mut payload = Vec::new();
    SectionHeader {
        first_frame: 0,
        frames: frames as u32,
        groups: 1,
    }
    .write(&mut payload);
    let parts = group.write(&graph, None, &mut payload)?;
    let mut writer = ContainerWriter::new(Vec::new(), &info)?;
    writer.section(frames as u32, &payload)?;
    let (bytes, length) = writer.finish()?;
    let (beyond_one, psnr) = compare(&bytes, &samples, &float)?;
    output
        .write_all(&bytes)
        .map_err(|e| Error::io(WRITING, e))?;
    Ok(Report {
        info,
        frames,
        params: graph.params(),
        group: parts,
        bytes: length,
        compared: count,
        beyond_one,
        psnr,
    })
}

/// The header that the shapes of the checkpoint's tensors give, and the number of frames.
fn header(checkpoint: &BTreeMap<String, Array>) -> Result<(Hnerv, usize)> {
    let shape = |name: &str| -> Result<[usize; 4]> {
        let full = format!("{name}.quant");
        let array = checkpoint
            .get(&full)
            .ok_or_else(|| Error::Unsupported(format!("the checkpoint has no tensor '{full}'")))?;
        <[usize; 4]>::try_from(array.shape.clone())
            .ok()
            .filter(|s| s.iter().all(|&d| (1..=1 << 20).contains(&d)))
            .ok_or_else(|| {
                Error::Unsupported(format!(
                    "'{full}' has shape {:?} (allowed: 4 axes of 1..=1048576)",
                    array.shape
                ))
            })
    };
    let wrong = |what: String| Err(Error::Unsupported(what));
    let [frames, channels, rows, columns] = shape("embed")?;
    if frames > 65535 {
        return wrong(format!(
            "the checkpoint has {frames} frames (allowed 1..=65535)"
        ));
    }
    let count = (1..)
        .take_while(|i| checkpoint.contains_key(&format!("{}.quant", stage_name(*i))))
        .count();
    let mut shapes = vec![shape(STEM)?];
    for i in 1..=count {
        shapes.push(shape(&stage_name(i))?);
    }
    shapes.push(shape(HEAD)?);
    let names: Vec<String> = [STEM.to_string()]
        .into_iter()
        .chain((1..=count).map(stage_name))
        .chain([HEAD.to_string()])
        .collect();
    let mut into = channels;
    let mut stages = Vec::new();
    for (i, (&[cout, cin, kh, kw], name)) in shapes.iter().zip(&names).enumerate() {
        if cin != into {
            return wrong(format!(
                "'{name}' reads {cin} channels (expected {into}, what comes before it)"
            ));
        }
        if kh != kw || kh % 2 == 0 || kh > 15 || (i == 0 && kh != 1) {
            return wrong(format!(
                "'{name}' has a kernel of {kh}x{kw} (allowed: {})",
                if i == 0 {
                    "1x1"
                } else {
                    "odd squares up to 15x15"
                }
            ));
        }
        let next = shapes.get(i + 1).map_or(3, |s| s[1]);
        let stride = (1..=16).find(|s| s * s * next == cout);
        match stride {
            Some(stride) if (1..=count).contains(&i) => {
                stages.push(HnervStage {
                    stride: stride as u32,
                    kernel: kh as u32,
                    channels: next as u32,
                });
            }
            Some(1) => {}
            _ => {
                let allowed = if (1..=count).contains(&i) {
                    "times a square up to 256"
                } else {
                    "exactly"
                };
                return wrong(format!(
                    "'{name}' gives {cout} channels, what comes after it takes {next} (allowed: {allowed})"
                ));
            }
        }
        into = next;
    }
    let header = HnervHeader {
        latent_channels: channels as u32,
        latent_height: rows as u32,
        latent_width: columns as u32,
        stem_channels: shapes[0][0] as u32,
        head_kernel: shapes[count + 1][2] as u32,
        stages: count as u32,
    };
    let hnerv = Hnerv {
        header,
        stages,
        tanh: true,
    };
    let up = hnerv.upsampling();
    if !(1..=12).contains(&count)
        || channels > 1024
        || rows > 1024
        || columns > 1024
        || up.saturating_mul(rows.max(columns) as u64) > 65535
    {
        return wrong(format!(
            "{count} stages (allowed 1..=12) from embeddings of {channels}x{rows}x{columns} (allowed up to 1024 each), enlarged {up} times \
             (allowed up to 65535 samples)"
        ));
    }
    Ok((hnerv, frames))
}

const STEM: &str = "decoder.0.conv.downconv.weight";
const HEAD: &str = "head_layer.weight";

fn stage_name(i: usize) -> String {
    format!("decoder.{i}.conv.upconv.0.weight")
}

/// Names that the checkpoint has for the graph's tensors.
fn names(graph: &Graph) -> Vec<String> {
    let convolutions = graph.tensors.len() / 2;
    let weight = |i: usize| match i {
        0 => STEM.to_string(),
        i if i + 1 == convolutions => HEAD.to_string(),
        i => stage_name(i),
    };
    (0..convolutions)
        .flat_map(|i| [weight(i), weight(i).replace(".weight", ".bias")])
        .collect()
}

/// The checkpoint's output channel, of red, green and blue, for each of the graph's.
fn head_order(graph: &Graph) -> [usize; 3] {
    let mut order = [0; 3];
    for (output, rgb) in graph.outputs.iter().zip([1, 2, 0]) {
        order[output.channel] = rgb;
    }
    order
}

/// Factor of the pixel shuffle that reads the convolution of tensor `t`.
fn factor_after(graph: &Graph, t: TensorId) -> u8 {
    let convs = graph.fused_convs().unwrap_or_default();
    convs
        .iter()
        .find(|c| c.weight == t || c.bias == t)
        .map_or(1, |c| c.factor as u8)
}

/// A tensor whose sums fit 32 bits if activations go below 0 by `below` of the largest.
fn weights(q: &Quantised, role: Role, below: f64, factor: u8) -> Result<Tensor> {
    // errors of a 1x1 kernel spread over the whole picture; many slices cost much
    let slices: usize = q.slices.iter().product();
    let tolerance = Tolerance(if q.shape[2] == 1 {
        0.125
    } else if slices > 4096 {
        0.375
    } else {
        0.25
    });
    let weight = |row: &mut dyn Iterator<Item = f64>| {
        let (up, down) = row.fold((0.0, 0.0), |(up, down), v| {
            (up + v.max(0.0), down - v.min(0.0))
        });
        if role == Role::Bias {
            0.0
        } else {
            f64::max(up, down) + below * f64::min(up, down)
        }
    };
    let row = q.shape[1..].iter().product();
    let mut limit = 0.998 * MOST_SUM;
    loop {
        let step = q.step(weight, limit);
        let (scaled, values) = q.scaled(step, tolerance, factor)?;
        let most = values
            .chunks(row)
            .map(|r| weight(&mut r.iter().map(|&v| f64::from(v))))
            .fold(0.0, f64::max);
        // rounding can add a little
        if most <= MOST_SUM || limit < 0.9 * MOST_SUM {
            return Ok(Tensor {
                step,
                values,
                scaled: Some(Box::new(scaled)),
            });
        }
        limit *= 0.995;
    }
}

/// Fraction bits that leave room for what the sample frames need.
fn set_frac_bits(graph: &Graph, network: &mut QuantizedNetwork, float: &[float::Evaluation]) {
    let coded = |&i: &usize| graph.nodes[i].op.has_frac_bits();
    for i in (0..graph.nodes.len()).filter(coded) {
        let range = float.iter().map(|e| e.ranges[i]).fold(1e-3, f32::max) * ROOM;
        let finest = (32767.0 / range)
            .log2()
            .floor()
            .clamp(0.0, f32::from(Graph::MAX_FRACTION)) as u8;
        network.frac_bits[i] = finest.min(most_frac_bits(graph, network, i));
    }
}

/// Share of samples beyond one code value and PSNR in dB, between the file's frames and those of
/// floating point.
fn compare(bytes: &[u8], samples: &[usize], float: &[float::Evaluation]) -> Result<(f64, f64)> {
    let (mut beyond, mut squares, mut count) = (0u64, 0.0, 0u64);
    for (&t, e) in samples.iter().zip(float) {
        let mut stream = StreamDecoder::new(
            std::io::Cursor::new(bytes.to_vec()),
            decoder::Options::default(),
        )?;
        stream.decode(t as u64..t as u64 + 1, &mut |_, frame| {
            for (v, &got) in e
                .samples
                .iter()
                .flatten()
                .zip(frame.planes.iter().flat_map(|p| &p.data))
            {
                let difference = (v * 255.0).round() - f32::from(got);
                beyond += u64::from(difference.abs() > 1.0);
                squares += f64::from(difference).powi(2);
                count += 1;
            }
            Ok(())
        })?;
    }
    let count = count.max(1) as f64;
    Ok((
        beyond as f64 / count,
        10.0 * (255.0 * 255.0 / (squares / count).max(1e-9)).log10(),
    ))
}
