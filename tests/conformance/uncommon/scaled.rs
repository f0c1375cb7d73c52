//! Scaled tensors (spec section 4.7) of rare make-up, and differences between tensors of other shapes.

use nvc::frame::Chroma;
use nvc::group::Group;
use nvc::network::Arch;

use super::super::Vector;
use super::super::blocks::*;
use super::super::nets::*;
use crate::common::info;

pub fn tensors() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes| out.push(Vector::valid("uncommon", name, what, bytes));
    let i = info(11, 7, Chroma::Gray, 8);
    let net = || Arch::Hnerv(tanh([3, 2, 3], 5, &[[2, 3, 4], [2, 3, 4]]));
    add(
        "scaled-bits.nvc",
        "scaled tensors of integers of 1, 2, 5, 8 and 11 bits, their scales of 11 to 1 and their offsets of 1 to 8",
        one(
            &i,
            scaled_by(&i, random(&i, net(), 1, 640), 641, &|k| Tuning {
                axes: [1, 3, 15, 2, 13][k % 5],
                factor: k as u8 % 2,
                ends: k % 4 == 3,
                bits: [
                    [11, 8, 5, 2, 1][k % 5],
                    [1, 5, 8, 2, 1][k % 5],
                    [1, 2, 5, 8, 11][k % 5],
                ],
                // values of about the usual size
                units: [[2046, 8128, 7710, 5461, 1024][k % 5], 40],
                ..Tuning::USUAL
            }),
        ),
    );
    add(
        "scaled-factors.nvc",
        "scaled tensors with sets of coefficients for factors 4, 5, 7 and 16, the most there can be: no fewer sets than output channels",
        one(
            &i,
            scaled_by(&i, random(&i, net(), 1, 642), 643, &|k| Tuning {
                factor: [4, 5, 7, 16][k % 4],
                ..Tuning::USUAL
            }),
        ),
    );
    let clamped = |weights: Tuning, ends| {
        move |k: usize| match k % 2 {
            0 => weights,
            // biases at one end of the range or the other
            _ => Tuning {
                ends,
                units: [32767, 32767],
                single: [0, if k % 4 == 1 { 2000 } else { 40 }],
                ..Tuning::USUAL
            },
        }
    };
    // values are so many octaves above what they are elsewhere
    let finer = |mut g: Group, octaves: [u8; 2]| {
        for (k, t) in g.network.tensors.iter_mut().enumerate() {
            t.step.exponent += octaves[k % 2];
        }
        g
    };
    let wide = Tuning {
        bits: [4, 3, 11],
        units: [32767, 40],
        single: [199, 1024],
        ..Tuning::USUAL
    };
    add(
        "scaled-clamps.nvc",
        "scaled tensors whose values are clamped to 32767 and -32767, and predictions that are clamped 2^19 from the middle; units of 32767",
        one(
            &i,
            at_both_ends(scaled_by(
                &i,
                finer(random(&i, net(), 1, 644), [11, 13]),
                645,
                &clamped(wide, false),
            )),
        ),
    );
    add(
        "scaled-inverse-0.nvc",
        "biases with `ends` = 1 whose distribution has no share between the ends: `inverse` is 0; fails where it divides",
        one(
            &i,
            scaled_by(
                &i,
                finer(random(&i, net(), 1, 646), [0, 13]),
                647,
                &clamped(
                    Tuning {
                        ends: true,
                        ..Tuning::USUAL
                    },
                    true,
                ),
            ),
        ),
    );

    let i = gray8();
    // stems of 8 x 6 and 6 x 8 weights: the same number, another shape
    let first = random(
        &i,
        Arch::Nerv(nerv(3, 8, [2, 2, 4], true, &[[4, 3, 3]])),
        1,
        648,
    );
    let mut second = random(
        &i,
        Arch::Nerv(nerv(4, 6, [2, 2, 4], true, &[[4, 3, 3]])),
        1,
        649,
    );
    let (new, old) = (&mut second.network.tensors[0], &first.network.tensors[0]);
    assert_eq!(new.values.len(), old.values.len());
    *new = old.clone();
    new.values.iter_mut().step_by(5).for_each(|v| *v += 1);
    add(
        "residual-other-shape.nvc",
        "a tensor of 6 x 8 weights as differences to one of 8 x 6: only the number of values counts",
        file(&i, &[leaning(&i, vec![first, second], 20)]),
    );
    out
}

/// Panics unless a tensor has values at both ends of the range and others.
fn at_both_ends(g: Group) -> Group {
    let values = &g.network.tensors[0].values;
    let some = |f: &dyn Fn(i16) -> bool| values.iter().any(|&v| f(v));
    assert!(some(&|v| v == 32767) && some(&|v| v == -32767) && some(&|v| v.abs() < 32767));
    g
}
