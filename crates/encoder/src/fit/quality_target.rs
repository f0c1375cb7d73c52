//! What a wanted quality takes, as known from other fits: what the rest of a fit will add, and what
//! bits buy.

/// What a fit by quality aims at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QualityTarget {
    /// Mean over frames of the frame's PSNR, dB, as [`nvc::metrics::frame_quality`] has it.
    Psnr(f64),
    /// The quality at which one more bit lowers the squared error by this much, in squares of
    /// samples at 8 bits.
    Price(f64),
}

/// dB that a doubling of a network and its bytes gains, unless known better.
pub const OCTAVE: f64 = 1.4;
/// PSNR above the wanted that fits aim at, and that needs no other round of steps in the end, dB.
const ABOVE: f64 = 0.06;
pub const NEAR: std::ops::Range<f64> = -0.04..0.2;
/// The same where another network may be tried instead: beyond, more rounds of this one are of no
/// use.
pub const FAR: std::ops::Range<f64> = -0.4..0.6;
/// Share of what a further round shall change that bytes are turned by: a short round loses more
/// than a whole fit. Where rounds bring less than half of it, the share doubles, up to the second.
const AGAIN: f64 = 0.5;
const AGAIN_MOST: f64 = 2.0;
/// Bits a value within which bytes follow the quality.
const BITS: std::ops::RangeInclusive<f64> = 2.0..=5.6;

/// Error of quantisation at `bits` a value, relative to all other error. Of fits of 134,679
/// parameters (bunny, 416x240), at 3.08, 4.06 and 5.21 bits.
fn share(bits: f64) -> f64 {
    0.056 * (2.0 * (4.2 - bits)).exp2()
}

/// Bits a value that change the PSNR by `gain` dB from what it is at `bits`.
pub fn bits_for(bits: f64, gain: f64) -> f64 {
    let share = (1.0 + share(bits)) * 10f64.powf(-gain / 10.0) - 1.0;
    let wanted = 4.2 - 0.5 * (share / 0.056).max(1e-6).log2();
    wanted.clamp(*BITS.start(), *BITS.end())
}

/// PSNR that a fit of an HNeRV gains from the share `done` of its steps on, dB, to its end at 4.2
/// bits a value. The mean of 17 fits (three clips, 5,000 to 218,000 parameters, 8 to 75 passes),
/// which lie up to 1.4 dB apart at 0.25 and 1.3 dB at 0.4.
pub fn to_come(done: f64) -> f64 {
    const GAIN: [(f64, f64); 8] = [
        (0.0, 10.0),
        (0.15, 4.2),
        (0.25, 3.1),
        (0.4, 1.9),
        (0.6, 1.15),
        (0.8, 0.42),
        (0.9, 0.15),
        (1.0, 0.0),
    ];
    let i = GAIN
        .iter()
        .skip(1)
        .position(|&(x, _)| done <= x)
        .unwrap_or(GAIN.len() - 2);
    let ((x0, y0), (x1, y1)) = (GAIN[i], GAIN[i + 1]);
    y0 + (y1 - y0) * ((done - x0) / (x1 - x0)).clamp(0.0, 1.0)
}

/// Bytes between those of the last two of `rounds` of bytes and PSNR above the wanted, where one
/// had too much, the other too little. Rounds before say less: every round makes the network a
/// little better.
pub fn between(rounds: &[(f64, f64)]) -> Option<f64> {
    let [.., a, b] = rounds else { return None };
    let (less, more) = if a.0 < b.0 { (a, b) } else { (b, a) };
    let part = (ABOVE - less.1) / (more.1 - less.1);
    (less.1 < 0.0 && more.1 > 0.0).then(|| less.0 * (more.0 / less.0).powf(part.clamp(0.0, 1.0)))
}

/// Share of the PSNR missing after `rounds` that bytes are turned by.
pub fn turn(rounds: &[(f64, f64)]) -> f64 {
    let slow = rounds.windows(2).filter(|r| r[1].1 / r[0].1 > 0.5).count();
    (AGAIN * 2f64.powi(slow as i32)).min(AGAIN_MOST)
}

impl QualityTarget {
    /// PSNR wanted where `bits` of the whole fit, for each luma sample, are foreseen to give
    /// `psnr`.
    pub fn psnr(self, psnr: f64, bpp: f64) -> f64 {
        match self {
            QualityTarget::Psnr(p) => p + ABOVE,
            // D falls as bytes^-k with k from OCTAVE, so -dD/dR = k D / R; where that is the price,
            // R is (k D R^k / price)^(1 / (k + 1))
            QualityTarget::Price(price) => {
                let k = OCTAVE / (10.0 * 2f64.log10());
                let now = k * 255f64.powi(2) * 10f64.powf(-psnr / 10.0) / bpp;
                psnr + OCTAVE * (now / price).log2() / (k + 1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_follow_the_wanted_gain() {
        assert!((bits_for(4.0, 0.0) - 4.0).abs() < 1e-9);
        assert!(bits_for(4.0, -0.5) < 3.5 && bits_for(4.0, 0.1) > 4.25);
        assert_eq!((bits_for(4.0, 3.0), bits_for(4.0, -30.0)), (5.6, 2.0));
    }

    #[test]
    fn rounds_tell_the_bytes() {
        assert_eq!(
            (
                between(&[]),
                between(&[(1000.0, 0.5)]),
                between(&[(1000.0, 0.5), (900.0, 0.3)])
            ),
            (None, None, None)
        );
        let bytes =
            between(&[(1600.0, -0.3), (1000.0, ABOVE + 0.4), (500.0, ABOVE - 0.4)]).unwrap();
        assert!((bytes - 1000.0 * 0.5f64.sqrt()).abs() < 1e-6, "{bytes}");
        // more bytes that gave less say nothing
        assert_eq!(between(&[(1000.0, 0.5), (1200.0, -0.3)]), None);
        assert_eq!(
            (
                turn(&[(1.0, 0.8)]),
                turn(&[(1.0, 0.8), (0.9, 0.3)]),
                turn(&[(1.0, 0.8), (0.9, 0.6)])
            ),
            (0.5, 0.5, 1.0)
        );
        assert_eq!(turn(&[(1.0, 0.8), (0.9, 0.7), (0.8, 0.6), (0.7, 0.5)]), 2.0);
    }

    #[test]
    fn a_price_is_met_where_a_bit_is_worth_it() {
        // D = 100 at 0.1 bpp
        let psnr = 10.0 * (255.0f64.powi(2) / 100.0).log10();
        let k = OCTAVE / (10.0 * 2f64.log10());
        let price = k * 100.0 / 0.1;
        assert!((QualityTarget::Price(price).psnr(psnr, 0.1) - psnr).abs() < 1e-9);
        // where bits may cost less, more of them are spent: at the quality given, the price is met
        let wanted = QualityTarget::Price(price / 3.0).psnr(psnr, 0.1);
        let bpp = 0.1 * ((wanted - psnr) / OCTAVE).exp2();
        let slope = k * 255.0f64.powi(2) * 10f64.powf(-wanted / 10.0) / bpp;
        assert!(
            wanted > psnr && (slope / (price / 3.0) - 1.0).abs() < 1e-9,
            "{wanted}, slope {slope}"
        );
    }

    #[test]
    fn the_gain_to_come_falls() {
        let gains: Vec<f64> = (0..=100).map(|i| to_come(f64::from(i) / 100.0)).collect();
        assert!(
            gains.is_sorted_by(|a, b| a >= b)
                && gains[100] == 0.0
                && (gains[40] - 1.9).abs() < 1e-9
        );
    }
}
