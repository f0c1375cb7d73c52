//! Where requantised sums go: the place that the pixel shuffle gives them.
//!
//! Plain code on short arrays, inlined into the row kernel of each level, which vectorises it.

use super::lanes::Lane;
use super::layer::Layer;
use super::requantize::{Accumulator, CHUNK};

/// Requantises a tile and puts it in its place: sums of the slots from `first` on, a whole number
/// of chunks each, `valid` of whose columns belong to the picture, from column `x` on. `output` is
/// the layer's output rows.
#[inline(always)]
pub fn put<S: Accumulator>(
    layer: &Layer,
    first: usize,
    sums: &[S],
    slots: usize,
    x: usize,
    valid: usize,
    output: &mut [Lane],
) {
    let columns = sums.len() / slots;
    let mut slot = 0;
    while slot < slots {
        let left = (slots - slot) / 2;
        let row = |i: usize| &sums[(slot + i) * columns..][..columns];
        let to = Place::new(layer, first + slot, output);
        slot += match layer.factor {
            4 if left >= 4 && to.dx == 0 => group::<S, 4>(layer, first + slot, row, x, valid, to),
            2 | 4 if left >= 2 && to.dx.is_multiple_of(2) => {
                group::<S, 2>(layer, first + slot, row, x, valid, to)
            }
            _ => group::<S, 1>(layer, first + slot, row, x, valid, to),
        };
    }
}

/// Where the pixel shuffle puts a channel pair.
struct Place<'a> {
    /// The output's row, from its first column.
    row: &'a mut [Lane],
    /// Column within the square.
    dx: usize,
}

impl<'a> Place<'a> {
    #[inline(always)]
    fn new(layer: &Layer, slot: usize, output: &'a mut [Lane]) -> Self {
        let s = layer.slots[slot / 2];
        let at = s.dy * layer.to.row() + s.pair * layer.to.stride() + layer.to.pad;
        Place {
            row: &mut output[at..][..layer.to.width],
            dx: s.dx,
        }
    }
}

/// `G` pairs of slots whose lanes lie next to each other; returns the number of slots.
#[inline(always)]
fn group<'a, S: Accumulator + 'a, const G: usize>(
    layer: &Layer,
    slot: usize,
    sums: impl Fn(usize) -> &'a [S],
    x: usize,
    valid: usize,
    to: Place<'_>,
) -> usize {
    let r = layer.factor;
    let out = &mut to.row[x * r..(x + valid) * r];
    for (chunk, out) in out.chunks_mut(CHUNK * r).enumerate() {
        let mut v = [[[0i16; CHUNK]; 2]; G];
        for (i, v) in v.as_flattened_mut().iter_mut().enumerate() {
            if let Some(s) = sums(i)[chunk * CHUNK..].first_chunk() {
                *v = layer.requantizer.chunk(slot + i, s);
            }
        }
        match &layer.requantizer.table {
            Some(t) => {
                // through memory: taking indices out of vectors one by one costs more than loading
                // them
                let v = std::hint::black_box(&v);
                place::<G>(out, r, to.dx, |i, g| {
                    [
                        t[usize::from(v[g][0][i] as u16)],
                        t[usize::from(v[g][1][i] as u16)],
                    ]
                });
            }
            None => place::<G>(out, r, to.dx, |i, g| [v[g][0][i], v[g][1][i]]),
        }
    }
    2 * G
}

/// Writes `lane(column, g)` to `G` columns from `dx` of each square.
#[inline(always)]
fn place<const G: usize>(
    out: &mut [Lane],
    r: usize,
    dx: usize,
    lane: impl Fn(usize, usize) -> Lane,
) {
    if r == G {
        let out = out.as_chunks_mut::<G>().0;
        // a known length makes vectors of it
        if let Some(whole) = out.first_chunk_mut::<CHUNK>() {
            for (i, o) in whole.iter_mut().enumerate() {
                o.iter_mut().enumerate().for_each(|(g, o)| *o = lane(i, g));
            }
        } else {
            for (i, o) in out.iter_mut().enumerate().take(CHUNK) {
                o.iter_mut().enumerate().for_each(|(g, o)| *o = lane(i, g));
            }
        }
    } else {
        for (i, o) in out.chunks_exact_mut(r).enumerate().take(CHUNK) {
            o[dx..dx + G]
                .iter_mut()
                .enumerate()
                .for_each(|(g, o)| *o = lane(i, g));
        }
    }
}
