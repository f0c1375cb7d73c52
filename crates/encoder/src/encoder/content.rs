//! How much a picture holds: a forecast of the bits that its latents take at a price, from how many
//! bits its transform coefficients would.

use std::ops::RangeInclusive;

use crate::pyramid::Plane;

/// Samples of a block each way, and blocks of a plane that are looked at, about.
const SIDE: usize = 8;
const MOST_BLOCKS: usize = 4096;
/// Bits a pixel are `SCALE * e^POWER`, `e` those of coefficients `c` by `log2(1 + c^2 / (STEP *
/// price)) / 2`. Fitted to the latents of six Kodak pictures at three prices from 2.6e-4 to 8.4e-3,
/// of which the logarithms of the forecast are 0.13 off (root of the mean square), 0.43 at most.
const SCALE: f64 = 0.608;
const POWER: f64 = 1.588;
const STEP: f64 = 0.5;
/// Halvings of the interval in which a price is looked for.
const HALVINGS: usize = 20;

/// Energies of a picture's transform coefficients.
pub struct Content {
    pixels: f64,
    /// Of each plane, and how many coefficients each stands for.
    planes: Vec<(Vec<f32>, f64)>,
}

impl Content {
    /// Of a picture with so many `pixels`; `gbr` if its first three planes are green, blue and red.
    pub fn of(planes: &[Plane], pixels: usize, gbr: bool) -> Self {
        let of = |p: &Plane| coefficients(&p.samples, [p.width, p.height]);
        let mut all: Vec<Vec<f32>> = planes.iter().map(of).collect();
        if let [g, b, r, ..] = &mut all[..]
            && gbr
        {
            rotate(g, b, r);
        }
        let planes = planes.iter().zip(all).map(|(plane, mut all)| {
            let samples = plane.samples.len() as f64;
            let scale = plane.weight * (pixels as f64 / samples) as f32;
            all.iter_mut().for_each(|c| *c = *c * *c * scale);
            let each = samples / all.len().max(1) as f64;
            (all, each)
        });
        Content {
            pixels: pixels as f64,
            planes: planes.collect(),
        }
    }

    /// Forecast of the latents' bits at the price of a bit `price`, in squares of a sample's range.
    pub fn bits(&self, price: f64) -> f64 {
        let step = (STEP * price) as f32;
        let bits = |(energies, each): &(Vec<f32>, f64)| {
            let logarithms = energies.iter().map(|e| f64::from((e / step).ln_1p()));
            logarithms.sum::<f64>() * each / 2.0 / std::f64::consts::LN_2
        };
        let all: f64 = self.planes.iter().map(bits).sum();
        SCALE * (all / self.pixels).powf(POWER) * self.pixels
    }

    /// The price, of those in `range`, at which the forecast comes nearest to `bits`.
    pub fn price(&self, bits: f64, range: RangeInclusive<f64>) -> f64 {
        price(range, |price| self.bits(price) > bits)
    }
}

/// Bits that each of `pictures` is forecast to take, `beside` of them whatever the price, at the one
/// price of those in `range` at which all of them come nearest to `bits`.
pub fn at_one_price(
    pictures: &[Content],
    beside: f64,
    bits: f64,
    range: RangeInclusive<f64>,
) -> Vec<f64> {
    let at = |price: f64| pictures.iter().map(move |p| p.bits(price) + beside);
    at(price(range, |price| at(price).sum::<f64>() > bits)).collect()
}

/// The price of those in `range` up to which bits are `too_many`.
fn price(range: RangeInclusive<f64>, too_many: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = range.into_inner();
    for _ in 0..HALVINGS {
        let middle = (low * high).sqrt();
        if too_many(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low * high).sqrt()
}

/// To what the colours are together and two differences, orthonormal.
fn rotate(g: &mut [f32], b: &mut [f32], r: &mut [f32]) {
    let [third, half, sixth] = [3.0f32, 2.0, 6.0].map(|n| n.sqrt().recip());
    for ((g, b), r) in g.iter_mut().zip(b).zip(r) {
        let (x, y, z) = (*g, *b, *r);
        *g = (x + y + z) * third;
        *b = (z - y) * half;
        *r = (y + z - 2.0 * x) * sixth;
    }
}

/// Coefficients of an orthonormal transform (DCT-II) of blocks of a plane, which are spread
/// over it; a plane that is smaller than a block has its last rows and columns repeated.
fn coefficients(samples: &[f32], [w, h]: [usize; 2]) -> Vec<f32> {
    let basis: [[f32; SIDE]; SIDE] = std::array::from_fn(|u| {
        let norm = if u == 0 { 0.125f64 } else { 0.25 }.sqrt();
        std::array::from_fn(|x| {
            let turn = (2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / (2 * SIDE) as f64;
            (norm * turn.cos()) as f32
        })
    });
    let blocks = (w / SIDE).max(1) * (h / SIDE).max(1);
    let every = SIDE * ((blocks as f64 / MOST_BLOCKS as f64).sqrt().ceil() as usize).max(1);
    let mut out = Vec::new();
    for top in (0..h.max(SIDE) - SIDE + 1).step_by(every) {
        for left in (0..w.max(SIDE) - SIDE + 1).step_by(every) {
            let mut rows = [[0.0f32; SIDE]; SIDE];
            for (y, row) in rows.iter_mut().enumerate() {
                let from: [f32; SIDE] = std::array::from_fn(|x| {
                    samples[(top + y).min(h - 1) * w + (left + x).min(w - 1)]
                });
                for (to, b) in row.iter_mut().zip(&basis) {
                    *to = b.iter().zip(&from).map(|(b, v)| b * v).sum();
                }
            }
            for b in &basis {
                let column = |u: usize| -> f32 { b.iter().zip(&rows).map(|(b, r)| b * r[u]).sum() };
                out.extend((0..SIDE).map(column));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Content {
        /// A picture of 768x512 whose energies fall off by a power.
        pub(crate) fn example() -> Self {
            let energies = (1..2000).map(|i| 200.0 * (i as f32).powf(-1.8));
            Content {
                pixels: 393_216.0,
                planes: vec![(energies.collect(), 196.6)],
            }
        }
    }

    fn plane(width: usize, height: usize, of: impl Fn(usize, usize) -> f32) -> Plane {
        let samples = (0..width * height).map(|i| of(i % width, i / width));
        Plane {
            width,
            height,
            weight: 1.0 / 3.0,
            alpha: false,
            samples: samples.collect(),
        }
    }

    #[test]
    fn one_price_gives_more_to_what_holds_more() {
        let waves = |n: usize| plane(64, 64, move |x, y| ((x * y * n) % 17) as f32 / 17.0 / 8.0);
        let of = |n| Content::of(&[waves(n)], 4096, false);
        let pictures = [of(0), of(1), of(3)];
        for bits in [2000.0, 9000.0] {
            let each = at_one_price(&pictures, 100.0, bits, 1e-7..=1.0);
            let all: f64 = each.iter().sum();
            assert!((all / bits - 1.0).abs() < 0.01, "{each:?} for {bits}");
            assert!(each[0] < each[1] && each[0] < each[2], "{each:?}");
        }
    }

    #[test]
    fn energy_is_kept_by_the_transforms() {
        let p = plane(64, 40, |x, y| ((x * 7 + y * y) % 11) as f32 / 11.0);
        let mut all = coefficients(&p.samples, [64, 40]);
        assert_eq!(all.len(), p.samples.len());
        let sum = |v: &[f32]| v.iter().map(|v| f64::from(v * v)).sum::<f64>();
        let wanted = sum(&p.samples);
        assert!((sum(&all) / wanted - 1.0).abs() < 1e-5);
        let (mut b, mut r) = (all.clone(), all.clone());
        rotate(&mut all, &mut b, &mut r);
        assert!((sum(&all) / wanted - 3.0).abs() < 1e-4);
        assert!(sum(&b) + sum(&r) < 1e-6);
    }

    #[test]
    fn detail_and_low_prices_take_bits() {
        let content = |detail: f32| {
            let of = |x: usize, y: usize| 0.5 + detail * (((x * 31) ^ (y * 17)) % 13) as f32;
            Content::of(&vec![plane(256, 192, of); 3], 256 * 192, true)
        };
        let [flat, fine] = [1e-4, 1e-2].map(content);
        assert!(fine.bits(1e-3) > 3.0 * flat.bits(1e-3));
        assert!(fine.bits(1e-4) > 1.5 * fine.bits(1e-3));
        let price = fine.price(fine.bits(2e-4), 1e-8..=1.0);
        assert!((price / 2e-4 - 1.0).abs() < 1e-3, "{price}");
        // smaller than a block
        let tiny = Content::of(&[plane(3, 1, |x, _| x as f32 / 2.0)], 3, false);
        assert!(tiny.bits(1e-3) > 0.0 && tiny.bits(1e-3) < 100.0);
    }
}
