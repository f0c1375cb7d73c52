//! What a fitted network rarely gives, and all the same may be in a file.

mod families;
mod formats;
mod scaled;

use crate::common::steps::RealStep;
use nvc::bitstream::header::SectionHeader;
use nvc::entropy::tensor::blank_network;
use nvc::frame::Chroma;
use nvc::group::Group;
use nvc::network::QuantStep;
use nvc::network::Role;

use super::Vector;
use super::blocks::*;
use crate::common::{Rng, info};

/// A 4:2:0 file whose sequence header ends with these bytes.
fn sited(bytes: &[u8]) -> Vec<u8> {
    let i = info(10, 6, Chroma::Yuv420, 8);
    let (n, s) = section(
        &i,
        0,
        &[group(
            &i,
            hnerv([2, 1, 2], 4, 3, &[[3, 1, 4], [2, 3, 3]]),
            1,
            63,
        )],
    );
    assemble(&[
        Part::Header([header(&i), bytes.to_vec()].concat()),
        Part::Section(n, s),
    ])
}

pub fn uncommon() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes| out.push(Vector::valid("uncommon", name, what, bytes));
    let i = info(24, 16, Chroma::Yuv420, 8);
    let net = || hnerv([3, 2, 3], 8, 3, &[[4, 1, 7], [2, 3, 5]]);

    let g = change(group(&i, net(), 1, 30), |g| {
        let mut rng = Rng(31);
        let graph = g.arch.lower(&i, g.frames).unwrap();
        for (t, spec) in g.network.tensors.iter_mut().zip(&graph.tensors) {
            if spec.role == Role::Weight {
                // weights of 16 bits, step so small that the gain stays near 1
                t.values
                    .iter_mut()
                    .for_each(|v| *v = rng.laplace(9000, 32767));
                let fan_in = (spec.shape[1] * spec.shape[2] * spec.shape[3]) as f64;
                t.step = QuantStep::nearest(0.8 / 9000.0 / fan_in.sqrt());
            }
        }
    });
    add(
        "wide-sums.nvc",
        "weights of 16 bits: sums of products need more than 32 bits; fails with `int` accumulators",
        one(&i, g),
    );

    let g = change(group(&i, net(), 1, 32), |g| {
        let graph = g.arch.lower(&i, g.frames).unwrap();
        for (k, (t, spec)) in g
            .network
            .tensors
            .iter_mut()
            .zip(&graph.tensors)
            .enumerate()
            .filter(|(k, _)| k % 2 == 0)
        {
            let taps: usize = spec.shape[1..].iter().product();
            // each channel's magnitudes add up to 65538 (32 bits just suffice) or, in some layers,
            // to one more
            let total = if k % 4 == 0 { 65538 } else { 65539 };
            let signs: Vec<bool> = t.values.iter().map(|v| *v < 0).collect();
            for (w, s) in t.values.chunks_mut(taps).zip(signs.chunks(taps)) {
                let mut left = total;
                for (j, v) in w.iter_mut().enumerate() {
                    let part = if j + 1 == taps {
                        left
                    } else {
                        (total / taps as i32).min(left)
                    };
                    let part = part.min(32767);
                    left -= part;
                    *v = if s[j] { -part as i16 } else { part as i16 };
                }
            }
            t.step = QuantStep {
                mantissa: 255,
                exponent: 21,
            };
        }
        all_frac_bits(g, &i, 15);
        g.network.frac_bits[0] = 9;
    });
    add(
        "32-bit-edge.nvc",
        "layers whose weights' magnitudes add up to 65538, the most for which 32-bit sums suffice, and to 65539; activations \
         saturate. Fails where the bound for a 32-bit path is one too high",
        one(&i, g),
    );

    let g = change(group(&i, net(), 2, 33), |g| {
        all_frac_bits(g, &i, 16);
        g.network.frac_bits[0] = 11;
        g.latents
            .iter_mut()
            .for_each(|v| *v = v.saturating_mul(270));
    });
    add(
        "saturation.nvc",
        "most activations saturate at 32767 and -32767; fails where they wrap, or where -32768 is let through",
        one(&i, g),
    );
    let big = |g: &mut Group, e: u8, f: u8| {
        g.network.latent_step = QuantStep {
            mantissa: 128,
            exponent: e,
        };
        all_frac_bits(g, &i, f);
    };
    let g = change(group(&i, net(), 1, 34), |g| {
        big(g, 0, 0);
        g.latents
            .iter_mut()
            .enumerate()
            .for_each(|(k, v)| *v = (k as i16 % 11) - 5);
        for (k, t) in g.network.tensors.iter_mut().enumerate() {
            // the coarse numbers of the features reach the picture through small output weights
            t.step = QuantStep {
                mantissa: 140,
                exponent: [10, 10, 11, 11, 11, 11, 22, 14, 22, 14][k],
            };
        }
        g.network.frac_bits[9..].fill(7);
    });
    add(
        "fraction-0.nvc",
        "fraction bits 0 in all nodes but the outputs, the latent's step 128 with exponent 0: a shift by 0, GELU of whole numbers",
        one(&i, g),
    );
    let g = change(group(&i, net(), 1, 35), |g| {
        big(g, 19, 19);
        g.latents.iter_mut().for_each(|v| *v = v.saturating_mul(2));
        for (k, t) in g.network.tensors.iter_mut().enumerate() {
            match k {
                1 | 3 | 5 => t.step.exponent += 4,
                6 | 8 => t.step.exponent -= 5,
                _ => {}
            }
        }
        g.network.frac_bits[9..].fill(14);
    });
    add(
        "fraction-19.nvc",
        "fraction bits 19 in all nodes but the outputs: activations stand for at most 1/16",
        one(&i, g),
    );
    let g = change(group(&i, net(), 1, 36), |g| {
        for (k, t) in g.network.tensors.iter_mut().enumerate() {
            let real = t.step.value();
            // weights' steps down to 2^-33: coarse values, long shifts
            t.step.exponent = if k % 2 == 0 {
                t.step.exponent
            } else {
                [40, 25, 8, 0, 12][k / 2 % 5]
            };
            let ratio = real / t.step.value();
            if k % 2 == 1 {
                t.values
                    .iter_mut()
                    .for_each(|v| *v = (f64::from(*v) * ratio).clamp(-32767.0, 32767.0) as i16);
            }
        }
        g.network.tensors[0].step = QuantStep {
            mantissa: 255,
            exponent: 40,
        };
        g.network.tensors[0]
            .values
            .iter_mut()
            .for_each(|v| *v = v.saturating_mul(160));
        g.network.frac_bits[0] = 2;
        g.network.frac_bits[1] = 19;
        g.network.tensors[1].step = QuantStep {
            mantissa: 128,
            exponent: 36,
        };
        g.network.tensors[1]
            .values
            .iter_mut()
            .enumerate()
            .for_each(|(k, v)| *v = if k % 2 == 0 { 30000 } else { -30001 });
    });
    add(
        "bias-steps.nvc",
        "biases in steps much finer and much coarser than the sums: shifted right with halves up, also negative ones, and left; \
         weights with exponent 40",
        one(&i, g),
    );
    let g = change(group(&i, net(), 1, 37), |g| {
        // F = 9 + 30 = 39 with bias exponent 2: the left shift is 37, the most that is allowed
        g.network.tensors[0].step = QuantStep {
            mantissa: 200,
            exponent: 30,
        };
        g.network.tensors[1].step = QuantStep {
            mantissa: 255,
            exponent: 2,
        };
        g.network.tensors[1]
            .values
            .iter_mut()
            .enumerate()
            .for_each(|(k, v)| *v = [0, 1, -1, 32767, -32767][k % 5]);
    });
    add(
        "bias-shift-37.nvc",
        "biases of 2^60 units: sums need 62 bits and saturate; fails where bias and sum are added in 32 bits",
        one(&i, g),
    );

    let i2 = info(16, 16, Chroma::Gray, 8);
    let g = change(
        group(&i2, hnerv([2, 8, 8], 1, 1, &[[2, 1, 4]]), 1, 38),
        |g| {
            // two opposite channels, at the ends of the range in half of the columns, that cancel
            // unless -32768 is let through
            for k in 0..64 {
                let v = if k % 2 == 0 { 32767 } else { g.latents[k] };
                (g.latents[k], g.latents[64 + k]) = (v, -v);
            }
            g.network.latent_step = QuantStep {
                mantissa: 255,
                exponent: 9,
            };
            (g.network.tensors[0].step, g.network.tensors[0].values) = (
                QuantStep {
                    mantissa: 128,
                    exponent: 0,
                },
                vec![4, 4],
            );
            (g.network.tensors[1].step, g.network.tensors[1].values) = (
                QuantStep {
                    mantissa: 128,
                    exponent: 7,
                },
                vec![2],
            );
            g.network.frac_bits[1] = 9;
        },
    );
    add(
        "symmetric-range.nvc",
        "latents that saturate at both ends and cancel in the stem; fails where the lower end is -32768",
        one(&i2, g),
    );
    let g = change(
        group(&i2, hnerv([3, 4, 4], 8, 3, &[[2, 3, 6], [2, 3, 5]]), 1, 39),
        |g| {
            g.network.tensors[0].step.exponent -= 7;
            g.network.tensors[2].step.exponent += 5;
            (g.network.frac_bits[1], g.network.frac_bits[2]) = (7, 9);
        },
    );
    add(
        "gelu-tails.nvc",
        "GELU of numbers far beyond 8 and -8, from 7 to 9 fraction bits: the table's last entry, 0, holds from there on; fails \
         where the index wraps",
        one(&i2, g),
    );
    let i3 = info(8, 8, Chroma::Rgb, 8);
    let g = change(group(&i3, gray8_net(), 1, 39), |g| {
        let n = g.network.tensors.len();
        g.network.tensors[n - 2].values.fill(0);
        g.network.tensors[n - 2].step = QuantStep {
            mantissa: 128,
            exponent: 5,
        };
        // F = 7 = f_out, one activation a sample value: -2.5, 2.5 and 0.75 round to -2, 3 and 1
        (
            g.network.tensors[n - 1].step,
            g.network.tensors[n - 1].values,
        ) = (
            QuantStep {
                mantissa: 128,
                exponent: 16,
            },
            vec![-10, 10, 3],
        );
        let last = g.network.frac_bits.len() - 1;
        (g.network.frac_bits[last - 1], g.network.frac_bits[last]) = (2, 7);
    });
    add(
        "bias-rounding.nvc",
        "biases alone make the picture and lie halfway between activations: halves go up, also below 0",
        one(&i3, g),
    );

    let i2 = info(9, 11, Chroma::Gray, 8);
    add(
        "kernel-15.nvc",
        "kernels of 15 on 3x3, 6x6 and 12x12 activations: windows larger than the picture; fails where borders are narrower",
        one(
            &i2,
            group(
                &i2,
                hnerv([2, 3, 3], 3, 15, &[[2, 15, 3], [2, 15, 2]]),
                1,
                40,
            ),
        ),
    );
    let i2 = info(12, 10, Chroma::Yuv444, 8);
    add(
        "stride-1.nvc",
        "stages of stride 1: pixel shuffles that move nothing, still nodes of the graph; without padding",
        one(
            &i2,
            group(
                &i2,
                hnerv([4, 10, 12], 8, 1, &[[1, 3, 8], [1, 5, 6]]),
                2,
                41,
            ),
        ),
    );
    let i2 = info(6, 5, Chroma::Gray, 8);
    add(
        "padding-of-one.nvc",
        "the product of the strides is 1 and the padding one row: allowed, since `max(U, 2)`",
        one(&i2, group(&i2, hnerv([3, 6, 6], 4, 3, &[[1, 3, 3]]), 1, 42)),
    );
    let i2 = info(48, 16, Chroma::Gray, 8);
    add(
        "stride-16.nvc",
        "one stage of stride 16",
        one(
            &i2,
            group(&i2, hnerv([3, 1, 3], 8, 3, &[[16, 1, 3]]), 1, 43),
        ),
    );
    let i2 = info(14, 10, Chroma::Yuv420, 8);
    add(
        "one-stage-420.nvc",
        "4:2:0 with a single stage: chroma is read from the GELU after the stem",
        one(&i2, group(&i2, hnerv([3, 5, 7], 6, 3, &[[2, 3, 4]]), 1, 44)),
    );
    let i2 = info(1, 1, Chroma::Yuv420, 8);
    add(
        "one-pixel-420.nvc",
        "1x1 with 1x1 chroma planes",
        one(&i2, group(&i2, hnerv([2, 1, 1], 4, 3, &[[2, 1, 3]]), 2, 45)),
    );
    let i2 = info(1, 150, Chroma::Rgb, 8);
    add(
        "one-column.nvc",
        "1x150 from a latent of 38x1",
        one(
            &i2,
            group(&i2, hnerv([1, 38, 1], 6, 3, &[[2, 3, 5], [2, 3, 4]]), 1, 46),
        ),
    );
    let i2 = info(16, 16, Chroma::Gray, 8);
    add(
        "twelve-stages.nvc",
        "twelve stages, the most there can be, eight of stride 1",
        one(
            &i2,
            change(
                group(
                    &i2,
                    hnerv(
                        [3, 1, 1],
                        4,
                        3,
                        &[
                            [1, 1, 4],
                            [1, 1, 4],
                            [2, 1, 4],
                            [1, 3, 4],
                            [2, 3, 4],
                            [1, 3, 3],
                            [1, 3, 4],
                            [2, 3, 4],
                            [1, 3, 4],
                            [2, 3, 4],
                            [1, 3, 5],
                            [1, 3, 4],
                        ],
                    ),
                    1,
                    47,
                ),
                |g| {
                    g.network
                        .tensors
                        .iter_mut()
                        .step_by(2)
                        .for_each(|t| t.step.exponent -= 1)
                },
            ),
        ),
    );

    let empty = |frames: usize| {
        let mut g = group(&gray8(), gray8_net(), frames, 0);
        g.network = blank_network(&g.arch.lower(&gray8(), g.frames).unwrap());
        g.latents.fill(0);
        g
    };
    let bytes = one(&gray8(), empty(3));
    add(
        "empty-parts.nvc",
        "an all-zero network: both coded parts have 0 bytes; steps are 128, fraction bits 0, and every sample is 128. Fails where \
         words past the end are not 0",
        bytes,
    );
    let g = change(group(&gray8(), gray8_net(), 2, 48), |g| {
        g.network
            .tensors
            .iter_mut()
            .step_by(2)
            .for_each(|t| t.values.fill(0));
        g.latents.fill(0);
        g.latents[0] = 1;
    });
    add(
        "zero-weights.nvc",
        "all weights 0, biases and one latent not",
        one(&gray8(), g),
    );

    let i2 = info(16, 16, Chroma::Gray, 8);
    let g = change(
        group(
            &i2,
            hnerv([60, 2, 2], 64, 3, &[[2, 5, 16], [4, 1, 3]]),
            8,
            49,
        ),
        |g| {
            let mut rng = Rng(50);
            let t = &mut g.network.tensors[2];
            t.values.iter_mut().for_each(|v| {
                *v = if rng.next().is_multiple_of(250) {
                    rng.laplace(60, 300)
                } else {
                    0
                }
            });
            t.step.exponent -= 2;
            g.latents.iter_mut().for_each(|v| {
                *v = if rng.next().is_multiple_of(90) {
                    rng.laplace(30, 300)
                } else {
                    0
                }
            });
        },
    );
    add(
        "sparse.nvc",
        "over 100 000 weights, nearly all 0: contexts reach the end of their range, and their `seen` counters stop at 127",
        one(&i2, g),
    );
    let g = change(
        group(
            &i2,
            hnerv([8, 4, 4], 12, 3, &[[2, 3, 10], [2, 3, 6]]),
            4,
            51,
        ),
        |g| {
            let mut rng = Rng(52);
            for t in &mut g.network.tensors {
                t.values.iter_mut().for_each(|v| {
                    let m = (rng.next() & 0x7fff) as i16 >> (rng.next() % 15);
                    *v = if rng.next() & 1 == 0 { m } else { -m };
                });
                t.step.exponent += 9;
            }
            g.latents.iter_mut().for_each(|v| {
                let m = (rng.next() & 0x3fff) as i16 >> (rng.next() % 14);
                *v = if rng.next() & 1 == 0 { m } else { -m };
            });
            g.latents[0] = 32767;
            g.latents[1] = -32767;
            g.network.latent_step.exponent = 18;
        },
    );
    add(
        "all-magnitudes.nvc",
        "weights and latents of every bit length up to 15, all contexts of the binarisation and the highest magnitude classes; \
         fails where `Length` has a 15th context",
        one(&i2, g),
    );

    let g = |seed| group(&gray8(), gray8_net(), 2, seed);
    let (n1, s1) = section(&gray8(), 0, &[g(60)]);
    let (n2, s2) = section(&gray8(), 2, &[g(61)]);
    add(
        "ancillary.nvc",
        "lower-case packets, one of them empty, after the header, between the sections and before the index; offsets of sections \
         do not follow from the index alone",
        assemble(&[
            Part::Header(header(&gray8())),
            Part::Other(b't', b"encoder=random".to_vec()),
            Part::Section(n1, s1.clone()),
            Part::Other(b'z', Vec::new()),
            Part::Section(n2, s2.clone()),
            Part::Other(b's', vec![0; 40]),
        ]),
    );
    let mut long = header(&gray8());
    long.extend([7, 0x80, 0x80, 0xff]);
    add(
        "header-extension.nvc",
        "four more bytes at the end of the sequence header, which later extensions may add: skipped",
        assemble(&[Part::Header(long), Part::Section(n1, s1.clone())]),
    );
    for (name, what, code) in [
        (
            "siting-left.nvc",
            "chroma location 1, left: a field that older files lack. It changes no sample",
            1,
        ),
        (
            "siting-centre.nvc",
            "chroma location 2, centre; the samples of `siting-left.nvc`",
            2,
        ),
        (
            "siting-bottom.nvc",
            "chroma location 6, bottom, the last one; the samples of `siting-left.nvc`",
            6,
        ),
    ] {
        add(name, what, sited(&[code]));
    }
    add(
        "siting-and-more.nvc",
        "chroma location 3, top left, and three bytes of later extensions after it",
        sited(&[3, 0x80, 0xff, 0]),
    );
    add(
        "siting-reserved.nvc",
        "chroma location 7, kept for later: taken as unspecified; fails where a table is read past its end",
        sited(&[7]),
    );
    let lit = |before: &[Part], light: &[u8]| {
        let mut parts = vec![Part::Header(header(&gray8()))];
        parts.extend(before.iter().cloned());
        assemble(
            &[
                parts,
                vec![
                    Part::Other(b'l', light.to_vec()),
                    Part::Section(n1, s1.clone()),
                ],
            ]
            .concat(),
        )
    };
    add(
        "light.nvc",
        "an `l` packet with mastering display and content light level",
        lit(&[], &light()),
    );
    add(
        "light-content.nvc",
        "an `l` packet with the content light level alone, another packet before it, and two bytes of later extensions at its end",
        lit(
            &[Part::Other(b't', b"encoder=random".to_vec())],
            &[0, 1, 0xe8, 0x07, 0x90, 0x03, 1, 0xff],
        ),
    );
    add(
        "light-none.nvc",
        "an `l` packet that says nothing",
        lit(&[], &[0, 0]),
    );
    add(
        "no-frames.nvc",
        "no section at all: a valid file of 0 frames",
        assemble(&[Part::Header(header(&gray8()))]),
    );
    let mut p = Vec::new();
    SectionHeader {
        first_frame: 0,
        frames: 2,
        groups: 1,
    }
    .write(&mut p);
    let (net, weights, latents) = coded(&g(62));
    let padded = |mut part: Vec<u8>| {
        part.resize(part.len().next_multiple_of(4) + 8, 0);
        part.extend(b"never read");
        part
    };
    p.extend(raw_group(2, 1, &net, &padded(weights), &padded(latents)));
    add(
        "unread-bytes.nvc",
        "coded parts with bytes after the last word that the range decoder needs: ignored, and the sizes in the group header tell \
         where the next part starts",
        assemble(&[Part::Header(header(&gray8())), Part::Section(2, p)]),
    );
    let tiny_net = || hnerv([1, 4, 4], 3, 1, &[[2, 1, 2]]);
    let groups: Vec<Group> = (0..140)
        .map(|k| group(&gray8(), tiny_net(), 1, 100 + k))
        .collect();
    add(
        "many-groups.nvc",
        "140 groups of one frame in a section: `groups` and `frames` take two bytes",
        file(&gray8(), &[groups]),
    );
    let g = slow(group(&gray8(), gray8_net(), 300, 63), &gray8(), 64);
    add(
        "many-frames.nvc",
        "300 frames in one group",
        one(&gray8(), g),
    );
    out.extend(families::families());
    out.extend(formats::formats());
    out.extend(scaled::tensors());
    out
}
