//! From sums to activations: requantisation, and tables of nonlinearities.
//!
//! Plain code on short arrays, inlined into the row kernel of each level, which vectorises it.

use std::sync::Arc;

use crate::network::Activation;
use crate::network::ops::integer::saturate;
use crate::network::ops::{Requant, activation_table};

/// Columns finished at once.
pub const CHUNK: usize = 16;

/// A nonlinearity of every activation, at index `v as u16`.
pub type Table = Arc<[i16; 1 << 16]>;

/// The tables of a network; layers of the same fraction bits share theirs.
#[derive(Default)]
pub struct Tables(Vec<((Activation, u32, u32), Table)>);

impl Tables {
    /// From `f_in` to `f_out` fraction bits.
    pub fn get(&mut self, activation: Activation, f_in: u32, f_out: u32) -> Table {
        let key = (activation, f_in, f_out);
        if let Some((_, t)) = self.0.iter().find(|(k, _)| *k == key) {
            return t.clone();
        }
        let table: Box<[i16; 1 << 16]> = activation_table(activation, f_in, f_out)
            .into_boxed_slice()
            .try_into()
            .expect("an entry for each activation");
        self.0.push((key, table.into()));
        self.0[self.0.len() - 1].1.clone()
    }
}

/// A sum of products: 32 bits where the whole sum is proved to fit, else 64, of parts that fit 32.
pub trait Accumulator: Copy {
    /// Nothing added up yet.
    const ZERO: Self;
    /// Whether the sum comes in parts.
    const PARTS: bool;
    /// With the next part, or the only one.
    fn with(self, part: i32) -> Self;
    /// Within a range of 32 bits.
    fn clamp(self, range: [i32; 2]) -> i32;
    /// In 64 bits.
    fn long(self) -> i64;
}

impl Accumulator for i32 {
    const ZERO: i32 = 0;
    const PARTS: bool = false;

    #[inline(always)]
    fn with(self, part: i32) -> i32 {
        part
    }

    #[inline(always)]
    fn clamp(self, range: [i32; 2]) -> i32 {
        self.max(range[0]).min(range[1])
    }

    #[inline(always)]
    fn long(self) -> i64 {
        self.into()
    }
}

impl Accumulator for i64 {
    const ZERO: i64 = 0;
    const PARTS: bool = true;

    #[inline(always)]
    fn with(self, part: i32) -> i64 {
        self + i64::from(part)
    }

    #[inline(always)]
    fn clamp(self, range: [i32; 2]) -> i32 {
        self.max(range[0].into()).min(range[1].into()) as i32
    }

    #[inline(always)]
    fn long(self) -> i64 {
        self
    }
}

/// Requantisation of one output channel in 32 bits, see [`Requantizer::new`].
#[derive(Clone, Copy, Debug, Default)]
struct Requant32 {
    /// Smallest and largest sum that give another activation than the ones beyond.
    range: [i32; 2],
    /// Bias and rounding, without their last 8 bits.
    high: i32,
    /// Their last 8 bits.
    low: i32,
}

/// How a layer's sums become activations.
pub struct Requantizer {
    requant: Requant,
    /// For each slot, if all of them can be done in 32 bits.
    short: Option<Vec<Requant32>>,
    /// The nonlinearity, if the layer ends in one.
    pub table: Option<Table>,
}

impl Requantizer {
    /// `requant` with its channels in the order of the layer's slots; whether no sum leaves 32
    /// bits.
    ///
    /// 32 bits suffice where the shift `s` is 8 to 23. With `x = sum * mantissa + bias + rounding`,
    /// the activation is `x >> s`, saturated. Splitting `sum = 256 a + b` and
    /// `bias + rounding = 256 c + d`, `x >> 8` is `a * mantissa + c + ((b * mantissa + d) >> 8)`.
    /// Clamping the sum to where the activation still changes keeps `x >> 8` below `2^(s + 7)` and
    /// makes saturation needless, as one more in the sum adds at most one to the activation.
    pub fn new(requant: Requant, narrow: bool, table: Option<Table>) -> Self {
        let short = (8..=23).contains(&requant.shift).then(|| {
            requant
                .bias
                .iter()
                .map(|&b| Requant32::new(&requant, b, narrow))
                .collect()
        });
        Requantizer {
            requant,
            short: short.flatten(),
            table,
        }
    }

    /// Requantised sums of one chunk of columns of the channel in slot `slot`.
    #[inline(always)]
    pub fn chunk<S: Accumulator>(&self, slot: usize, sums: &[S; CHUNK]) -> [i16; CHUNK] {
        let mut out = [0i16; CHUNK];
        match &self.short {
            Some(short) => {
                let v = short[slot].apply(sums, self.requant.mantissa as i32, self.requant.shift);
                for i in 0..CHUNK {
                    out[i] = v[i] as i16;
                }
            }
            None => {
                for i in 0..CHUNK {
                    out[i] = self.requant.apply(sums[i].long(), slot);
                }
            }
        }
        out
    }
}

impl Requant32 {
    /// `None` if a sum of 32 bits, or one of more clamped to them, might not do.
    fn new(requant: &Requant, bias: i64, narrow: bool) -> Option<Requant32> {
        let total = bias + (1i64 << (requant.shift - 1));
        let value = |sum: i64| (sum * requant.mantissa + total) >> requant.shift;
        // the largest sum whose activation is at most -32767, and the smallest whose is at least
        // 32767
        let bound = |v: i64| ((v << requant.shift) - total).div_euclid(requant.mantissa);
        let low = bound(-32766)
            - i64::from(((-32766i64 << requant.shift) - total).rem_euclid(requant.mantissa) == 0);
        let exact = ((32767i64 << requant.shift) - total).rem_euclid(requant.mantissa) == 0;
        let high = bound(32767) + i64::from(!exact);
        let (min, max) = (i64::from(i32::MIN), i64::from(i32::MAX));
        if low > max || high < min || !narrow && (low < min || high > max) {
            return None;
        }
        let range = [low.max(min), high.min(max)];
        debug_assert!(range.iter().all(|&s| (-32767..=32767).contains(&value(s))));
        debug_assert!(saturate(value(low)) == -32767 && saturate(value(low + 1)) > -32767);
        debug_assert!(saturate(value(high)) == 32767 && saturate(value(high - 1)) < 32767);
        Some(Requant32 {
            range: range.map(|v| v as i32),
            high: (total >> 8) as i32,
            low: (total & 255) as i32,
        })
    }

    #[inline(always)]
    fn apply<S: Accumulator>(&self, sums: &[S; CHUNK], mantissa: i32, shift: u32) -> [i32; CHUNK] {
        let shift = shift - 8;
        let mut out = [0; CHUNK];
        for (o, s) in out.iter_mut().zip(sums) {
            let sum = s.clamp(self.range);
            let low = ((sum & 255) * mantissa + self.low) >> 8;
            // the parts may leave 32 bits, their sum does not
            *o = (sum >> 8)
                .wrapping_mul(mantissa)
                .wrapping_add(self.high)
                .wrapping_add(low)
                >> (shift & 31);
        }
        out
    }
}
