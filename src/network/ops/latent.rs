//! The frame's latent, dequantised (spec section 5.2).

use super::integer::{round_shift, saturate};
use super::operation::Operation;
use crate::error::Fault;
use crate::network::quant_step::QuantStep;
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// Source: a latent of `shape`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latent {
    /// `[channels, rows, columns]`.
    pub shape: [usize; 3],
}

impl Operation for Latent {
    fn inputs(&self) -> &[NodeId] {
        &[]
    }

    fn shape(&self, _: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        self.shape
    }
}

/// From coded integers to activations: `saturate(round_shift(q * mantissa, shift))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dequant {
    mantissa: i64,
    shift: u32,
}

impl Dequant {
    /// For latents of `step`, to `frac_bits` fraction bits. Fails if these are finer than the step.
    pub fn new(step: QuantStep, frac_bits: u32) -> Result<Self, Fault> {
        let exponent = u32::from(step.exponent);
        let shift = exponent
            .checked_sub(frac_bits)
            .ok_or_else(|| Fault::frac_bits(0, frac_bits, exponent))?;
        Ok(Dequant {
            mantissa: step.mantissa.into(),
            shift,
        })
    }

    /// One value.
    #[inline(always)]
    pub fn apply(self, q: i16) -> i16 {
        saturate(round_shift(i64::from(q) * self.mantissa, self.shift))
    }
}
