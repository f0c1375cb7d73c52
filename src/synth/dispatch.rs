//! Running a task with the instructions of a level.

use super::lanes::{Lanes, Portable, Task};
use super::level::SimdLevel;
#[cfg(target_arch = "x86_64")]
use super::x86::Vnni;

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

/// Like [`vectorize`] for tasks that gain little from VNNI or SSE2: bodies for AVX-512 and those of
/// [`vectorize_seldom`].
pub fn vectorize_few(level: SimdLevel, task: impl Task) {
    #[cfg(target_arch = "x86_64")]
    if level >= SimdLevel::Avx512
        && let Some(l) = pulp::x86::V4::try_new()
    {
        return l.vectorize(On(l, task));
    }
    vectorize_seldom(level, task);
}

/// Like [`vectorize`] for tasks that hardly ever run: bodies for two instruction sets only, since
/// each costs seconds to build.
pub fn vectorize_seldom(level: SimdLevel, task: impl Task) {
    #[cfg(target_arch = "x86_64")]
    if level >= SimdLevel::Avx2
        && let Some(l) = pulp::x86::V3::try_new()
    {
        return l.vectorize(On(l, task));
    }
    pulp::NullaryFnOnce::call(On(Portable, task));
}
