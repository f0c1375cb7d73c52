//! Multi-scale structural similarity (Wang, Simoncelli and Bovik, 2003).

use rayon::prelude::*;

const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
const WINDOW: usize = 11;
/// Five scales of halving must leave one window.
pub(super) const MIN_SIDE: usize = WINDOW << 4;

/// MS-SSIM of two planes, both sides at least 176.
pub(super) fn ms_ssim(a: &[u16], b: &[u16], width: usize, height: usize, peak: f64) -> f64 {
    let float = |p: &[u16]| -> Vec<f32> { p.iter().map(|&v| f32::from(v)).collect() };
    let (mut x, mut y, mut w, mut h) = (float(a), float(b), width, height);
    let mut product = 1.0;
    for (scale, weight) in WEIGHTS.iter().enumerate() {
        let last = scale == WEIGHTS.len() - 1;
        product *= similarity(&x, &y, w, h, peak, last).max(0.0).powf(*weight);
        if !last {
            (x, y) = (halve(&x, w, h), halve(&y, w, h));
            (w, h) = (w / 2, h / 2);
        }
    }
    product
}

/// Mean of contrast times structure over all windows, on the last scale times luminance.
fn similarity(x: &[f32], y: &[f32], w: usize, h: usize, peak: f64, luminance: bool) -> f64 {
    let taps = gaussian();
    let (c1, c2) = ((0.01 * peak).powi(2) as f32, (0.03 * peak).powi(2) as f32);
    let wide = w + 1 - WINDOW;
    // Columns first, then rows; only windows that lie inside the picture.
    let row_sum = |row: usize| -> f64 {
        let mut columns: [Vec<f32>; 5] = std::array::from_fn(|_| vec![0.0; w]);
        let [cx, cy, cxx, cyy, cxy] = &mut columns;
        for (k, t) in taps.iter().enumerate() {
            let at = (row + k) * w;
            let samples = x[at..at + w].iter().zip(&y[at..at + w]);
            let sums = cx
                .iter_mut()
                .zip(cy.iter_mut())
                .zip(cxx.iter_mut())
                .zip(cyy.iter_mut())
                .zip(cxy.iter_mut());
            for ((&a, &b), ((((sx, sy), sxx), syy), sxy)) in samples.zip(sums) {
                *sx += t * a;
                *sy += t * b;
                *sxx += t * (a * a);
                *syy += t * (b * b);
                *sxy += t * (a * b);
            }
        }
        let [mx, my, xx, yy, xy] = columns.each_ref().map(|column| {
            let mut out = vec![0f32; wide];
            for (k, t) in taps.iter().enumerate() {
                out.iter_mut()
                    .zip(&column[k..])
                    .for_each(|(o, c)| *o += t * c);
            }
            out
        });
        let one = |i: usize| {
            let (mx, my) = (mx[i], my[i]);
            let cs = (2.0 * (xy[i] - mx * my) + c2) / ((xx[i] - mx * mx) + (yy[i] - my * my) + c2);
            let l = if luminance {
                (2.0 * mx * my + c1) / (mx * mx + my * my + c1)
            } else {
                1.0
            };
            f64::from(cs * l)
        };
        (0..wide).map(one).sum()
    };
    let rows = h + 1 - WINDOW;
    // Row sums are added in order, so that the result does not depend on the number of threads.
    let sums: Vec<f64> = (0..rows).into_par_iter().map(row_sum).collect();
    sums.iter().sum::<f64>() / (rows * wide) as f64
}

fn gaussian() -> [f32; WINDOW] {
    let g: [f64; WINDOW] = std::array::from_fn(|i| (-0.5 * ((i as f64 - 5.0) / 1.5).powi(2)).exp());
    let sum: f64 = g.iter().sum();
    g.map(|v| (v / sum) as f32)
}

/// Averages 2x2 samples; an odd last row or column is left out.
fn halve(p: &[f32], w: usize, h: usize) -> Vec<f32> {
    let at = |x: usize, y: usize| p[y * w + x];
    let mut out = Vec::with_capacity((w / 2) * (h / 2));
    for y in (0..h / 2 * 2).step_by(2) {
        out.extend(
            (0..w / 2 * 2)
                .step_by(2)
                .map(|x| (at(x, y) + at(x, y + 1) + at(x + 1, y) + at(x + 1, y + 1)) / 4.0),
        );
    }
    out
}
