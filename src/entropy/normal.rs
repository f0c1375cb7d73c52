//! The normal distribution in integers (spec section 4.7 and annex A): cumulative counts of 24
//! bits.

/// Bits of a cumulative count.
pub const BITS: u32 = 24;
/// The whole.
pub const ONE: i64 = 1 << BITS;

/// `round(2^24 * (1 - Phi(i / 32)))` for `i = 0..=192`, Phi the normal distribution function.
#[rustfmt::skip]
pub const TAIL: [u32; 193] = [
    8388608, 8179481, 7970559, 7762044, 7554139, 7347045, 7140959, 6936077, 6732591, 6530688, 6330552, 6132360,
    5936286, 5742496, 5551151, 5362404, 5176401, 4993282, 4813177, 4636210, 4462497, 4292143, 4125246, 3961897,
    3802176, 3646154, 3493895, 3345453, 3200874, 3060194, 2923442, 2790638, 2661793, 2536913, 2415993, 2299021,
    2185979, 2076842, 1971578, 1870149, 1772509, 1678610, 1588395, 1501806, 1418777, 1339240, 1263123, 1190349,
    1120839, 1054512, 991284, 931069, 873779, 819325, 767618, 718567, 672081, 628069, 586439, 547102,
    509966, 474944, 441948, 410889, 381684, 354248, 328499, 304358, 281745, 260585, 240804, 222329,
    205093, 189026, 174065, 160147, 147211, 135201, 124061, 113738, 104181, 95342, 87176, 79638,
    72686, 66283, 60389, 54970, 49992, 45424, 41237, 37401, 33892, 30685, 27755, 25083,
    22648, 20430, 18413, 16580, 14915, 13406, 12038, 10800, 9681, 8669, 7757, 6934,
    6192, 5525, 4925, 4386, 3903, 3470, 3081, 2734, 2424, 2147, 1900, 1679,
    1483, 1309, 1154, 1016, 894, 786, 691, 606, 531, 465, 407, 356,
    311, 271, 237, 206, 179, 156, 135, 117, 102, 88, 76, 66,
    57, 49, 42, 37, 31, 27, 23, 20, 17, 15, 13, 11,
    9, 8, 7, 6, 5, 4, 3, 3, 2, 2, 2, 2,
    1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0,
];

/// `round(2^15 * 2^(-i / 8))`.
const EIGHTHS: [i64; 8] = [32768, 30048, 27554, 25268, 23170, 21247, 19484, 17867];
/// Largest deviation level.
pub const MAX_LEVEL: i64 = 160;

/// A normal distribution over a line of coded integers.
#[derive(Clone, Copy, Debug)]
pub struct Normal {
    /// Mean, in units of 1/256.
    mean: i64,
    /// Table cells an integer, in units of 2^-22.
    slope: i64,
}

impl Normal {
    /// Largest magnitude of a mean.
    const FAR: i64 = 1 << 19;

    /// With `mean` in units of 1/256, where an integer is `scale / 65536` wide and the deviation is
    /// `2^(level / 8 - 4)`.
    #[inline]
    pub fn new(mean: i64, scale: i64, level: i64) -> Self {
        let level = level.clamp(0, MAX_LEVEL);
        Normal {
            mean: mean.clamp(-Normal::FAR, Normal::FAR),
            slope: (scale * EIGHTHS[(level & 7) as usize]) >> (level >> 3),
        }
    }

    /// Share, in units of 2^-24, of what lies below `j - 1/2`; `j` is at most 2^11.
    #[inline]
    pub fn below(&self, j: i64) -> i64 {
        // |256 j - 128 - mean| < 2^21 and the slope < 2^42
        let x = ((256 * j - 128 - self.mean) * self.slope) >> 20;
        let (cell, part) = (
            (x.unsigned_abs() >> 10) as usize,
            (x.unsigned_abs() & 1023) as i64,
        );
        let tail = match (TAIL.get(cell), TAIL.get(cell + 1)) {
            (Some(&a), Some(&b)) => i64::from(a) - ((i64::from(a - b) * part) >> 10),
            _ => 0,
        };
        if x < 0 { tail } else { ONE - tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_normal_distribution() {
        // an integer is 1 wide, the deviation 16, the mean 100
        let n = Normal::new(25600, 65536, 64);
        assert_eq!(n.below(0), 0);
        assert_eq!(n.below(2048), ONE);
        for (j, share) in [(84, 0.15121), (100, 0.48754), (117, 0.84879)] {
            let got = n.below(j) as f64 / ONE as f64;
            assert!(
                (got - share).abs() < 1e-4,
                "below {j}: {got}, should be {share}"
            );
        }
        for (mean, scale, level) in [
            (0, 1, 0),
            (-(1 << 40), 1 << 26, 0),
            (1 << 40, 1 << 26, 160),
            (77777, 12345, 33),
        ] {
            let n = Normal::new(mean, scale, level);
            assert!((0..=2048).map(|j| n.below(j)).is_sorted(), "{n:?}");
        }
    }
}
