//! Weight gradient: at every point the sum over tiles of output gradient times input, then the
//! transposed kernel transform.
//!
//! Tiles of x lie in rows as in the forward pass; output gradients have their channels in vector
//! lanes, so that a product's row of sums is whole vectors.

use super::super::common::{ConvShape, arch};
use super::super::gemm::{PANEL, tile_outer, tile_rows};
use super::super::interleave::interleave_by;
use super::super::scratch::{LINE, Scratch};
use super::tiles::{Grid, Panel, point_step, points, points_len};
use super::transform::{PRODUCTS, SCALE, SIDE, combine, evaluate, load, store};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Most partial sums, and their most floats together. The partition must not depend on the machine.
const PARTS: usize = 8;
const PARTS_FLOATS: usize = 16 << 20;
/// Panels of tiles that a part has at least.
const PART_PANELS: usize = 4;

/// `dw [cout, cin, k, k]` from `x [b, cin, h, w]` and `dy [b, cout, h, w]`; k is 3, 5 or 7.
pub fn conv_dw(x: &[f32], dy: &[f32], s: ConvShape, dw: &mut [f32]) {
    match s.k {
        3 => run::<6, 3>(x, dy, s, dw),
        5 => run::<4, 5>(x, dy, s, dw),
        _ => run::<2, 7>(x, dy, s, dw),
    }
}

/// Output channels of one panel, in groups of [`LINE`].
fn panel_groups(panel: usize, groups: usize) -> std::ops::Range<usize> {
    let panels = groups.div_ceil(PANEL / LINE);
    panel * groups / panels..(panel + 1) * groups / panels
}

fn run<const M: usize, const K: usize>(x: &[f32], dy: &[f32], s: ConvShape, dw: &mut [f32]) {
    let ConvShape { b, cin, cout, .. } = s;
    let (arch, grid) = (arch(), Grid::new(s));
    let groups = cout.div_ceil(LINE);
    let panels = groups.div_ceil(PANEL / LINE);
    let units = b * grid.panels(grid.rows, PANEL);
    let size = PRODUCTS * cin * PANEL;
    let parts = (units / PART_PANELS)
        .min(PARTS_FLOATS / (size * panels))
        .clamp(1, PARTS);
    // few parts: panels of channels are summed by different tasks, each of which transforms x for
    // itself
    let shares = (PARTS / parts).clamp(1, panels);

    let lined = channels_last(dy, s, grid);
    let mut sums = Scratch::take(parts * panels * size);
    let mut tasks = Vec::with_capacity(parts * shares);
    let mut rest = sums.get_mut();
    for part in 0..parts {
        for share in 0..shares {
            let own = share * panels / shares..(share + 1) * panels / shares;
            let (out, tail) = std::mem::take(&mut rest).split_at_mut(own.len() * size);
            rest = tail;
            tasks.push((part * units / parts..(part + 1) * units / parts, own, out));
        }
    }
    tasks.into_par_iter().for_each(|(units, panels, sums)| {
        arch.dispatch(Part::<M> {
            x,
            dy: lined.get(),
            units,
            panels,
            groups,
            sums,
            s,
            grid,
        });
    });
    let sums = sums.get();
    dw.par_chunks_mut(LINE * cin * K * K)
        .enumerate()
        .for_each(|(group, dw)| {
            let panel = (0..panels)
                .find(|&p| panel_groups(p, groups).contains(&group))
                .unwrap_or(0);
            let lane = (group - panel_groups(panel, groups).start) * LINE;
            arch.dispatch(Finish::<K> {
                sums: &sums[panel * size..],
                part_step: panels * size,
                parts,
                lane,
                cin,
                dw,
            });
        });
}

/// `dy` as `[b][groups][rows * m][columns * m][LINE channels]`, zeros beyond the image and the last
/// channel.
fn channels_last(dy: &[f32], s: ConvShape, grid: Grid) -> Scratch {
    let ConvShape { b, cout, h, w, .. } = s;
    let groups = cout.div_ceil(LINE);
    let width = grid.columns * grid.m;
    let mut out = Scratch::take(b * groups * grid.rows * grid.m * width * LINE);
    let arch = arch();
    out.get_mut()
        .par_chunks_mut(grid.m * width * LINE)
        .enumerate()
        .for_each(|(i, to)| {
            let (image, group, ty) = (
                i / grid.rows / groups,
                i / grid.rows % groups,
                i % grid.rows,
            );
            let first = image * cout + group * LINE;
            let channels = LINE.min(cout - group * LINE);
            for (row, to) in to.chunks_exact_mut(width * LINE).enumerate() {
                let y = ty * grid.m + row;
                if y >= h {
                    to.fill(0.0);
                    continue;
                }
                arch.dispatch(Transpose {
                    rows: &dy[(first * h + y) * w..],
                    plane: h * w,
                    channels,
                    w,
                    to,
                });
            }
        });
    out
}

/// Rows of up to [`LINE`] channels to pixels of [`LINE`] channels.
struct Transpose<'a> {
    /// Row of the first channel.
    rows: &'a [f32],
    /// Distance of the channels.
    plane: usize,
    channels: usize,
    w: usize,
    /// `[at least w][LINE]`
    to: &'a mut [f32],
}

impl WithSimd for Transpose<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Transpose {
            rows,
            plane,
            channels,
            w,
            to,
        } = self;
        let mut block = [[0f32; LINE]; LINE];
        let mut quads = [0f32; 4 * LINE];
        let mut pixels = [[0f32; LINE]; LINE];
        for (x, to) in to.chunks_mut(LINE * LINE).enumerate() {
            let x = x * LINE;
            let n = w.saturating_sub(x).min(LINE);
            for (c, block) in block.iter_mut().enumerate().take(channels) {
                if n == LINE {
                    block.copy_from_slice(&rows[c * plane + x..][..LINE]);
                } else {
                    block.fill(0.0);
                    block[..n].copy_from_slice(&rows[c * plane + x.min(w)..][..n]);
                }
            }
            // by fours: a transpose in one go would become scattered stores
            for c in (0..LINE).step_by(4) {
                interleave_by::<4>(block[c..c + 4].as_flattened(), LINE, &mut quads);
                for (pixel, quad) in pixels.iter_mut().zip(quads.chunks_exact(4)) {
                    pixel[c..c + 4].copy_from_slice(quad);
                }
            }
            to.copy_from_slice(&pixels.as_flattened()[..to.len()]);
        }
    }
}

/// Sums over some panels of tiles, for some panels of output channels:
/// `sums [panels][PRODUCTS][cin][PANEL]`.
struct Part<'a, const M: usize> {
    x: &'a [f32],
    dy: &'a [f32],
    /// Panels of tiles, counted through all images.
    units: std::ops::Range<usize>,
    panels: std::ops::Range<usize>,
    groups: usize,
    sums: &'a mut [f32],
    s: ConvShape,
    grid: Grid,
}

impl<const M: usize> WithSimd for Part<'_, M> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part {
            x,
            dy,
            units,
            panels,
            groups,
            sums,
            s,
            grid,
        } = self;
        let ConvShape { cin, h, w, .. } = s;
        let per_image = grid.panels(grid.rows, PANEL);
        let mut cells = Scratch::take(grid.cells_len());
        let step = point_step(cin * PANEL);
        let (mut v, mut e) = (
            Scratch::take(points_len(step)),
            Scratch::take(PRODUCTS * PANEL * PANEL),
        );
        let rows = tile_rows();
        sums.fill(0.0);
        for unit in units {
            let (image, tiles) = (
                unit / per_image,
                grid.panel(unit % per_image, grid.rows, PANEL),
            );
            for ci in 0..cin {
                let x = &x[(image * cin + ci) * h * w..][..h * w];
                points::<S, M>(
                    simd,
                    x,
                    s,
                    grid,
                    tiles,
                    cells.get_mut(),
                    &mut v.get_mut()[ci * PANEL..],
                    step,
                );
            }
            for (panel, sums) in panels
                .clone()
                .zip(sums.chunks_exact_mut(PRODUCTS * cin * PANEL))
            {
                let channels = panel_groups(panel, groups);
                let width = channels.len() * LINE;
                for (at, group) in channels.enumerate() {
                    let plane = grid.rows * M * grid.columns * M * LINE;
                    let dy = &dy[(image * groups + group) * plane..][..plane];
                    gradients::<S, M>(simd, dy, tiles, &mut e.get_mut()[at * LINE..], grid);
                }
                for (point, sums) in sums.chunks_exact_mut(cin * PANEL).enumerate() {
                    let (v, e) = (
                        &v.get()[point * step..][..cin * PANEL],
                        &e.get()[point * PANEL * PANEL..][..tiles.count * PANEL],
                    );
                    for (v, sums) in v.chunks(rows * PANEL).zip(sums.chunks_mut(rows * PANEL)) {
                        tile_outer(simd, width, v, e, sums);
                    }
                }
            }
        }
    }
}

/// Points of the output gradients of one group of channels:
/// `to[(point * PANEL + column) * PANEL + channel]`.
#[inline(always)]
fn gradients<S: Simd, const M: usize>(
    simd: S,
    dy: &[f32],
    tiles: Panel,
    to: &mut [f32],
    grid: Grid,
) {
    let lanes = S::F32_LANES;
    let width = grid.columns * M;
    let mut half = [[simd.splat_f32s(0.0); M]; SIDE];
    for column in 0..tiles.count {
        let (ty, tx) = (
            tiles.row + (tiles.column + column) / grid.stride,
            (tiles.column + column) % grid.stride,
        );
        if tx >= grid.columns {
            for point in 0..PRODUCTS {
                to[(point * PANEL + column) * PANEL..][..LINE].fill(0.0);
            }
            continue;
        }
        for lane in (0..LINE).step_by(lanes) {
            for j in 0..M {
                let mut pixels = [simd.splat_f32s(0.0); M];
                for i in 0..M {
                    pixels[i] = load(
                        simd,
                        &dy[((ty * M + i) * width + tx * M + j) * LINE + lane..],
                    );
                }
                let points = evaluate::<S, M>(simd, &pixels);
                for i in 0..SIDE {
                    half[i][j] = points[i];
                }
            }
            for i in 0..SIDE {
                let row = evaluate::<S, M>(simd, &half[i]);
                for j in 0..SIDE {
                    store(
                        simd,
                        &mut to[((i * SIDE + j) * PANEL + column) * PANEL + lane..],
                        row[j],
                    );
                }
            }
        }
    }
}

/// Kernel gradients of one group of channels from the sums of all parts.
struct Finish<'a, const K: usize> {
    /// From the group's panel of the first part.
    sums: &'a [f32],
    part_step: usize,
    parts: usize,
    /// Where the group begins in its panel.
    lane: usize,
    cin: usize,
    /// `[channels][cin][K][K]`
    dw: &'a mut [f32],
}

impl<const K: usize> WithSimd for Finish<'_, K> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Finish {
            sums,
            part_step,
            parts,
            lane,
            cin,
            dw,
        } = self;
        let lanes = S::F32_LANES;
        let mut taps = [[[0f32; LINE]; K]; K];
        let mut half = [[simd.splat_f32s(0.0); SIDE]; K];
        for ci in 0..cin {
            for from in (0..LINE).step_by(lanes) {
                for j in 0..SIDE {
                    let mut points = [simd.splat_f32s(0.0); SIDE];
                    for i in 0..SIDE {
                        let at = ((i * SIDE + j) * cin + ci) * PANEL + lane + from;
                        let mut sum = load(simd, &sums[at..]);
                        for part in 1..parts {
                            sum = simd.add_f32s(sum, load(simd, &sums[part * part_step + at..]));
                        }
                        points[i] = simd.mul_f32s(sum, simd.splat_f32s(SCALE[i] * SCALE[j]));
                    }
                    let column = combine::<S, K>(simd, &points);
                    for i in 0..K {
                        half[i][j] = column[i];
                    }
                }
                for i in 0..K {
                    let row = combine::<S, K>(simd, &half[i]);
                    for j in 0..K {
                        store(simd, &mut taps[i][j][from..], row[j]);
                    }
                }
            }
            for (channel, dw) in dw.chunks_exact_mut(cin * K * K).enumerate() {
                for (t, to) in dw[ci * K * K..][..K * K].iter_mut().enumerate() {
                    *to = taps[t / K][t % K][channel];
                }
            }
        }
    }
}
