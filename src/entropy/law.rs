//! Tensors of few values by a Laplace distribution (spec section 4.6, modes 3 and 4): nothing has to
//! be learnt from the values before.

use super::contexts::{Coder, MAX_MAGNITUDE};
use super::cost::Cost;
use super::laplace::{Laplace, MAX_LEVEL};
use super::models::Side;
use crate::error::Result;

/// Codes the level of the scale, and the values by it.
pub(super) fn code_law<C: Coder>(c: &mut C, side: &mut Side, values: &mut [i16]) -> Result<()> {
    let level = if c.reads() { 0 } else { level(values)? };
    let level = side.field(c, 6, level.into(), MAX_LEVEL.into(), "level of a scale")?;
    code_values(c, level, values)
}

fn code_values<C: Coder>(c: &mut C, level: u8, values: &mut [i16]) -> Result<()> {
    let law = Laplace::around_zero(level, MAX_MAGNITUDE);
    for value in values {
        let symbol = (i32::from(*value) + MAX_MAGNITUDE) as u32;
        let symbol = c.symbol(law.size(), |v| law.below(v), symbol)?;
        *value = (symbol as i32 - MAX_MAGNITUDE) as i16;
    }
    Ok(())
}

/// Bits of values by the best level, in units of [`Cost::UNIT`], without those of the level.
pub fn cost(values: &mut [i16]) -> Result<u64> {
    let mut c = Cost::default();
    let level = level(values)?;
    code_values(&mut c, level, values)?;
    Ok(c.units)
}

/// The level that costs least.
fn level(values: &mut [i16]) -> Result<u8> {
    let mut best = (u64::MAX, 0);
    let sum: u64 = values.iter().map(|v| u64::from(v.unsigned_abs())).sum();
    // the mean magnitude, in units of 2^-16, is the scale about
    let mean = ((sum << 16) / values.len().max(1) as u64).max(1);
    let about = 2 * (mean.ilog2() as i32 - 16 + 3);
    let most = i32::from(MAX_LEVEL);
    for level in (about - 1).clamp(0, most)..=(about + 2).clamp(0, most) {
        let mut c = Cost::default();
        code_values(&mut c, level as u8, values)?;
        best = best.min((c.units, level as u8));
    }
    Ok(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_the_best_of_all() {
        let tensors: [&[i16]; 6] = [
            &[0, 0, 0],
            &[1, 0, -1, 0, 0, 0, 0, 0],
            &[-300, 20, 7, 199],
            &[32767, -32767],
            &[5],
            &[],
        ];
        for values in tensors {
            let mut values = values.to_vec();
            let cost = |level: u8, values: &mut [i16]| {
                let mut c = Cost::default();
                code_values(&mut c, level, values).unwrap();
                c.units
            };
            let least = (0..=MAX_LEVEL).map(|l| cost(l, &mut values)).min();
            let level = level(&mut values).unwrap();
            assert_eq!(Some(cost(level, &mut values)), least, "{values:?}");
        }
    }
}
