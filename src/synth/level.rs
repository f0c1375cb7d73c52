//! Instruction sets the executor can use.

/// Which instructions the executor may use. Every level gives the same samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimdLevel {
    /// The plain reference, op by op.
    Reference,
    /// Fused, portable code.
    Scalar,
    /// SSE2: 4 lanes of two products.
    Sse2,
    /// AVX2: 8 lanes.
    Avx2,
    /// AVX-512 BW: 16 lanes.
    Avx512,
    /// AVX-512 VNNI: 16 lanes, products and sum in one instruction.
    Vnni,
}

impl SimdLevel {
    /// Every level, slowest first.
    pub const ALL: [SimdLevel; 6] = [
        SimdLevel::Reference,
        SimdLevel::Scalar,
        SimdLevel::Sse2,
        SimdLevel::Avx2,
        SimdLevel::Avx512,
        SimdLevel::Vnni,
    ];

    /// The best this processor has.
    pub fn detect() -> SimdLevel {
        SimdLevel::Vnni.or_below()
    }

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        match self {
            SimdLevel::Reference | SimdLevel::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Sse2 => pulp::x86::V1::is_available(),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => pulp::x86::V3::is_available(),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => pulp::x86::V4::is_available(),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Vnni => super::x86::Vnni::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The levels this processor has, slowest first.
    pub fn available() -> impl Iterator<Item = SimdLevel> {
        SimdLevel::ALL.into_iter().filter(|l| l.is_available())
    }

    /// This level, or the best below it that this processor has.
    pub fn or_below(self) -> SimdLevel {
        SimdLevel::available()
            .filter(|l| *l <= self)
            .last()
            .unwrap_or(SimdLevel::Reference)
    }

    /// Name for people and for the command line.
    pub fn name(self) -> &'static str {
        match self {
            SimdLevel::Reference => "reference",
            SimdLevel::Scalar => "scalar",
            SimdLevel::Sse2 => "sse2",
            SimdLevel::Avx2 => "avx2",
            SimdLevel::Avx512 => "avx512",
            SimdLevel::Vnni => "vnni",
        }
    }
}
