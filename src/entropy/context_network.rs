//! Latents of a pyramid, each coded by a distribution that a small network predicts from those
//! around it (spec section 4.8).

use super::contexts::Coder;
use super::laplace::{Laplace, MAX_MEAN, MAX_SCALE};
use super::tensor::Tensor;
use crate::error::{Fault, Result};
use crate::network::QuantStep;
use crate::network::ops::Pyramid;
use crate::network::ops::integer::round_shift;
use crate::network::pyramid::MAX_CONTEXTS;

/// Neighbours in order of use: rows up and columns to the right. All of them are coded before.
pub const NEIGHBOURS: [(i8, i8); MAX_CONTEXTS] = neighbours();

/// The 40 places before the centre of a 9x9 window, in raster order, each by its place in that list.
const USE: [usize; 40] = [
    38, 35, 30, 25, 23, 31, 36, 37, 39, 33, 28, 21, 20, 6, 15, 22, 29, 34, 32, 18, 12, 10, 5, 9,
    14, 19, 27, 24, 13, 8, 2, 1, 3, 11, 17, 26, 16, 7, 4, 0,
];

const fn neighbours() -> [(i8, i8); 40] {
    let mut all = [(0, 0); 40];
    let mut k = 0;
    while k < 40 {
        all[USE[k]] = (4 - (k / 9) as i8, (k % 9) as i8 - 4);
        k += 1;
    }
    all
}

/// Columns that a row is behind the one above it: the latents of a step lie in a row each and
/// depend on earlier steps only.
pub const LAG: usize = 5;
/// Latents whose distributions are computed at once.
pub const BATCH: usize = 64;
/// Rows that neighbours reach up.
const REACH: usize = 4;
/// Steps kept: neighbours reach 24 back.
const HELD: usize = 32;
/// Fraction bits of means and scales.
const OUT_FRACTION: u32 = 8;
/// Sums stay below this.
const MAX_SUM: i64 = 1 << 30;
/// Most fraction bits of its weights.
const MAX_FRACTION: u8 = 14;

/// A layer in integers: `round_shift(sum of weights * inputs + bias, shift)`.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `[out][in]`, identity included where there is one.
    pub weights: Vec<i16>,
    /// One for each output, in units of the products.
    pub bias: Vec<i32>,
    /// From products to outputs.
    pub shift: u32,
}

/// The network that predicts distributions, in integers that fit 32 bits.
#[derive(Clone, Debug)]
pub struct ContextNetwork {
    /// Neighbours read, and channels of both hidden layers.
    pub contexts: usize,
    /// With identity and rectified outputs.
    pub hidden: [Layer; 2],
    /// From the second hidden layer.
    pub out: Layer,
    /// From the neighbours.
    pub bypass: Layer,
}

/// Means and scales of up to [`BATCH`] distributions.
#[derive(Clone, Debug)]
pub struct Predicted {
    /// In units of 1/256.
    pub mean: [i32; BATCH],
    /// Indices of scales.
    pub scale: [i32; BATCH],
}

/// Activations of up to [`BATCH`] latents at once, a channel an entry.
pub type Channels = [[i16; BATCH]];

/// Computes distributions; all that do give the same.
pub trait Predictor {
    /// Takes another network.
    fn prepare(&mut self, network: &ContextNetwork);

    /// Distributions of the first `count` latents, whose neighbours' activations are `inputs`: one
    /// channel for each of [`NEIGHBOURS`] that is read.
    fn predict(&mut self, inputs: &Channels, count: usize, out: &mut Predicted);
}

/// As the specification has it.
#[derive(Default)]
pub struct Plain {
    network: Option<ContextNetwork>,
    scratch: Vec<[i16; BATCH]>,
}

impl Predictor for Plain {
    fn prepare(&mut self, network: &ContextNetwork) {
        self.scratch = vec![[0; BATCH]; 2 * network.contexts];
        self.network = Some(network.clone());
    }

    fn predict(&mut self, inputs: &Channels, _count: usize, out: &mut Predicted) {
        if let Some(network) = &self.network {
            network.predict(inputs, &mut self.scratch, out);
        }
    }
}

impl ContextNetwork {
    /// That of a pyramid's first tensors, whose latents have `fraction` fraction bits. Fails if its
    /// sums could leave 32 bits.
    pub fn new(tensors: &[Tensor], fraction: u8) -> Result<Self, Fault> {
        let [w0, b0, w1, b1, w2, b2, bypass, ..] = tensors else {
            let what = format!(
                "a context network of {} tensors (allowed: 7)",
                tensors.len()
            );
            return Err(Fault::Contradiction(what));
        };
        let (f, out) = (u32::from(fraction), OUT_FRACTION);
        Ok(ContextNetwork {
            contexts: b0.values.len(),
            hidden: [
                Layer::new("hidden0", w0, Some(b0), true, f, f)?,
                Layer::new("hidden1", w1, Some(b1), true, f, f)?,
            ],
            out: Layer::new("out", w2, Some(b2), false, f, out)?,
            bypass: Layer::new("bypass", bypass, None, false, f, out)?,
        })
    }

    fn predict(&self, inputs: &Channels, scratch: &mut Channels, out: &mut Predicted) {
        let (first, second) = scratch.split_at_mut(self.contexts);
        self.hidden[0].rectified(inputs, first);
        self.hidden[1].rectified(first, second);
        let output = |o| {
            let (mut sums, direct) = (self.out.sums(o, second), self.bypass.sums(o, inputs));
            sums.iter_mut().zip(direct).for_each(|(a, b)| *a += b);
            sums
        };
        out.mean = output(0).map(mean);
        out.scale = output(1).map(scale);
    }
}

/// Mean from the network's first output.
#[inline(always)]
pub fn mean(output: i32) -> i32 {
    output.clamp(-MAX_MEAN, MAX_MEAN)
}

/// Index of the scale from its second.
#[inline(always)]
pub fn scale(output: i32) -> i32 {
    let scale = (output - (4 << OUT_FRACTION) + 4) >> 3;
    (scale + MAX_SCALE / 2).clamp(0, MAX_SCALE)
}

impl Layer {
    fn new(
        name: &str,
        weight: &Tensor,
        bias: Option<&Tensor>,
        identity: bool,
        from: u32,
        to: u32,
    ) -> Result<Self, Fault> {
        let fault = |what: String| Fault::Contradiction(format!("context.{name}: {what}"));
        let fraction = |t: &Tensor| match t.step.exponent.checked_sub(QuantStep::MANTISSA_BITS) {
            Some(f) if t.step.mantissa == 1 << QuantStep::MANTISSA_BITS => Ok(f),
            _ => Err(fault(format!(
                "step {} * 2^-{} (allowed: 128 * 2^-7 and finer powers of two)",
                t.step.mantissa, t.step.exponent
            ))),
        };
        let own = fraction(weight)?;
        let products = from + u32::from(own);
        if own > MAX_FRACTION || products < to {
            return Err(fault(format!(
                "weights of {own} fraction bits (allowed {}..={MAX_FRACTION})",
                to.saturating_sub(from)
            )));
        }
        let outputs = bias.map_or(2, |b| b.values.len());
        let inputs = weight.values.len() / outputs;
        let shift = products - to;
        let mut layer = Layer {
            weights: weight.values.clone(),
            bias: vec![0; outputs],
            shift,
        };
        for o in 0..outputs {
            let row = &mut layer.weights[o * inputs..][..inputs];
            if identity {
                let sum = i32::from(row[o]) + (1 << own);
                row[o] = match i16::try_from(sum) {
                    Ok(w) => w,
                    Err(_) => return Err(fault(format!("weight {sum} (allowed -32768..=32767)"))),
                };
            }
            let value = match bias {
                Some(b) => {
                    let (f, v) = (u32::from(fraction(b)?), i64::from(b.values[o]));
                    if products >= f {
                        v << (products - f)
                    } else {
                        round_shift(v, f - products)
                    }
                }
                None => 0,
            };
            let all: i64 = row.iter().map(|w| i64::from(w.unsigned_abs())).sum();
            let most = 32767 * all + value.abs() + (1 << shift);
            if most >= MAX_SUM {
                return Err(fault(format!(
                    "sums of up to {most} (allowed: below {MAX_SUM})"
                )));
            }
            layer.bias[o] = value as i32;
        }
        Ok(layer)
    }

    /// Output `o`, not yet kept to a range.
    #[inline(always)]
    fn sums(&self, o: usize, inputs: &Channels) -> [i32; BATCH] {
        let half = (1 << self.shift) >> 1;
        let mut sums = [self.bias[o] + half; BATCH];
        let weights = &self.weights[o * inputs.len()..][..inputs.len()];
        for (input, &w) in inputs.iter().zip(weights) {
            let products = input.iter().map(|&v| i32::from(w) * i32::from(v));
            sums.iter_mut().zip(products).for_each(|(s, p)| *s += p);
        }
        sums.map(|v| v >> self.shift)
    }

    #[inline(always)]
    fn rectified(&self, inputs: &Channels, outputs: &mut Channels) {
        for (o, output) in outputs.iter_mut().enumerate() {
            *output = self.sums(o, inputs).map(|v| v.clamp(0, 32767) as i16);
        }
    }
}

/// Rows whose latents step `step` codes, in a grid of `rows` x `columns`.
fn rows_of(step: usize, [rows, columns]: [usize; 2]) -> std::ops::Range<usize> {
    (step + 1).saturating_sub(columns).div_ceil(LAG)..(step / LAG + 1).min(rows)
}

/// The latents of one grid that lie around those of a step, row by step: activations, zero outside.
struct Window {
    stride: usize,
    values: Vec<i16>,
}

impl Window {
    fn new(rows: usize) -> Self {
        let stride = REACH + rows + BATCH;
        Window {
            stride,
            values: vec![0; HELD * stride],
        }
    }

    /// Latents of step `step` from row `row - up` on.
    fn at(&mut self, step: isize, row: usize, up: usize) -> &mut [i16] {
        let held = step.rem_euclid(HELD as isize) as usize;
        &mut self.values[held * self.stride + REACH + row - up..]
    }
}

/// Codes pyramids of latents, `values` being those of `source` for each frame: the coarsest grid
/// first, none of those whose bit of `empty` is set, which are zero. `predictor` computes the
/// distributions that `network` gives.
pub fn code_pyramids<C: Coder>(
    c: &mut C,
    source: &Pyramid,
    network: &ContextNetwork,
    empty: u32,
    predictor: &mut dyn Predictor,
    values: &mut [i16],
) -> Result<()> {
    predictor.prepare(network);
    for frame in values.chunks_exact_mut(source.offset(source.grids)) {
        for level in (0..source.grids).rev() {
            let size = source.size(level);
            let grid = &mut frame[source.offset(level)..][..size[0] * size[1]];
            if empty >> level & 1 == 1 {
                grid.fill(0);
            } else {
                code_grid(c, source, network.contexts, size, predictor, grid)?;
            }
        }
    }
    Ok(())
}

fn code_grid<C: Coder>(
    c: &mut C,
    source: &Pyramid,
    contexts: usize,
    size: [usize; 2],
    predictor: &mut dyn Predictor,
    grid: &mut [i16],
) -> Result<()> {
    let reach = i32::from(source.reach);
    let mut window = Window::new(size[0]);
    let mut inputs = vec![[0; BATCH]; contexts];
    let mut predicted = Predicted {
        mean: [0; BATCH],
        scale: [0; BATCH],
    };
    for step in 0..size[1] + LAG * (size[0] - 1) {
        let rows = rows_of(step, size);
        // what this step's place held before
        if let Some(old) = step.checked_sub(HELD).map(|s| rows_of(s, size)) {
            window.at(step as isize, old.start, 0)[..old.len()].fill(0);
        }
        for first in rows.clone().step_by(BATCH) {
            let count = (rows.end - first).min(BATCH);
            for (input, &(up, right)) in inputs.iter_mut().zip(&NEIGHBOURS) {
                let step = step as isize + isize::from(right) - (LAG as i8 * up) as isize;
                input.copy_from_slice(&window.at(step, first, up as usize)[..BATCH]);
            }
            predictor.predict(&inputs, count, &mut predicted);
            for s in 0..count {
                let at = (first + s) * size[1] + step - LAG * (first + s);
                let law = Laplace::new(predicted.mean[s], predicted.scale[s], reach);
                let symbol = (i32::from(grid[at]) + reach) as u32;
                let near = ((predicted.mean[s] + 128) >> 8).clamp(-reach, reach) + reach;
                let symbol = c.symbol_near(law.size(), near as u32, |v| law.below(v), symbol)?;
                grid[at] = (symbol as i32 - reach) as i16;
                window.at(step as isize, first + s, 0)[0] = source.activation(grid[at]);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "context_network_tests.rs"]
mod tests;
