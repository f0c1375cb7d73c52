//! Memory of results on the CPU, used again.
//!
//! A training step makes the same tensors each time. Fresh memory would cost the system clearing
//! every page of it, which for large pictures takes longer than the arithmetic on it. So a
//! reference to each result is kept here, and when no other is left its memory becomes the next
//! result of the same length. Consequence: burn's own operations see these tensors as shared and do
//! not overwrite them in place.

use burn::tensor::TensorData;
use burn_flex::{FlexTensor, Layout};
use std::sync::Mutex;

/// Results of fewer values are not worth keeping.
const LEAST: usize = 1024;
/// A free buffer that so many results did not need is given back.
const PATIENCE: u64 = 2048;
/// Results between two looks for such buffers.
const SWEEP: u64 = 256;

struct Entry {
    tensor: FlexTensor,
    values: usize,
    used: u64,
}

struct Buffers {
    entries: Vec<Entry>,
    /// Results so far.
    now: u64,
}

static BUFFERS: Mutex<Buffers> = Mutex::new(Buffers {
    entries: Vec::new(),
    now: 0,
});

fn with<T>(f: impl FnOnce(&mut Buffers) -> T) -> T {
    f(&mut BUFFERS.lock().unwrap_or_else(|e| e.into_inner()))
}

/// A tensor of `values` unspecified values that nothing else refers to.
fn take(values: usize) -> FlexTensor {
    let free = with(|b| {
        b.now += 1;
        if b.now % SWEEP == 0 {
            let oldest = b.now.saturating_sub(PATIENCE);
            b.entries
                .retain(|e| e.used >= oldest || !e.tensor.is_unique());
        }
        let at = b
            .entries
            .iter()
            .position(|e| e.values == values && e.tensor.is_unique())?;
        Some(b.entries.swap_remove(at).tensor)
    });
    free.unwrap_or_else(|| FlexTensor::from_data(TensorData::new(vec![0f32; values], [values])))
}

/// Tensors of the given shapes, written by `f`, which must set every value.
pub(super) fn all_filled<const N: usize>(
    shapes: [&[usize]; N],
    f: impl FnOnce([&mut [f32]; N]),
) -> [FlexTensor; N] {
    let mut tensors = shapes.map(|s| take(s.iter().product()));
    f(tensors.each_mut().map(|t| t.storage_mut::<f32>()));
    let mut shapes = shapes.into_iter();
    tensors.map(|tensor| {
        let shape = shapes.next().unwrap_or_default();
        let values = shape.iter().product();
        if values >= LEAST {
            with(|b| {
                b.entries.push(Entry {
                    tensor: tensor.clone(),
                    values,
                    used: b.now,
                })
            });
        }
        tensor.with_layout(Layout::contiguous(shape.to_vec().into()))
    })
}

/// As [`all_filled`], for one tensor.
pub(super) fn filled(shape: &[usize], f: impl FnOnce(&mut [f32])) -> FlexTensor {
    let [tensor] = all_filled([shape], |[out]| f(out));
    tensor
}

/// Gives all memory back that no tensor uses: between groups of frames, whose shapes differ.
pub fn release() {
    with(|b| b.entries.retain(|e| !e.tensor.is_unique()));
    crate::fit::kernels::release_scratch();
}
