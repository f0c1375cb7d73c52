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
        sum -= over_alpha(a, b, info);
    }
    sum
}

/// What the weighted error on black and on white, half each, is less than that of all planes: the
/// products of the colours' errors with alpha's.
fn over_alpha(a: &Frame, b: &Frame, info: &VideoInfo) -> f64 {
    let chroma = info.format.chroma;
    if !chroma.has_alpha() {
        return 0.0;
    }
    let errors = |p: usize| {
        let pairs = a.planes[p].data.iter().zip(&b.planes[p].data);
        pairs.map(|(&a, &b)| i64::from(a) - i64::from(b))
    };
    let alpha = chroma.colours();
    let product = |p: usize| {
        let sum: i64 = errors(p).zip(errors(alpha)).map(|(c, a)| c * a).sum();
        fit::plane_weight(chroma, p) * sum as f64 / a.planes[p].data.len() as f64
    };
    (0..alpha).map(product).sum()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use nvc::frame::{Chroma, PixelFormat};
    use nvc::metrics::Scorer;

    /// The error with alpha is what the score of pictures with transparency says.
    #[test]
    fn errors_with_alpha_are_those_on_black_and_on_white() {
        for chroma in [Chroma::Rgba, Chroma::GrayAlpha] {
            let format = PixelFormat::new8(chroma);
            let info = VideoInfo::new(9, 7, format);
            let mut random = Rng::new(3, 1);
            let mut frame = || {
                let mut f = Frame::new(format, 9, 7);
                for v in f.planes.iter_mut().flat_map(|p| &mut p.data) {
                    *v = random.uniform(0.0, 255.0) as u16;
                }
                f.clip_to_alpha();
                f
            };
            let (a, b) = (frame(), frame());
            let mut scorer = Scorer::new(&info);
            scorer.add(&a, &b).unwrap();
            let quality = scorer.finish().unwrap().quality();
            let error = weighted_error(&[&a], std::slice::from_ref(&b), &info);
            let ours = 10.0 * (255f64.powi(2) / error).log10();
            assert!(
                (ours - quality).abs() < 1e-6,
                "{chroma:?}: {ours}, {quality}"
            );
        }
    }
}
