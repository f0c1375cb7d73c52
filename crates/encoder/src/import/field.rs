//! The distribution of a field of small integers: predictions by least squares, deviations as a
//! product over three axes.

use nvc::entropy::scaled::{
    CLASSES, Field, MAX_BITS, MAX_COEFFICIENT, Scaled, code_scaled, neighbours,
};
use nvc::entropy::{Cost, ValueModel};
use nvc::error::Result;

/// Passes over the three axes; more change nothing.
const PASSES: usize = 8;

/// A field that stands for its integers less half of their range.
pub fn plain(shape: [usize; 4], integers: Vec<u16>) -> Result<Field> {
    let most = integers.iter().copied().max().unwrap_or(0);
    let bits = (16 - most.leading_zeros()).clamp(1, MAX_BITS.into()) as u8;
    plain_of(
        shape,
        Field {
            bits,
            values: integers,
            ..Field::default()
        },
    )
}

/// The same with the bits and integers of `field`.
pub fn plain_of(shape: [usize; 4], field: Field) -> Result<Field> {
    let half = 1i32 << (field.bits - 1);
    let values: Vec<f64> = field
        .values
        .iter()
        .map(|&v| f64::from(i32::from(v) - half))
        .collect();
    // one slice with step 1 and offset 0
    let middle = Field {
        values: vec![1 << (MAX_BITS - 1)],
        ..Field::default()
    };
    let mut whole = Scaled {
        axes: 0,
        scale_unit: 16384,
        offset_unit: 1,
        scales: Field {
            values: vec![3],
            ..Field::default()
        },
        offsets: middle,
        values: field,
    };
    choose(&mut whole, shape, &values, 1)?;
    Ok(whole.values)
}

/// Gives `tensor`'s values the distribution that costs least. `values` are the tensor's, in units
/// of its step; `factor` is that of the pixel shuffle that follows.
pub fn choose(tensor: &mut Scaled, shape: [usize; 4], values: &[f64], factor: u8) -> Result<()> {
    let ends = reaches_ends(tensor, shape);
    let mut best = (u64::MAX, Field::default());
    let factors = if values.len() < 256 {
        vec![0]
    } else if factor > 1 {
        vec![0, 1, factor]
    } else {
        vec![0, 1]
    };
    for factor in factors {
        let (base, residual) = predict(&tensor.values, shape, values, factor);
        for axes in [[false; 3], [false, true, true], [true; 3]] {
            if axes[0] && values.len() < 64 {
                continue;
            }
            let fitted = deviations(&base, shape, &residual, axes);
            for ends in [false, true].into_iter().filter(|e| !e || ends) {
                for level in [0, 1] {
                    let level = fitted.level.saturating_add(level);
                    tensor.values = Field {
                        ends,
                        level,
                        ..fitted.clone()
                    };
                    let cost = units(tensor, shape)?;
                    if cost < best.0 {
                        best = (cost, tensor.values.clone());
                    }
                }
            }
        }
    }
    tensor.values = best.1;
    Ok(())
}

/// What the tensor costs, see [`Cost`].
fn units(tensor: &mut Scaled, shape: [usize; 4]) -> Result<u64> {
    let mut cost = Cost::default();
    code_scaled(
        &mut cost,
        &mut ValueModel::new(CLASSES),
        shape,
        tensor,
        &mut vec![0; shape.iter().product()],
    )?;
    Ok(cost.units)
}

/// Number of the slice of each value.
pub fn slice_numbers(slices: [usize; 4], shape: [usize; 4]) -> Vec<usize> {
    let mut out = Vec::with_capacity(shape.iter().product());
    let index = |i: usize, axis: usize| if slices[axis] > 1 { i } else { 0 };
    for o in 0..shape[0] {
        for i in 0..shape[1] {
            for y in 0..shape[2] {
                for x in 0..shape[3] {
                    let row = (index(o, 0) * slices[1] + index(i, 1)) * slices[2] + index(y, 2);
                    out.push(row * slices[3] + index(x, 3));
                }
            }
        }
    }
    out
}

/// Whether every slice holds both 0 and the largest integer.
fn reaches_ends(tensor: &Scaled, shape: [usize; 4]) -> bool {
    let slices = tensor.slices(shape);
    let mut seen = vec![[false; 2]; slices.iter().product()];
    let last = (1u32 << tensor.values.bits) - 1;
    for (&s, &v) in slice_numbers(slices, shape)
        .iter()
        .zip(&tensor.values.values)
    {
        seen[s][0] |= v == 0;
        seen[s][1] |= u32::from(v) == last;
    }
    seen.iter().all(|s| s[0] && s[1])
}

/// `field` with coefficients for `factor`, and what its prediction leaves of `values`.
fn predict(field: &Field, shape: [usize; 4], values: &[f64], factor: u8) -> (Field, Vec<f64>) {
    let mut field = Field {
        factor,
        ..field.clone()
    };
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    field.centre = mean.round().clamp(-32767.0, 32767.0) as i16;
    let centred: Vec<f64> = values.iter().map(|v| v - f64::from(field.centre)).collect();
    field.coefficients.clear();
    if factor == 0 {
        return (field, centred);
    }
    let [cout, cin, kh, kw] = shape;
    let places = neighbours(kh, kw, factor.into());
    let n = places.len();
    let sets = usize::from(factor).pow(2);
    // the neighbours of the value at index `at`, 0 where there are none
    let row = |at: usize, row: &mut [f64]| {
        let (o, y, x) = (
            at / (cin * kh * kw),
            (at / kw % kh) as isize,
            (at % kw) as isize,
        );
        for (v, &[back, dy, dx]) in row.iter_mut().zip(&places) {
            let inside = o >= back as usize
                && (0..kh as isize).contains(&(y + dy))
                && (0..kw as isize).contains(&(x + dx));
            *v = if inside {
                centred[(at as isize - back * (cin * kh * kw) as isize + dy * kw as isize + dx)
                    as usize]
            } else {
                0.0
            };
        }
    };
    let mut residual = centred.clone();
    let mut near = vec![0.0; n];
    for set in 0..sets {
        let indices = || {
            (set..cout)
                .step_by(sets)
                .flat_map(|o| o * cin * kh * kw..(o + 1) * cin * kh * kw)
        };
        let mut sums = vec![vec![0.0; n + 1]; n];
        for at in indices() {
            row(at, &mut near);
            for (i, sums) in sums.iter_mut().enumerate().filter(|(i, _)| near[*i] != 0.0) {
                let v = near[i];
                sums.iter_mut().zip(&near).for_each(|(s, b)| *s += v * b);
                sums[n] += v * centred[at];
            }
        }
        // a little ridge: it settles neighbours that are the same
        let ridge =
            1e-3 * sums.iter().enumerate().map(|(i, s)| s[i]).sum::<f64>() / n as f64 + 1e-9;
        sums.iter_mut().enumerate().for_each(|(i, s)| s[i] += ridge);
        let limit = f64::from(MAX_COEFFICIENT);
        let coefficients: Vec<f64> = solve(sums)
            .iter()
            .map(|k| (k * 128.0).round().clamp(-limit, limit))
            .collect();
        for at in indices() {
            row(at, &mut near);
            residual[at] -= near
                .iter()
                .zip(&coefficients)
                .map(|(v, k)| v * k / 128.0)
                .sum::<f64>();
        }
        field
            .coefficients
            .extend(coefficients.iter().map(|&k| k as i16));
    }
    (field, residual)
}

/// Solves a symmetric positive system; the right side is each row's last entry.
fn solve(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let n = rows.len();
    for i in 0..n {
        let (done, rest) = rows.split_at_mut(i + 1);
        let pivot = &done[i];
        for row in rest {
            let ratio = row[i] / pivot[i];
            row.iter_mut().zip(pivot).for_each(|(v, p)| *v -= ratio * p);
        }
    }
    let mut out = vec![0.0; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| rows[i][j] * out[j]).sum();
        out[i] = (rows[i][n] - known) / rows[i][i];
    }
    out
}

/// `field` with the deviation of `residual` as a product over the axes in use.
fn deviations(field: &Field, shape: [usize; 4], residual: &[f64], axes: [bool; 3]) -> Field {
    let [cout, cin, kh, kw] = shape;
    let lens = [cout, cin, kh * kw];
    let mut factors = lens.map(|len| vec![1.0; len]);
    let place = |at: usize| [at / (cin * kh * kw), at / (kh * kw) % cin, at % (kh * kw)];
    let root = |sum: f64, count: usize| (sum / count.max(1) as f64).sqrt().max(1e-3);
    let whole = root(residual.iter().map(|r| r * r).sum(), residual.len());
    for _ in 0..PASSES {
        for axis in (0..3).filter(|&a| axes[a]) {
            let mut sums = vec![0.0; lens[axis]];
            for (at, r) in residual.iter().enumerate() {
                let p = place(at);
                sums[p[axis]] +=
                    (r / (whole * factors[0][p[0]] * factors[1][p[1]] * factors[2][p[2]])).powi(2);
            }
            let count = residual.len() / lens[axis];
            factors[axis]
                .iter_mut()
                .zip(&sums)
                .for_each(|(f, &s)| *f *= root(s, count));
        }
    }
    let eighths = |v: f64| (8.0 * v.log2()).round();
    // the field's own level takes the mean of each axis, so that levels are small
    let mut base = 8.0 * whole.log2() + 32.0;
    let mut levels: [Vec<i16>; 3] = Default::default();
    for axis in (0..3).filter(|&a| axes[a]) {
        let mean = factors[axis].iter().map(|f| 8.0 * f.log2()).sum::<f64>() / lens[axis] as f64;
        base += mean;
        levels[axis] = factors[axis]
            .iter()
            .map(|f| eighths(f * (-mean / 8.0).exp2()).clamp(-160.0, 160.0) as i16)
            .collect();
    }
    Field {
        level: base.round().clamp(0.0, 159.0) as u8,
        levels,
        ..field.clone()
    }
}
