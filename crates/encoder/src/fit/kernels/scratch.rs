//! Reused buffers and the padded, flattened image that all convolution kernels read.

use rayon::prelude::*;
use std::sync::Mutex;

/// Buffers of ended operations. The count is bounded: a training step holds at most a few at once.
static POOL: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());
const POOL_MAX: usize = 24;
/// Floats in a cache line; plane starts are aligned to it.
pub(super) const LINE: usize = 16;
/// Rows of zeros below the image that kernels computing several rows at once may read.
const SPARE_ROWS: usize = 8;
/// Floats after a plane that the widest vector tile may read.
const SPARE: usize = 64;

/// A buffer of unspecified contents, given back to the pool when dropped.
pub(super) struct Scratch {
    buf: Vec<f32>,
    start: usize,
    len: usize,
}

impl Scratch {
    pub(super) fn take(len: usize) -> Self {
        let mut pool = POOL.lock().unwrap_or_else(|e| e.into_inner());
        let need = len + LINE;
        // the smallest that fits, else grow the largest
        let at = (0..pool.len())
            .filter(|&i| pool[i].len() >= need)
            .min_by_key(|&i| pool[i].len());
        let at = at.or_else(|| (0..pool.len()).max_by_key(|&i| pool[i].len()));
        let mut buf = at.map(|i| pool.swap_remove(i)).unwrap_or_default();
        drop(pool);
        if buf.len() < need {
            // old contents are of no use: do not copy them
            buf = vec![0.0; need];
        }
        let misalign = (buf.as_ptr() as usize / 4) % LINE;
        Scratch {
            start: (LINE - misalign) % LINE,
            buf,
            len,
        }
    }
    pub(super) fn get(&self) -> &[f32] {
        &self.buf[self.start..self.start + self.len]
    }
    pub(super) fn get_mut(&mut self) -> &mut [f32] {
        &mut self.buf[self.start..self.start + self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut pool = POOL.lock().unwrap_or_else(|e| e.into_inner());
        if pool.len() < POOL_MAX {
            pool.push(std::mem::take(&mut self.buf));
        }
    }
}

/// Frees all buffers that are not in use.
pub fn release() {
    POOL.lock().unwrap_or_else(|e| e.into_inner()).clear();
}

/// Zero-padded copy of `[planes, h, w]`, each plane one flat run of memory.
///
/// Rows lie `stride = w + p` apart: the zeros right of one row are the zeros left of the next. So
/// the value of a tap for *all* pixels of a plane is one shifted run of memory, and a kernel can
/// vectorise over whole planes whatever their width; it computes `p` junk values after each row.
pub(super) struct Padded {
    data: Scratch,
    /// Distance between rows.
    pub(super) stride: usize,
    /// Distance between planes.
    pub(super) plane: usize,
    /// Position of pixel (0, 0) in its plane.
    origin: usize,
    p: usize,
}

impl Padded {
    /// Copies `x [planes, h, w]` with room for `p` zeros on all sides.
    pub(super) fn new(x: &[f32], planes: usize, h: usize, w: usize, p: usize) -> Self {
        let stride = w + p;
        let origin = (p * stride + p).next_multiple_of(LINE);
        let plane = (origin + (h + p + SPARE_ROWS) * stride + p + SPARE).next_multiple_of(LINE);
        let mut data = Scratch::take(planes * plane + SPARE);
        let (body, tail) = data.get_mut().split_at_mut(planes * plane);
        tail.fill(0.0);
        if h * w > 0 {
            body.par_chunks_mut(plane)
                .with_min_len(1 + 8192 / plane)
                .zip(x.par_chunks(h * w))
                .for_each(|(to, from)| {
                    to[..origin].fill(0.0);
                    for (to, from) in to[origin..].chunks_mut(stride).zip(from.chunks(w)) {
                        to[..w].copy_from_slice(from);
                        to[w..].fill(0.0);
                    }
                    to[origin + h * stride..].fill(0.0);
                });
        }
        Padded {
            data,
            stride,
            plane,
            origin,
            p,
        }
    }
    /// All planes.
    pub(super) fn data(&self) -> &[f32] {
        self.data.get()
    }
    /// Position of pixel (0, 0) of `plane` in [`Self::data`].
    pub(super) fn pixel0(&self, plane: usize) -> usize {
        plane * self.plane + self.origin
    }
    /// Offset, from an output position counted from the start of a plane, of the input under tap
    /// `(ky, kx)` of channel `c`.
    pub(super) fn tap(&self, c: usize, ky: usize, kx: usize) -> usize {
        c * self.plane + self.origin - (self.p * self.stride + self.p) + ky * self.stride + kx
    }
    /// [`Self::tap`] for all taps of a `cin x k x k` kernel, in memory order of the weights.
    pub(super) fn taps(&self, cin: usize, k: usize) -> Vec<usize> {
        (0..cin * k * k)
            .map(|t| self.tap(t / (k * k), t / k % k, t % k))
            .collect()
    }
}
