//! Operations without weights, a row at a time: sums, frame embeddings and bilinear upsampling
//! (spec sections 5.7 to 5.9).
//!
//! In 32 bits where the fraction bits allow it, else as [`ops`](crate::network::ops) has them.

use super::dispatch::vectorize;
use super::lanes::{Lane, Lanes, Task};
use super::level::SimdLevel;
use super::ring::{Geometry, Ring};
use crate::network::Op;
use crate::network::ops::{bilinear_at, embed, frame_embedding, sum};

/// What is computed.
enum Kind {
    /// `(a << up[0]) + (b << up[1])`, rounded by `down` bits.
    Add { up: [u32; 2], down: u32 },
    /// Sum between any fraction bits.
    AnyAdd { from: [u32; 2], to: u32 },
    /// `(a << up) + code`, rounded by `down` bits.
    Code {
        up: u32,
        down: u32,
        codes: Vec<[i32; 2]>,
    },
    /// Frame embedding between any fraction bits.
    AnyCode {
        from: u32,
        to: u32,
        codes: Vec<[i32; 2]>,
    },
    /// Upsampling by a factor.
    Bilinear { factor: usize },
}

/// An operation ready to run.
pub struct Elementwise {
    /// Buffers read; twice the same where there is one.
    pub inputs: [usize; 2],
    kind: Kind,
    to: Geometry,
}

/// Place for the rows that [`Elementwise::run`] works with.
pub type Scratch = Vec<[i32; 2]>;

impl Elementwise {
    /// `op` between nodes of `from` and `to` fraction bits, from buffers `inputs` to one of shape
    /// `shape`. `None` for other operations.
    pub fn new(
        op: Op,
        inputs: [usize; 2],
        from: [u32; 2],
        to: u32,
        shape: Geometry,
    ) -> Option<Self> {
        let kind = match op {
            Op::Add(_) => {
                let finest = from[0].max(from[1]);
                let up = from.map(|f| finest - f);
                // 32767 * 2^14 twice, and a rounding of 2^18
                match up.iter().all(|&u| u <= 14) && to <= finest {
                    true => Kind::Add {
                        up,
                        down: finest - to,
                    },
                    false => Kind::AnyAdd { from, to },
                }
            }
            Op::FrameEmbedding(e) => {
                let code = |c: usize| {
                    if c < shape.channels {
                        frame_embedding(e.frame, c) as i32
                    } else {
                        0
                    }
                };
                let codes = (0..shape.pairs())
                    .map(|p| [code(2 * p), code(2 * p + 1)])
                    .collect();
                // 32767 * 2^15, a code of 2^20 and a rounding of 2^19
                match from[0] >= 5 {
                    true => Kind::Code {
                        up: 20 - from[0],
                        down: 20 - to,
                        codes,
                    },
                    false => Kind::AnyCode {
                        from: from[0],
                        to,
                        codes,
                    },
                }
            }
            Op::Bilinear(b) => Kind::Bilinear { factor: b.factor },
            _ => return None,
        };
        Some(Elementwise {
            inputs,
            kind,
            to: shape,
        })
    }

    /// Rows read before and after.
    pub fn reach(&self) -> usize {
        usize::from(self.factor() > 1)
    }

    /// Rows written for each row.
    pub fn factor(&self) -> usize {
        if let Kind::Bilinear { factor } = self.kind {
            factor
        } else {
            1
        }
    }

    /// Room needed.
    pub fn scratch(&self) -> usize {
        if let Kind::Bilinear { factor } = self.kind {
            (self.to.width / factor).next_multiple_of(CHUNK) + 2
        } else {
            0
        }
    }

    /// Computes what row `y` of the inputs gives.
    pub fn run(
        &self,
        level: SimdLevel,
        inputs: [&Ring; 2],
        y: usize,
        output: &mut Ring,
        scratch: &mut Scratch,
    ) {
        vectorize(
            level,
            Row {
                op: self,
                inputs,
                y,
                output,
                scratch,
            },
        );
    }
}

struct Row<'a> {
    op: &'a Elementwise,
    inputs: [&'a Ring; 2],
    y: usize,
    output: &'a mut Ring,
    scratch: &'a mut Scratch,
}

impl Task for Row<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        match &self.op.kind {
            &Kind::Add { up: [0, 0], down } => {
                self.each(|_, a, b| short(i32::from(a) + i32::from(b), down))
            }
            &Kind::Add { up, down } => {
                self.each(|_, a, b| short((i32::from(a) << up[0]) + (i32::from(b) << up[1]), down))
            }
            &Kind::AnyAdd { from, to } => self.each(|_, a, b| sum([a, b], from, to)),
            Kind::Code { up, down, codes } => {
                let (up, down) = (*up, *down);
                self.coded(codes, |v, code| short((i32::from(v) << up) + code, down));
            }
            &Kind::AnyCode {
                from,
                to,
                ref codes,
            } => self.coded(codes, |v, code| embed(v, from, code.into(), to)),
            Kind::Bilinear { factor } => match factor {
                1 => self.upsample::<1>(1),
                2 => self.upsample::<2>(2),
                3 => self.upsample::<3>(3),
                4 => self.upsample::<4>(4),
                5 => self.upsample::<5>(5),
                8 => self.upsample::<8>(8),
                &f => self.upsample::<0>(f),
            },
        }
    }
}

/// Rounded by `down` bits, halves up, saturated.
#[inline(always)]
fn short(v: i32, down: u32) -> i16 {
    let v = if down == 0 {
        v
    } else {
        (v + (1 << (down - 1))) >> down
    };
    v.clamp(-32767, 32767) as i16
}

/// Columns of a channel pair in row `y`.
#[inline(always)]
fn lanes(ring: &Ring, y: usize, pair: usize) -> &[Lane] {
    ring.channel(y, 2 * pair)
}

impl Row<'_> {
    /// Every activation from those at the same place.
    #[inline(always)]
    fn each(self, f: impl Fn(usize, i16, i16) -> i16) {
        let [a, b] = self.inputs;
        for pair in 0..self.op.to.pairs() {
            let from = lanes(a, self.y, pair)
                .as_flattened()
                .iter()
                .zip(lanes(b, self.y, pair).as_flattened());
            let to = self.output.pair_mut(self.y, pair).as_flattened_mut();
            to.iter_mut()
                .zip(from)
                .for_each(|(o, (&a, &b))| *o = f(pair, a, b));
        }
    }

    #[inline(always)]
    fn coded(self, codes: &[[i32; 2]], f: impl Fn(i16, i32) -> i16) {
        for (pair, &[even, odd]) in codes.iter().enumerate() {
            let to = self.output.pair_mut(self.y, pair);
            to.iter_mut()
                .zip(lanes(self.inputs[0], self.y, pair))
                .for_each(|(o, v)| *o = [f(v[0], even), f(v[1], odd)]);
        }
    }

    /// Rows that input row `y` gives. `F` is the factor, or 0 if it is not known beforehand.
    #[inline(always)]
    fn upsample<const F: usize>(self, factor: usize) {
        let factor = if F > 0 { F } else { factor };
        let from = &self.inputs[0].geometry;
        let whole = 2 * factor as i32;
        for y in self.y * factor..(self.y + 1) * factor {
            let ([above, below], share) = bilinear_at(y, factor, from.height);
            for pair in 0..from.pairs() {
                let rows = [
                    lanes(self.inputs[0], above, pair),
                    lanes(self.inputs[0], below, pair),
                ];
                blend(rows, [whole - share as i32, share as i32], self.scratch);
                let out = self.output.pair_mut(y, pair);
                for (out, near) in out
                    .chunks_mut(CHUNK * factor)
                    .zip(self.scratch.windows(CHUNK + 2).step_by(CHUNK))
                {
                    let Some(near) = near.first_chunk() else {
                        return;
                    };
                    for j in 0..factor {
                        // before the middle of the input's sample lies the one to the left
                        let at = 2 * j as i32 + 1 - factor as i32;
                        let v = if at < 0 {
                            between::<0>(near, at + whole, whole)
                        } else {
                            between::<1>(near, at, whole)
                        };
                        out[j..]
                            .iter_mut()
                            .step_by(factor)
                            .zip(&v)
                            .for_each(|(o, v)| *o = *v);
                    }
                }
            }
        }
    }
}

/// Columns upsampled at once.
const CHUNK: usize = 16;

/// Two rows by their shares, from index 1 on, and beyond the borders as at them.
#[inline(always)]
fn blend([above, below]: [&[Lane]; 2], shares: [i32; 2], to: &mut [[i32; 2]]) {
    let n = above.len();
    let rows = above.as_flattened().iter().zip(below.as_flattened());
    for (to, (&a, &b)) in to[1..].as_flattened_mut().iter_mut().zip(rows) {
        *to = i32::from(a) * shares[0] + i32::from(b) * shares[1];
    }
    to[0] = to[1];
    to[n + 1] = to[n];
}

/// What lies `share` of `whole` from `near[i + LEFT]` to its neighbour.
#[inline(always)]
fn between<const LEFT: usize>(
    near: &[[i32; 2]; CHUNK + 2],
    share: i32,
    whole: i32,
) -> [Lane; CHUNK] {
    let mut out = [[0; 2]; CHUNK];
    let (a, b) = (
        near[LEFT..][..CHUNK].as_flattened(),
        near[LEFT + 1..][..CHUNK].as_flattened(),
    );
    for (o, (a, b)) in out.as_flattened_mut().iter_mut().zip(a.iter().zip(b)) {
        *o = mean(a * (whole - share) + b * share, whole * whole);
    }
    out
}

/// `sum / shares`, halves up, for a sum of `shares` activations, at most 1024.
#[inline(always)]
fn mean(sum: i32, shares: i32) -> i16 {
    // from above 0, which makes division round downwards
    let above = (sum + shares / 2 + shares * 32768) as u32;
    ((above / shares as u32) as i32 - 32768) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_the_specification_s() {
        for factor in 1..=16 {
            let shares = 4 * factor * factor;
            for v in [-32767, -32766, -3, -1, 0, 1, 2, 32766, 32767] {
                for d in -shares / 2..=shares / 2 {
                    let sum = (v * shares + d).clamp(-32767 * shares, 32767 * shares);
                    assert_eq!(
                        i32::from(mean(sum, shares)),
                        (sum + shares / 2).div_euclid(shares),
                        "{sum} of {shares}"
                    );
                }
            }
        }
    }
}
