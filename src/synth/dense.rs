//! Convolutions whose sums fit 32 bits, two rows at once where that pays.

use super::lanes::{Lanes, Task};
use super::requantize::CHUNK;
use super::ring::COLUMNS;
use super::row_pair;
use super::shuffle;
use super::tile::{Columns, Job, Rows, Sum, TILE, tile, tiles};

/// Rows of such a layer.
pub struct Narrow<'a>(pub Rows<'a>);

impl Task for Narrow<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let job = &mut Job::new(&mut self.0);
        // tiles that fill the registers: 32 of 512 bits, else 16
        match (L::N, job.layer.block) {
            (16, 8) => tiles::<L, Dense, 8, 3>(lanes, job),
            (16, 4) => tiles::<L, Dense, 4, 6>(lanes, job),
            (16, _) => tiles::<L, Dense, 2, 8>(lanes, job),
            (_, 8 | 4) => tiles::<L, Dense, 4, 2>(lanes, job),
            (_, _) => tiles::<L, Dense, 2, 4>(lanes, job),
        }
    }
}

struct Dense;

impl Columns for Dense {
    type Sums = [[i32; TILE]; row_pair::SUMS];

    #[inline(always)]
    fn sums() -> Self::Sums {
        [[0; TILE]; row_pair::SUMS]
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
        let per_row = layer.from.pairs() * layer.kernel * block;
        let valid = (layer.from.width - x).min(C * L::N);
        let stride = (C * L::N).next_multiple_of(CHUNK);
        let lanes = x..=(x + C * L::N + 2 * layer.from.pad - 1);
        let fits = |clipped: &[i16]| {
            clipped[lanes.start() / COLUMNS..=(lanes.end() / COLUMNS).min(clipped.len() - 1)]
                .iter()
                .all(|&c| c == 0)
        };
        let pair = job
            .row_pair
            .filter(|(_, clipped)| fits(clipped))
            .map(|(sums, _)| sums);
        let (weights, rows) = match &layer.row_pair {
            Some(p) if pair.is_some() => (&p.weights, p.rows),
            _ => (&layer.weights, layer.kernel),
        };
        let wanted: &[Sum] = match &pair {
            Some(p) => p,
            None => &job.direct[..job.count],
        };
        for (b, weights) in weights.chunks_exact(per_row * rows).enumerate() {
            for part in 0..block / M {
                let first = b * block + part * M;
                let used = (2 * layer.slots.len()).saturating_sub(first).min(M);
                if used == 0 {
                    continue;
                }
                for (sum, to) in wanted.iter().zip(&mut *sums) {
                    let weights = &weights[sum.first * per_row..][..sum.len * per_row];
                    tile::<L, i32, M, C>(
                        l,
                        job,
                        sum,
                        0..layer.from.pairs(),
                        weights,
                        &[],
                        part,
                        x,
                        &mut to[..M * stride],
                    );
                }
                if pair.is_some() {
                    let [a, both, c] = &mut *sums;
                    for ((a, c), s) in a[..M * stride]
                        .iter_mut()
                        .zip(&mut c[..M * stride])
                        .zip(&*both)
                    {
                        (*a, *c) = (a.wrapping_add(*s), c.wrapping_add(*s));
                    }
                    both.copy_from_slice(c);
                }
                for (sums, &out) in sums.iter().zip(&job.out).take(job.count) {
                    let output = &mut job.output[out..][..layer.factor * layer.to.row()];
                    shuffle::put(layer, first, &sums[..used * stride], used, x, valid, output);
                }
            }
        }
        C
    }
}
