//! Fields: small integers coded by normal distributions (spec section 4.7).

use std::ops::RangeInclusive;

use super::contexts::{Coder, MAX_MAGNITUDE, ValueModel};
use super::normal::{BITS, MAX_LEVEL, Normal, ONE};
use crate::error::{Error, Result};

/// Most bits of a field's integers.
pub const MAX_BITS: u8 = 11;
/// Largest magnitude of a coefficient, in units of 1/128.
pub const MAX_COEFFICIENT: i32 = 1023;
/// Largest factor: coefficients change with the output channel modulo its square.
pub const MAX_FACTOR: u8 = 16;
/// Classes of the value model that codes the side information.
pub const CLASSES: usize = 8;

/// Class of the model for each kind of side information.
pub(super) enum Kind {
    Flag = 0,
    Unit = 1,
    Coefficient = 2,
    Level = 3,
    Levels = 4,
    Single = 7,
}

/// Small integers of a four-axis shape, and what tells how they are distributed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The integers are in `0..2^bits`.
    pub bits: u8,
    /// Whether every slice holds the smallest and the largest integer.
    pub ends: bool,
    /// 0: values are not predicted; 1: by one set of coefficients; more: by one for each position
    /// of a pixel shuffle.
    pub factor: u8,
    /// `factor * factor` times one for each of [`neighbours`], in units of 1/128.
    pub coefficients: Vec<i16>,
    /// What neighbours and prediction are relative to, in units of the step.
    pub centre: i16,
    /// Eighths of an octave of the deviation.
    pub level: u8,
    /// What output channel, input channel and kernel position add to that; an empty axis adds
    /// nothing.
    pub levels: [Vec<i16>; 3],
    /// The integers.
    pub values: Vec<u16>,
}

/// Places that a prediction reads, as output channels back, rows down and columns right. All are
/// coded before.
pub fn neighbours(rows: usize, columns: usize, factor: usize) -> Vec<[isize; 3]> {
    let r = factor as isize;
    let near = [
        [0, 0, -1],
        [0, -1, 0],
        [0, -1, -1],
        [0, -1, 1],
        [0, 0, -2],
        [0, -2, 0],
    ];
    let back = [
        [1, 0, 0],
        [1, 0, 1],
        [1, 0, -1],
        [1, 1, 0],
        [1, -1, 0],
        [2, 0, 0],
    ];
    let far = [
        [r, 0, 0],
        [r, 0, 1],
        [r, 1, 0],
        [r, 0, -1],
        [r, -1, 0],
        [r * r, 0, 0],
    ];
    let inside = |&[_, y, x]: &[isize; 3]| y.unsigned_abs() < rows && x.unsigned_abs() < columns;
    near.into_iter()
        .chain(back)
        .chain(far.into_iter().filter(|_| r > 1))
        .filter(inside)
        .collect()
}

/// Steps and offsets of slices, in units of 2^-16 of the tensor's step.
pub(super) struct Slices {
    pub(super) scale: Vec<i64>,
    pub(super) offset: Vec<i64>,
    /// How far apart the slices of neighbouring values are, for each axis.
    pub(super) strides: [usize; 4],
    /// Values of a slice.
    pub(super) len: usize,
}

impl Slices {
    /// One slice whose values are the integers less `half` of their range.
    pub(super) fn plain(len: usize) -> Self {
        Slices {
            scale: vec![65536],
            offset: vec![0],
            strides: [0; 4],
            len,
        }
    }
}

pub(super) fn integer<C: Coder>(
    c: &mut C,
    model: &mut ValueModel,
    class: usize,
    v: i32,
    allowed: RangeInclusive<i32>,
    what: &str,
) -> Result<i32> {
    if !c.reads() && !allowed.contains(&v) {
        return Err(Error::Unsupported(format!(
            "{what} is {v} (allowed {allowed:?})"
        )));
    }
    let v = model.code(c, class, v)?;
    if !allowed.contains(&v) {
        return Err(Error::format(
            c.offset(),
            format!("{what} is {v} (allowed {allowed:?})"),
        ));
    }
    Ok(v)
}

/// Codes everything of a field but its integers.
fn code_distribution<C: Coder>(
    c: &mut C,
    model: &mut ValueModel,
    shape: [usize; 4],
    f: &mut Field,
) -> Result<()> {
    let (flag, level) = (Kind::Flag as usize, MAX_LEVEL as i32);
    f.bits = integer(
        c,
        model,
        flag,
        f.bits.into(),
        1..=MAX_BITS.into(),
        "bits of a field",
    )? as u8;
    f.ends = integer(
        c,
        model,
        flag,
        f.ends.into(),
        0..=1,
        "mark of a field's ends",
    )? == 1;
    f.factor = integer(
        c,
        model,
        flag,
        f.factor.into(),
        0..=MAX_FACTOR.into(),
        "factor of a field",
    )? as u8;
    let factor = usize::from(f.factor);
    f.coefficients.resize(
        factor * factor * neighbours(shape[2], shape[3], factor).len(),
        0,
    );
    for v in &mut f.coefficients {
        let allowed = -MAX_COEFFICIENT..=MAX_COEFFICIENT;
        *v = integer(
            c,
            model,
            Kind::Coefficient as usize,
            (*v).into(),
            allowed,
            "coefficient",
        )? as i16;
    }
    f.centre = integer(
        c,
        model,
        Kind::Unit as usize,
        f.centre.into(),
        -MAX_MAGNITUDE..=MAX_MAGNITUDE,
        "centre of a field",
    )? as i16;
    f.level = integer(
        c,
        model,
        Kind::Level as usize,
        f.level.into(),
        0..=level,
        "level of a field",
    )? as u8;
    for (i, (levels, len)) in f
        .levels
        .iter_mut()
        .zip([shape[0], shape[1], shape[2] * shape[3]])
        .enumerate()
    {
        let there = integer(
            c,
            model,
            flag,
            (!levels.is_empty()).into(),
            0..=1,
            "mark of a field's levels",
        )?;
        levels.resize(len * there as usize, 0);
        for v in levels {
            *v = integer(
                c,
                model,
                Kind::Levels as usize + i,
                (*v).into(),
                -level..=level,
                "level of a field's axis",
            )? as i16;
        }
    }
    Ok(())
}

/// A neighbour that a prediction takes part of.
struct Near {
    /// Output channels back.
    channels: usize,
    /// Values back.
    values: usize,
    coefficient: i64,
}

/// For each set of coefficients and each kernel position, the neighbours with a part in the
/// prediction.
fn predictions(f: &Field, [_, cin, kh, kw]: [usize; 4]) -> Vec<Vec<Near>> {
    let places = neighbours(kh, kw, f.factor.into());
    let sets: Vec<&[i16]> = if f.coefficients.is_empty() {
        vec![&[]]
    } else {
        f.coefficients.chunks(places.len()).collect()
    };
    let mut out = Vec::with_capacity(sets.len() * kh * kw);
    for set in sets {
        for (y, x) in (0..kh).flat_map(|y| (0..kw).map(move |x| (y as isize, x as isize))) {
            let there = |&(&[_, dy, dx], &k): &(&[isize; 3], &i16)| {
                k != 0
                    && (0..kh as isize).contains(&(y + dy))
                    && (0..kw as isize).contains(&(x + dx))
            };
            let near = |(&[channels, dy, dx], &k): (&[isize; 3], &i16)| Near {
                channels: channels as usize,
                values: (channels * (cin * kh * kw) as isize - dy * kw as isize - dx) as usize,
                coefficient: k.into(),
            };
            out.push(places.iter().zip(set).filter(there).map(near).collect());
        }
    }
    out
}

/// What is known of a slice while its values are coded.
#[derive(Clone, Copy)]
struct State {
    left: i64,
    first: bool,
    last: bool,
}

/// Codes a field; `out` takes the value of each integer by its slice.
pub(super) fn code_field<C: Coder>(
    c: &mut C,
    model: &mut ValueModel,
    shape: [usize; 4],
    slices: &Slices,
    f: &mut Field,
    out: &mut [i16],
) -> Result<()> {
    code_distribution(c, model, shape, f)?;
    let size = 1u32 << f.bits;
    if c.reads() {
        f.values = vec![0; out.len()];
    } else if f.values.len() != out.len() || f.values.iter().any(|&v| u32::from(v) >= size) {
        return Err(Error::Unsupported(format!(
            "a field of {} integers (its shape has {}) below {size}",
            f.values.len(),
            out.len()
        )));
    }
    let predictions = predictions(f, shape);
    let [cout, cin, kh, kw] = shape;
    let (sets, centre, half) = (
        predictions.len() / (kh * kw),
        i64::from(f.centre),
        i64::from(size / 2),
    );
    let level = |axis: usize, i: usize| f.levels[axis].get(i).map_or(0, |&v| i64::from(v));
    let mut states = vec![
        State {
            left: slices.len as i64,
            first: false,
            last: false
        };
        if f.ends { slices.scale.len() } else { 0 }
    ];
    let mut n = 0;
    for o in 0..cout {
        for i in 0..cin {
            let channels = i64::from(f.level) + level(0, o) + level(1, i);
            for at in 0..kh * kw {
                let mut mean = centre << 7;
                for near in predictions[o % sets * kh * kw + at]
                    .iter()
                    .filter(|near| near.channels <= o)
                {
                    mean += near.coefficient * (i64::from(out[n - near.values]) - centre);
                }
                let [so, si, sy, sx] = slices.strides;
                let s = o * so + i * si + at / kw * sy + at % kw * sx;
                let (scale, offset) = (slices.scale[s], slices.offset[s]);
                // the prediction is in units of 2^-7, offsets are in units of 2^-16
                let mean = 256 * half + (256 * ((mean << 9) - offset)).div_euclid(scale);
                let normal = Normal::new(mean, scale, channels + level(2, at));
                let v = match states.get_mut(s) {
                    None => c.symbol(
                        size,
                        |j| folded(&normal, j.into(), size.into()),
                        f.values[n].into(),
                    )?,
                    Some(state) => {
                        let v = with_ends(c, &normal, size, *state, f.values[n].into())?;
                        state.left -= 1;
                        state.first |= v == 0;
                        state.last |= v == size - 1;
                        v
                    }
                };
                f.values[n] = v as u16;
                let value = (scale * (i64::from(v) - half) + offset + 32768) >> 16;
                out[n] = value.clamp(-32767, 32767) as i16;
                n += 1;
            }
        }
    }
    Ok(())
}

/// Makes counts that never fall into counts that always rise.
#[inline]
fn rising(count: i64, j: i64, size: i64) -> u32 {
    (((count * (ONE - size)) >> BITS) + j) as u32
}

/// Count below `j` where what the distribution has outside belongs to the smallest and the largest
/// integer.
#[inline]
fn folded(normal: &Normal, j: i64, size: i64) -> u32 {
    let count = if j == 0 {
        0
    } else if j == size {
        ONE
    } else {
        normal.below(j)
    };
    rising(count, j, size)
}

/// Codes an integer of a slice that holds both ends: until one was seen, it is as likely at each
/// place that is left.
fn with_ends<C: Coder>(c: &mut C, normal: &Normal, size: u32, state: State, v: u32) -> Result<u32> {
    let end = i64::from(size);
    let (start, stop) = (normal.below(1), normal.below(end - 1));
    let due = ONE / state.left;
    let first = if state.first {
        start - normal.below(0)
    } else {
        due
    };
    let last = if state.last {
        normal.below(end) - stop
    } else {
        due
    };
    let last = last.min(ONE - first);
    let inverse = if stop > start {
        (1i64 << 40) / (stop - start)
    } else {
        0
    };
    let below = |j: u32| {
        let j = i64::from(j);
        let count = if j == 0 {
            0
        } else if j == end {
            ONE
        } else {
            first + (((((normal.below(j) - start) * inverse) >> 16) * (ONE - first - last)) >> BITS)
        };
        rising(count, j, end)
    };
    c.symbol(size, below, v)
}
