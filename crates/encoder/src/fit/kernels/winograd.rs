//! Convolution with fewer multiplications: Winograd's minimal filtering on tiles of 8 x 8 inputs. A
//! 3x3 kernel gives 6 x 6 outputs a tile (64 products for 324), 5x5 gives 4 x 4 (64 for 400), 7x7
//! gives 2 x 2 (64 for 196).
//!
//! Tiles lie in vector lanes. 48 tiles of an image go through transform, 64 small matrix products
//! and inverse transform while they are in the second-level cache. Errors are about 1e-6 of the
//! root mean square of the output.

mod gradient;
mod tiles;
mod transform;

use super::common::{ConvShape, Pass, arch};
use super::gemm::{PANEL, tile, tile_rows};
use super::interleave::interleave_by;
use super::scratch::Scratch;
pub(super) use gradient::conv_dw;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use tiles::{Grid, LANES, Panel, point_step, points, points_len};
use transform::{PRODUCTS, SCALE, SIDE, combine, evaluate, load, store};

/// Blocks of output channels that one visit of the transformed input serves.
const GROUP: usize = 4;
/// Tile positions of one task, about.
const BAND: usize = 192;

/// Weights `[cout, cin, k, k]`, or those of the input gradient: roles exchanged and mirrored.
#[derive(Clone, Copy)]
pub(super) struct Kernel<'a> {
    pub(super) w: &'a [f32],
    pub(super) mirrored: bool,
}

/// `y [b, cout, h, w]` from `x [b, cin, h, w]`; k is 3, 5 or 7.
pub(super) fn conv(x: &[f32], kernel: Kernel<'_>, s: ConvShape, y: &mut [f32]) {
    match s.k {
        3 => run::<6, 3>(x, kernel, s, y),
        5 => run::<4, 5>(x, kernel, s, y),
        _ => run::<2, 7>(x, kernel, s, y),
    }
}

/// Tiles that go through at once: fewer when there are many channels, so that their points stay in
/// the second-level cache.
fn panel_width(cin: usize) -> usize {
    const POINTS: usize = 160 * 1024;
    (POINTS / (PRODUCTS * cin) / LANES * LANES).clamp(LANES, PANEL)
}

/// Some output channels of some rows of tiles of one image.
struct Task<'a> {
    /// The output rows, one slice for each channel.
    out: Vec<&'a mut [f32]>,
    image: usize,
    blocks: std::ops::Range<usize>,
    first_row: usize,
}

fn run<const M: usize, const K: usize>(x: &[f32], kernel: Kernel<'_>, s: ConvShape, y: &mut [f32]) {
    let ConvShape {
        b, cin, cout, h, w, ..
    } = s;
    let (arch, grid) = (arch(), Grid::new(s));
    // blocks of nearly equal size, since small tiles are bound by loads
    let blocks = cout.div_ceil(tile_rows());
    let start = |i: usize| i * cout / blocks;

    let mut points = Scratch::take(PRODUCTS * cin * cout);
    let mut pieces = Vec::with_capacity(blocks);
    let mut rest = points.get_mut();
    for i in 0..blocks {
        let (piece, tail) =
            std::mem::take(&mut rest).split_at_mut(PRODUCTS * cin * (start(i + 1) - start(i)));
        pieces.push(piece);
        rest = tail;
    }
    pieces.into_par_iter().enumerate().for_each(|(i, to)| {
        arch.dispatch(Weights::<K> {
            kernel,
            s,
            first: start(i),
            count: start(i + 1) - start(i),
            to,
        });
    });
    let rows = (BAND / grid.stride).clamp(1, grid.rows);
    let bands = grid.rows.div_ceil(rows);
    // few bands: several tasks share one and transform its input each for themselves
    let shares = (8 / (b * bands)).clamp(1, blocks.div_ceil(GROUP));
    let share_start = |i: usize| i * blocks / shares;
    let mut tasks: Vec<Task> = Vec::with_capacity(b * bands * shares);
    for i in 0..b * bands * shares {
        let (share, band, image) = (i % shares, i / shares % bands, i / shares / bands);
        let blocks = share_start(share)..share_start(share + 1);
        tasks.push(Task {
            out: Vec::with_capacity(start(blocks.end) - start(blocks.start)),
            image,
            blocks,
            first_row: band * rows,
        });
    }
    let mut share_of = vec![0; cout];
    (0..shares).for_each(|i| share_of[start(share_start(i))..start(share_start(i + 1))].fill(i));
    for (plane, out) in y.chunks_mut(h * w).enumerate() {
        for (band, out) in out.chunks_mut(rows * M * w).enumerate() {
            tasks[(plane / cout * bands + band) * shares + share_of[plane % cout]]
                .out
                .push(out);
        }
    }
    let points = points.get();
    tasks.into_par_iter().for_each(|mut task| {
        arch.dispatch(Band::<M> {
            x,
            weights: points,
            starts: &start,
            task: &mut task,
            s,
            grid,
        });
    });
}

/// Points of a block of kernels, `[PRODUCTS][cin][count]`.
struct Weights<'a, const K: usize> {
    kernel: Kernel<'a>,
    s: ConvShape,
    first: usize,
    count: usize,
    to: &'a mut [f32],
}

/// Pixels of a row of a panel of the largest tiles.
const ROW_MAX: usize = PANEL * 6;

impl<const K: usize> WithSimd for Weights<'_, K> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Weights {
            kernel: Kernel { w, mirrored },
            s: ConvShape { cin, cout, .. },
            first,
            count,
            to,
        } = self;
        let (lanes, values) = (S::F32_LANES, cin * count);
        let mut taps = [[[0f32; LANES]; K]; K];
        let mut half = [[simd.splat_f32s(0.0); K]; SIDE];
        for at in (0..values).step_by(lanes) {
            let used = lanes.min(values - at);
            for lane in 0..used {
                let (ci, co) = ((at + lane) / count, first + (at + lane) % count);
                let from = &w[(if mirrored {
                    ci * cout + co
                } else {
                    co * cin + ci
                }) * K
                    * K..][..K * K];
                for (t, taps) in taps.as_flattened_mut().iter_mut().enumerate() {
                    taps[lane] = from[if mirrored { K * K - 1 - t } else { t }];
                }
            }
            for j in 0..K {
                let mut column = [simd.splat_f32s(0.0); K];
                for i in 0..K {
                    column[i] = load(simd, &taps[i][j]);
                }
                let column = evaluate::<S, K>(simd, &column);
                for i in 0..SIDE {
                    half[i][j] = column[i];
                }
            }
            for i in 0..SIDE {
                let row = evaluate::<S, K>(simd, &half[i]);
                for j in 0..SIDE {
                    let v = simd.mul_f32s(row[j], simd.splat_f32s(SCALE[i] * SCALE[j]));
                    let to = &mut to[(i * SIDE + j) * values + at..][..used];
                    match S::as_mut_simd_f32s(to) {
                        ([to], _) => *to = v,
                        (_, part) => simd.partial_store_f32s(part, v),
                    }
                }
            }
        }
    }
}

struct Band<'a, 'b, const M: usize> {
    x: &'a [f32],
    /// Points of the weights.
    weights: &'a [f32],
    /// First channel of a block.
    starts: &'a dyn Fn(usize) -> usize,
    task: &'a mut Task<'b>,
    s: ConvShape,
    grid: Grid,
}

impl<const M: usize> WithSimd for Band<'_, '_, M> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Band {
            x,
            weights,
            starts,
            task,
            s,
            grid,
        } = self;
        let ConvShape { cin, h, w, .. } = s;
        let Some(height) = task.out.first().map(|o| o.len() / w) else {
            return;
        };
        let rows = height.div_ceil(M);
        let mut cells = Scratch::take(grid.cells_len());
        let step = point_step(cin * PANEL);
        let mut v = Scratch::take(points_len(step));
        let most = GROUP
            * (0..task.blocks.len())
                .map(|i| starts(task.blocks.start + i + 1) - starts(task.blocks.start + i))
                .max()
                .unwrap_or(0);
        let product_step = point_step(most * PANEL);
        let mut products = Scratch::take(points_len(product_step));
        let first_channel = starts(task.blocks.start);
        let mut pixels = [[[0f32; PANEL]; M]; M];
        let width = panel_width(cin);
        for i in 0..grid.panels(rows, width) {
            let panel = grid.panel(i, rows, width);
            let below = Panel {
                row: panel.row + task.first_row,
                ..panel
            };
            for ci in 0..cin {
                let x = &x[(task.image * cin + ci) * h * w..][..h * w];
                points::<S, M>(
                    simd,
                    x,
                    s,
                    grid,
                    below,
                    cells.get_mut(),
                    &mut v.get_mut()[ci * PANEL..],
                    step,
                );
            }
            for group in task.blocks.clone().step_by(GROUP) {
                let group = group..(group + GROUP).min(task.blocks.end);
                let base = starts(group.start);
                for point in 0..PRODUCTS {
                    let v = &v.get()[point * step..][..cin * PANEL];
                    for block in group.clone() {
                        let (at, count) = (starts(block), starts(block + 1) - starts(block));
                        let u =
                            &weights[PRODUCTS * cin * at + point * cin * count..][..cin * count];
                        let to = &mut products.get_mut()
                            [point * product_step + (at - base) * PANEL..][..count * PANEL];
                        tile(simd, count, panel.count, u, v, to);
                    }
                }
                for co in base..starts(group.end) {
                    let from = &products.get()[(co - base) * PANEL..];
                    outputs::<S, M>(
                        simd,
                        from,
                        product_step,
                        panel,
                        &mut *task.out[co - first_channel],
                        w,
                        grid,
                        &mut pixels,
                    );
                }
            }
        }
    }
}

/// Inverse transform of the products of one channel, `from[point * step + column]`, into the rows
/// of `out`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn outputs<S: Simd, const M: usize>(
    simd: S,
    from: &[f32],
    step: usize,
    panel: Panel,
    out: &mut [f32],
    w: usize,
    grid: Grid,
    pixels: &mut [[[f32; PANEL]; M]; M],
) {
    let lanes = S::F32_LANES;
    let mut half = [[simd.splat_f32s(0.0); SIDE]; M];
    for at in (0..panel.count).step_by(lanes) {
        for j in 0..SIDE {
            let mut m = [simd.splat_f32s(0.0); SIDE];
            for i in 0..SIDE {
                m[i] = load(simd, &from[(i * SIDE + j) * step + at..]);
            }
            let column = combine::<S, M>(simd, &m);
            for i in 0..M {
                half[i][j] = column[i];
            }
        }
        for i in 0..M {
            let row = combine::<S, M>(simd, &half[i]);
            for j in 0..M {
                store(simd, &mut pixels[i][j][at..], row[j]);
            }
        }
    }
    let mut rows = [[0f32; ROW_MAX]; M];
    for i in 0..M {
        // all columns at once, so that the compiler knows the count
        interleave_by::<M>(pixels[i].as_flattened(), PANEL, &mut rows[i][..PANEL * M]);
    }
    // runs of tiles within a row
    let mut at = 0;
    while at < panel.count {
        let (ty, tx) = (
            panel.row + (panel.column + at) / grid.stride,
            (panel.column + at) % grid.stride,
        );
        let n = (grid.stride - tx).min(panel.count - at);
        let left = (tx * M).min(w);
        let right = ((tx + n) * M).min(w);
        for (i, row) in rows.iter().enumerate() {
            let Some(out) = out.chunks_exact_mut(w).nth(ty * M + i) else {
                break;
            };
            out[left..right].copy_from_slice(&row[at * M..][..right - left]);
        }
        at += n;
    }
}

/// Tiles of one image, junk and unused lanes included.
pub(super) fn tiles(s: ConvShape) -> usize {
    let grid = Grid::new(s);
    grid.computed(grid.rows, LANES)
}

/// Multiplications of one pass, those of junk tiles included.
pub(super) fn products(s: ConvShape, pass: Pass) -> usize {
    let grid = Grid::new(s);
    let (tiles, channels) = match pass {
        Pass::Forward | Pass::Dx => (grid.computed(grid.rows, LANES), s.cin * s.cout),
        Pass::Dw => (
            grid.computed(grid.rows, 1),
            s.cin * s.cout.next_multiple_of(LANES),
        ),
    };
    s.b * PRODUCTS * channels * tiles
}
