//! Convolutions whose sums may leave 32 bits: parts that do not are summed in 32, and added up in
//! 64.

use super::kernel::{Columns, Job, Rows, TILE, tile, tiles};
use super::lanes::{Lane, Lanes, Task};
use super::math::MAX_ACTIVATION;
use super::requantize::{self, CHUNK};

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

/// Rows of such a layer.
pub struct Wide<'a>(pub Rows<'a>);

impl Task for Wide<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let job = &mut Job::new(&mut self.0);
        match (L::N, job.layer.block) {
            (16, 8 | 4) => tiles::<L, InParts, 4, 3>(lanes, job),
            (_, 8 | 4) => tiles::<L, InParts, 4, 2>(lanes, job),
            (_, _) => tiles::<L, InParts, 2, 4>(lanes, job),
        }
    }
}

struct InParts;

impl Columns for InParts {
    type Sums = [i64; TILE];

    #[inline(always)]
    fn sums() -> Self::Sums {
        [0; TILE]
    }

    #[inline(always)]
    fn columns<L: Lanes, const M: usize, const C: usize>(
        l: L,
        job: &mut Job<'_>,
        sums: &mut Self::Sums,
        x: usize,
    ) -> usize {
        let layer = job.layer;
        let block = layer.block;
        let per_row = layer.from.pairs() * layer.kernel;
        let stride = (C * L::N).next_multiple_of(CHUNK);
        let valid = (layer.from.width - x).min(C * L::N);
        let parts = layer.parts.as_deref().unwrap_or_default();
        for (b, weights) in layer
            .weights
            .chunks_exact(per_row * layer.kernel * block)
            .enumerate()
        {
            for part in 0..block / M {
                let first = b * block + part * M;
                let used = (2 * layer.slots.len()).saturating_sub(first).min(M);
                if used == 0 {
                    continue;
                }
                for (sum, &out) in job.direct.iter().zip(&job.out).take(job.count) {
                    let weights =
                        &weights[sum.first * per_row * block..][..sum.len * per_row * block];
                    let parts =
                        &parts[(b * layer.kernel + sum.first) * per_row..][..sum.len * per_row];
                    tile::<L, i64, M, C>(
                        l,
                        job,
                        sum,
                        0..layer.from.pairs(),
                        weights,
                        parts,
                        part,
                        x,
                        &mut sums[..M * stride],
                    );
                    let output = &mut job.output[out..][..layer.factor * layer.to.row()];
                    requantize::tile(layer, first, &sums[..used * stride], used, x, valid, output);
                }
            }
        }
        C
    }
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
