//! Layers of a synthesis network: sums of pairs of channels, a few columns of four outputs at once.

use crate::entropy::tensor::QuantizedNetwork;
use crate::error::Fault;
use crate::network::ops::integer::MAX_ACTIVATION;
use crate::network::ops::{EdgeConv, Requant};
use crate::network::{Graph, NodeId};
use crate::synth::lanes::{Lane, Lanes};
use crate::synth::pack::{is_narrow, pack};
use crate::synth::requantize::{CHUNK, Requantizer};

/// Outputs summed at once.
pub const TILE: usize = 4;

/// A convolution's weights, and what its sums become.
pub struct Layer {
    /// Output channels.
    pub outs: usize,
    /// Pairs of input channels.
    pub pairs: usize,
    kernel: usize,
    /// `[outputs / TILE][rows][pairs][columns][TILE]`.
    weights: Vec<Lane>,
    requantizer: Requantizer,
}

impl Layer {
    /// That of `conv`, node `node`, from `from` to `to` fraction bits. `None` if its sums may leave
    /// 32 bits.
    pub fn new(
        graph: &Graph,
        net: &QuantizedNetwork,
        conv: EdgeConv,
        node: NodeId,
        from: u32,
        to: u32,
    ) -> Result<Option<Self>, Fault> {
        let tensor = &net.tensors[conv.weight];
        let [outs, ins, kernel, _] = graph.tensors[conv.weight].shape;
        let zeros = vec![0; outs];
        let bias = match conv.bias {
            Some(b) => (&net.tensors[b].values[..], net.tensors[b].step),
            None => (&zeros[..], tensor.step),
        };
        let requant = Requant::new(tensor.step, bias, from, to, node)?;
        if !is_narrow(&tensor.values, ins * kernel * kernel, MAX_ACTIVATION) {
            return Ok(None);
        }
        let of: Vec<_> = (0..outs).map(Some).collect();
        Ok(Some(Layer {
            outs,
            pairs: ins.div_ceil(2),
            kernel,
            weights: pack(&tensor.values, [outs, ins, kernel, kernel], &of, TILE),
            requantizer: Requantizer::new(requant, true, None),
        }))
    }

    /// Outputs `first..` of one chunk of columns, as many as a tile has. `input` gives the lanes of
    /// the chunk's first column and those after it, for kernel row, kernel column and pair of channels.
    #[inline(always)]
    pub fn tile<'a, L: Lanes>(
        &self,
        l: L,
        first: usize,
        input: impl Fn(usize, usize, usize) -> &'a [Lane],
    ) -> [[i16; CHUNK]; TILE] {
        let per_tile = self.kernel * self.kernel * self.pairs * TILE;
        let mut weights = self.weights[first / TILE * per_tile..][..per_tile].chunks_exact(TILE);
        let mut sums = [[l.zero(); 4]; TILE];
        let vectors = CHUNK / L::N;
        for row in 0..self.kernel {
            for pair in 0..self.pairs {
                for column in 0..self.kernel {
                    let Some(w) = weights.next() else { continue };
                    let w: &[Lane; TILE] = w.first_chunk().expect("a tile");
                    let lanes: &[Lane; CHUNK] =
                        input(row, column, pair).first_chunk().expect("a chunk");
                    for v in 0..vectors {
                        let a = l.load(&lanes[v * L::N..]);
                        for o in 0..TILE {
                            sums[o][v] = l.add_products(sums[o][v], a, l.splat(w[o]));
                        }
                    }
                }
            }
        }
        let mut out = [[0; CHUNK]; TILE];
        for (o, out) in out.iter_mut().enumerate().take(self.outs - first) {
            let mut lanes = [0; CHUNK];
            for v in 0..vectors {
                l.store(sums[o][v], &mut lanes[v * L::N..]);
            }
            *out = self.requantizer.chunk(first + o, &lanes);
        }
        out
    }
}
