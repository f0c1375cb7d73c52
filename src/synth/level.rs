//! Instruction sets the executor can use.

/// Which instructions the executor may use. Every level gives the same samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
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

impl Level {
    /// Every level, slowest first.
    pub const ALL: [Level; 6] = [
        Level::Reference,
        Level::Scalar,
        Level::Sse2,
        Level::Avx2,
        Level::Avx512,
        Level::Vnni,
    ];

    /// The best this processor has.
    pub fn detect() -> Level {
        Level::Vnni.or_below()
    }

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        match self {
            Level::Reference | Level::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Level::Sse2 => pulp::x86::V1::is_available(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => pulp::x86::V3::is_available(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => pulp::x86::V4::is_available(),
            #[cfg(target_arch = "x86_64")]
            Level::Vnni => super::lanes::Vnni::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The levels this processor has, slowest first.
    pub fn available() -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(|l| l.is_available())
    }

    /// This level, or the best below it that this processor has.
    pub fn or_below(self) -> Level {
        Level::available()
            .filter(|l| *l <= self)
            .last()
            .unwrap_or(Level::Reference)
    }

    /// Name for people and for the command line.
    pub fn name(self) -> &'static str {
        match self {
            Level::Reference => "reference",
            Level::Scalar => "scalar",
            Level::Sse2 => "sse2",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Vnni => "vnni",
        }
    }
}
