//! Buffers whose first float starts a cache line.

use std::ops::{Deref, DerefMut};

/// Floats in a cache line, and lanes of the widest vector.
pub(crate) const LINE: usize = 16;

/// Zeroed floats at a multiple of 64 bytes: a 512-bit load that straddles two lines costs double.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    pub(crate) fn new(len: usize) -> Self {
        let data = vec![0.0; len + LINE];
        let start = data.as_ptr().align_offset(64).min(LINE);
        Buffer { data, start, len }
    }
}

impl Deref for Buffer {
    type Target = [f32];
    #[inline(always)]
    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }
}
