//! Every r-th value of a row: the inner loop of pixel shuffles, tiles and upsampling. All r phases
//! go at once, so that the compiler can make vector permutations of the copies.

/// Values of a phase that are taken out at once.
const BLOCK: usize = 16;

/// `to[t * r + j] = from[j * step + t]` for the whole of `to`.
#[inline(always)]
pub(super) fn interleave(from: &[f32], step: usize, to: &mut [f32], r: usize) {
    match r {
        1 => {
            let n = to.len();
            to.copy_from_slice(&from[..n]);
        }
        2 => interleave_by::<2>(from, step, to),
        3 => interleave_by::<3>(from, step, to),
        4 => interleave_by::<4>(from, step, to),
        5 => interleave_by::<5>(from, step, to),
        6 => interleave_by::<6>(from, step, to),
        _ => to
            .iter_mut()
            .enumerate()
            .for_each(|(i, to)| *to = from[i % r * step + i / r]),
    }
}

#[inline(always)]
pub(super) fn interleave_by<const R: usize>(from: &[f32], step: usize, to: &mut [f32]) {
    let (whole, rest) = pulp::as_arrays_mut::<R, f32>(to);
    let n = whole.len();
    let mut phases = [&[][..]; R];
    for j in 0..R {
        phases[j] = &from[j * step..][..n];
    }
    for (t, to) in whole.iter_mut().enumerate() {
        for j in 0..R {
            to[j] = phases[j][t];
        }
    }
    for (j, to) in rest.iter_mut().enumerate() {
        *to = from[j * step + n];
    }
}

/// `to[j * step + t] = from[t * r + j]` for the whole of `from`.
#[inline(always)]
pub(super) fn deinterleave(from: &[f32], to: &mut [f32], step: usize, r: usize) {
    match r {
        1 => to[..from.len()].copy_from_slice(from),
        2 => deinterleave_by::<2>(from, to, step),
        3 => deinterleave_by::<3>(from, to, step),
        4 => deinterleave_by::<4>(from, to, step),
        5 => deinterleave_by::<5>(from, to, step),
        6 => deinterleave_by::<6>(from, to, step),
        _ => from
            .iter()
            .enumerate()
            .for_each(|(i, from)| to[i % r * step + i / r] = *from),
    }
}

#[inline(always)]
fn deinterleave_by<const R: usize>(from: &[f32], to: &mut [f32], step: usize) {
    let (whole, rest) = pulp::as_arrays::<R, f32>(from);
    let blocks = whole.len() / BLOCK;
    for (at, block) in whole.chunks_exact(BLOCK).enumerate() {
        // through a local array, of which the compiler knows that it overlaps nothing: else it
        // makes gathers of this
        let mut out = [[0f32; BLOCK]; R];
        for t in 0..BLOCK {
            for j in 0..R {
                out[j][t] = block[t][j];
            }
        }
        for j in 0..R {
            to[j * step + at * BLOCK..][..BLOCK].copy_from_slice(&out[j]);
        }
    }
    for (t, from) in whole.iter().enumerate().skip(blocks * BLOCK) {
        for j in 0..R {
            to[j * step + t] = from[j];
        }
    }
    for (j, from) in rest.iter().enumerate() {
        to[j * step + whole.len()] = *from;
    }
}
