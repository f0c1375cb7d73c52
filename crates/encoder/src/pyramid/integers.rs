//! A fitted pyramid as the integers of a group.

use nvc::bitstream::header::PyramidHeader;
use nvc::entropy::context_network::ContextNetwork;
use nvc::entropy::tensor::{Tensor, blank_network};
use nvc::error::{Error, Result};
use nvc::frame::{Frame, VideoInfo};
use nvc::group::Group;
use nvc::network::ops::integer::MAX_ACTIVATION;
use nvc::network::pyramid::{CONTEXT_TENSORS, Head, Pyramid};
use nvc::network::{Arch, Graph, Op, QuantStep};
use nvc::synth::is_narrow;

use super::shape::{Plane, Shape};
use crate::fit;

/// Largest magnitude of a latent.
const MAX_REACH: i32 = 2047;
/// Fraction bits of the hidden layer before they are refined.
const HIDDEN_FRACTION: u8 = 8;
/// The model of `pyramid` for pictures of `info`.
pub fn shape(info: &VideoInfo, pyramid: &Pyramid) -> Shape {
    let head = |h: &Head| super::shape::Head {
        level: h.level,
        planes: h.planes,
    };
    Shape {
        contexts: pyramid.header.contexts as usize,
        hidden: pyramid.header.hidden as usize,
        grids: pyramid.header.grids as usize,
        heads: Head::of(info.format.chroma).iter().map(head).collect(),
    }
}

/// A frame as real numbers, black at 0 and white at 1.
pub fn planes(info: &VideoInfo, frame: &Frame) -> Vec<Plane> {
    let most = f32::from(info.format.max_value());
    let chroma = info.format.chroma;
    let weight = |p| fit::plane_weight(chroma, p) as f32;
    let all: f32 = (0..chroma.colours()).map(weight).sum();
    let plane = |(p, plane): (usize, &nvc::frame::Plane)| Plane {
        width: plane.width,
        height: plane.height,
        weight: weight(p) / all,
        alpha: p >= chroma.colours(),
        samples: plane.data.iter().map(|&v| f32::from(v) / most).collect(),
    };
    frame.planes.iter().enumerate().map(plane).collect()
}

/// The group of one picture: its `latents`, grid by grid, and its `tensors`, each as the exponent
/// `k` of its step `2^-k` and its integers.
pub fn group(
    info: &VideoInfo,
    shape: &Shape,
    tensors: &[(i32, Vec<i32>)],
    latents: &[Vec<i32>],
) -> Result<Group> {
    let reach = latents.iter().flatten().map(|v| v.abs()).max();
    let reach = reach.unwrap_or(0).clamp(1, MAX_REACH);
    let zero = |(l, grid): (usize, &Vec<i32>)| u32::from(grid.iter().all(|&v| v == 0)) << l;
    let empty = latents.iter().enumerate().map(zero).sum();
    let header = PyramidHeader {
        grids: shape.grids as u32,
        empty,
        reach: reach as u32,
        contexts: shape.contexts as u32,
        hidden: shape.hidden as u32,
    };
    let arch = Arch::Pyramid(Pyramid { header });
    let graph = arch.lower(info, 1)?;
    let mut network = blank_network(&graph);
    for (t, (k, values)) in network.tensors.iter_mut().zip(tensors) {
        t.step = QuantStep {
            mantissa: 1 << QuantStep::MANTISSA_BITS,
            exponent: (k + i32::from(QuantStep::MANTISSA_BITS)) as u8,
        };
        t.values = values.iter().map(|&v| v as i16).collect();
    }
    for (f, node) in network.frac_bits.iter_mut().zip(&graph.nodes) {
        *f = if node.op.has_frac_bits() {
            HIDDEN_FRACTION
        } else {
            0
        };
    }
    keep_to_the_format(&graph, &mut network.tensors)?;
    let clamped = latents.iter().flatten().map(|&v| v.clamp(-reach, reach));
    Ok(Group {
        latents: clamped.map(|v| v as i16).collect(),
        arch,
        network,
        frames: 1,
    })
}

/// Finer or coarser steps where the format asks for them: of networks that trained as they should,
/// none.
fn keep_to_the_format(graph: &Graph, tensors: &mut [Tensor]) -> Result<()> {
    let Op::Pyramid(source) = graph.nodes[0].op else {
        return Err(Error::Parameter("a graph without a pyramid".into()));
    };
    let fraction = source.fraction();
    for (i, node) in graph.nodes.iter().enumerate() {
        if let Op::EdgeConv(c) = node.op {
            let bits = graph.frac_bits(&vec![HIDDEN_FRACTION; graph.nodes.len()]);
            let missing = bits[i].saturating_sub(bits[c.input]);
            (0..missing).for_each(|_| {
                if u32::from(tensors[c.weight].step.exponent) < missing {
                    finer(&mut tensors[c.weight]);
                }
            });
        }
    }
    // decoders are quick where sums fit 32 bits, and refuse large pictures where they may not
    for node in &graph.nodes {
        let t = match node.op {
            Op::EdgeConv(c) => c.weight,
            Op::Upsample(u) => u.taps,
            _ => continue,
        };
        let sums = graph.tensors[t].shape[0];
        let per_sum = tensors[t].values.len() / sums;
        while !is_narrow(&tensors[t].values, per_sum, MAX_ACTIVATION) {
            coarser(&mut tensors[t]);
        }
    }
    let weights = [0, 2, 4, 6];
    for t in [4, 6] {
        while tensors[t].step.exponent + fraction < 8 + QuantStep::MANTISSA_BITS {
            finer(&mut tensors[t]);
        }
    }
    loop {
        let Err(fault) = ContextNetwork::new(&tensors[..CONTEXT_TENSORS], fraction) else {
            return Ok(());
        };
        // the fault is that of the largest sum; hidden layers add their input
        let contexts = tensors[1].values.len();
        let largest = |i: usize| {
            let size = |row: &[i16]| row.iter().map(|v| u32::from(v.unsigned_abs())).sum::<u32>();
            let weights = tensors[i].values.chunks(contexts).map(size).max();
            let own = u32::from(tensors[i].step.exponent - QuantStep::MANTISSA_BITS);
            weights.unwrap_or(0) + if i < 4 { 1 << own } else { 0 }
        };
        let coarse = weights
            .into_iter()
            .filter(|&t| tensors[t].step.exponent > 11);
        match coarse.max_by_key(|&t| largest(t)) {
            Some(t) => coarser(&mut tensors[t]),
            None => return Err(fault.into()),
        }
    }
}

fn finer(t: &mut Tensor) {
    t.step.exponent += 1;
    t.values
        .iter_mut()
        .for_each(|v| *v = v.saturating_mul(2).max(-i16::MAX));
}

fn coarser(t: &mut Tensor) {
    t.step.exponent -= 1;
    t.values.iter_mut().for_each(|v| *v = (*v + 1) >> 1);
}

#[cfg(test)]
mod tests {
    use super::super::init::{Colour, Context, initial};
    use super::super::shape::{Layout, Tensor};
    use super::*;
    use crate::size::pyramid::for_picture;
    use nvc::frame::PixelFormat;

    fn info(width: usize, height: usize, format: &str) -> VideoInfo {
        VideoInfo::new(width, height, PixelFormat::from_name(format).unwrap())
    }

    fn quantised(shape: &Shape, scale: f32) -> Vec<(i32, Vec<i32>)> {
        let layout = Layout::new(shape);
        let plane = Plane {
            width: 1,
            height: 1,
            weight: 1.0,
            alpha: false,
            samples: vec![0.5],
        };
        let planes = vec![plane; 3];
        let colour = Colour::Yuv;
        let p = initial(shape, &layout, &planes, colour, Context::Trained, 1e-3, 1);
        let tensor = |t: &Tensor| {
            let values = p[t.range()]
                .iter()
                .map(|v| (v * scale * 1024.0).round() as i32);
            (10, values.collect())
        };
        layout.tensors().iter().map(tensor).collect()
    }

    #[test]
    fn models_lower_to_the_graph_that_they_are() {
        for (w, h, format) in [
            (1, 1, "gray"),
            (1, 1, "yuv420p"),
            (33, 20, "gbrp"),
            (999, 40, "yuv444p10le"),
        ] {
            let info = info(w, h, format);
            let shape = shape(&info, &for_picture(&info, 0, 0.0));
            let latents: Vec<Vec<i32>> = (0..shape.grids)
                .map(|l| {
                    vec![3 - l as i32; Shape::grid_size(w, h, l).0 * Shape::grid_size(w, h, l).1]
                })
                .collect();
            let g = group(&info, &shape, &quantised(&shape, 1.0), &latents).unwrap();
            let graph = g.arch.lower(&info, 1).unwrap();
            let own = Layout::new(&shape);
            let shapes: Vec<_> = own.tensors().iter().map(|t| t.shape).collect();
            let theirs: Vec<_> = graph.tensors.iter().map(|t| t.shape).collect();
            assert_eq!(shapes, theirs, "{w}x{h} {format}");
            let mut bytes = Vec::new();
            g.write(&graph, None, &mut bytes).unwrap();
        }
    }

    #[test]
    fn weights_that_the_format_refuses_are_made_coarser() {
        let info = info(9, 9, "gray");
        let shape = shape(&info, &for_picture(&info, 0, 0.0));
        let latents = vec![
            vec![0; 81],
            vec![0; 25],
            vec![0; 9],
            vec![1; 4],
            vec![300; 1],
        ];
        let g = group(&info, &shape, &quantised(&shape, 300.0), &latents).unwrap();
        assert!(ContextNetwork::new(&g.network.tensors[..7], 6).is_ok());
        let Arch::Pyramid(p) = &g.arch else {
            panic!("a pyramid")
        };
        assert_eq!((p.header.empty, p.header.reach), (0b111, 300));
    }

    #[test]
    fn pictures_are_fused_whatever_the_steps() {
        let info = info(9, 9, "gbrp");
        let shape = shape(&info, &for_picture(&info, 0, 0.0));
        let latents: Vec<Vec<i32>> = (0..shape.grids)
            .map(|l| vec![1; Shape::grid_size(9, 9, l).0 * Shape::grid_size(9, 9, l).1])
            .collect();
        let finest = |(k, q): (i32, Vec<i32>)| {
            let most = q.iter().map(|v| v.abs()).max().unwrap_or(0).max(1);
            let more = (32767 / most).ilog2() as i32;
            (k + more, q.iter().map(|v| v << more).collect())
        };
        let tensors: Vec<(i32, Vec<i32>)> =
            quantised(&shape, 1.0).into_iter().map(finest).collect();
        let g = group(&info, &shape, &tensors, &latents).unwrap();
        let graph = g.arch.lower(&info, 1).unwrap();
        let level = nvc::synth::SimdLevel::detect();
        let synth = nvc::synth::Synth::new(&graph, &g.network, &info, level).unwrap();
        assert!(synth.is_fused());
    }
}
