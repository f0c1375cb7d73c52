//! Integer arithmetic of the operations (spec section 5), shared by all executors.

use super::tables::GELU_BUMP;
use crate::entropy::tensor::{Network, Step, Tensor};
use crate::error::{Error, Result};

/// Largest magnitude of an activation. The range is symmetric so that products of pairs fit 32 bits.
pub const MAX_ACTIVATION: i64 = 32767;

/// Clamps to the range of activations.
#[inline(always)]
pub fn saturate(v: i64) -> i16 {
    v.clamp(-MAX_ACTIVATION, MAX_ACTIVATION) as i16
}

/// `v / 2^shift`, halves up.
#[inline(always)]
pub fn round_shift(v: i64, shift: u32) -> i64 {
    if shift == 0 { v } else { (v + (1i64 << (shift - 1))) >> shift }
}

/// Requantisation of a convolution (spec section 5.3): `saturate(round_shift(acc * mantissa + bias[channel], shift))`.
#[derive(Clone, Debug)]
pub struct Requant {
    /// Mantissa of the weight step.
    pub mantissa: i64,
    /// Bias of each output channel in units of `2^-(fraction of the input + exponent of the weight step)`.
    pub bias: Vec<i64>,
    /// Right shift.
    pub shift: u32,
}

impl Requant {
    /// For weights and biases of node `node`, from `f_in` to `f_out` fraction bits.
    pub fn new(weights: &Tensor, bias: &Tensor, f_in: u32, f_out: u32, node: usize) -> Result<Self> {
        let from = f_in + u32::from(weights.step.exponent);
        let shift = from.checked_sub(f_out).ok_or_else(|| scale_error(node, f_out, from))?;
        let exponent = u32::from(bias.step.exponent);
        let bias = bias
            .values
            .iter()
            .map(|&q| {
                let v = i64::from(q) * i64::from(bias.step.mantissa);
                if from >= exponent { v << (from - exponent).min(37) } else { round_shift(v, exponent - from) }
            })
            .collect();
        // 15 + 8 + 37 bits stay below 2^60
        if from > exponent + 37 {
            return Err(Error::format(0, format!("bias step exponent of node {node} is {exponent} (allowed at least {})", from - 37)));
        }
        Ok(Requant { mantissa: weights.step.mantissa.into(), bias, shift })
    }

    /// One value.
    #[inline(always)]
    pub fn apply(&self, acc: i64, channel: usize) -> i16 {
        saturate(round_shift(acc * self.mantissa + self.bias[channel], self.shift))
    }
}

fn scale_error(node: usize, f_out: u32, allowed: u32) -> Error {
    Error::format(0, format!("fraction bits of node {node} are {f_out} (allowed 0..={allowed} after its input and step)"))
}

/// The latent's activations (spec section 5.2): `saturate(round_shift(q * mantissa, exponent - fraction))`.
pub fn latent_shift(net: &Network) -> Result<(Step, u32)> {
    let (step, f) = (net.latent_step, u32::from(net.scales[0]));
    let shift = u32::from(step.exponent).checked_sub(f).ok_or_else(|| scale_error(0, f, step.exponent.into()))?;
    Ok((step, shift))
}

/// One value of the latent.
#[inline(always)]
pub fn latent_value(q: i16, step: Step, shift: u32) -> i16 {
    saturate(round_shift(i64::from(q) * i64::from(step.mantissa), shift))
}

/// GELU from `f_in` to `f_out` fraction bits (spec section 5.5); both are at most 19.
pub fn gelu(v: i16, f_in: u32, f_out: u32) -> i16 {
    let v = i64::from(v) << (20 - f_in);
    let u = v.abs().min(8 << 20);
    let (i, r) = ((u >> 14) as usize, u & 16383);
    let next = i64::from(GELU_BUMP[(i + 1).min(512)]);
    let bump = (i64::from(GELU_BUMP[i]) * (16384 - r) + next * r + 8192) >> 14;
    saturate(round_shift(v.max(0) - (bump << 3), 20 - f_out))
}

/// GELU of every activation, at index `v as u16`.
pub fn gelu_table(f_in: u32, f_out: u32) -> Vec<i16> {
    (0..=u16::MAX).map(|v| gelu((v as i16).max(-32767), f_in, f_out)).collect()
}

/// Output (spec section 5.6): -1..1 with `f` fraction bits to a sample of `bit_depth` bits.
#[inline(always)]
pub fn sample(v: i16, f: u32, bit_depth: u32) -> u16 {
    let x = (i64::from(v) + (1i64 << f)) << bit_depth;
    ((x + (1i64 << f)) >> (f + 1)).clamp(0, (1 << bit_depth) - 1) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Phi by its series and continued fraction, independent of the table.
    fn phi_upper(u: f64) -> f64 {
        let n = 200_000;
        let h = 12.0 / f64::from(n);
        // Simpson's rule over the density from u to u + 12
        let d = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let inner: f64 = (1..n).map(|i| d(u + f64::from(i) * h) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
        (d(u) + inner + d(u + 12.0)) * h / 3.0
    }

    #[test]
    fn bump_table_is_what_the_specification_says() {
        for i in (0..=512).step_by(37) {
            let u = i as f64 / 64.0;
            assert_eq!(GELU_BUMP[i], (131072.0 * u * phi_upper(u)).round() as u16, "entry {i}");
        }
    }

    #[test]
    fn gelu_is_close_to_the_real_one() {
        for v in (-32767..=32767).step_by(501) {
            let x = f64::from(v) / 4096.0;
            let up = phi_upper(x.abs());
            let exact = if x > 0.0 { x * (1.0 - up) } else { x * up };
            let got = f64::from(gelu(v as i16, 12, 12)) / 4096.0;
            assert!((got - exact).abs() < 0.5 / 4096.0 + 3e-5, "gelu({x}) = {got}, exactly {exact}");
        }
    }

    #[test]
    fn samples_round_and_clip() {
        assert_eq!(sample(0, 12, 8), 128);
        assert_eq!(sample(4095, 12, 8), 255);
        assert_eq!(sample(-4096, 12, 8), 0);
        assert_eq!(sample(-32767, 12, 8), 0);
        assert_eq!(sample(16, 12, 8), 129);
        assert_eq!(sample(15, 12, 8), 128);
        assert_eq!(sample(3, 0, 10), 1023);
        assert_eq!(sample(0, 19, 10), 512);
    }
}
