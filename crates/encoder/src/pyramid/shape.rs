//! The shape of the model and the order of its weights.

use std::ops::Range;

/// A synthesis network: inputs are all grids from `level` on, brought to the resolution of that
/// grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// 0: full resolution, 1: half (chroma of 4:2:0).
    pub level: usize,
    /// Planes that it makes, 1 to 4.
    pub planes: usize,
}

/// Sizes of the networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Causal neighbours that the context network sees, 4 to 32.
    pub contexts: usize,
    /// Hidden units of each synthesis network.
    pub hidden: usize,
    /// Latent grids, 1 to 9; grid `l` is `ceil(width / 2^l) x ceil(height / 2^l)`.
    pub grids: usize,
    /// One for RGB, grey and 4:4:4, two for 4:2:0.
    pub heads: Vec<Head>,
}

impl Shape {
    /// Whether every size is within its range and every head has a grid at its resolution.
    pub fn is_valid(&self) -> bool {
        (4..=32).contains(&self.contexts)
            && self.hidden > 0
            && (1..=9).contains(&self.grids)
            && !self.heads.is_empty()
            && self
                .heads
                .iter()
                .all(|h| h.level <= 1 && h.level < self.grids && (1..=4).contains(&h.planes))
    }
    /// Width and height of grid `level` of a picture.
    pub fn grid_size(width: usize, height: usize, level: usize) -> (usize, usize) {
        (
            width.div_ceil(1 << level).max(1),
            height.div_ceil(1 << level).max(1),
        )
    }
}

/// A plane of the picture to fit.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Samples in a row: that of the grid of its head.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Share of its mean squared error in the distortion; those of all planes but alpha sum to 1.
    pub weight: f32,
    /// Whether it is alpha, by which those of its head before it are multiplied; its head's last.
    /// Their distortion is then that on black and on white, half each.
    pub alpha: bool,
    /// Row by row, 0 to 1.
    pub samples: Vec<f32>,
}

/// One array of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// As `context.w1`, `up0`, `head0.mix`.
    pub name: String,
    /// Outputs, inputs, rows and columns of the kernel.
    pub shape: [usize; 4],
    /// Index of its first weight in the flat vector.
    pub start: usize,
}

impl Tensor {
    /// Where it lies in the flat vector.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.shape.iter().product::<usize>()
    }
}

/// First weights of the context network's tensors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ContextStarts {
    pub(crate) w1: usize,
    pub(crate) b1: usize,
    pub(crate) w2: usize,
    pub(crate) b2: usize,
    pub(crate) w3: usize,
    pub(crate) b3: usize,
    pub(crate) bypass: usize,
}

/// First weights of a head's tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadStarts {
    pub(crate) hidden: usize,
    pub(crate) hidden_bias: usize,
    pub(crate) mix: usize,
    pub(crate) bypass: usize,
    pub(crate) bypass_bias: usize,
    pub(crate) conv0: usize,
    pub(crate) conv0_bias: usize,
    pub(crate) conv1: usize,
    pub(crate) conv1_bias: usize,
}

/// The flat vector of all weights: context network, x2 filters, heads. Identities of the residual
/// layers are not part of the weights.
#[derive(Clone, Debug)]
pub struct Layout {
    tensors: Vec<Tensor>,
    total: usize,
    pub(crate) context: ContextStarts,
    /// First tap of `up0`; the others follow.
    pub(crate) up: usize,
    pub(crate) heads: Vec<HeadStarts>,
}

impl Layout {
    /// The layout of a shape.
    pub fn new(shape: &Shape) -> Self {
        let mut tensors: Vec<Tensor> = Vec::new();
        let mut total = 0;
        let mut add = |name: String, shape: [usize; 4]| {
            let start = total;
            total += shape.iter().product::<usize>();
            tensors.push(Tensor { name, shape, start });
            start
        };
        let n = shape.contexts;
        let context = ContextStarts {
            w1: add("context.w1".into(), [n, n, 1, 1]),
            b1: add("context.b1".into(), [n, 1, 1, 1]),
            w2: add("context.w2".into(), [n, n, 1, 1]),
            b2: add("context.b2".into(), [n, 1, 1, 1]),
            w3: add("context.w3".into(), [2, n, 1, 1]),
            b3: add("context.b3".into(), [2, 1, 1, 1]),
            bypass: add("context.bypass".into(), [2, n, 1, 1]),
        };
        let ups: Vec<usize> = (0..shape.grids - 1)
            .map(|l| add(format!("up{l}"), [1, 1, 1, 4]))
            .collect();
        let mut heads = Vec::new();
        for (i, head) in shape.heads.iter().enumerate() {
            let (c, p) = (shape.grids - head.level, head.planes);
            let mut add = |name: &str, shape| add(format!("head{i}.{name}"), shape);
            heads.push(HeadStarts {
                hidden: add("hidden", [shape.hidden, c, 1, 1]),
                hidden_bias: add("hidden_bias", [shape.hidden, 1, 1, 1]),
                mix: add("mix", [p, shape.hidden, 1, 1]),
                bypass: add("bypass", [p, c, 1, 1]),
                bypass_bias: add("bypass_bias", [p, 1, 1, 1]),
                conv0: add("conv0", [p, p, 3, 3]),
                conv0_bias: add("conv0_bias", [p, 1, 1, 1]),
                conv1: add("conv1", [p, p, 3, 3]),
                conv1_bias: add("conv1_bias", [p, 1, 1, 1]),
            });
        }
        let up = ups.first().copied().unwrap_or(context.bypass + 2 * n);
        Layout {
            tensors,
            total,
            context,
            up,
            heads,
        }
    }
    /// All tensors, in the order of the flat vector.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }
    /// Weights in all.
    pub fn total(&self) -> usize {
        self.total
    }
    /// The taps of the filter that brings level `l + 1` to level `l`.
    pub(crate) fn taps(&self, params: &[f32], l: usize) -> [f32; 4] {
        let mut taps = [0.0; 4];
        taps.copy_from_slice(&params[self.up + 4 * l..][..4]);
        taps
    }
}
