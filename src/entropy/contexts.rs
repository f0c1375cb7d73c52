//! Adaptive binary contexts and the binarisation of signed integers (spec sections 4.1 to 4.3).

use std::borrow::Borrow;
use std::num::NonZeroU32;

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};
use constriction::stream::queue::{RangeDecoder, RangeEncoder};
use constriction::stream::{Decode, Encode};

use crate::error::{Error, Result};

/// Bits of a coded probability.
pub const PRECISION: usize = 16;
/// Largest magnitude the binarisation can express.
pub const MAX_MAGNITUDE: i32 = 32767;
const MAX_BITS: usize = 15;
const MIN_PROBABILITY: u32 = 48;

/// One adaptive binary context: two estimates of P(1) that adapt at different rates, and the number
/// of bits seen.
#[derive(Clone, Copy, Debug)]
pub struct Bit {
    fast: u16,
    slow: u16,
    seen: u8,
}

impl Default for Bit {
    fn default() -> Self {
        Bit {
            fast: 1 << 15,
            slow: 1 << 15,
            seen: 0,
        }
    }
}

impl Bit {
    /// P(1) in units of 2^-16.
    #[inline]
    pub fn p1(&self) -> u32 {
        ((u32::from(self.fast) + u32::from(self.slow)) >> 1)
            .clamp(MIN_PROBABILITY, (1 << PRECISION) - MIN_PROBABILITY)
    }

    /// Moves both estimates towards `bit`. While few bits were seen the step is about 1/(n+1), the
    /// mean of what was seen.
    #[inline]
    pub fn update(&mut self, bit: bool) {
        let young = 8 - (self.seen + 1).leading_zeros();
        let step = |p: u16, limit: u32| {
            let shift = young.min(limit);
            if bit {
                p + ((65535 - p) >> shift)
            } else {
                p - (p >> shift)
            }
        };
        self.fast = step(self.fast, 5);
        self.slow = step(self.slow, 7);
        self.seen = (self.seen + 1).min(127);
    }
}

#[derive(Clone, Copy)]
struct Binary(u32);

impl EntropyModel<PRECISION> for Binary {
    type Symbol = bool;
    type Probability = u32;
}

impl EncoderModel<PRECISION> for Binary {
    fn left_cumulative_and_probability(
        &self,
        symbol: impl Borrow<bool>,
    ) -> Option<(u32, NonZeroU32)> {
        let zero = (1 << PRECISION) - self.0;
        let (left, p) = if *symbol.borrow() {
            (zero, self.0)
        } else {
            (0, zero)
        };
        Some((left, NonZeroU32::new(p)?))
    }
}

impl DecoderModel<PRECISION> for Binary {
    fn quantile_function(&self, quantile: u32) -> (bool, u32, NonZeroU32) {
        let zero = (1 << PRECISION) - self.0;
        let (bit, left, p) = if quantile >= zero {
            (true, zero, self.0)
        } else {
            (false, 0, zero)
        };
        (bit, left, NonZeroU32::new(p).unwrap_or(NonZeroU32::MIN))
    }
}

/// Bits of a coded count.
pub(super) const COUNT_BITS: usize = 24;

/// `0..size` with cumulative counts `below`: 0 at 0, 2^24 at `size`, each larger than the one
/// before.
pub(super) struct Counts<F> {
    pub size: u32,
    /// One that is likely.
    pub near: u32,
    pub below: F,
}

impl<F> EntropyModel<COUNT_BITS> for Counts<F> {
    type Symbol = u32;
    type Probability = u32;
}

impl<F: Fn(u32) -> u32> Counts<F> {
    pub fn interval(&self, v: u32) -> Option<(u32, NonZeroU32)> {
        let left = (self.below)(v);
        Some((
            left,
            NonZeroU32::new((self.below)(v + 1).checked_sub(left)?)?,
        ))
    }
}

impl<F: Fn(u32) -> u32> EncoderModel<COUNT_BITS> for Counts<F> {
    fn left_cumulative_and_probability(
        &self,
        symbol: impl Borrow<u32>,
    ) -> Option<(u32, NonZeroU32)> {
        self.interval(*symbol.borrow())
    }
}

impl<F: Fn(u32) -> u32> DecoderModel<COUNT_BITS> for Counts<F> {
    #[inline]
    fn quantile_function(&self, quantile: u32) -> (u32, u32, NonZeroU32) {
        let (mut v, mut end) = (0, self.size);
        let (mut left, mut right) = (0, 1 << COUNT_BITS);
        // from the likely one outwards in growing strides, then by halves
        let (mut middle, mut stride) = (self.near, 1);
        while end - v > 1 {
            let count = (self.below)(middle);
            if count <= quantile {
                (v, left) = (middle, count);
                middle = if right < 1 << COUNT_BITS {
                    (v + end) / 2
                } else {
                    v + stride
                };
            } else {
                (end, right) = (middle, count);
                middle = if left > 0 {
                    (v + end) / 2
                } else {
                    end.saturating_sub(stride)
                };
            }
            middle = middle.clamp(v + 1, (end - 1).max(v + 1));
            stride *= 2;
        }
        (
            v,
            left,
            NonZeroU32::new(right.saturating_sub(left)).unwrap_or(NonZeroU32::MIN),
        )
    }
}

/// Codes one bit with a context: writes `bit`, or ignores it and returns the bit read.
pub trait Coder {
    /// Codes one bit and adapts the context.
    fn code(&mut self, context: &mut Bit, bit: bool) -> Result<bool>;
    /// Codes one of `0..size` by cumulative counts (spec section 4.1): `below(0)` is 0,
    /// `below(size)` is 2^24 and each is larger than the one before.
    fn symbol(&mut self, size: u32, below: impl Fn(u32) -> u32, v: u32) -> Result<u32> {
        self.symbol_near(size, size / 2, below, v)
    }
    /// The same where `near` is likely, which makes reading faster.
    fn symbol_near(
        &mut self,
        size: u32,
        near: u32,
        below: impl Fn(u32) -> u32,
        v: u32,
    ) -> Result<u32>;
    /// Where in the file the coded bytes start, for error messages.
    fn offset(&self) -> u64 {
        0
    }
    /// Whether this coder reads (then the values given to it mean nothing).
    fn reads(&self) -> bool {
        false
    }
}

/// Writes bits.
#[derive(Default)]
pub struct Encoder(RangeEncoder<u32, u64>);

impl Encoder {
    /// The bytes: little-endian words of the range coder without trailing zero bytes.
    pub fn finish(self) -> Vec<u8> {
        let words = self
            .0
            .into_compressed()
            .unwrap_or_else(|never| match never {});
        let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        bytes
    }
}

impl Coder for Encoder {
    #[inline]
    fn code(&mut self, context: &mut Bit, bit: bool) -> Result<bool> {
        self.0
            .encode_symbol(bit, Binary(context.p1()))
            .map_err(|e| Error::Parameter(format!("entropy coder: {e}")))?;
        context.update(bit);
        Ok(bit)
    }

    #[inline]
    fn symbol_near(
        &mut self,
        size: u32,
        near: u32,
        below: impl Fn(u32) -> u32,
        v: u32,
    ) -> Result<u32> {
        self.0
            .encode_symbol(v, Counts { size, near, below })
            .map_err(|e| Error::Parameter(format!("entropy coder: {e}")))?;
        Ok(v)
    }
}

/// Reads bits. Bytes past the end are zero.
pub struct Decoder {
    coder: RangeDecoder<u32, u64, constriction::backends::Cursor<u32, Vec<u32>>>,
    offset: u64,
}

impl Decoder {
    /// A decoder of `bytes`, which start at byte `offset` of the file.
    pub fn new(bytes: &[u8], offset: u64) -> Result<Self> {
        let words: Vec<u32> = bytes
            .chunks(4)
            .map(|c| {
                let mut w = [0; 4];
                w[..c.len()].copy_from_slice(c);
                u32::from_le_bytes(w)
            })
            .collect();
        let coder = RangeDecoder::from_compressed(words).unwrap_or_else(|never| match never {});
        Ok(Decoder { coder, offset })
    }
}

impl Coder for Decoder {
    #[inline]
    fn code(&mut self, context: &mut Bit, _bit: bool) -> Result<bool> {
        let bit = self
            .coder
            .decode_symbol(Binary(context.p1()))
            .map_err(|_| {
                Error::format(
                    self.offset,
                    "entropy-coded data is not a valid range-coder stream",
                )
            })?;
        context.update(bit);
        Ok(bit)
    }

    #[inline]
    fn symbol_near(
        &mut self,
        size: u32,
        near: u32,
        below: impl Fn(u32) -> u32,
        _v: u32,
    ) -> Result<u32> {
        self.coder
            .decode_symbol(Counts { size, near, below })
            .map_err(|_| {
                Error::format(
                    self.offset,
                    "entropy-coded data is not a valid range-coder stream",
                )
            })
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn reads(&self) -> bool {
        true
    }
}

/// Contexts of a signed integer (spec section 4.3): zero flag, sign, bit length in unary, then the
/// bits below the leading one.
#[derive(Clone)]
pub struct ValueModel {
    zero: Vec<Bit>,
    sign: Bit,
    length: Vec<[Bit; MAX_BITS]>,
    first: [Bit; MAX_BITS + 1],
    second: [[Bit; 2]; MAX_BITS + 1],
    rest: [[Bit; MAX_BITS]; MAX_BITS + 1],
}

impl ValueModel {
    /// A model with `contexts` neighbourhood classes.
    pub fn new(contexts: usize) -> Self {
        ValueModel {
            zero: vec![Bit::default(); contexts],
            sign: Bit::default(),
            length: vec![[Bit::default(); MAX_BITS]; contexts],
            first: Default::default(),
            second: Default::default(),
            rest: Default::default(),
        }
    }

    /// Codes `v` (`|v| <= 32767`) in class `class`; returns the value.
    pub fn code<C: Coder>(&mut self, c: &mut C, class: usize, v: i32) -> Result<i32> {
        debug_assert!(v.abs() <= MAX_MAGNITUDE);
        let m = v.unsigned_abs();
        if !c.code(&mut self.zero[class], m != 0)? {
            return Ok(0);
        }
        let negative = c.code(&mut self.sign, v < 0)?;
        let length = 32 - m.leading_zeros() as usize;
        let mut k = 1;
        while k < MAX_BITS && c.code(&mut self.length[class][k - 1], length > k)? {
            k += 1;
        }
        let mut out = 1u32;
        for i in (0..k - 1).rev() {
            let bit = (m >> i) & 1 == 1;
            let context = match k - 2 - i {
                0 => &mut self.first[k],
                1 => &mut self.second[k][(out & 1) as usize],
                _ => &mut self.rest[k][i],
            };
            out = out << 1 | u32::from(c.code(context, bit)?);
        }
        Ok(if negative { -(out as i32) } else { out as i32 })
    }
}

/// Class of a neighbourhood whose weighted sum of magnitudes is `sum`: half-octave steps, 0 for 0
/// (spec section 4.4).
#[inline]
pub fn magnitude_class(sum: u32, classes: usize) -> usize {
    if sum == 0 {
        return 0;
    }
    let length = 32 - sum.leading_zeros();
    let half = if length > 1 {
        (sum >> (length - 2)) & 1
    } else {
        0
    };
    ((2 * length - 1 + half) as usize).min(classes - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_come_back(values in proptest::collection::vec((0usize..5, -32767i32..=32767), 0..300)) {
            let (mut enc, mut model) = (Encoder::default(), ValueModel::new(5));
            for &(class, v) in &values {
                model.code(&mut enc, class, v).unwrap();
            }
            let bytes = enc.finish();
            let (mut dec, mut model) = (Decoder::new(&bytes, 0).unwrap(), ValueModel::new(5));
            for &(class, v) in &values {
                prop_assert_eq!(model.code(&mut dec, class, 0).unwrap(), v);
            }
        }

        #[test]
        fn any_bytes_decode_or_fail_cleanly(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let (mut dec, mut model) = (Decoder::new(&bytes, 0).unwrap(), ValueModel::new(1));
            for _ in 0..500 {
                match model.code(&mut dec, 0, 0) {
                    Ok(v) => prop_assert!(v.abs() <= MAX_MAGNITUDE),
                    Err(e) => { prop_assert_eq!(e.exit_code(), 4); break; }
                }
            }
        }
    }

    #[test]
    fn a_state_stays_inside_its_range() {
        for bit in [false, true] {
            let mut b = Bit::default();
            (0..100_000).for_each(|_| b.update(bit));
            assert!(
                (MIN_PROBABILITY..=65536 - MIN_PROBABILITY).contains(&b.p1()),
                "{b:?}"
            );
        }
    }

    #[test]
    fn magnitude_classes_grow_and_saturate() {
        let classes: Vec<usize> = [0, 1, 2, 3, 4, 6, 8, 12, 1 << 20]
            .iter()
            .map(|&s| magnitude_class(s, 16))
            .collect();
        assert_eq!(classes, [0, 1, 3, 4, 5, 6, 7, 8, 15]);
    }
}
