//! Tensors that are stored as `min + scale * q`, `min` and `scale` for each slice, to scaled
//! tensors of the format.

use std::collections::BTreeMap;

use super::field;
use super::safetensors::Array;
use crate::steps::RealStep;
use nvc::entropy::scaled::{CLASSES, Field, MAX_BITS, Scaled, code_scaled};
use nvc::entropy::{Cost, ValueModel};
use nvc::error::{Error, Result};
use nvc::network::QuantStep;

/// `min + scale * q` with a `min` and a `scale` for each slice.
pub struct Quantised {
    /// Shape, four axes.
    pub shape: [usize; 4],
    /// Shape of the slices: 1 along axes that share them.
    pub slices: [usize; 4],
    min: Vec<f64>,
    scale: Vec<f64>,
    q: Vec<u16>,
}

/// How far the values may lie from the stored ones, in mean steps.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance(pub f64);

impl Quantised {
    /// Takes `NAME.quant`, `NAME.min` and `NAME.scale`, which must have `shape`.
    pub fn take(tensors: &BTreeMap<String, Array>, name: &str, shape: [usize; 4]) -> Result<Self> {
        let get = |suffix: &str| {
            let full = format!("{name}.{suffix}");
            tensors
                .get(&full)
                .ok_or_else(|| Error::Unsupported(format!("the checkpoint has no tensor '{full}'")))
        };
        let (q, min, scale) = (get("quant")?, get("min")?, get("scale")?);
        if !q.bytes {
            return Err(Error::Unsupported(format!(
                "'{name}.quant' is not of type U8"
            )));
        }
        if four_axes(&q.shape) != Some(shape) {
            return Err(Error::Unsupported(format!(
                "'{name}.quant' has shape {:?} (expected {shape:?}, the last axes may be left out)",
                q.shape
            )));
        }
        let slices = four_axes(&min.shape).unwrap_or([0; 4]);
        if min.shape != scale.shape || slices.iter().zip(&shape).any(|(s, n)| s != n && *s != 1) {
            return Err(Error::Unsupported(format!(
                "'{name}.min' and '{name}.scale' have shapes {:?} and {:?} (expected the same, each axis 1 or as in {shape:?})",
                min.shape, scale.shape
            )));
        }
        let wide = |a: &Array| a.values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let (min, scale) = (wide(min), wide(scale));
        if let Some(v) = min
            .iter()
            .find(|v| !v.is_finite())
            .or_else(|| scale.iter().find(|v| !v.is_finite() || **v < 0.0))
        {
            return Err(Error::Unsupported(format!(
                "'{name}.min' or '{name}.scale' holds {v} (allowed: finite, scales at least 0)"
            )));
        }
        Ok(Quantised {
            shape,
            slices,
            min,
            scale,
            q: q.values.iter().map(|&v| v as u16).collect(),
        })
    }

    /// Puts slice `order[i]` of the first axis to place `i`.
    pub fn reorder(&mut self, order: &[usize]) {
        fn moved<T: Copy>(v: &[T], order: &[usize]) -> Vec<T> {
            let len = v.len() / order.len();
            order
                .iter()
                .flat_map(|&i| &v[i * len..(i + 1) * len])
                .copied()
                .collect()
        }
        self.q = moved(&self.q, order);
        if self.slices[0] > 1 {
            (self.min, self.scale) = (moved(&self.min, order), moved(&self.scale, order));
        }
    }

    /// The values.
    pub fn values(&self) -> Vec<f64> {
        let numbers = field::slice_numbers(self.slices, self.shape);
        numbers
            .iter()
            .zip(&self.q)
            .map(|(&s, &q)| self.min[s] + self.scale[s] * f64::from(q))
            .collect()
    }

    fn mean_scale(&self) -> f64 {
        self.scale.iter().sum::<f64>() / self.scale.len() as f64
    }

    /// The finest step at which all values fit 16 bits, `weight` of the values of each output
    /// channel stays at most `limit`, and that is worth it.
    pub fn step(
        &self,
        weight: impl Fn(&mut dyn Iterator<Item = f64>) -> f64,
        limit: f64,
    ) -> QuantStep {
        let values = self.values();
        let most = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let row = values
            .chunks(values.len() / self.shape[0])
            .map(|r| weight(&mut r.iter().copied()))
            .fold(0.0, f64::max);
        let finest = (most / 32700.0)
            .max(row / limit)
            .max(self.mean_scale() / 16.0)
            .max(1e-9);
        let mut step = QuantStep::nearest(finest);
        if step.value() < finest {
            step = QuantStep::nearest(finest * (1.0 + 1.0 / 128.0));
        }
        step
    }

    /// The scaled tensor at `step`, and the values that a decoder makes of it. `factor` is that of
    /// the pixel shuffle after it.
    pub fn scaled(
        &self,
        step: QuantStep,
        tolerance: Tolerance,
        factor: u8,
    ) -> Result<(Scaled, Vec<i16>)> {
        let step = step.value();
        let count = self.scale.len();
        let bits = (16 - self.q.iter().max().map_or(0, |m| m.leading_zeros())).max(1) as u8;
        let middle = f64::from(1u32 << (bits - 1));
        let offsets: Vec<f64> = self
            .min
            .iter()
            .zip(&self.scale)
            .map(|(m, s)| (m + s * middle) / step)
            .collect();
        let scales: Vec<f64> = self.scale.iter().map(|s| s / step * 65536.0).collect();
        let most = |v: &[f64]| v.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let half = 1i32 << (MAX_BITS - 1);
        // the finest units that the integers allow, or coarser ones that the tolerance allows
        let fits = [
            most(&scales) / f64::from(2 * half),
            most(&offsets) * 256.0 / f64::from(half - 1),
        ];
        let mean = self.mean_scale() / step;
        let wanted = if count > 1 {
            [
                mean * 65536.0 * tolerance.0 / (middle / 2.0),
                mean * 256.0 * tolerance.0,
            ]
        } else {
            [0.0; 2]
        };
        let [scale_unit, offset_unit] =
            [0, 1].map(|i| wanted[i].max(fits[i]).ceil().clamp(1.0, 32767.0));
        let scales: Vec<u16> = scales
            .iter()
            .map(|s| ((s / scale_unit).round() - 1.0).clamp(0.0, 2047.0) as u16)
            .collect();
        let offsets: Vec<i32> = offsets
            .iter()
            .map(|o| {
                (o * 256.0 / offset_unit)
                    .round()
                    .clamp(f64::from(1 - half), f64::from(half - 1)) as i32
            })
            .collect();
        // offsets have the fewest bits too: the half of a field's range stands for 0
        let reach = offsets.iter().map(|o| o.unsigned_abs()).max().unwrap_or(0);
        let own = if count > 1 {
            1i32 << (32 - reach.leading_zeros())
        } else {
            half
        };
        let mut offsets_field = Field {
            values: offsets.iter().map(|o| (o + own) as u16).collect(),
            ..Field::default()
        };
        let mut scales_field = Field {
            values: scales,
            ..Field::default()
        };
        if count > 1 {
            offsets_field.bits = own.trailing_zeros() as u8 + 1;
            scales_field = field::plain(self.slices, scales_field.values)?;
            offsets_field = field::plain_of(self.slices, offsets_field)?;
        }
        let mut tensor = Scaled {
            axes: (0..4).filter(|&i| self.slices[i] > 1).map(|i| 1 << i).sum(),
            scale_unit: scale_unit as i16,
            offset_unit: offset_unit as i16,
            scales: scales_field,
            offsets: offsets_field,
            values: Field {
                bits,
                values: self.q.clone(),
                ..Field::default()
            },
        };
        let exact: Vec<f64> = self.values().iter().map(|v| v / step).collect();
        field::choose(&mut tensor, self.shape, &exact, factor)?;
        let mut out = vec![0; exact.len()];
        code_scaled(
            &mut Cost::default(),
            &mut ValueModel::new(CLASSES),
            self.shape,
            &mut tensor,
            &mut out,
        )?;
        Ok((tensor, out))
    }
}

/// A shape with 1s for axes that are left out at the end.
fn four_axes(shape: &[usize]) -> Option<[usize; 4]> {
    let mut out = [1; 4];
    out.get_mut(..shape.len())?.copy_from_slice(shape);
    Some(out)
}
