//! Weights as the kernels want them.

use super::product::Packed;
use super::shape::{Layout, Shape};

/// The context network's weights: identities added, transposes for the way back. Widths are
/// rounded up to fours.
pub(crate) struct ContextWeights {
    pub(crate) n: usize,
    pub(crate) w1: Packed,
    pub(crate) w2: Packed,
    pub(crate) w3: Packed,
    pub(crate) bypass: Packed,
    pub(crate) w1t: Packed,
    pub(crate) w2t: Packed,
    pub(crate) w3t: Packed,
    pub(crate) bypass_t: Packed,
}

impl ContextWeights {
    pub(crate) fn new(n: usize, layout: &Layout, p: &[f32]) -> Self {
        let c = layout.context;
        let np = n.next_multiple_of(4);
        let none = |_| 0.0;
        let square = |start: usize| {
            move |j: usize, i: usize| {
                let eye = if i == j { 1.0 } else { 0.0 };
                if i.max(j) < n {
                    p[start + j * n + i] + eye
                } else {
                    0.0
                }
            }
        };
        let pair =
            |start: usize| move |j: usize, i: usize| if i < n { p[start + j * n + i] } else { 0.0 };
        let bias = |start: usize| move |j: usize| if j < n { p[start + j] } else { 0.0 };
        let (w1, w2, w3, by) = (square(c.w1), square(c.w2), pair(c.w3), pair(c.bypass));
        ContextWeights {
            n,
            w1: Packed::new(np, np, w1, bias(c.b1)),
            w2: Packed::new(np, np, w2, bias(c.b2)),
            w3: Packed::new(2, np, w3, |j| p[c.b3 + j]),
            bypass: Packed::new(2, np, by, none),
            w1t: Packed::new(np, np, |j, i| w1(i, j), none),
            w2t: Packed::new(np, np, |j, i| w2(i, j), none),
            w3t: Packed::new(np, 2, |j, i| w3(i, j), none),
            bypass_t: Packed::new(np, 2, |j, i| by(i, j), none),
        }
    }
}

/// A head's weights up to the 3x3 layers. The hidden width is rounded up to fours.
pub(crate) struct HeadWeights {
    pub(crate) hidden: Packed,
    pub(crate) mix: Packed,
    pub(crate) bypass: Packed,
    pub(crate) hidden_t: Packed,
    pub(crate) mix_t: Packed,
    pub(crate) bypass_t: Packed,
    /// Of the last x2 step.
    pub(crate) taps: [f32; 4],
}

impl HeadWeights {
    pub(crate) fn new(shape: &Shape, index: usize, layout: &Layout, p: &[f32]) -> Self {
        let (head, at) = (shape.heads[index], layout.heads[index]);
        let (hid, c) = (shape.hidden, shape.grids - head.level);
        let (hp, planes) = (hid.next_multiple_of(4), head.planes);
        let none = |_| 0.0;
        let hidden = |j: usize, i: usize| {
            if j < hid {
                p[at.hidden + j * c + i]
            } else {
                0.0
            }
        };
        let mix = |j: usize, i: usize| {
            if i < hid {
                p[at.mix + j * hid + i]
            } else {
                0.0
            }
        };
        let bypass = |j: usize, i: usize| p[at.bypass + j * c + i];
        let hidden_bias = |j: usize| if j < hid { p[at.hidden_bias + j] } else { 0.0 };
        HeadWeights {
            hidden: Packed::new(hp, c, hidden, hidden_bias),
            mix: Packed::new(planes, hp, mix, none),
            bypass: Packed::new(planes, c, bypass, |j| p[at.bypass_bias + j]),
            hidden_t: Packed::new(c, hp, |j, i| hidden(i, j), none),
            mix_t: Packed::new(hp, planes, |j, i| mix(i, j), none),
            bypass_t: Packed::new(c, planes, |j, i| bypass(i, j), none),
            taps: if head.level == 0 && shape.grids > 1 {
                layout.taps(p, 0)
            } else {
                [0.0; 4]
            },
        }
    }
}
