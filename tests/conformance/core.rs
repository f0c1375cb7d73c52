//! What every encoder writes.

mod families;
mod pyramids;

use nvc::decoder::{Options, StreamDecoder};
use nvc::entropy::{Bit, Coder};
use nvc::frame::{Chroma, ColorInfo, Range, Ratio, VideoInfo};
use nvc::group::Group;
use nvc::network::QuantStep;

use super::Vector;
use super::blocks::*;
use crate::common::info;

/// The file of annex B: two stages would be too long to print.
fn tiny() -> Vec<u8> {
    let info = VideoInfo {
        fps: Ratio { num: 0, den: 0 },
        ..info(3, 2, Chroma::Gray, 8)
    };
    let net = hnerv([2, 1, 2], 2, 3, &[[2, 1, 1]]);
    let mut g = group(&info, net, 1, 0);
    let step = |mantissa, exponent| QuantStep { mantissa, exponent };
    let tensors: [(QuantStep, &[i16]); 6] = [
        (step(128, 10), &[5, -2, 1, 4]),
        (step(128, 10), &[1, 0]),
        (step(200, 11), &[4, 1, -3, 2, 0, 5, 2, 2]),
        (step(128, 10), &[0, 0, -1, 2]),
        (step(160, 12), &[1, 2, 1, 3, 12, 2, 0, 2, 1]),
        (step(128, 12), &[-9]),
    ];
    for (t, (s, values)) in g.network.tensors.iter_mut().zip(tensors) {
        (t.step, t.values) = (s, values.to_vec());
    }
    g.network.latent_step = step(128, 9);
    g.network.frac_bits = vec![8, 9, 9, 9, 0, 9, 10];
    g.latents = vec![3, -4, 1, 6];
    one(&info, g)
}

pub fn core() -> Vec<Vector> {
    let mut out = Vec::new();
    let mut add = |name, what, bytes| out.push(Vector::valid("core", name, what, bytes));
    add(
        "tiny.nvc",
        "the worked example of annex B: start here",
        tiny(),
    );

    let i = info(64, 48, Chroma::Yuv420, 8);
    let net = || hnerv([4, 3, 4], 12, 3, &[[4, 1, 10], [2, 3, 9], [2, 5, 7]]);
    add(
        "yuv420.nvc",
        "8-bit 4:2:0; chroma is computed from the features before the last stage",
        one(&i, group(&i, net(), 3, 1)),
    );
    let i = info(61, 35, Chroma::Yuv420, 8);
    add(
        "yuv420-odd.nvc",
        "odd width and height: chroma planes are rounded up, pictures are cropped at the right and bottom; fails with `width / 2`",
        one(&i, group(&i, net(), 2, 2)),
    );
    let i = info(40, 30, Chroma::Rgb, 8);
    let net = || hnerv([3, 3, 4], 12, 3, &[[5, 1, 10], [2, 3, 9]]);
    add(
        "gbrp.nvc",
        "planes in the order G, B, R; fails where R comes first",
        one(&i, group(&i, net(), 2, 3)),
    );
    let i = info(29, 31, Chroma::Gray, 8);
    add(
        "gray.nvc",
        "one plane",
        one(
            &i,
            group(&i, hnerv([3, 4, 4], 10, 3, &[[4, 3, 8], [2, 5, 6]]), 2, 4),
        ),
    );
    let i = info(33, 50, Chroma::Yuv444, 10);
    add(
        "yuv444-10bit.nvc",
        "10-bit 4:4:4: samples are written in two bytes, little endian, and clamped to 1023",
        one(
            &i,
            group(&i, hnerv([3, 5, 4], 12, 3, &[[5, 1, 10], [2, 3, 9]]), 2, 5),
        ),
    );
    let i = info(30, 22, Chroma::Yuv420, 10);
    add(
        "yuv420-10bit.nvc",
        "10-bit 4:2:0",
        one(
            &i,
            group(&i, hnerv([3, 2, 3], 8, 3, &[[6, 1, 7], [2, 3, 6]]), 2, 6),
        ),
    );
    let i = info(24, 16, Chroma::Rgb, 10);
    add(
        "gbrp-10bit.nvc",
        "10-bit GBR",
        one(
            &i,
            group(&i, hnerv([2, 2, 3], 10, 5, &[[4, 3, 8], [2, 3, 6]]), 1, 7),
        ),
    );

    let i = info(24, 16, Chroma::Yuv420, 8);
    let net = |c: u32| hnerv([2, 2, 3], c, 3, &[[4, 1, c], [2, 3, 6]]);
    let g = |frames, seed: u64| group(&i, net(6 + seed as u32 % 3), frames, seed);
    add(
        "sections.nvc",
        "three sections of 1, 2 and 3 groups with networks of different sizes; contexts start afresh in every group",
        file(
            &i,
            &[
                vec![g(2, 10)],
                vec![g(1, 11), g(3, 12)],
                vec![g(1, 13), g(1, 14), g(2, 15)],
            ],
        ),
    );
    let still = VideoInfo {
        fps: Ratio { num: 0, den: 0 },
        ..info(48, 32, Chroma::Rgb, 8)
    };
    add(
        "still.nvc",
        "one frame, frame rate 0/0; fails where a player divides by the denominator",
        one(
            &still,
            group(
                &still,
                hnerv([4, 2, 3], 14, 3, &[[4, 1, 12], [2, 3, 12], [2, 3, 8]]),
                1,
                20,
            ),
        ),
    );
    let i = info(32, 24, Chroma::Yuv420, 8);
    let net = || hnerv([6, 3, 4], 8, 3, &[[4, 1, 8], [2, 3, 6]]);
    let g = slow(group(&i, net(), 12, 21), &i, 22);
    assert!(is_temporal(&i, &g));
    add(
        "temporal.nvc",
        "latents predicted from the frame before (`temporal` = 1); classes use the residuals, not the sums",
        one(&i, g),
    );
    let g = group(&i, net(), 6, 23);
    assert!(!is_temporal(&i, &g));
    add(
        "not-temporal.nvc",
        "several frames, latents not predicted: classes still use the frame before",
        one(&i, g),
    );
    let i = info(33, 17, Chroma::Rgb, 8);
    add(
        "padded.nvc",
        "33x17 in 64x32, the greatest padding that is allowed: the border is computed, then cropped",
        one(
            &i,
            group(
                &i,
                hnerv([4, 1, 2], 12, 3, &[[4, 1, 10], [4, 3, 8], [2, 3, 8]]),
                2,
                24,
            ),
        ),
    );
    let i = info(70, 38, Chroma::Yuv420, 8);
    add(
        "five-stages.nvc",
        "strides 5, 4, 4, 2, 2 are the published ones for 1280x640; here the latent is one row and one column",
        one(
            &VideoInfo {
                width: 311,
                height: 167,
                ..i
            },
            group(
                &VideoInfo {
                    width: 311,
                    height: 167,
                    ..i
                },
                hnerv(
                    [16, 1, 1],
                    6,
                    3,
                    &[[5, 1, 5], [4, 3, 4], [4, 5, 3], [2, 5, 2], [2, 5, 2]],
                ),
                1,
                25,
            ),
        ),
    );
    let i = VideoInfo {
        fps: Ratio {
            num: 30000,
            den: 1001,
        },
        sar: Ratio {
            num: 4320,
            den: 4739,
        },
        color: ColorInfo {
            primaries: 9,
            transfer: 16,
            matrix: 9,
            range: Range::Limited,
            ..ColorInfo::UNSPECIFIED
        },
        ..info(300, 2, Chroma::Yuv420, 10)
    };
    add(
        "header-fields.nvc",
        "fields of more than one byte, aspect ratio and colour description; a 300x2 picture. None of them changes samples",
        one(
            &i,
            group(&i, hnerv([2, 1, 75], 6, 3, &[[2, 3, 5], [2, 3, 4]]), 1, 26),
        ),
    );
    out.extend(families::families());
    out.extend(pyramids::pyramids());
    out
}

/// Whether the group's latents are coded with `temporal` = 1.
fn is_temporal(info: &VideoInfo, g: &Group) -> bool {
    let bytes = file(info, &[vec![g.clone()]]);
    let mut d = StreamDecoder::new(&bytes[..], Options::default()).unwrap();
    let s = d.next_section().unwrap().unwrap();
    let latents = s.groups[0].1.header.latents_bytes as usize;
    let coded = &s.packet.payload[s.packet.payload.len() - latents..];
    nvc::entropy::Decoder::new(coded, 0)
        .unwrap()
        .code(&mut Bit::default(), false)
        .unwrap()
}
