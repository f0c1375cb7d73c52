//! Weights in the order in which the row kernel reads them, and the order of its output channels.

use super::lanes::Lane;
use super::ring::Geometry;
use crate::network::ops::integer::MAX_ACTIVATION;

/// Where two output channels of the convolution go: the two channels of `pair`, shuffled to row
/// `dy`, column `dx` of each `factor` x `factor` square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Channel pair of the output buffer.
    pub pair: usize,
    /// Row within the square.
    pub dy: usize,
    /// Column within the square.
    pub dx: usize,
}

/// The convolution's channel in each half of a pair of slots; `None` for the companion of an odd
/// last channel.
pub fn channels(s: &Slots, factor: usize, to: &Geometry) -> [Option<usize>; 2] {
    [0, 1].map(|half| {
        let c = 2 * s.pair + half;
        (c < to.channels).then_some((c * factor + s.dy) * factor + s.dx)
    })
}

/// All pairs of output channels, those next to each other that land next to each other.
pub fn slots(factor: usize, to: &Geometry) -> Vec<Slots> {
    let mut out = Vec::with_capacity(to.pairs() * factor * factor);
    for pair in 0..to.pairs() {
        for dy in 0..factor {
            for dx in 0..factor {
                out.push(Slots { pair, dy, dx });
            }
        }
    }
    out
}

/// Output channels to compute together for `slots` pairs of them.
pub fn block(slots: usize) -> usize {
    match slots {
        0..=1 => 2,
        2..=3 => 4,
        _ => 8,
    }
}

/// Whether no sum of `weights[out][in * kernel * kernel]` with activations of at least `-lowest`
/// leaves 32 bits. Nonlinearities hardly go below 0, so what the negative weights take off counts
/// little against what the positive ones add.
pub fn is_narrow(weights: &[i16], per_channel: usize, lowest: i64) -> bool {
    weights.chunks_exact(per_channel).all(|w| {
        let sum = |sign: i64| w.iter().map(|&v| (sign * i64::from(v)).max(0)).sum::<i64>();
        let (up, down) = (sum(1), sum(-1));
        up.max(down) * MAX_ACTIVATION + up.min(down) * lowest <= i64::from(i32::MAX)
    })
}

/// Weights in the order of [`Layer::weights`](super::layer::Layer::weights), `of` being the channel
/// of each slot.
pub fn pack(
    weights: &[i16],
    [_, cin, kh, kw]: [usize; 4],
    of: &[Option<usize>],
    block: usize,
) -> Vec<Lane> {
    let mut out = Vec::with_capacity(of.len().next_multiple_of(block) * cin.div_ceil(2) * kh * kw);
    for first in (0..of.len()).step_by(block) {
        for i in 0..kh {
            for pair in 0..cin.div_ceil(2) {
                for j in 0..kw {
                    for slot in first..first + block {
                        let channel = of.get(slot).copied().flatten();
                        out.push([0, 1].map(|half| match (channel, 2 * pair + half) {
                            (Some(co), ci) if ci < cin => {
                                weights[((co * cin + ci) * kh + i) * kw + j]
                            }
                            _ => 0,
                        }));
                    }
                }
            }
        }
    }
    out
}

/// Weights `[channels][1][rows][columns]` as `[pair of slots][row][column][slot of the pair]`, `of`
/// being the channel of each slot.
pub fn pack_depthwise(
    weights: &[i16],
    [_, _, kh, kw]: [usize; 4],
    of: &[Option<usize>],
) -> Vec<Lane> {
    let mut out = Vec::with_capacity(of.len() * kh * kw);
    for pair in of.chunks_exact(2) {
        for at in 0..kh * kw {
            out.extend(pair.iter().map(|c| match *c {
                Some(c) if c.is_multiple_of(2) => [weights[c * kh * kw + at], 0],
                Some(c) => [0, weights[c * kh * kw + at]],
                None => [0, 0],
            }));
        }
    }
    out
}

/// Where to put by the sums of packed weights so that no part leaves 32 bits; `steps` lanes a
/// channel, `block` channels at once.
pub fn marks(packed: &[Lane], block: usize, steps: usize) -> Vec<bool> {
    // two products always fit
    let most = (i64::from(i32::MAX) / MAX_ACTIVATION) as u32;
    let mut out = Vec::with_capacity(packed.len() / block);
    for weights in packed.chunks_exact(block * steps) {
        let mut sums = vec![0; block];
        for step in weights.chunks_exact(block) {
            let sizes = step
                .iter()
                .map(|w| u32::from(w[0].unsigned_abs()) + u32::from(w[1].unsigned_abs()));
            let full = sums.iter().zip(sizes.clone()).any(|(s, w)| s + w > most);
            out.push(full);
            sums.iter_mut()
                .zip(sizes)
                .for_each(|(s, w)| *s = if full { w } else { *s + w });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_and_are_long() {
        let packed: Vec<Lane> = (0..400)
            .map(|i| [(i * 7919 % 5000) as i16, -((i * 104729 % 9000) as i16)])
            .collect();
        for block in [2, 4, 8] {
            let steps = 400 / block / 2;
            let marks = marks(&packed, block, steps);
            assert_eq!(marks.len(), 2 * steps);
            for (weights, marks) in packed.chunks(block * steps).zip(marks.chunks(steps)) {
                let size =
                    |w: &Lane| i64::from(w[0].unsigned_abs()) + i64::from(w[1].unsigned_abs());
                let (mut sums, mut before) = (vec![0i64; block], 0);
                for (i, (step, &mark)) in weights.chunks(block).zip(marks).enumerate() {
                    let next: Vec<i64> = sums.iter().zip(step).map(|(s, w)| s + size(w)).collect();
                    let fits = next.iter().all(|s| s * MAX_ACTIVATION <= i32::MAX.into());
                    assert_eq!(fits, !mark, "step {i}, {before} after the last mark");
                    (sums, before) = if mark {
                        (step.iter().map(size).collect(), 0)
                    } else {
                        (next, before + 1)
                    };
                }
            }
        }
        assert_eq!(
            marks(&[[-32768, -32768], [0, 2], [0, 1]], 1, 3),
            [false, false, true]
        );
    }
}
