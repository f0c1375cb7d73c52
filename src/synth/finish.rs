//! From sums to activations: requantisation, GELU, and the place that the pixel shuffle gives them.
//!
//! Plain code on short arrays, inlined into the row kernel of each level, which vectorises it.

use super::lanes::Lane;
use super::math::{Requant, saturate};

/// Columns finished at once.
pub const CHUNK: usize = 16;

/// Takes finished activations.
pub trait Put {
    /// Columns from `x` on.
    fn put(&mut self, x: usize, lanes: &[Lane]);
}

/// Requantisation of one output channel in 32 bits, see [`Finish::new`].
#[derive(Clone, Copy, Debug, Default)]
struct Short {
    /// Smallest and largest sum that give another activation than the ones beyond.
    range: [i32; 2],
    /// Bias and rounding, without their last 8 bits.
    high: i32,
    /// Their last 8 bits.
    low: i32,
}

/// How a layer's sums become activations.
pub struct Finish {
    requant: Requant,
    /// For each slot, if all of them can be done in 32 bits.
    short: Option<Vec<Short>>,
    /// GELU of every activation, if the layer ends in one.
    table: Option<Box<[i16; 1 << 16]>>,
}

impl Finish {
    /// `requant` with its channels in the order of the layer's slots.
    ///
    /// 32 bits suffice where the shift `s` is 8 to 23. With `x = sum * mantissa + bias + rounding`, the activation is
    /// `x >> s`, saturated. Splitting `sum = 256 a + b` and `bias + rounding = 256 c + d`, `x >> 8` is
    /// `a * mantissa + c + ((b * mantissa + d) >> 8)`. Clamping the sum to where the activation still changes keeps `x >> 8`
    /// below `2^(s + 7)` and makes saturation needless, as one more in the sum adds at most one to the activation.
    pub fn new(requant: Requant, table: Option<Vec<i16>>) -> Self {
        let short = (8..=23).contains(&requant.shift).then(|| requant.bias.iter().map(|&b| Short::new(&requant, b)).collect());
        Finish { requant, short: short.flatten(), table: table.and_then(|t| t.into_boxed_slice().try_into().ok()) }
    }

    /// Columns of the two channels from slot `slot`, `first` being the first, from their sums in 32 bits.
    #[inline(always)]
    pub fn pair(&self, slot: usize, sums: [&[i32]; 2], first: usize, to: &mut impl Put) {
        let len = sums[0].len();
        for x in (0..len).step_by(CHUNK) {
            let n = CHUNK.min(len - x);
            let mut v = [[0i32; CHUNK]; 2];
            for half in 0..2 {
                let mut s = [0i32; CHUNK];
                match sums[half][x..].first_chunk() {
                    Some(c) => s = *c,
                    None => s[..n].copy_from_slice(&sums[half][x..]),
                }
                v[half] = match &self.short {
                    Some(short) => short[slot + half].apply(s, self.requant.mantissa as i32, self.requant.shift),
                    None => s.map(|s| self.requant.apply(s.into(), slot + half).into()),
                };
            }
            let mut lanes = [[0i16; 2]; CHUNK];
            match &self.table {
                Some(t) => (0..CHUNK).for_each(|i| lanes[i] = [t[usize::from(v[0][i] as u16)], t[usize::from(v[1][i] as u16)]]),
                None => (0..CHUNK).for_each(|i| lanes[i] = [v[0][i] as i16, v[1][i] as i16]),
            }
            to.put(first + x, &lanes[..n]);
        }
    }

    /// [`Finish::pair`] from sums in 64 bits.
    pub fn pair_wide(&self, slot: usize, sums: [&[i64]; 2], to: &mut impl Put) {
        for x in 0..sums[0].len() {
            let lane = [0, 1].map(|half| {
                let v = self.requant.apply(sums[half][x], slot + half);
                self.table.as_ref().map_or(v, |t| t[usize::from(v as u16)])
            });
            to.put(x, &[lane]);
        }
    }
}

impl Short {
    /// `None` if a sum of 32 bits might not do.
    fn new(requant: &Requant, bias: i64) -> Option<Short> {
        let total = bias + (1i64 << (requant.shift - 1));
        let value = |sum: i64| (sum * requant.mantissa + total) >> requant.shift;
        // the largest sum whose activation is at most -32767, and the smallest whose is at least 32767
        let bound = |v: i64| ((v << requant.shift) - total).div_euclid(requant.mantissa);
        let low = bound(-32766) - i64::from(((-32766i64 << requant.shift) - total).rem_euclid(requant.mantissa) == 0);
        let exact = ((32767i64 << requant.shift) - total).rem_euclid(requant.mantissa) == 0;
        let high = bound(32767) + i64::from(!exact);
        let (min, max) = (i64::from(i32::MIN), i64::from(i32::MAX));
        if low > max || high < min {
            return None;
        }
        let range = [low.max(min), high.min(max)];
        debug_assert!(range.iter().all(|&s| (-32767..=32767).contains(&value(s))));
        debug_assert!(saturate(value(low)) == -32767 && saturate(value(low + 1)) > -32767);
        debug_assert!(saturate(value(high)) == 32767 && saturate(value(high - 1)) < 32767);
        Some(Short { range: range.map(|v| v as i32), high: (total >> 8) as i32, low: (total & 255) as i32 })
    }

    #[inline(always)]
    fn apply(&self, mut s: [i32; CHUNK], mantissa: i32, shift: u32) -> [i32; CHUNK] {
        let shift = shift - 8;
        for v in &mut s {
            let sum = (*v).max(self.range[0]).min(self.range[1]);
            let low = ((sum & 255) * mantissa + self.low) >> 8;
            // the parts may leave 32 bits, their sum does not
            *v = (sum >> 8).wrapping_mul(mantissa).wrapping_add(self.high).wrapping_add(low) >> (shift & 31);
        }
        s
    }
}
