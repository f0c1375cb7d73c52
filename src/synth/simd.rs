//! Inner loops of the convolution: sums of products of 16-bit integers in 32-bit lanes.
//!
//! Taps are taken in pairs: one multiply-add instruction forms both products and their sum. The caller has proved that no
//! partial sum leaves 32 bits, so the order of additions does not matter.

/// Output channels computed together.
pub const BLOCK: usize = 4;
/// Columns computed together; buffers have at least this much room after the last column.
pub const COLUMNS: usize = 16;

/// Weights of one tap pair for [`BLOCK`] output channels.
#[derive(Clone, Copy, Debug, Default)]
pub struct PairWeights {
    /// Offsets of the two taps from the top left sample of the window, in the padded input.
    pub offsets: [u32; 2],
    /// `[first, second]` of each output channel.
    pub weights: [[i16; 2]; BLOCK],
}

/// Whether [`rows_avx2`] can run.
pub fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        pulp::x86::V3::is_available()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Adds up one row of [`BLOCK`] output channels. `input` starts at the top left sample of the first window;
/// `acc` holds `BLOCK` rows of `width` sums, `width` a multiple of [`COLUMNS`].
pub fn rows_scalar(input: &[i16], pairs: &[PairWeights], acc: &mut [i32], width: usize) {
    acc.fill(0);
    for p in pairs {
        let a = &input[p.offsets[0] as usize..][..width];
        let b = &input[p.offsets[1] as usize..][..width];
        for (co, row) in acc.chunks_exact_mut(width).enumerate() {
            let [wa, wb] = p.weights[co].map(i32::from);
            for ((s, &a), &b) in row.iter_mut().zip(a).zip(b) {
                *s += wa * i32::from(a) + wb * i32::from(b);
            }
        }
    }
}

/// [`rows_scalar`] with AVX2, if the processor has it; else the same in scalar code.
pub fn rows_avx2(input: &[i16], pairs: &[PairWeights], acc: &mut [i32], width: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        simd.vectorize(Avx2Rows { simd, input, pairs, acc, width });
        return;
    }
    rows_scalar(input, pairs, acc, width);
}

#[cfg(target_arch = "x86_64")]
struct Avx2Rows<'a> {
    simd: pulp::x86::V3,
    input: &'a [i16],
    pairs: &'a [PairWeights],
    acc: &'a mut [i32],
    width: usize,
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Avx2Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        use std::arch::x86_64::__m256i;
        let Avx2Rows { simd, input, pairs, acc, width } = self;
        let (avx, avx2) = (simd.avx, simd.avx2);
        let zero = avx._mm256_setzero_si256();
        for x in (0..width).step_by(COLUMNS) {
            let input = &input[x..];
            let load = |at: u32| -> __m256i {
                let a: [i16; 16] = input[at as usize..at as usize + 16].try_into().expect("16 columns");
                pulp::cast(a)
            };
            let mut sums = [[zero; 2]; BLOCK];
            for p in pairs {
                let (a, b) = (load(p.offsets[0]), load(p.offsets[1]));
                let low = avx2._mm256_unpacklo_epi16(a, b);
                let high = avx2._mm256_unpackhi_epi16(a, b);
                for (s, &w) in sums.iter_mut().zip(&p.weights) {
                    let w = avx._mm256_set1_epi32(pulp::cast::<[i16; 2], i32>(w));
                    s[0] = avx2._mm256_add_epi32(s[0], avx2._mm256_madd_epi16(low, w));
                    s[1] = avx2._mm256_add_epi32(s[1], avx2._mm256_madd_epi16(high, w));
                }
            }
            for (co, [low, high]) in sums.into_iter().enumerate() {
                // the unpacks left columns 0..4 | 8..12 and 4..8 | 12..16
                let first: [i32; 8] = pulp::cast(avx2._mm256_permute2x128_si256::<0x20>(low, high));
                let second: [i32; 8] = pulp::cast(avx2._mm256_permute2x128_si256::<0x31>(low, high));
                let row = &mut acc[co * width + x..][..16];
                row[..8].copy_from_slice(&first);
                row[8..].copy_from_slice(&second);
            }
        }
    }
}
