//! Multiply-adds a second of each level, from registers alone.

use std::time::Instant;

use nvc::synth::SimdLevel;
use nvc::synth::lanes::{Lanes, Portable};

/// Products that nothing but the multiply-add instruction can delay, `M` x `C` sums at a time.
struct Loop<L, const M: usize, const C: usize>(L, usize);

impl<L: Lanes, const M: usize, const C: usize> pulp::NullaryFnOnce for Loop<L, M, C> {
    type Output = i32;

    #[inline(always)]
    fn call(self) -> i32 {
        let Loop(l, n) = self;
        let seeds = std::hint::black_box([[3i16, 5]; 64]);
        let mut a = [l.load(&seeds); C];
        let mut w = [l.splat(seeds[0]); M];
        (0..M).for_each(|m| w[m] = l.splat([m as i16 + seeds[1][0], 7]));
        let mut acc = [[l.zero(); C]; M];
        for _ in 0..n {
            for m in 0..M {
                for c in 0..C {
                    acc[m][c] = l.add_products(acc[m][c], a[c], w[m]);
                }
            }
            // else the products would be formed once for all
            (0..C).for_each(|c| a[c] = l.next(a[c], w[0]));
        }
        let mut out = [0; 64];
        let mut sum = 0i32;
        for v in acc.iter().flatten() {
            l.store(*v, &mut out);
            sum = out.iter().fold(sum, |s, v| s.wrapping_add(*v));
        }
        sum
    }
}

fn once(level: SimdLevel, n: usize) -> usize {
    use pulp::NullaryFnOnce;
    let (sum, products) = match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Sse2 => {
            pulp::x86::V1::try_new().map(|l| (l.vectorize(Loop::<_, 4, 2>(l, n)), 4 * 2 * 8))
        }
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => {
            pulp::x86::V3::try_new().map(|l| (l.vectorize(Loop::<_, 4, 2>(l, n)), 4 * 2 * 16))
        }
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => {
            pulp::x86::V4::try_new().map(|l| (l.vectorize(Loop::<_, 6, 3>(l, n)), 6 * 3 * 32))
        }
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Vnni => nvc::synth::x86::Vnni::try_new()
            .map(|l| (l.vectorize(Loop::<_, 6, 3>(l, n)), 6 * 3 * 32)),
        _ => None,
    }
    .unwrap_or_else(|| (Loop::<_, 2, 1>(Portable, n).call(), 2 * 16));
    std::hint::black_box(sum);
    products * n
}

/// Billions of multiply-adds a second on `threads` threads: best of several runs.
pub fn gmacs(level: SimdLevel, threads: usize) -> f64 {
    let one = || {
        (0..5)
            .map(|_| {
                let start = Instant::now();
                once(level, 400_000) as f64 / start.elapsed().as_secs_f64() / 1e9
            })
            .fold(0.0, f64::max)
    };
    std::thread::scope(|s| {
        let others: Vec<_> = (1..threads).map(|_| s.spawn(one)).collect();
        one()
            + others
                .into_iter()
                .map(|t| t.join().expect("a thread"))
                .sum::<f64>()
    })
}
