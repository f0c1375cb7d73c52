//! One convolution with the shuffle and GELU that follow it, prepared for the row kernel.

use super::finish::Finish;
use super::lanes::Lane;
use super::math::MAX_ACTIVATION;
use super::paired::{self, Source};
use super::ring::Geometry;

/// Where two output channels of the convolution go: the two channels of `pair`, shuffled to row `dy`, column `dx` of each
/// `factor` x `factor` square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Channel pair of the output buffer.
    pub pair: usize,
    /// Row within the square.
    pub dy: usize,
    /// Column within the square.
    pub dx: usize,
}

/// A layer ready to run.
pub struct Layer {
    /// Index of the buffer read.
    pub input: usize,
    /// Kernel size, odd.
    pub kernel: usize,
    /// Factor of the pixel shuffle.
    pub factor: usize,
    /// Shape of the buffer read.
    pub from: Geometry,
    /// Shape of the buffer written.
    pub to: Geometry,
    /// Output channels computed together: 2, 4 or 8.
    pub block: usize,
    /// `[block][kernel row][input pair][kernel column][channel of the block]`.
    pub weights: Vec<Lane>,
    /// The kernel in the form that computes two rows at once, where that pays.
    pub paired: Option<Paired>,
    /// Whether no sum can leave 32 bits.
    pub narrow: bool,
    /// Two output channels each, in the order of `weights`.
    pub slots: Vec<Slots>,
    /// From sums to activations.
    pub finish: Finish,
}

/// See [`paired`](super::paired).
pub struct Paired {
    /// As [`Layer::weights`], with the kernel rows of all sums one after another.
    pub weights: Vec<Lane>,
    /// Number of those rows.
    pub rows: usize,
    /// The input of each.
    pub sources: [Vec<Source>; paired::SUMS],
}

/// The convolution's channel in each half of a pair of slots; `None` for the companion of an odd last channel.
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

/// Whether no sum of `weights[out][in * kernel * kernel]` with activations of at least `-lowest` leaves 32 bits. Nonlinearities
/// hardly go below 0, so what the negative weights take off counts little against what the positive ones add.
pub fn is_narrow(weights: &[i16], per_channel: usize, lowest: i64) -> bool {
    weights.chunks_exact(per_channel).all(|w| {
        let sum = |sign: i64| w.iter().map(|&v| (sign * i64::from(v)).max(0)).sum::<i64>();
        let (up, down) = (sum(1), sum(-1));
        up.max(down) * MAX_ACTIVATION + up.min(down) * lowest <= i64::from(i32::MAX)
    })
}

/// Weights in the order of [`Layer::weights`].
pub fn pack(weights: &[i16], [_, cin, kh, kw]: [usize; 4], slots: &[Slots], factor: usize, to: &Geometry, block: usize) -> Vec<Lane> {
    let of: Vec<Option<usize>> = slots.iter().flat_map(|s| channels(s, factor, to)).collect();
    let mut out = Vec::with_capacity(of.len().next_multiple_of(block) * cin.div_ceil(2) * kh * kw);
    for first in (0..of.len()).step_by(block) {
        for i in 0..kh {
            for pair in 0..cin.div_ceil(2) {
                for j in 0..kw {
                    for slot in first..first + block {
                        let channel = of.get(slot).copied().flatten();
                        out.push([0, 1].map(|half| match (channel, 2 * pair + half) {
                            (Some(co), ci) if ci < cin => weights[((co * cin + ci) * kh + i) * kw + j],
                            _ => 0,
                        }));
                    }
                }
            }
        }
    }
    out
}
