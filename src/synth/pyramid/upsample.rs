//! Learned upsampling of planes, a row at a time.

use crate::entropy::tensor::Tensor;
use crate::error::Fault;
use crate::network::ops::{Requant, upsample_at};
use crate::synth::requantize::{CHUNK, Requantizer};

/// A plane of activations.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    /// Rows, one after another.
    pub values: &'a [i16],
    /// `[rows, columns]`.
    pub size: [usize; 2],
}

/// Columns repeated before and after a row.
const EDGE: usize = 2;

/// The taps of one level.
pub struct Filter {
    taps: [i32; 4],
    requantizer: Requantizer,
}

impl Filter {
    /// Of `taps`, at `frac_bits` fraction bits.
    pub fn new(taps: &Tensor, frac_bits: u32) -> Result<Self, Fault> {
        let requant = Requant::new(taps.step, (&[0], taps.step), frac_bits, frac_bits, 0)?;
        Ok(Filter {
            taps: std::array::from_fn(|i| taps.values[i].into()),
            requantizer: Requantizer::new(requant, true, None),
        })
    }

    /// Values of `scratch` for an input of `columns` columns.
    pub fn scratch(columns: usize) -> usize {
        columns.next_multiple_of(CHUNK) + 2 * EDGE + CHUNK
    }

    /// Row `y` of what `input` becomes, into `out`, which has room for whole chunks of input
    /// columns.
    #[inline(always)]
    pub fn row(&self, input: Plane<'_>, y: usize, scratch: &mut [i16], out: &mut [i16]) {
        let [rows, columns] = input.size;
        let source = upsample_at(y).map(|(d, tap)| {
            let at = ((y / 2) as isize + d).clamp(0, rows as isize - 1) as usize;
            (&input.values[at * columns..][..columns], self.taps[tap])
        });
        let down = &mut scratch[EDGE..];
        let mut x = 0;
        while x + CHUNK <= columns {
            let rows = source.map(|(row, tap)| (row[x..].first_chunk().expect("a chunk"), tap));
            let to = down[x..].first_chunk_mut().expect("a chunk");
            self.sums(rows, to);
            x += CHUNK;
        }
        if x < columns {
            let mut last = [[0; CHUNK]; 4];
            for (last, (row, _)) in last.iter_mut().zip(source) {
                last[..columns - x].copy_from_slice(&row[x..]);
            }
            let rows = std::array::from_fn(|i| (&last[i], source[i].1));
            self.sums(rows, down[x..].first_chunk_mut().expect("a chunk"));
        }
        let [first, last] = [scratch[EDGE], scratch[EDGE + columns - 1]];
        scratch[..EDGE].fill(first);
        scratch[EDGE + columns..][..EDGE].fill(last);
        for x in (0..columns).step_by(CHUNK) {
            let mut both = [[0; CHUNK]; 2];
            for (o, half) in both.iter_mut().enumerate() {
                let inputs = upsample_at(o).map(|(d, tap)| {
                    let at = (x + EDGE).wrapping_add_signed(d);
                    (
                        scratch[at..].first_chunk().expect("a chunk"),
                        self.taps[tap],
                    )
                });
                self.sums(inputs, half);
            }
            let out: &mut [i16; 2 * CHUNK] = out[2 * x..].first_chunk_mut().expect("two chunks");
            for i in 0..CHUNK {
                (out[2 * i], out[2 * i + 1]) = (both[0][i], both[1][i]);
            }
        }
    }

    #[inline(always)]
    fn sums(&self, inputs: [(&[i16; CHUNK], i32); 4], to: &mut [i16; CHUNK]) {
        let mut sums = [0i32; CHUNK];
        for (values, tap) in inputs {
            for i in 0..CHUNK {
                sums[i] += i32::from(values[i]) * tap;
            }
        }
        *to = self.requantizer.chunk(0, &sums);
    }
}
