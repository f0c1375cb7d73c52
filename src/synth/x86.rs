//! [`Lanes`] of x86-64.

use super::lanes::{Lane, Lanes};
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
