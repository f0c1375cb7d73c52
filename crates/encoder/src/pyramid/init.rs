//! Weights to start from: those that some pictures have in common. Fits from random weights take
//! longer and differ more from seed to seed.

use super::random::Random;
use super::shape::{Head, Layout, Plane, Shape};
use super::trained::{self as t, START};

/// What the planes are, as far as weights to start from differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Green, blue, red, and alpha if there is any.
    Gbr,
    /// Luma, and chroma if there is any.
    Yuv,
    /// Luma and alpha.
    GrayAlpha,
}

const LUMA: [f32; 3] = [0.299, 0.587, 0.114];
/// For each plane its shares of red, green and blue. Colours are multiplied by alpha, so it is large
/// where they are.
const GBR: [[f32; 3]; 4] = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], LUMA];
const YUV: [[f32; 3]; 3] = [LUMA, [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]];
/// Deviation of the weights to which nothing trained corresponds.
const NOISE: f32 = 0.02;
/// Bias of a new context network's scale, which stands for a deviation of about a unit.
const SCALE: f32 = 4.0;

fn real(table: &[i16], i: usize) -> f32 {
    f32::from(table[i]) / t::UNITS
}

/// What the context network starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// What pictures have in common.
    Trained,
    /// Nearly nothing: the same distribution everywhere. It takes more iterations.
    New,
}

/// Initial weights for a picture of `colour` at the price `lambda` of a bit: integers of the grids
/// stand for the more, the more a bit is worth.
pub fn initial(
    shape: &Shape,
    layout: &Layout,
    planes: &[Plane],
    colour: Colour,
    from: Context,
    lambda: f32,
    seed: u64,
) -> Vec<f32> {
    let mut random = Random(seed);
    let mut p = vec![0.0; layout.total()];
    match from {
        Context::Trained => context(shape.contexts, layout, &mut p),
        Context::New => {
            let at = layout.context;
            let weights = &mut p[at.w3..][..2 * shape.contexts];
            weights.fill_with(|| NOISE * random.normal());
            p[at.b3 + 1] = SCALE;
        }
    }
    for (l, taps) in p[layout.up..]
        .chunks_exact_mut(4)
        .take(shape.grids - 1)
        .enumerate()
    {
        let from = 4 * l.min(START.upsample.len() / 4 - 1);
        taps.iter_mut()
            .enumerate()
            .for_each(|(i, w)| *w = real(&START.upsample, from + i));
    }
    let scale = (lambda / t::PRICE).sqrt().clamp(0.01, 10.0);
    let mut first = 0;
    for (i, head) in shape.heads.iter().enumerate() {
        let own = &planes[first..][..head.planes];
        synthesis(
            shape,
            layout,
            i,
            (own, first),
            (colour, scale),
            &mut p,
            &mut random,
        );
        first += head.planes;
    }
    p
}

fn context(n: usize, layout: &Layout, p: &mut [f32]) {
    let (s, c, m) = (&START, layout.context, n.min(t::CONTEXTS));
    for (start, table) in [(c.w1, &s.w1), (c.w2, &s.w2)] {
        for (j, i) in (0..m).flat_map(|j| (0..m).map(move |i| (j, i))) {
            p[start + j * n + i] = real(table, j * t::CONTEXTS + i);
        }
    }
    for j in 0..m {
        p[c.b1 + j] = real(&s.b1, j);
        p[c.b2 + j] = real(&s.b2, j);
        for o in 0..2 {
            p[c.w3 + o * n + j] = real(&s.w3, o * t::CONTEXTS + j);
            p[c.bypass + o * n + j] = real(&s.bypass, o * t::CONTEXTS + j);
        }
    }
    (0..2).for_each(|o| p[c.b3 + o] = real(&s.b3, o));
}

/// The weights of head `index`, whose planes are `own`, the picture's from `first` on.
fn synthesis(
    shape: &Shape,
    layout: &Layout,
    index: usize,
    (own, first): (&[Plane], usize),
    (colour, scale): (Colour, f32),
    p: &mut [f32],
    random: &mut Random,
) {
    let (s, Head { level, planes }) = (&START, shape.heads[index]);
    let (at, hidden, inputs) = (layout.heads[index], shape.hidden, shape.grids - level);
    let shares = |plane: usize| match colour {
        Colour::Gbr => GBR[(first + plane).min(3)],
        Colour::Yuv => YUV[(first + plane).min(2)],
        Colour::GrayAlpha => LUMA,
    };
    // a row for each of red, green and blue, and what they are together
    let mixed = |plane: usize, table: &[i16], width: usize, i: usize| -> f32 {
        let rows = shares(plane).into_iter().enumerate();
        rows.map(|(c, share)| share * real(table, c * width + i))
            .sum()
    };
    for j in 0..hidden {
        let trained = j < t::HIDDEN;
        for i in 0..inputs {
            let grid = (level + i).min(t::GRIDS - 1);
            p[at.hidden + j * inputs + i] = scale
                * match trained {
                    true => real(&s.hidden, j * t::GRIDS + grid),
                    false => 0.4 * random.normal(),
                };
        }
        let bias = if trained {
            real(&s.hidden_bias, j)
        } else {
            0.4 * random.normal()
        };
        p[at.hidden_bias + j] = bias;
        for plane in 0..planes {
            p[at.mix + plane * hidden + j] = match trained {
                true => mixed(plane, &s.mix, t::HIDDEN, j),
                false => NOISE * random.normal(),
            };
        }
    }
    for plane in 0..planes {
        for i in 0..inputs {
            let grid = (level + i).min(t::GRIDS - 1);
            p[at.bypass + plane * inputs + i] = scale * mixed(plane, &s.direct, t::GRIDS, grid);
        }
        p[at.bypass_bias + plane] = mixed(plane, &s.direct_bias, 1, 0);
    }
    // red, green and blue as the planes are
    const ORDER: [usize; 3] = [1, 2, 0];
    let coloured = colour == Colour::Gbr && planes >= 3;
    if coloured {
        for (start, table) in [(at.conv0, &s.conv0), (at.conv1, &s.conv1)] {
            for (o, i, tap) in (0..81).map(|k| (k / 27, k / 9 % 3, k % 9)) {
                p[start + (o * planes + i) * 9 + tap] =
                    real(table, (ORDER[o] * 3 + ORDER[i]) * 9 + tap);
            }
        }
        for (start, table) in [
            (at.conv0_bias, &s.conv0_bias),
            (at.conv1_bias, &s.conv1_bias),
        ] {
            (0..3).for_each(|o| p[start + o] = real(table, ORDER[o]));
        }
    }
    // the colours' biases are right together: another mean would move what the rectifier cuts off
    let right = if coloured { 3 } else { 0 };
    // with all latents at zero a plane is its mean
    for plane in right..planes {
        let samples = &own[plane].samples;
        let sum = samples.iter().map(|v| f64::from(*v)).sum::<f64>();
        let mean = (sum / samples.len().max(1) as f64) as f32;
        let hidden: f32 = (0..hidden)
            .map(|j| p[at.mix + plane * hidden + j] * p[at.hidden_bias + j].max(0.0))
            .sum();
        p[at.bypass_bias + plane] = mean - hidden;
    }
}
