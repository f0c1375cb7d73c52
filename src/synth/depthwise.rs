//! Convolutions of each channel by itself.
//!
//! Lanes hold two channels, and products are summed in pairs; here one weight of each pair is 0, so that every sum sees one channel.

use super::lanes::Lane;

/// Weights `[channels][1][rows][columns]` as `[pair of slots][row][column][slot of the pair]`, `of` being the channel of each slot.
pub fn pack(weights: &[i16], [_, _, kh, kw]: [usize; 4], of: &[Option<usize>]) -> Vec<Lane> {
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

/// Input pair that each of two slots reads. A slot without a channel reads what its companion does.
pub fn inputs([a, b]: [Option<usize>; 2]) -> [usize; 2] {
    let pair = |c: Option<usize>| c.or(a).unwrap_or(0) / 2;
    [pair(a), pair(b)]
}
