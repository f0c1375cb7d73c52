//! Quantisation steps.

/// Quantisation step `mantissa * 2^-exponent` (spec section 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantStep {
    /// 128..=255.
    pub mantissa: u8,
    /// 0..=40.
    pub exponent: u8,
}

impl QuantStep {
    /// Largest exponent.
    pub const MAX_EXPONENT: u8 = 40;
    /// Bits of the least mantissa, 128, with which a step is a power of two.
    pub const MANTISSA_BITS: u8 = 7;
}
