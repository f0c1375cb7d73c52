//! Integer arithmetic of the operations (spec section 5), shared by all executors.

use super::tables::{FRAME_TURNS, GELU_BUMP, SINE, SWISH_BUMP, TANH};
use crate::entropy::tensor::{QuantStep, QuantizedNetwork, Tensor};
use crate::error::{Error, Result};
use crate::network::Activation;

/// Largest magnitude of an activation. The range is symmetric so that products of pairs fit 32
/// bits.
pub const MAX_ACTIVATION: i64 = 32767;

/// Clamps to the range of activations.
#[inline(always)]
pub fn saturate(v: i64) -> i16 {
    v.clamp(-MAX_ACTIVATION, MAX_ACTIVATION) as i16
}

/// `v / 2^shift`, halves up.
#[inline(always)]
pub fn round_shift(v: i64, shift: u32) -> i64 {
    if shift == 0 {
        v
    } else {
        (v + (1i64 << (shift - 1))) >> shift
    }
}

/// Requantisation of a convolution (spec section 5.3):
/// `saturate(round_shift(acc * mantissa + bias[channel], shift))`.
#[derive(Clone, Debug)]
pub struct Requant {
    /// Mantissa of the weight step.
    pub mantissa: i64,
    /// Bias of each output channel in units of
    /// `2^-(fraction of the input + exponent of the weight step)`.
    pub bias: Vec<i64>,
    /// Right shift.
    pub shift: u32,
}

impl Requant {
    /// For weights and biases of node `node`, from `f_in` to `f_out` fraction bits.
    pub fn new(
        weights: &Tensor,
        bias: &Tensor,
        f_in: u32,
        f_out: u32,
        node: usize,
    ) -> Result<Self> {
        let from = f_in + u32::from(weights.step.exponent);
        let shift = from
            .checked_sub(f_out)
            .ok_or_else(|| scale_error(node, f_out, from))?;
        let exponent = u32::from(bias.step.exponent);
        let bias = bias
            .values
            .iter()
            .map(|&q| {
                let v = i64::from(q) * i64::from(bias.step.mantissa);
                if from >= exponent {
                    v << (from - exponent).min(37)
                } else {
                    round_shift(v, exponent - from)
                }
            })
            .collect();
        // 15 + 8 + 37 bits stay below 2^60
        if from > exponent + 37 {
            return Err(Error::format(
                0,
                format!(
                    "bias step exponent of node {node} is {exponent} (allowed at least {})",
                    from - 37
                ),
            ));
        }
        Ok(Requant {
            mantissa: weights.step.mantissa.into(),
            bias,
            shift,
        })
    }

    /// One value.
    #[inline(always)]
    pub fn apply(&self, acc: i64, channel: usize) -> i16 {
        saturate(round_shift(
            acc * self.mantissa + self.bias[channel],
            self.shift,
        ))
    }
}

fn scale_error(node: usize, f_out: u32, allowed: u32) -> Error {
    Error::format(
        0,
        format!(
            "fraction bits of node {node} are {f_out} (allowed 0..={allowed} after its input and step)"
        ),
    )
}

/// The latent's activations (spec section 5.2):
/// `saturate(round_shift(q * mantissa, exponent - fraction))`.
pub fn latent_shift(net: &QuantizedNetwork) -> Result<(QuantStep, u32)> {
    let (step, f) = (net.latent_step, u32::from(net.frac_bits[0]));
    let shift = u32::from(step.exponent)
        .checked_sub(f)
        .ok_or_else(|| scale_error(0, f, step.exponent.into()))?;
    Ok((step, shift))
}

/// One value of the latent.
#[inline(always)]
pub fn latent_value(q: i16, step: QuantStep, shift: u32) -> i16 {
    saturate(round_shift(i64::from(q) * i64::from(step.mantissa), shift))
}

/// Linear interpolation in `table` at `u`, of which `bits` bits lie below an entry; flat beyond the
/// last entry.
#[inline(always)]
fn interpolate(table: &[u16], u: i64, bits: u32) -> i64 {
    let last = table.len() - 1;
    let u = u.min((last as i64) << bits);
    let (i, r) = ((u >> bits) as usize, u & ((1 << bits) - 1));
    let (here, next) = (i64::from(table[i]), i64::from(table[(i + 1).min(last)]));
    (here * ((1 << bits) - r) + next * r + (1 << (bits - 1))) >> bits
}

/// `sin` of `turns` in units of 2^-20, in units of 2^-15 (spec section 5.5).
pub fn sine(turns: i64) -> i64 {
    let (quarter, x) = ((turns >> 18) & 3, turns & ((1 << 18) - 1));
    let s = interpolate(&SINE, if quarter & 1 == 0 { x } else { (1 << 18) - x }, 10);
    if quarter < 2 { s } else { -s }
}

/// A nonlinearity from `f_in` to `f_out` fraction bits (spec section 5.5); both are at most 19.
pub fn activate(activation: Activation, v: i16, f_in: u32, f_out: u32) -> i16 {
    let v = i64::from(v) << (20 - f_in);
    let out = match activation {
        Activation::Gelu => v.max(0) - (interpolate(&GELU_BUMP, v.abs(), 14) << 3),
        Activation::Swish => v.max(0) - (interpolate(&SWISH_BUMP, v.abs(), 14) << 3),
        Activation::Sine => sine(v) << 5,
        Activation::Tanh => (interpolate(&TANH, v.abs(), 14) << 5) * v.signum(),
    };
    saturate(round_shift(out, 20 - f_out))
}

/// A nonlinearity of every activation, at index `v as u16`.
pub fn activation_table(which: Activation, f_in: u32, f_out: u32) -> Vec<i16> {
    (0..=u16::MAX)
        .map(|v| activate(which, (v as i16).max(-32767), f_in, f_out))
        .collect()
}

/// Sum of two activations of `f` fraction bits each, to `f_out` (spec section 5.7).
#[inline(always)]
pub fn sum(v: [i16; 2], f: [u32; 2], f_out: u32) -> i16 {
    saturate(round_shift(
        (i64::from(v[0]) << (20 - f[0])) + (i64::from(v[1]) << (20 - f[1])),
        20 - f_out,
    ))
}

/// What [`Op::FrameEmbedding`](crate::network::Op::FrameEmbedding) adds to channel `channel`, in
/// units of 2^-20 (spec section 5.9).
pub fn frame_embedding(frame: usize, channel: usize) -> i64 {
    let turns = FRAME_TURNS
        .get(channel / 2)
        .copied()
        .unwrap_or(0)
        .wrapping_mul(frame as u32);
    sine(i64::from(turns >> 12) + ((channel as i64 & 1) << 18)) << 5
}

/// An activation plus a number in units of 2^-20.
#[inline(always)]
pub fn plus(v: i16, f_in: u32, code: i64, f_out: u32) -> i16 {
    saturate(round_shift(
        (i64::from(v) << (20 - f_in)) + code,
        20 - f_out,
    ))
}

/// Where output `o` of a bilinear upsampling by `factor` lies between two of `n` inputs: their
/// indices, and the second's share in units of `1 / (2 factor)` (spec section 5.8).
#[inline(always)]
pub fn bilinear_at(o: usize, factor: usize, n: usize) -> ([usize; 2], i64) {
    let at = 2 * o as i64 + 1 - factor as i64;
    let (left, share) = (
        at.div_euclid(2 * factor as i64),
        at.rem_euclid(2 * factor as i64),
    );
    (
        [left, left + 1].map(|i| i.clamp(0, n as i64 - 1) as usize),
        share,
    )
}

/// Mean of four activations with the shares `[rows, columns]` of [`bilinear_at`], rounded, halves
/// up.
#[inline(always)]
pub fn bilinear([a, b, c, d]: [i16; 4], [y, x]: [i64; 2], factor: usize) -> i16 {
    let whole = 2 * factor as i64;
    let [a, b, c, d] = [a, b, c, d].map(i64::from);
    let sum = (a * (whole - x) + b * x) * (whole - y) + (c * (whole - x) + d * x) * y;
    (sum + whole * whole / 2).div_euclid(whole * whole) as i16
}

/// Activation of a source that is not coded, with
/// [`Graph::SOURCE_FRACTION`](crate::network::Graph::SOURCE_FRACTION) fraction bits (spec section
/// 5.2): channel `channel` of the place of frame `frame` of `frames`.
pub fn positional_encoding(frame: usize, frames: usize, channel: usize) -> i16 {
    // 5^39 * 65535 stays below 2^107
    let level = (channel / 2) as u32;
    let turn = (frames.max(1) as u128) << (2 * level + 1);
    let turns = (((5u128.pow(level) * frame as u128) % turn) << 20) / turn;
    round_shift(sine(turns as i64 + ((channel as i64 & 1) << 18)), 1) as i16
}

/// Coordinate of position `i` of `n`, as [`positional_encoding`].
pub fn coordinate(i: usize, n: usize) -> i16 {
    (((2 * i as i64 + 1) << 14) / n.max(1) as i64 - (1 << 14)) as i16
}

/// Output (spec section 5.6): -1..1 with `f` fraction bits to a sample of `bit_depth` bits. Where
/// the range is `full_range_output`, 1 is the largest sample, else one above it.
#[inline(always)]
pub fn sample(v: i16, f: u32, bit_depth: u32, full_range_output: bool) -> u16 {
    let x = (i64::from(v) + (1i64 << f)) * ((1 << bit_depth) - i64::from(full_range_output));
    ((x + (1i64 << f)) >> (f + 1)).clamp(0, (1 << bit_depth) - 1) as u16
}

#[cfg(test)]
#[allow(clippy::float_arithmetic)]
mod tests {
    use super::*;

    /// Phi by its series and continued fraction, independent of the table.
    fn phi_upper(u: f64) -> f64 {
        let n = 200_000;
        let h = 12.0 / f64::from(n);
        // Simpson's rule over the density from u to u + 12
        let d = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let inner: f64 = (1..n)
            .map(|i| d(u + f64::from(i) * h) * if i % 2 == 1 { 4.0 } else { 2.0 })
            .sum();
        (d(u) + inner + d(u + 12.0)) * h / 3.0
    }

    #[test]
    fn bump_table_is_what_the_specification_says() {
        for i in (0..=512).step_by(37) {
            let u = i as f64 / 64.0;
            assert_eq!(
                GELU_BUMP[i],
                (131072.0 * u * phi_upper(u)).round() as u16,
                "entry {i}"
            );
        }
    }

    #[test]
    fn gelu_is_close_to_the_real_one() {
        for v in (-32767..=32767).step_by(501) {
            let x = f64::from(v) / 4096.0;
            let up = phi_upper(x.abs());
            let exact = if x > 0.0 { x * (1.0 - up) } else { x * up };
            let got = f64::from(activate(Activation::Gelu, v as i16, 12, 12)) / 4096.0;
            assert!(
                (got - exact).abs() < 0.5 / 4096.0 + 3e-5,
                "gelu({x}) = {got}, exactly {exact}"
            );
        }
    }

    #[test]
    fn samples_round_and_clip() {
        assert_eq!(sample(0, 12, 8, false), 128);
        assert_eq!(sample(4095, 12, 8, false), 255);
        assert_eq!(sample(-4096, 12, 8, false), 0);
        assert_eq!(sample(-32767, 12, 8, false), 0);
        assert_eq!(sample(16, 12, 8, false), 129);
        assert_eq!(sample(15, 12, 8, false), 128);
        assert_eq!(sample(3, 0, 10, false), 1023);
        assert_eq!(sample(0, 19, 10, false), 512);
        assert_eq!(sample(4096, 12, 8, true), 255);
        assert_eq!(sample(0, 12, 8, true), 128);
        assert_eq!(sample(-33, 12, 8, true), 126);
    }

    #[test]
    fn curves_are_close_to_the_real_ones() {
        for v in (-32767..=32767).step_by(97) {
            for f in [11, 12, 14] {
                let x = f64::from(v) / f64::from(1 << f);
                for (which, exact) in [
                    (Activation::Swish, x / (1.0 + (-x).exp())),
                    (Activation::Sine, (2.0 * std::f64::consts::PI * x).sin()),
                    (Activation::Tanh, x.tanh()),
                ] {
                    // activations at 11 fraction bits reach 16
                    let got = f64::from(activate(which, v as i16, f, 11)) / 2048.0;
                    assert!(
                        (got - exact).abs() < 0.5 / 2048.0 + 4e-5,
                        "{which:?}({x}) = {got}, exactly {exact}"
                    );
                }
            }
        }
    }

    #[test]
    fn tables_are_what_the_specification_says() {
        for i in 0..=1024 {
            let u = f64::from(i) / 64.0;
            assert_eq!(
                SWISH_BUMP[i as usize],
                (131072.0 * u / (1.0 + u.exp())).round() as u16
            );
        }
        (0..=256).for_each(|i| {
            assert_eq!(
                SINE[i],
                (32768.0 * (i as f64 * std::f64::consts::PI / 512.0).sin()).round() as u16
            )
        });
        (0..=512)
            .for_each(|i| assert_eq!(TANH[i], (32768.0 * (i as f64 / 64.0).tanh()).round() as u16));
        for (k, &t) in FRAME_TURNS.iter().enumerate() {
            assert_eq!(
                f64::from(t),
                (2f64.powi(32) / (2.0 * std::f64::consts::PI * 100f64.powi(k as i32))).round()
            );
        }
    }

    #[test]
    fn sources_are_close_to_the_real_ones() {
        for (frame, frames, channel) in [
            (0, 1, 0),
            (1, 3, 1),
            (47, 48, 30),
            (131, 132, 79),
            (65534, 65535, 41),
        ] {
            let turns = 1.25f64.powi(channel as i32 / 2) * frame as f64 / frames as f64
                * std::f64::consts::PI;
            let exact = if channel % 2 == 0 {
                turns.sin()
            } else {
                turns.cos()
            };
            assert!(
                (f64::from(positional_encoding(frame, frames, channel)) / 16384.0 - exact).abs()
                    < 1e-4,
                "{frame} of {frames}, channel {channel}"
            );
        }
        assert_eq!(
            [0, 1, 2, 3].map(|i| coordinate(i, 4)),
            [-12288, -4096, 4096, 12288]
        );
        assert_eq!(coordinate(0, 1), 0);
        for (frame, channel) in [(0, 0), (0, 1), (1, 0), (2, 1), (5, 2), (7, 31)] {
            let angle = frame as f64 * 100f64.powi(-(channel as i32 / 2));
            let exact = if channel % 2 == 0 {
                angle.sin()
            } else {
                angle.cos()
            };
            assert!(
                (frame_embedding(frame, channel) as f64 / f64::from(1 << 20) - exact).abs() < 1e-4
            );
        }
    }

    #[test]
    fn bilinear_keeps_constants_and_meets_known_values() {
        for factor in 1..=16 {
            for o in 0..3 * factor {
                let (i, share) = bilinear_at(o, factor, 3);
                let exact = ((o as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, 2.0);
                let got = i[0] as f64 + (i[1] - i[0]) as f64 * share as f64 / (2 * factor) as f64;
                assert!(
                    (got - exact).abs() < 1e-9,
                    "{o} of factor {factor}: {got}, exactly {exact}"
                );
                assert_eq!(bilinear([-7; 4], [share, share], factor), -7);
            }
        }
        assert_eq!(bilinear([0, 3, 0, 3], [1, 1], 1), 2);
        assert_eq!(bilinear([0, -3, 0, -3], [1, 1], 1), -1);
    }
}
