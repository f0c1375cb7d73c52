//! What coding would cost, added up in integers: a writer's choices are the same everywhere.

use std::sync::LazyLock;

use super::contexts::{Bit, COUNT_BITS, Coder, Counts, PRECISION};
use crate::error::Result;

/// Adds up what an [`Encoder`](super::Encoder) would spend.
#[derive(Default)]
pub struct Cost {
    /// Units of 2^-16 bits so far.
    pub units: u64,
}

impl Cost {
    /// Units of a bit.
    pub const UNIT: u64 = 1 << FRACTION;
}

/// Bits of a logarithm below its integer part.
const FRACTION: u32 = 16;

/// Units that an event of probability `i / 2^16` costs.
static UNITS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let certain = (PRECISION as u32) << FRACTION;
    (0..=1 << PRECISION)
        .map(|p: u32| certain - log2(p.max(1)))
        .collect()
});

/// `log2(v)` for `v` of at least 1, in units of 2^-16, rounded down.
fn log2(v: u32) -> u32 {
    let whole = v.ilog2();
    // 1..2 in units of 2^-31; squaring doubles the logarithm
    let mut x = u64::from(v) << (31 - whole);
    let mut log = whole;
    for _ in 0..FRACTION {
        x = (x * x) >> 31;
        let carry = (x >> 32) as u32;
        x >>= carry;
        log = 2 * log + carry;
    }
    log
}

impl Coder for Cost {
    #[inline]
    fn code(&mut self, context: &mut Bit, bit: bool) -> Result<bool> {
        let p1 = context.p1();
        let p = if bit { p1 } else { (1 << PRECISION) - p1 };
        self.units += u64::from(UNITS[p as usize]);
        context.update(bit);
        Ok(bit)
    }

    fn symbol_near(
        &mut self,
        size: u32,
        near: u32,
        below: impl Fn(u32) -> u32,
        v: u32,
    ) -> Result<u32> {
        let interval = Counts { size, near, below }.interval(v);
        let count = interval.map_or(1, |(_, p)| p.get());
        self.units += ((COUNT_BITS as u64) << FRACTION) - u64::from(log2(count));
        Ok(v)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Encoder, ValueModel};
    use super::*;

    #[test]
    fn logarithms_are_known() {
        assert_eq!(
            [1, 2, 1 << 24, 1 << 31].map(log2),
            [0, 1, 24, 31].map(|n| n << 16)
        );
        // log2(3) = 1.5849625, log2(10) = 3.3219281
        assert_eq!([3, 10].map(log2), [103_872, 217_705]);
    }

    #[test]
    fn cost_is_what_the_encoder_spends() {
        let values: Vec<i32> = (0..20_000u32)
            .map(|i| (i.wrapping_mul(2654435761) >> 27) as i32 * if i & 1 == 0 { 1 } else { -1 })
            .collect();
        let (mut enc, mut cost) = (Encoder::default(), Cost::default());
        let (mut a, mut b) = (ValueModel::new(1), ValueModel::new(1));
        for &v in &values {
            a.code(&mut enc, 0, v).unwrap();
            b.code(&mut cost, 0, v).unwrap();
        }
        let real = enc.finish().len() as u64 * 8 * Cost::UNIT;
        assert!(
            real.abs_diff(cost.units) < 64 * Cost::UNIT + real / 1000,
            "coded {real} units, estimated {}",
            cost.units
        );
    }
}
