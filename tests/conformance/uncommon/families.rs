//! Rare cases of NeRV, NeRV++, NIRVANA and HNeRV with tanh.

use nvc::entropy::tensor::blank_network;
use nvc::frame::{Chroma, VideoInfo};
use nvc::group::Group;
use nvc::network::Arch;
use nvc::network::QuantStep;
use nvc::network::{Activation, Graph, Op};

use super::super::Vector;
use super::super::blocks::*;
use super::super::nets::*;
use crate::common::info;

fn gray(width: usize, height: usize) -> VideoInfo {
    info(width, height, Chroma::Gray, 8)
}

/// Numbers of the nodes with the nonlinearity.
fn nonlinearities(graph: &Graph, which: Activation) -> Vec<usize> {
    let is = |n: &usize| matches!(graph.nodes[*n].op, Op::Activate(a) if a.activation == which);
    (0..graph.nodes.len()).filter(is).collect()
}

pub fn families() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes| out.push(Vector::valid("uncommon", name, what, bytes));
    let loud = |mut g: Group, tensors: &[usize], octaves: u8, frac_bits: &[(usize, u8)]| {
        tensors
            .iter()
            .for_each(|&k| g.network.tensors[k].step.exponent -= octaves);
        frac_bits
            .iter()
            .for_each(|&(k, f)| g.network.frac_bits[k] = f);
        g
    };
    let i = gray(12, 8);
    let net = |swish| nerv(5, 6, [2, 3, 5], swish, &[[2, 3, 5], [2, 3, 4]]);
    add(
        "nervpp-no-blocks.nvc",
        "NeRV++ without residual blocks: only the skips tell it from NeRV",
        one(&i, random(&i, Arch::Nerv(plus(net(true), 0, 0, 3)), 2, 300)),
    );
    add(
        "nervpp-four-blocks.nvc",
        "four residual blocks before and after each upsampling, with kernels of 15 that are larger than the pictures",
        one(
            &i,
            random(&i, Arch::Nerv(plus(net(false), 4, 4, 15)), 1, 301),
        ),
    );
    add(
        "levels-40.nvc",
        "40 levels and 23 frames: the fastest turns 5^39 times for 4^39 of the slowest; fails where the powers are taken in 64 bits",
        one(
            &i,
            random(
                &i,
                Arch::Nerv(nerv(40, 6, [2, 3, 4], true, &[[4, 1, 3]])),
                23,
                302,
            ),
        ),
    );
    let i1 = gray(1, 1);
    add(
        "many-passes.nvc",
        "2000 frames of NeRV: the time code divides by numbers that are no powers of two",
        one(
            &i1,
            loud(
                random(
                    &i1,
                    Arch::Nerv(nerv(12, 4, [1, 1, 4], false, &[[1, 1, 3]])),
                    2000,
                    303,
                ),
                &[2, 4, 6],
                2,
                &[],
            ),
        ),
    );
    add(
        "one-position.nvc",
        "NeRV whose first feature map is one position",
        one(
            &gray(4, 4),
            random(
                &gray(4, 4),
                Arch::Nerv(nerv(4, 5, [1, 1, 6], true, &[[4, 3, 4]])),
                2,
                304,
            ),
        ),
    );

    add(
        "swish-tails.nvc",
        "swish of numbers far beyond 16 and -16: the table's last entry, 0, holds from there on",
        one(
            &i,
            loud(
                random(&i, Arch::Nerv(net(true)), 3, 305),
                &[0, 2],
                4,
                &[(1, 8), (2, 8), (3, 7), (5, 8)],
            ),
        ),
    );
    let patches = || Arch::Nirvana(nirvana([2, 3], 2, 8, [2, 4], [2, 3, 4]));
    add(
        "sine-turns.nvc",
        "sines of hundreds of turns, of both signs, at 5 fraction bits; fails where negative turns are not reduced upwards",
        one(
            &i,
            loud(random(&i, patches(), 2, 306), &[0, 2], 8, &[(1, 5), (3, 5)]),
        ),
    );
    let g = random(&i, patches(), 2, 307);
    let graph = g.arch.lower(&i, 2).unwrap();
    let saturated: Vec<(usize, u8)> = nonlinearities(&graph, Activation::Sine)
        .into_iter()
        .zip([15, 19])
        .collect();
    add(
        "sine-saturation.nvc",
        "sines at 15 and 19 fraction bits: 1 is 32768 or more and saturates, on both sides",
        one(&i, loud(g, &[0, 2], 2, &saturated)),
    );
    let closed = || Arch::Hnerv(tanh([3, 2, 3], 6, &[[4, 3, 5]]));
    let g = random(&i, closed(), 2, 308);
    let last = g.network.tensors.len() - 2;
    add(
        "tanh-tails.nvc",
        "tanh of numbers beyond 8 and -8: exactly 1 and -1, the largest sample and 0",
        one(&i, loud(g, &[last], 8, &[(6, 8), (7, 14)])),
    );
    let deep = info(12, 8, Chroma::Yuv444, 10);
    let g = random(&deep, closed(), 2, 309);
    add(
        "tanh-saturation.nvc",
        "a tanh at 15 fraction bits, whose 1 saturates at 32767, in 10 bits: rounding gives 1023 all the same",
        one(&deep, loud(g, &[last], 6, &[(6, 9), (7, 15)])),
    );

    let strides = || {
        Arch::Nerv(plus(
            nerv(4, 5, [1, 2, 4], true, &[[3, 1, 4], [1, 3, 3], [16, 1, 2]]),
            0,
            1,
            3,
        ))
    };
    add(
        "bilinear-factors.nvc",
        "skips enlarged 3, 1 and 16 times, from one row too: weights that are no powers of two, halves rounded up, edges held",
        one(&gray(96, 48), random(&gray(96, 48), strides(), 1, 310)),
    );

    add(
        "frame-codes.nvc",
        "12 channels of features and nine frames: the fastest code passes a whole turn, and channels beyond the table get 0 and 1",
        one(
            &i,
            random(
                &i,
                Arch::Nirvana(nirvana([2, 3], 1, 5, [2, 12], [2, 1, 3])),
                9,
                311,
            ),
        ),
    );
    let tiny = || Arch::Nirvana(nirvana([1, 1], 1, 2, [2, 2], [2, 1, 1]));
    let i4 = gray(4, 4);
    add(
        "nirvana-64-frames.nvc",
        "64 frames, the most of a group, from a grid of one patch",
        one(&i4, random(&i4, tiny(), 64, 312)),
    );
    add(
        "nirvana-one-frame.nvc",
        "one frame, the fewest of a group, of patches of 64x64 with a stride of 1",
        {
            let i = gray(70, 64);
            one(
                &i,
                random(
                    &i,
                    Arch::Nirvana(nirvana([1, 2], 1, 4, [64, 1], [1, 3, 2])),
                    1,
                    313,
                ),
            )
        },
    );
    let frames = |n, seed| random(&i4, tiny(), n, seed);
    let mut groups = vec![frames(2, 314)];
    groups.push(next(&i4, &groups[0], 1, 315));
    groups.push(next(&i4, &groups[1], 3, 316));
    add(
        "nirvana-more-frames.nvc",
        "groups of 2, 1 and 3 frames: nodes and tensors without one of their number in the group before are coded by themselves",
        file(&i4, &[groups]),
    );

    add(
        "residual-steps.nvc",
        "differences in steps much finer and much coarser than those of the group before: predictions of many units, of 0, rounded, and clamped to 32767 on both sides",
        file(&i, &[steps(&i)]),
    );
    let wide = info(11, 7, Chroma::Rgb, 8);
    let first = scaled(&wide, random(&wide, closed(), 2, 340), 341);
    let second = next(&wide, &first, 1, 342);
    add(
        "scaled-tensors.nvc",
        "HNeRV with tanh whose tensors and latents are scaled ones, and a group of differences to its values",
        file(&wide, &[leaning(&wide, vec![first, second], 50)]),
    );
    let first = scaled(
        &i,
        random(&i, Arch::Nerv(plus(net(true), 1, 0, 3)), 2, 343),
        344,
    );
    add(
        "scaled-nervpp.nvc",
        "scaled tensors of a NeRV++, of depthwise convolutions too",
        one(&i, first),
    );
    let same = random(&i, patches(), 1, 330);
    let scaled = |f: u8| {
        change(same.clone(), |g| {
            all_frac_bits(g, &i, f);
            let head = g.network.frac_bits.len() - 1;
            g.network.frac_bits[head] = 10;
        })
    };
    add(
        "relative-fractions.nvc",
        "fraction bits 0, 19 and 0: differences of -19 and 19",
        file(&i, &[vec![scaled(0), scaled(19), scaled(0), same.clone()]]),
    );
    let empty = |arch: Arch| {
        let mut g = random(&gray8(), arch, 2, 0);
        g.network = blank_network(&g.arch.lower(&gray8(), 2).unwrap());
        g.latents.fill(0);
        g
    };
    add(
        "empty-families.nvc",
        "all-zero networks of four architectures in one section: coded parts of 0 bytes, all tensors fresh",
        file(&gray8(), &[of_8x8().map(empty).to_vec()]),
    );
    out
}

/// Groups of one NeRV whose tensors stand for nearly the same numbers in very different steps.
fn steps(i: &VideoInfo) -> Vec<Group> {
    let net = || Arch::Nerv(nerv(5, 6, [2, 3, 5], true, &[[2, 3, 5], [2, 3, 4]]));
    let first = random(i, net(), 1, 320);
    let rescaled = |g: &Group, octaves: &dyn Fn(usize) -> i32, mantissa: u8, seed: i32| {
        change(g.clone(), |g| {
            for (k, t) in g.network.tensors.iter_mut().enumerate() {
                let old = t.step;
                t.step = QuantStep {
                    mantissa,
                    exponent: (i32::from(old.exponent) + octaves(k)).clamp(0, 40) as u8,
                };
                for (j, v) in t.values.iter_mut().enumerate() {
                    let exact = (i128::from(*v) * i128::from(old.mantissa)) << t.step.exponent;
                    let unit = i128::from(mantissa) << old.exponent;
                    // off by a little, which is the difference that is coded
                    let off = (j as i32 * 7 + seed) % 5 - 2;
                    let near = exact.div_euclid(unit).clamp(-32767, 32767) as i32;
                    *v = (near
                        + if near.abs() > 32000 {
                            -off.abs() * near.signum()
                        } else {
                            off
                        }) as i16;
                }
            }
        })
    };
    let finer = rescaled(&first, &|k| [5, 3, 7, 2][k % 4], 131, 1);
    let coarser = rescaled(&finer, &|k| [-6, -3, -7, -2][k % 4], 255, 2);
    // halves, of both signs
    let half = rescaled(&coarser, &|_| -1, 255, 4);
    // so fine that predictions leave the range, and a mantissa that divides nothing
    let finest = rescaled(&half, &|k| if k == 2 { 12 } else { 3 }, 193, 3);
    let apart = change(finest.clone(), |g| {
        g.network.tensors[1].step = QuantStep {
            mantissa: 255,
            exponent: 0,
        };
        g.network.tensors[1].values.fill(0);
        g.network.tensors[3].step = QuantStep {
            mantissa: 128,
            exponent: 40,
        };
        g.network.tensors[3]
            .values
            .iter_mut()
            .for_each(|v| *v = 32767 * v.signum());
    });
    leaning(i, vec![first, finer, coarser, half, finest, apart], 50)
}
