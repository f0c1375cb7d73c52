//! Latent pyramids.

use nvc::frame::Chroma;

use super::super::Vector;
use super::super::blocks::{change, file, one};
use super::super::pyramids::{pyramid, random};
use crate::common::info;

pub fn pyramids() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes| out.push(Vector::valid("core", name, what, bytes));
    let i = info(48, 40, Chroma::Rgb, 8);
    add(
        "pyramid-gbrp.nvc",
        "a pyramid: each latent is coded by a distribution that a network predicts from its neighbours; fails with latents in raster order",
        one(&i, random(&i, pyramid(5, 60, 16, 24), 1, 301)),
    );
    let i = info(37, 29, Chroma::Yuv420, 8);
    add(
        "pyramid-yuv420-odd.nvc",
        "4:2:0 of odd size: chroma has a synthesis network of its own, which reads all grids but the finest",
        one(&i, random(&i, pyramid(4, 31, 12, 16), 1, 302)),
    );
    let i = info(21, 50, Chroma::Gray, 8);
    let mut net = pyramid(4, 200, 8, 12);
    net.header.empty = 0b0101;
    add(
        "pyramid-gray-empty.nvc",
        "two grids are not coded; latents reach beyond 127, so they have 7 fraction bits",
        one(&i, random(&i, net, 1, 303)),
    );
    let i = info(26, 18, Chroma::Yuv444, 10);
    add(
        "pyramid-yuv444-10bit.nvc",
        "10-bit 4:4:4; two frames, each with its own grids, share the networks; latents reach 1000",
        one(&i, random(&i, pyramid(3, 1000, 24, 40), 2, 304)),
    );
    let i = info(1, 1, Chroma::Rgb, 8);
    add(
        "pyramid-1x1.nvc",
        "one pixel, one grid: nothing is upsampled",
        one(&i, random(&i, pyramid(1, 3, 1, 2), 1, 305)),
    );
    let i = info(30, 3, Chroma::Yuv420, 10);
    let steps = |g: &mut nvc::group::Group| {
        for (k, t) in g.network.tensors.iter_mut().enumerate().skip(7) {
            t.step.mantissa = 128 + (k * 37 % 100) as u8;
        }
    };
    add(
        "pyramid-steps.nvc",
        "steps of upsampling and synthesis that are no powers of two; all 40 neighbours are read",
        one(&i, change(random(&i, pyramid(3, 15, 40, 9), 1, 306), steps)),
    );
    // alpha of every size, and colours that have to be cut to it
    let veiled = |g: &mut nvc::group::Group, planes: usize| {
        let bypass = g.network.tensors.len() - 5;
        let bias = &mut g.network.tensors[bypass].values;
        assert_eq!(bias.len(), planes);
        bias[planes - 1] -= 250;
    };
    let i = info(35, 27, Chroma::Rgba, 8);
    add(
        "pyramid-gbrap.nvc",
        "alpha, by which the other planes are multiplied: fails where they may be above it",
        one(
            &i,
            change(random(&i, pyramid(4, 60, 16, 24), 1, 309), |g| veiled(g, 4)),
        ),
    );
    let i = info(18, 23, Chroma::GrayAlpha, 10);
    add(
        "pyramid-graya-10bit.nvc",
        "gray and alpha of 10 bits",
        one(
            &i,
            change(random(&i, pyramid(3, 40, 8, 10), 1, 310), |g| veiled(g, 2)),
        ),
    );
    let i = info(20, 12, Chroma::Rgb, 8);
    let first = random(&i, pyramid(3, 20, 8, 6), 1, 307);
    // a fine step, and values that move by little
    let next = change(first.clone(), |g| {
        let mut rng = crate::common::Rng(308);
        g.latents.reverse();
        for (k, t) in g.network.tensors.iter_mut().enumerate() {
            t.step.exponent += u8::from(k == 9);
            let move_by = |v: &mut i16| *v = (*v << u8::from(k == 9)) + rng.laplace(1, 3);
            t.values.iter_mut().for_each(move_by);
        }
    });
    add(
        "pyramid-residual.nvc",
        "the networks of the second group are differences to those of the first, coded by Laplace distributions, once with another step",
        file(&i, &[vec![first, next]]),
    );
    out
}
