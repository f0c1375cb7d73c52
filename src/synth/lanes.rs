//! Vectors of the convolution at each level: 16-bit products summed in pairs into 32-bit lanes.
//!
//! A lane of the input is one column of two channels. One instruction forms both products and their
//! sum; a second, or with VNNI the same one, adds it up. Sums wrap: the caller has proved that the
//! final ones fit.

/// One column of two channels, even channel first.
pub type Lane = [i16; 2];

/// The instructions of one level. Methods must be inlined into a function that has the level's
/// target features.
pub trait Lanes: Copy {
    /// Lanes of a vector.
    const N: usize;
    /// A vector of input.
    type In: Copy;
    /// A vector of sums.
    type Sum: Copy;
    /// No sum yet.
    fn zero(self) -> Self::Sum;
    /// The first `N` of `from`.
    fn load(self, from: &[Lane]) -> Self::In;
    /// One pair of weights in every lane.
    fn splat(self, w: Lane) -> Self::In;
    /// `sum + a[0] * w[0] + a[1] * w[1]` in every lane.
    fn add_products(self, sum: Self::Sum, a: Self::In, w: Self::In) -> Self::Sum;
    /// Some other input made of two with an instruction that does not multiply; for measuring the
    /// others.
    fn next(self, a: Self::In, b: Self::In) -> Self::In;
    /// To the first `N` of `to`.
    fn store(self, sum: Self::Sum, to: &mut [i32]);
}

/// Something to do with the instructions of a level.
pub trait Task {
    /// Does it; inlined into a function that has the level's target features.
    fn run<L: Lanes>(self, lanes: L);
}

/// Portable code; small arrays that a compiler keeps in vectors.
#[derive(Clone, Copy)]
pub struct Portable;

impl Lanes for Portable {
    const N: usize = 8;
    type In = [Lane; 8];
    type Sum = [i32; 8];

    #[inline(always)]
    fn zero(self) -> [i32; 8] {
        [0; 8]
    }

    #[inline(always)]
    fn load(self, from: &[Lane]) -> [Lane; 8] {
        *from.first_chunk().expect("a vector's lanes")
    }

    #[inline(always)]
    fn splat(self, w: Lane) -> [Lane; 8] {
        [w; 8]
    }

    #[inline(always)]
    fn add_products(self, mut sum: [i32; 8], a: [Lane; 8], w: [Lane; 8]) -> [i32; 8] {
        for i in 0..8 {
            let (x, y) = (
                i32::from(a[i][0]) * i32::from(w[i][0]),
                i32::from(a[i][1]) * i32::from(w[i][1]),
            );
            sum[i] = sum[i].wrapping_add(x.wrapping_add(y));
        }
        sum
    }

    #[inline(always)]
    fn next(self, a: [Lane; 8], b: [Lane; 8]) -> [Lane; 8] {
        let mut out = a;
        (0..8).for_each(|i| out[i] = [a[i][0] ^ b[i][0], a[i][1] ^ b[i][1]]);
        out
    }

    #[inline(always)]
    fn store(self, sum: [i32; 8], to: &mut [i32]) {
        to[..8].copy_from_slice(&sum);
    }
}
