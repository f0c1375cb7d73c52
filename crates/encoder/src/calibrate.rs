//! Fraction bits of activations by trial: the exact decoder itself says which fraction bits lose
//! least.

use crate::fit;
use nvc::decoder;
use nvc::error::Result;
use nvc::frame::{Frame, VideoInfo};
use nvc::group::Group;
use nvc::network::Graph;
use nvc::synth::{SimdLevel, Synth};

/// Frames that a trial decodes.
const TRIAL_FRAMES: usize = 4;

/// Squared error over all planes, weighted as the fit weights them, in code values.
pub fn weighted_error(source: &[&Frame], decoded: &[Frame], info: &VideoInfo) -> f64 {
    let mut sum = 0.0;
    for (a, b) in source.iter().zip(decoded) {
        for (p, (a, b)) in a.planes.iter().zip(&b.planes).enumerate() {
            let e: u64 = a
                .data
                .iter()
                .zip(&b.data)
                .map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2))
                .sum();
            sum += fit::plane_weight(info.format.chroma, p) * e as f64 / a.data.len() as f64;
        }
    }
    sum
}

/// Moves each node's fraction bits as long as that brings the decoded frames nearer to `frames`.
/// The fraction bits that come in leave room for the largest activation; often a finer step that
/// cuts off a few of them loses less.
pub fn refine_frac_bits(
    group: &mut Group,
    graph: &Graph,
    info: &VideoInfo,
    frames: &[Frame],
    pool: &rayon::ThreadPool,
) -> Result<()> {
    let passes = graph.passes(frames.len());
    let count = passes.min(TRIAL_FRAMES.div_ceil(graph.frames));
    let trial: Vec<usize> = (0..count).map(|i| i * passes / count).collect();
    let error = |group: &Group| -> Result<f64> {
        // fraction bits that contradict the steps are no candidates
        let Ok(synth) = Synth::new(graph, &group.network, info, SimdLevel::detect()) else {
            return Ok(f64::INFINITY);
        };
        let (mut source, mut decoded) = (Vec::new(), Vec::new());
        decoder::passes_of(
            pool,
            &synth,
            &group.latents,
            &mut trial.iter().copied(),
            &mut |i, f| {
                source.push(&frames[i]);
                decoded.push(f);
                Ok(())
            },
        )?;
        Ok(weighted_error(&source, &decoded, info))
    };
    let mut best = error(group)?;
    for node in 0..graph.nodes.len() {
        if !graph.nodes[node].op.has_frac_bits() {
            continue;
        }
        for step in [1i8, -1] {
            loop {
                let now = group.network.frac_bits[node];
                let Some(next) = now
                    .checked_add_signed(step)
                    .filter(|&f| f <= Graph::MAX_FRACTION)
                else {
                    break;
                };
                group.network.frac_bits[node] = next;
                let e = error(group)?;
                if e >= best {
                    group.network.frac_bits[node] = now;
                    break;
                }
                best = e;
            }
        }
    }
    Ok(())
}
