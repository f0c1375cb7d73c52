//! Vectors of the convolution at each level: 16-bit products summed in pairs into 32-bit lanes.
//!
//! A lane of the input is one column of two channels. One instruction forms both products and their
//! sum; a second, or with VNNI the same one, adds it up. Sums wrap: the caller has proved that the
//! final ones fit.

use super::level::SimdLevel;

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

struct On<L, T>(L, T);

impl<L: Lanes, T: Task> pulp::NullaryFnOnce for On<L, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.1.run(self.0);
    }
}

/// Does `task` with the instructions of `level`, or the best below that the processor has.
pub fn vectorize(level: SimdLevel, task: impl Task) {
    match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Vnni => match Vnni::try_new() {
            Some(l) => l.vectorize(On(l, task)),
            None => vectorize(SimdLevel::Avx512, task),
        },
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => match pulp::x86::V4::try_new() {
            Some(l) => l.vectorize(On(l, task)),
            None => vectorize(SimdLevel::Avx2, task),
        },
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => match pulp::x86::V3::try_new() {
            Some(l) => l.vectorize(On(l, task)),
            None => vectorize(SimdLevel::Sse2, task),
        },
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Sse2 => match pulp::x86::V1::try_new() {
            Some(l) => l.vectorize(On(l, task)),
            None => vectorize(SimdLevel::Scalar, task),
        },
        _ => pulp::NullaryFnOnce::call(On(Portable, task)),
    }
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

#[cfg(target_arch = "x86_64")]
pub use x86::*;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Lane, Lanes};
    use pulp::x86::{V1, V3, V4};
    use std::arch::x86_64::{__m128i, __m256i, __m512i};

    /// Loads, stores and broadcasts are copies of plain arrays; the compiler makes single
    /// instructions of them.
    macro_rules! lanes {
        ($token:ty, $n:literal, $v:ty, $zero:expr, $splat:expr, $add:expr, $next:expr) => {
            impl Lanes for $token {
                const N: usize = $n;
                type In = $v;
                type Sum = $v;

                #[inline(always)]
                fn zero(self) -> $v {
                    $zero(self)
                }

                #[inline(always)]
                fn load(self, from: &[Lane]) -> $v {
                    let lanes: [Lane; $n] = *from.first_chunk().expect("a vector's lanes");
                    pulp::cast(lanes)
                }

                #[inline(always)]
                fn splat(self, w: Lane) -> $v {
                    $splat(self, pulp::cast::<Lane, i32>(w))
                }

                #[inline(always)]
                fn add_products(self, sum: $v, a: $v, w: $v) -> $v {
                    $add(self, sum, a, w)
                }

                #[inline(always)]
                fn next(self, a: $v, b: $v) -> $v {
                    $next(self, a, b)
                }

                #[inline(always)]
                fn store(self, sum: $v, to: &mut [i32]) {
                    let lanes: [i32; $n] = pulp::cast(sum);
                    to[..$n].copy_from_slice(&lanes);
                }
            }
        };
    }

    lanes!(
        V1,
        4,
        __m128i,
        |s: V1| s.sse2._mm_setzero_si128(),
        |s: V1, w| s.sse2._mm_set1_epi32(w),
        |s: V1, sum, a, w| s.sse2._mm_add_epi32(sum, s.sse2._mm_madd_epi16(a, w)),
        |s: V1, a, b| s.sse2._mm_add_epi32(a, b)
    );
    lanes!(
        V3,
        8,
        __m256i,
        |s: V3| s.avx._mm256_setzero_si256(),
        |s: V3, w| s.avx._mm256_set1_epi32(w),
        |s: V3, sum, a, w| s.avx2._mm256_add_epi32(sum, s.avx2._mm256_madd_epi16(a, w)),
        |s: V3, a, b| s.avx2._mm256_add_epi32(a, b)
    );
    lanes!(
        V4,
        16,
        __m512i,
        |s: V4| s.avx512f._mm512_setzero_si512(),
        |s: V4, w| s.avx512f._mm512_set1_epi32(w),
        |s: V4, sum, a, w| s
            .avx512f
            ._mm512_add_epi32(sum, s.avx512bw._mm512_madd_epi16(a, w)),
        |s: V4, a, b| s.avx512f._mm512_add_epi32(a, b)
    );

    pulp::simd_type!({
        /// V4 and VNNI. There is no method for its multiply-add: where these features are on, the
        /// compiler makes one instruction of [`V4`]'s product and sum. `tests/decoder.rs` cannot
        /// see that; `benches/decode.rs` does.
        #[allow(missing_docs)]
        pub struct Vnni {
            pub sse: f!("sse"),
            pub sse2: f!("sse2"),
            pub fxsr: f!("fxsr"),
            pub sse3: f!("sse3"),
            pub ssse3: f!("ssse3"),
            pub sse4_1: f!("sse4.1"),
            pub sse4_2: f!("sse4.2"),
            pub popcnt: f!("popcnt"),
            pub avx: f!("avx"),
            pub avx2: f!("avx2"),
            pub bmi1: f!("bmi1"),
            pub bmi2: f!("bmi2"),
            pub fma: f!("fma"),
            pub lzcnt: f!("lzcnt"),
            pub avx512f: f!("avx512f"),
            pub avx512bw: f!("avx512bw"),
            pub avx512cd: f!("avx512cd"),
            pub avx512dq: f!("avx512dq"),
            pub avx512vl: f!("avx512vl"),
            pub avx512vnni: f!("avx512vnni"),
        }
    });

    lanes!(
        Vnni,
        16,
        __m512i,
        |s: Vnni| s.avx512f._mm512_setzero_si512(),
        |s: Vnni, w| s.avx512f._mm512_set1_epi32(w),
        |s: Vnni, sum, a, w| s
            .avx512f
            ._mm512_add_epi32(sum, s.avx512bw._mm512_madd_epi16(a, w)),
        |s: Vnni, a, b| s.avx512f._mm512_add_epi32(a, b)
    );
}
