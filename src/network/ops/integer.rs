//! Fixed-point arithmetic that the operations share (spec section 5).

use crate::network::tables::SINE;

/// Largest magnitude of an activation. The range is symmetric so that products of pairs fit 32
/// bits.
pub const MAX_ACTIVATION: i64 = 32767;

/// Fraction bits of sources that are not coded.
pub const SOURCE_FRACTION: u8 = 14;

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

/// Linear interpolation in `table` at `u`, of which `bits` bits lie below an entry; flat beyond the
/// last entry.
#[inline(always)]
pub(super) fn interpolate(table: &[u16], u: i64, bits: u32) -> i64 {
    let last = table.len() - 1;
    let u = u.min((last as i64) << bits);
    let (i, r) = ((u >> bits) as usize, u & ((1 << bits) - 1));
    let (here, next) = (i64::from(table[i]), i64::from(table[(i + 1).min(last)]));
    (here * ((1 << bits) - r) + next * r + (1 << (bits - 1))) >> bits
}

/// `sin` of `turns` in units of 2^-20, in units of 2^-15 (spec section 5.5).
pub(super) fn sine(turns: i64) -> i64 {
    let (quarter, x) = ((turns >> 18) & 3, turns & ((1 << 18) - 1));
    let s = interpolate(&SINE, if quarter & 1 == 0 { x } else { (1 << 18) - x }, 10);
    if quarter < 2 { s } else { -s }
}

/// Which outputs are the smallest and the largest sample (spec section 5.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputRange {
    /// -1 is black, 1 is one above the largest sample.
    #[default]
    Open,
    /// -1 is black, 1 is the largest sample.
    Full,
    /// 0 is black, 1 is the largest sample.
    Unit,
}

/// Output (spec section 5.6): a value with `f` fraction bits to a sample of `bit_depth` bits.
#[inline(always)]
pub fn sample(v: i16, f: u32, bit_depth: u32, range: OutputRange) -> u16 {
    let (v, most) = (i64::from(v), (1i64 << bit_depth) - 1);
    let from_minus_one = |white: i64| ((v + (1 << f)) * white + (1 << f)) >> (f + 1);
    let sample = match range {
        OutputRange::Open => from_minus_one(most + 1),
        OutputRange::Full => from_minus_one(most),
        OutputRange::Unit => round_shift(v * most, f),
    };
    sample.clamp(0, most) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_round_and_clip() {
        assert_eq!(sample(0, 12, 8, OutputRange::Open), 128);
        assert_eq!(sample(4095, 12, 8, OutputRange::Open), 255);
        assert_eq!(sample(-4096, 12, 8, OutputRange::Open), 0);
        assert_eq!(sample(-32767, 12, 8, OutputRange::Open), 0);
        assert_eq!(sample(16, 12, 8, OutputRange::Open), 129);
        assert_eq!(sample(15, 12, 8, OutputRange::Open), 128);
        assert_eq!(sample(3, 0, 10, OutputRange::Open), 1023);
        assert_eq!(sample(0, 19, 10, OutputRange::Open), 512);
        assert_eq!(sample(4096, 12, 8, OutputRange::Full), 255);
        assert_eq!(sample(0, 12, 8, OutputRange::Full), 128);
        assert_eq!(sample(-33, 12, 8, OutputRange::Full), 126);
        assert_eq!(
            [-9, 0, 4096, 4105].map(|v| sample(v, 12, 8, OutputRange::Unit)),
            [0, 0, 255, 255]
        );
        assert_eq!([8, 9].map(|v| sample(v, 12, 8, OutputRange::Unit)), [0, 1]);
    }
}
