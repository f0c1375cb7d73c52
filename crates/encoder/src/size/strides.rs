//! Stride plans, and the search for a network of a wanted size.

use nvc::error::{Error, Fault, Result};

/// Strides, largest first, and the latent grid they need for a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StridePlan {
    /// Upsampling factors.
    pub strides: Vec<u32>,
    /// Rows and columns of the latent.
    pub grid: (u32, u32),
}

/// Most rows and columns of a first grid that headers hold.
pub const MOST_SIDE: u32 = 1024;
/// Latent positions the published configurations of HNeRV use: 2 x 4.
const POSITIONS: f64 = 8.0;

impl StridePlan {
    /// The plan of given strides.
    pub fn of(strides: &[u32], width: usize, height: usize) -> Self {
        let up = strides
            .iter()
            .fold(1u32, |a, &s| a.saturating_mul(s))
            .max(1);
        StridePlan {
            strides: strides.to_vec(),
            grid: ((height as u32).div_ceil(up), (width as u32).div_ceil(up)),
        }
    }
}

/// The stride plan for a `width` x `height` picture: among products of strides 2 to 5 (the last is
/// 2), the one with the least padding and a latent grid near the published 2 x 4, of those whose
/// grid a header can hold. Gives the published plans for the published sizes.
pub fn stride_plan(width: usize, height: usize) -> StridePlan {
    stride_plan_near(width, height, POSITIONS)
}

/// The same for a first grid of about `wanted` positions.
pub fn stride_plan_near(width: usize, height: usize, wanted: f64) -> StridePlan {
    let mut best: Option<(f64, StridePlan)> = None;
    let mut strides = Vec::new();
    visit(&mut strides, 5, &mut |strides| {
        let up: u32 = strides.iter().product();
        let grid = ((height as u32).div_ceil(up), (width as u32).div_ceil(up));
        let positions = f64::from(grid.0) * f64::from(grid.1);
        let padded = positions * f64::from(up) * f64::from(up) / (width as f64 * height as f64);
        // An octave more or fewer positions weighs as much as 2 % of padding, an octave from 5
        // stages 1 %. Fewer than three quarters starve the decoder of content: their octaves weigh
        // four times as much.
        let octaves = (positions / wanted).log2();
        let off = if positions < 0.75 * wanted {
            4.0 * octaves.abs()
        } else {
            octaves.abs()
        };
        let stages = (strides.len() as f64 / 5.0).log2().abs();
        let mut cost = padded.ln() + 0.02 * off + 0.01 * stages;
        if grid.0.max(grid.1) > MOST_SIDE {
            // even a picture of one row is rather padded
            cost += 1e3;
        }
        if best.as_ref().is_none_or(|(c, _)| cost < *c - 1e-12) {
            best = Some((
                cost,
                StridePlan {
                    strides: strides.to_vec(),
                    grid,
                },
            ));
        }
    });
    best.expect("at least one plan was visited").1
}

/// Calls `f` with every non-increasing list of 1 to 6 strides from 2..=5 that ends in 2.
fn visit(strides: &mut Vec<u32>, largest: u32, f: &mut impl FnMut(&[u32])) {
    if strides.len() == 6 {
        return;
    }
    for s in (2..=largest).rev() {
        strides.push(s);
        if s == 2 {
            f(strides);
        }
        visit(strides, s, f);
        strides.pop();
    }
}

/// As an error of fields that no network of these pictures has.
pub fn unfit(fault: Fault) -> Error {
    match fault.into() {
        Error::Parameter(what) => Error::Unsupported(what),
        e => e,
    }
}

/// The largest value of `range` whose network of size `size` has at most `params` parameters, or
/// the smallest; sizes grow with it.
pub fn largest(
    family: &str,
    params: f64,
    range: std::ops::RangeInclusive<u32>,
    size: impl Fn(u32) -> Result<f64, Fault>,
) -> Result<u32> {
    if !(params > 0.0 && params.is_finite()) {
        return Err(Error::Parameter(format!(
            "{family} of {params} parameters (allowed above 0)"
        )));
    }
    // the smallest says what is wrong with the fields, if anything is
    size(*range.start()).map_err(unfit)?;
    let (mut low, mut high) = (*range.start(), *range.end());
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if size(middle).is_ok_and(|s| s <= params) {
            low = middle
        } else {
            high = middle - 1
        }
    }
    Ok(low)
}

/// Refuses a count that no header can hold.
pub fn check_count(family: &str, name: &str, v: Option<u32>, most: u32) -> Result<()> {
    match v {
        Some(v) if !(1..=most).contains(&v) => Err(Error::Parameter(format!(
            "{family}.{name} is {v} (allowed 1..={most})"
        ))),
        _ => Ok(()),
    }
}

/// Refuses strides that no header can hold.
pub fn check_strides(family: &str, strides: Option<&[u32]>) -> Result<()> {
    match strides {
        Some(s) if s.is_empty() || s.len() > 12 || !s.iter().all(|s| (1..=16).contains(s)) => {
            Err(Error::Parameter(format!(
                "{family}.strides are {s:?} (allowed: 1 to 12 factors of 1..=16)"
            )))
        }
        _ => Ok(()),
    }
}
