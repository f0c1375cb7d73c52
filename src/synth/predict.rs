//! Context networks with the instructions of a level: pairs of channels, a few latents at once.

use super::dispatch::vectorize_few;
use super::lanes::{Lane, Lanes, Task};
use super::level::SimdLevel;
use super::pack::pack;
use crate::entropy::context_network::{
    BATCH, Channels, ContextNetwork, Layer, Plain, Predicted, Predictor, mean, scale,
};
use crate::network::pyramid::MAX_CONTEXTS;

/// Outputs summed at once, and latents.
const TILE: usize = 4;
const CHUNK: usize = 16;
/// Most pairs of channels.
const MAX_PAIRS: usize = MAX_CONTEXTS / 2;

/// What computes distributions at `level`.
pub fn predictor(level: SimdLevel) -> Box<dyn Predictor> {
    match level {
        SimdLevel::Reference => Box::new(Plain::default()),
        level => Box::new(Vectorized {
            level: level.or_below(),
            layers: Default::default(),
        }),
    }
}

/// A layer in the order in which it is summed.
#[derive(Default)]
struct Packed {
    outs: usize,
    pairs: usize,
    /// `[outs / TILE][pairs][TILE]`.
    weights: Vec<Lane>,
    /// With half of what is shifted out, one for each output of whole tiles.
    bias: Vec<i32>,
    shift: u32,
}

/// Two hidden layers, the outputs and the bypass.
struct Vectorized {
    level: SimdLevel,
    layers: [Packed; 4],
}

impl Packed {
    fn new(layer: &Layer, ins: usize) -> Self {
        let outs = layer.bias.len();
        let of: Vec<_> = (0..outs).map(Some).collect();
        let half = (1 << layer.shift) >> 1;
        let mut bias: Vec<i32> = layer.bias.iter().map(|b| b + half).collect();
        bias.resize(outs.next_multiple_of(TILE), 0);
        Packed {
            outs,
            pairs: ins.div_ceil(2),
            weights: pack(&layer.weights, [outs, ins, 1, 1], &of, TILE),
            bias,
            shift: layer.shift,
        }
    }

    /// Outputs `first..` of a chunk of latents.
    #[inline(always)]
    fn tile<L: Lanes>(&self, l: L, first: usize, inputs: &[[Lane; CHUNK]]) -> [[i32; CHUNK]; TILE] {
        let mut sums = [[l.zero(); 4]; TILE];
        let weights = &self.weights[first * self.pairs..][..TILE * self.pairs];
        for (w, lanes) in weights.chunks_exact(TILE).zip(inputs) {
            let w: &[Lane; TILE] = w.first_chunk().expect("a tile");
            for v in 0..CHUNK / L::N {
                let a = l.load(&lanes[v * L::N..]);
                for o in 0..TILE {
                    sums[o][v] = l.add_products(sums[o][v], a, l.splat(w[o]));
                }
            }
        }
        let mut out = [[0; CHUNK]; TILE];
        let bias = &self.bias[first..][..TILE];
        for (o, out) in out.iter_mut().enumerate() {
            for v in 0..CHUNK / L::N {
                l.store(sums[o][v], &mut out[v * L::N..]);
            }
            out.iter_mut()
                .for_each(|s| *s = (*s + bias[o]) >> self.shift);
        }
        out
    }

    #[inline(always)]
    fn rectified<L: Lanes>(
        &self,
        l: L,
        inputs: &[[Lane; CHUNK]; MAX_PAIRS],
    ) -> [[Lane; CHUNK]; MAX_PAIRS] {
        let mut out = [[[0; 2]; CHUNK]; MAX_PAIRS];
        for first in (0..self.outs).step_by(TILE) {
            let tile = self.tile(l, first, inputs);
            for (half, out) in out[first / 2..][..TILE / 2].iter_mut().enumerate() {
                for s in 0..CHUNK {
                    out[s] = [0, 1].map(|i| tile[2 * half + i][s].clamp(0, 32767) as i16);
                }
            }
        }
        out
    }
}

impl Predictor for Vectorized {
    fn prepare(&mut self, network: &ContextNetwork) {
        let [a, b] = &network.hidden;
        self.layers =
            [a, b, &network.out, &network.bypass].map(|l| Packed::new(l, network.contexts));
    }

    fn predict(&mut self, inputs: &Channels, count: usize, out: &mut Predicted) {
        let layers = &self.layers;
        vectorize_few(
            self.level,
            Batch {
                layers,
                inputs,
                count,
                out,
            },
        );
    }
}

struct Batch<'a> {
    layers: &'a [Packed; 4],
    inputs: &'a Channels,
    count: usize,
    out: &'a mut Predicted,
}

impl Task for Batch<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let [hidden0, hidden1, outputs, bypass] = self.layers;
        let none = [0; BATCH];
        for at in (0..self.count).step_by(CHUNK) {
            let mut lanes = [[[0; 2]; CHUNK]; MAX_PAIRS];
            for (lanes, pair) in lanes.iter_mut().zip(self.inputs.chunks(2)) {
                let (a, b) = (&pair[0], pair.get(1).unwrap_or(&none));
                let both = a[at..][..CHUNK].iter().zip(&b[at..][..CHUNK]);
                lanes
                    .iter_mut()
                    .zip(both)
                    .for_each(|(l, (&a, &b))| *l = [a, b]);
            }
            let h = hidden0.rectified(l, &lanes);
            let h = hidden1.rectified(l, &h);
            let (own, direct) = (outputs.tile(l, 0, &h), bypass.tile(l, 0, &lanes));
            let sum = |o: usize, i: usize| own[o][i] + direct[o][i];
            for i in 0..CHUNK {
                self.out.mean[at + i] = mean(sum(0, i));
                self.out.scale[at + i] = scale(sum(1, i));
            }
        }
    }
}
