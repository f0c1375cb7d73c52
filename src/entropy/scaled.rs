//! Scaled tensors (spec section 4.7): integers of few bits whose step and offset change from slice
//! to slice, and the plain values that come of them.
//!
//! Each integer is coded by a normal distribution whose mean is predicted from values before and
//! whose deviation is the product of three coded factors. Nothing adapts but the states of the side
//! information.

use super::contexts::{Coder, MAX_MAGNITUDE, ValueModel};
pub use super::field::{CLASSES, Field, MAX_BITS, MAX_COEFFICIENT, MAX_FACTOR, neighbours};
use super::field::{Kind, Slices, code_field, integer};
use crate::error::Result;

/// A tensor in slices that have a step and an offset each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scaled {
    /// Bit `i` is set if slices do not extend along axis `i` of the shape.
    pub axes: u8,
    /// A slice's step is `(integer + 1) * scale_unit / 65536`, in units of the tensor's.
    pub scale_unit: i16,
    /// A slice's offset is `(integer - half) * offset_unit / 256`.
    pub offset_unit: i16,
    /// One integer for each slice.
    pub scales: Field,
    /// One integer for each slice.
    pub offsets: Field,
    /// One integer for each value.
    pub values: Field,
}

impl Scaled {
    /// Shape of the array of slices of a tensor of `shape`.
    pub fn slices(&self, shape: [usize; 4]) -> [usize; 4] {
        std::array::from_fn(|i| if self.axes >> i & 1 == 1 { shape[i] } else { 1 })
    }
}

/// Codes a tensor of `shape`, which is not empty: `tensor` is written, or replaced by what was
/// read. `model` has [`CLASSES`] classes. `out` takes the values, in units of the tensor's step.
pub fn code_scaled<C: Coder>(
    c: &mut C,
    model: &mut ValueModel,
    shape: [usize; 4],
    tensor: &mut Scaled,
    out: &mut [i16],
) -> Result<()> {
    let mut unit = |c: &mut C, v: i16, what: &str| {
        integer(
            c,
            model,
            Kind::Unit as usize,
            v.into(),
            1..=MAX_MAGNITUDE,
            what,
        )
    };
    tensor.scale_unit = unit(c, tensor.scale_unit, "scale unit")? as i16;
    tensor.offset_unit = unit(c, tensor.offset_unit, "offset unit")? as i16;
    tensor.axes = integer(
        c,
        model,
        Kind::Flag as usize,
        tensor.axes.into(),
        0..=15,
        "mask of a scaled tensor's axes",
    )? as u8;
    let slices = tensor.slices(shape);
    let count = slices.iter().product();
    let mut side = |c: &mut C, field: &mut Field, unit: i64, add: i64| -> Result<Vec<i64>> {
        let mut plain = vec![0; count];
        if count > 1 {
            code_field(c, model, slices, &Slices::plain(count), field, &mut plain)?;
            let half = 1i64 << (field.bits - 1);
            return Ok(plain
                .iter()
                .map(|&v| (i64::from(v) + half * add) * unit)
                .map(|v| v + add * unit)
                .collect());
        }
        field.bits = MAX_BITS;
        let half = 1i32 << (MAX_BITS - 1);
        let v = field.values.first().map_or(0, |&v| i32::from(v)) - half;
        let v = integer(
            c,
            model,
            Kind::Single as usize,
            v,
            -half..=half - 1,
            "scale or offset of a scaled tensor",
        )?;
        field.values = vec![(v + half) as u16];
        Ok(vec![(i64::from(v) + i64::from(half + 1) * add) * unit])
    };
    let scale = side(c, &mut tensor.scales, tensor.scale_unit.into(), 1)?;
    let offset = side(
        c,
        &mut tensor.offsets,
        i64::from(tensor.offset_unit) << 8,
        0,
    )?;
    let mut strides = [0; 4];
    let mut stride = 1;
    for i in (0..4).rev() {
        strides[i] = if slices[i] > 1 { stride } else { 0 };
        stride *= slices[i];
    }
    let len = shape.iter().product::<usize>() / count.max(1);
    code_field(
        c,
        model,
        shape,
        &Slices {
            scale,
            offset,
            strides,
            len,
        },
        &mut tensor.values,
        out,
    )
}

#[cfg(test)]
#[path = "scaled_tests.rs"]
mod tests;
