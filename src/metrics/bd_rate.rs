//! Bjøntegaard's delta between two rate-distortion curves: the mean difference in rate at equal
//! quality, or in quality at equal rate.
//!
//! Rate enters as its decimal logarithm. Each curve is interpolated ([`Method`]), the interpolants
//! are integrated exactly over the interval that both curves cover, and nowhere else: a curve is
//! never extrapolated. What cannot be answered so is refused with its reason ([`WhyNot`]).
//!
//! Sources: VCEG-M33 (the cubic), ITU-T HSTP-VID-WPOM (the piecewise cubic), Herglotz et al. 2022
//! (Akima's). The results are those of the Python package `bjontegaard` where both give one.

use std::fmt;

use super::interpolation::{akima_slopes, cubic, hermite, pchip_slopes};

/// How a curve is drawn through its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One cubic for the whole curve: through four points exactly, through more by least squares
    /// (VCEG-M33).
    Cubic,
    /// Piecewise cubic that keeps the points' monotony (Fritsch and Butland), with three-point
    /// ends.
    Pchip,
    /// Akima's piecewise cubic of 1970, with his extrapolated ends.
    Akima,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 3] = [Method::Cubic, Method::Pchip, Method::Akima];

    /// Lower-case name, as `bjontegaard` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Cubic => "cubic",
            Method::Pchip => "pchip",
            Method::Akima => "akima",
        }
    }

    /// Distinct points a curve needs.
    pub fn min_points(self) -> usize {
        match self {
            Method::Cubic => 4,
            Method::Pchip | Method::Akima => 3,
        }
    }
}

/// Of the shorter curve's interval, the part that both curves must cover.
pub const MIN_COVERED: f64 = 0.5;

/// A Bjøntegaard delta.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bd {
    /// Percent of rate for [`bd_rate`], negative where the test needs less; units of quality for
    /// [`bd_psnr`].
    pub value: f64,
    /// Length of the common interval over that of the union, as `bjontegaard` has it: 0 to 1.
    pub overlap: f64,
    /// Length of the common interval over that of the shorter curve: [`MIN_COVERED`] to 1.
    pub covered: f64,
}

/// Which of the two curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// What is compared against.
    Anchor,
    /// What is compared.
    Test,
}

/// Why there is no delta.
#[derive(Clone, Debug, PartialEq)]
pub enum WhyNot {
    /// A curve has fewer distinct points than the method needs.
    FewPoints {
        /// Which curve.
        curve: Curve,
        /// Distinct points it has.
        have: usize,
        /// Points needed.
        need: usize,
    },
    /// A rate is not a positive number, or a quality is not finite.
    BadPoint {
        /// Which curve.
        curve: Curve,
        /// The point's rate.
        rate: f64,
        /// The point's quality.
        quality: f64,
    },
    /// More rate does not give more quality: no function of quality goes through the points.
    NotMonotonic {
        /// Which curve.
        curve: Curve,
        /// Rate and quality of the cheaper point.
        low: (f64, f64),
        /// Rate and quality of the dearer point, which is not better.
        high: (f64, f64),
    },
    /// The curves have no interval in common.
    NoOverlap {
        /// What the anchor covers, of quality for [`bd_rate`], of rate for [`bd_psnr`].
        anchor: (f64, f64),
        /// What the test covers.
        test: (f64, f64),
    },
    /// The common interval is below [`MIN_COVERED`] of the shorter curve.
    LittleOverlap {
        /// The part covered.
        covered: f64,
    },
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Curve::Anchor {
            "anchor"
        } else {
            "test"
        })
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhyNot::FewPoints { curve, have, need } => {
                write!(
                    f,
                    "the {curve} has {have} distinct point{}, {need} are needed",
                    if *have == 1 { "" } else { "s" }
                )
            }
            WhyNot::BadPoint {
                curve,
                rate,
                quality,
            } => {
                write!(
                    f,
                    "the {curve} has a point of rate {rate} and quality {quality}; both must be finite, the rate positive"
                )
            }
            WhyNot::NotMonotonic { curve, low, high } => write!(
                f,
                "the {curve} does not improve from rate {:.4} (quality {:.3}) to rate {:.4} (quality {:.3})",
                low.0, low.1, high.0, high.1
            ),
            WhyNot::NoOverlap { anchor, test } => {
                write!(
                    f,
                    "no overlap: the anchor covers {:.3} to {:.3}, the test {:.3} to {:.3}",
                    anchor.0, anchor.1, test.0, test.1
                )
            }
            WhyNot::LittleOverlap { covered } => {
                write!(
                    f,
                    "the curves share {:.0} % of the shorter one, {:.0} % are needed",
                    covered * 100.0,
                    MIN_COVERED * 100.0
                )
            }
        }
    }
}

/// Mean difference in rate at equal quality, in percent of the anchor's rate. Points are (rate,
/// quality) in any order.
pub fn bd_rate(anchor: &[(f64, f64)], test: &[(f64, f64)], method: Method) -> Result<Bd, WhyNot> {
    let swap = |p: Vec<(f64, f64)>| p.into_iter().map(|(r, q)| (q, r)).collect();
    let bd = delta(
        swap(points(anchor, Curve::Anchor, method)?),
        swap(points(test, Curve::Test, method)?),
        method,
    )?;
    Ok(Bd {
        value: (bd.value * std::f64::consts::LN_10).exp_m1() * 100.0,
        ..bd
    })
}

/// Mean difference in quality at equal rate, in units of quality: BD-PSNR in dB. Points are (rate,
/// quality) in any order.
pub fn bd_psnr(anchor: &[(f64, f64)], test: &[(f64, f64)], method: Method) -> Result<Bd, WhyNot> {
    let unlog = |(a, b): (f64, f64)| (10f64.powf(a), 10f64.powf(b));
    delta(
        points(anchor, Curve::Anchor, method)?,
        points(test, Curve::Test, method)?,
        method,
    )
    .map_err(|why| match why {
        WhyNot::NoOverlap { anchor, test } => WhyNot::NoOverlap {
            anchor: unlog(anchor),
            test: unlog(test),
        },
        why => why,
    })
}

/// (log10 rate, quality), both strictly rising.
fn points(raw: &[(f64, f64)], curve: Curve, method: Method) -> Result<Vec<(f64, f64)>, WhyNot> {
    if let Some(&(rate, quality)) = raw
        .iter()
        .find(|(r, q)| !(r.is_finite() && *r > 0.0 && q.is_finite()))
    {
        return Err(WhyNot::BadPoint {
            curve,
            rate,
            quality,
        });
    }
    let mut sorted = raw.to_vec();
    sorted.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0)));
    sorted.dedup();
    let need = method.min_points();
    if sorted.len() < need {
        return Err(WhyNot::FewPoints {
            curve,
            have: sorted.len(),
            need,
        });
    }
    let mut by_rate = sorted.clone();
    by_rate.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    if let Some(w) = by_rate
        .windows(2)
        .find(|w| w[0].0 >= w[1].0 || w[0].1 >= w[1].1)
    {
        return Err(WhyNot::NotMonotonic {
            curve,
            low: w[0],
            high: w[1],
        });
    }
    // equal logarithms of different rates would divide by zero
    let logs: Vec<_> = sorted.iter().map(|&(r, q)| (r.log10(), q)).collect();
    match logs.windows(2).position(|w| w[0].0 >= w[1].0) {
        Some(i) => Err(WhyNot::NotMonotonic {
            curve,
            low: sorted[i],
            high: sorted[i + 1],
        }),
        None => Ok(logs),
    }
}

/// Mean of test minus anchor over the common interval of x.
fn delta(anchor: Vec<(f64, f64)>, test: Vec<(f64, f64)>, method: Method) -> Result<Bd, WhyNot> {
    let range = |p: &[(f64, f64)]| (p[0].0, p[p.len() - 1].0);
    let (a, t) = (range(&anchor), range(&test));
    let (low, high) = (a.0.max(t.0), a.1.min(t.1));
    if low >= high {
        return Err(WhyNot::NoOverlap { anchor: a, test: t });
    }
    let length = high - low;
    let covered = length / (a.1 - a.0).min(t.1 - t.0);
    if covered < MIN_COVERED {
        return Err(WhyNot::LittleOverlap { covered });
    }
    let area = |p: &[(f64, f64)]| match method {
        Method::Cubic => cubic(p, low, high),
        Method::Pchip => hermite(p, &pchip_slopes(p), low, high),
        Method::Akima => hermite(p, &akima_slopes(p), low, high),
    };
    Ok(Bd {
        value: (area(&test) - area(&anchor)) / length,
        overlap: length / (a.1.max(t.1) - a.0.min(t.0)),
        covered,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quality 30 + 10 log10 of the rate: a straight line, on which all methods agree.
    fn line(rates: &[f64], gain: f64) -> Vec<(f64, f64)> {
        rates
            .iter()
            .map(|&r| (r, 30.0 + 10.0 * r.log10() + gain))
            .collect()
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} against {b}");
    }

    #[test]
    fn straight_lines_have_known_deltas() {
        let anchor = line(&[0.5, 1.0, 2.0, 4.0, 9.0], 0.0);
        let mut test = line(&[0.4, 1.0, 2.5, 7.0], 1.0);
        test.reverse();
        for method in Method::ALL {
            // 1 dB on a slope of 10 dB a decade is a tenth of a decade
            close(
                bd_rate(&anchor, &test, method).unwrap().value,
                (10f64.powf(-0.1) - 1.0) * 100.0,
            );
            close(bd_psnr(&anchor, &test, method).unwrap().value, 1.0);
            assert_eq!(
                bd_rate(&anchor, &anchor, method).unwrap(),
                Bd {
                    value: 0.0,
                    overlap: 1.0,
                    covered: 1.0
                }
            );
            assert_eq!(bd_psnr(&test, &test, method).unwrap().value, 0.0);
        }
    }

    #[test]
    fn the_cubic_of_four_points_is_exact() {
        let f = |x: f64| 0.001 * x * x * x - 0.02 * x * x + 0.5 * x - 3.0;
        let g = |x: f64| f(x) + 0.25;
        let curve = |f: &dyn Fn(f64) -> f64, q: [f64; 4]| q.map(|q| (10f64.powf(f(q)), q));
        let bd = bd_rate(
            &curve(&f, [1.0, 2.0, 4.0, 6.0]),
            &curve(&g, [0.0, 3.0, 4.0, 5.0]),
            Method::Cubic,
        )
        .unwrap();
        close(bd.value, (10f64.powf(0.25) - 1.0) * 100.0);
        close(bd.overlap, 4.0 / 6.0);
        close(bd.covered, 4.0 / 5.0);
    }

    #[test]
    fn what_has_no_answer_says_why() {
        let anchor = line(&[1.0, 2.0, 4.0, 8.0], 0.0);
        let why = |test: &[(f64, f64)], method| {
            let why = bd_rate(&anchor, test, method).unwrap_err();
            let quality = bd_psnr(test, &anchor, method).unwrap_err();
            assert_eq!(
                std::mem::discriminant(&why),
                std::mem::discriminant(&quality),
                "{why} / {quality}"
            );
            why.to_string()
        };
        assert_eq!(
            why(&[], Method::Akima),
            "the test has 0 distinct points, 3 are needed"
        );
        assert_eq!(
            why(&line(&[1.0], 0.0), Method::Pchip),
            "the test has 1 distinct point, 3 are needed"
        );
        let three = line(&[1.0, 2.0, 4.0], 0.0);
        assert_eq!(
            why(&[&three[..], &three[..]].concat(), Method::Cubic),
            "the test has 3 distinct points, 4 are needed"
        );
        for bad in [
            (0.0, 30.0),
            (-1.0, 30.0),
            (f64::NAN, 30.0),
            (1.0, f64::INFINITY),
        ] {
            assert!(
                why(&[&three[..], &[bad]].concat(), Method::Cubic)
                    .starts_with("the test has a point of rate")
            );
        }
        let turning = [(1.0, 30.0), (2.0, 33.0), (3.0, 32.0), (4.0, 36.0)];
        assert_eq!(
            why(&turning, Method::Pchip),
            "the test does not improve from rate 2.0000 (quality 33.000) to rate 3.0000 (quality 32.000)"
        );
        let flat = [(1.0, 30.0), (2.0, 33.0), (3.0, 33.0), (4.0, 36.0)];
        assert!(why(&flat, Method::Akima).contains("does not improve"));
        let tied = [(1.0, 30.0), (2.0, 33.0), (2.0, 34.0), (4.0, 36.0)];
        assert!(why(&tied, Method::Akima).contains("does not improve"));
        let far = line(&[100.0, 200.0, 400.0, 800.0], 0.0);
        assert_eq!(
            why(&far, Method::Cubic),
            "no overlap: the anchor covers 30.000 to 39.031, the test 50.000 to 59.031"
        );
        let touching = line(&[8.0, 20.0, 40.0], 0.0);
        assert!(why(&touching, Method::Pchip).starts_with("no overlap"));
        assert_eq!(
            why(&line(&[4.0, 8.0, 16.0, 32.0], 0.0), Method::Cubic),
            "the curves share 33 % of the shorter one, 50 % are needed"
        );
    }

    #[test]
    fn a_short_curve_within_a_long_one_is_covered() {
        let anchor = line(&[0.01, 0.1, 1.0, 10.0, 100.0], 0.0);
        let bd = bd_rate(&anchor, &line(&[1.0, 1.2, 1.5, 1.6], -0.5), Method::Akima).unwrap();
        close(bd.covered, 1.0);
        assert!(bd.overlap < 0.1);
        close(bd.value, (10f64.powf(0.05) - 1.0) * 100.0);
    }

    #[test]
    fn a_least_squares_fit_is_linear_and_keeps_cubics() {
        let p: Vec<(f64, f64)> = (0..9)
            .map(|i| (30.0 + f64::from(i), (f64::from(i) * 1.3).sin()))
            .collect();
        // adding a cubic adds its integral, whatever the rest is
        let add = |p: &[(f64, f64)]| {
            p.iter()
                .map(|&(x, y)| (x, y + (x - 33.0).powi(3)))
                .collect::<Vec<_>>()
        };
        let primitive = |x: f64| (x - 33.0).powi(4) / 4.0;
        close(
            cubic(&add(&p), 31.0, 36.5) - cubic(&p, 31.0, 36.5),
            primitive(36.5) - primitive(31.0),
        );
    }
}
