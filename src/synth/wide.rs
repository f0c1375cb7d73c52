//! Convolutions whose sums may leave 32 bits: parts that do not are summed in 32, and added up in
//! 64.

use super::lanes::{Lanes, Task};
use super::requantize::CHUNK;
use super::shuffle;
use super::tile::{Columns, Job, Rows, TILE, tile, tiles};

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
                    shuffle::put(layer, first, &sums[..used * stride], used, x, valid, output);
                }
            }
        }
        C
    }
}
