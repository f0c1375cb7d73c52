//! Convolutions of each channel by itself.
//!
//! Lanes hold two channels, and products are summed in pairs; here one weight of each pair is 0, so
//! that every sum sees one channel.

use std::marker::PhantomData;

use super::lanes::{Lanes, Task};
use super::pack;
use super::requantize::{Accumulator, CHUNK};
use super::shuffle;
use super::tile::{Columns, Job, Rows, TILE, tile, tiles};

/// Input pair that each of two slots reads. A slot without a channel reads what its companion does.
fn inputs([a, b]: [Option<usize>; 2]) -> [usize; 2] {
    let pair = |c: Option<usize>| c.or(a).unwrap_or(0) / 2;
    [pair(a), pair(b)]
}

/// Rows of such a layer, with sums of `S`.
pub struct ByChannel<'a, S>(Rows<'a>, PhantomData<S>);

impl<'a, S> ByChannel<'a, S> {
    /// Of `rows`.
    pub fn new(rows: Rows<'a>) -> Self {
        ByChannel(rows, PhantomData)
    }
}

impl<S: Accumulator> Task for ByChannel<'_, S> {
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let job = &mut Job::new(&mut self.0);
        match (L::N, S::PARTS) {
            (16, false) => tiles::<L, Pairs<S>, 2, 8>(lanes, job),
            (_, false) => tiles::<L, Pairs<S>, 2, 4>(lanes, job),
            (_, true) => tiles::<L, Pairs<S>, 2, 2>(lanes, job),
        }
    }
}

struct Pairs<S>(PhantomData<S>);

impl<S: Accumulator> Columns for Pairs<S> {
    type Sums = [[S; TILE]; 2];

    #[inline(always)]
    fn sums() -> Self::Sums {
        [[S::ZERO; TILE]; 2]
    }

    #[inline(always)]
    fn columns<L: Lanes, const M: usize, const C: usize>(
        l: L,
        job: &mut Job<'_>,
        sums: &mut Self::Sums,
        x: usize,
    ) -> usize {
        let layer = job.layer;
        let taps = layer.kernel * layer.kernel;
        let stride = (C * L::N).next_multiple_of(CHUNK);
        let valid = (layer.from.width - x).min(C * L::N);
        for ((s, slots), weights) in layer
            .slots
            .iter()
            .enumerate()
            .zip(layer.weights.chunks_exact(2 * taps))
        {
            let pairs = inputs(pack::channels(slots, layer.factor, &layer.to));
            // the two channels come from one pair of the input, but where a pixel shuffle has
            // parted them
            let parted = pairs[0] != pairs[1];
            for (sum, &out) in job.direct.iter().zip(&job.out).take(job.count) {
                let range = sum.first * layer.kernel..(sum.first + sum.len) * layer.kernel;
                let weights = &weights[2 * range.start..2 * range.end];
                let parts = layer
                    .parts
                    .as_ref()
                    .map_or(&[][..], |p| &p[s * taps..][range]);
                for (&pair, to) in pairs.iter().zip(&mut *sums).take(1 + usize::from(parted)) {
                    tile::<L, S, 2, C>(
                        l,
                        job,
                        sum,
                        pair..pair + 1,
                        weights,
                        parts,
                        0,
                        x,
                        &mut to[..2 * stride],
                    );
                }
                if parted {
                    let [both, second] = &mut *sums;
                    both[stride..2 * stride].copy_from_slice(&second[stride..2 * stride]);
                }
                let output = &mut job.output[out..][..layer.factor * layer.to.row()];
                shuffle::put(layer, 2 * s, &sums[0][..2 * stride], 2, x, valid, output);
            }
        }
        C
    }
}
