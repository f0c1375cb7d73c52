//! From sums of products to activations (spec section 5.3).

use super::integer::{round_shift, saturate};
use crate::error::Fault;
use crate::network::quant_step::QuantStep;

/// Requantisation of a convolution: `saturate(round_shift(sum * mantissa + bias[channel], shift))`.
#[derive(Clone, Debug)]
pub struct Requant {
    /// Mantissa of the weight step.
    pub mantissa: i64,
    /// Bias of each output channel in units of
    /// `2^-(fraction bits of the input + exponent of the weight step)`.
    pub bias: Vec<i64>,
    /// Right shift.
    pub shift: u32,
}

impl Requant {
    /// For weights of step `weight_step` and the biases `bias` of node `node`, from `f_in` to
    /// `f_out` fraction bits. Fails if these are finer than the products, or the biases too coarse.
    pub fn new(
        weight_step: QuantStep,
        (bias, bias_step): (&[i16], QuantStep),
        f_in: u32,
        f_out: u32,
        node: usize,
    ) -> Result<Self, Fault> {
        let from = f_in + u32::from(weight_step.exponent);
        let shift = from
            .checked_sub(f_out)
            .ok_or_else(|| Fault::frac_bits(node, f_out, from))?;
        let exponent = u32::from(bias_step.exponent);
        // 15 + 8 + 37 bits stay below 2^60
        if from > exponent + 37 {
            return Err(Fault::Contradiction(format!(
                "bias step exponent of node {node} is {exponent} (allowed at least {})",
                from - 37
            )));
        }
        let unit = |&q: &i16| {
            let v = i64::from(q) * i64::from(bias_step.mantissa);
            if from >= exponent {
                v << (from - exponent)
            } else {
                round_shift(v, exponent - from)
            }
        };
        Ok(Requant {
            mantissa: weight_step.mantissa.into(),
            bias: bias.iter().map(unit).collect(),
            shift,
        })
    }

    /// One value.
    #[inline(always)]
    pub fn apply(&self, sum: i64, channel: usize) -> i16 {
        saturate(round_shift(
            sum * self.mantissa + self.bias[channel],
            self.shift,
        ))
    }
}
