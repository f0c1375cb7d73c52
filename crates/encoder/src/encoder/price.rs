//! The search for the price of a bit with which a picture's fit has a size or quality.

use super::content::Content;
use super::report::{PSNR_TOLERANCE, TARGET_TOLERANCE};

/// Prices of a bit, in squares of a sample's range.
const PRICES: std::ops::RangeInclusive<f64> = 1e-8..=2.0;
/// Those to begin with: a forecast for a picture of few details may lie beyond all.
pub(super) const FIRST_PRICES: std::ops::RangeInclusive<f64> = 1e-5..=0.03;
/// What a unit of the price's logarithm adds to that of the bits. Of Kodak pictures, between 0.1 and
/// 2 bpp.
const SLOPE: f64 = -0.52;
/// PSNR in dB that a unit of the price's logarithm adds. Of Kodak pictures, between 0.1 and 2 bpp.
const PSNR_SLOPE: f64 = -2.45;
/// Logarithm of the bytes, and PSNR in dB, that a fit of one iteration would have more than one
/// without end; one of `n` has an `n`th of it. Of Kodak pictures between 150 and 2000, about.
const SHORT_BYTES: f64 = 54.0;
const SHORT_PSNR: f64 = -100.0;
/// Bits of weights, about.
pub(super) const WEIGHTS: f64 = 7000.0;
/// Most that one correction changes the price's logarithm by.
const MOST_CHANGE: f64 = 1.5;
/// Change of the price's logarithm, by the slopes of whole fits, for which the integer search alone is
/// not enough; the most that one such search changes it by, and its least slope relative to theirs: it
/// moves less.
pub(super) const LARGE_CHANGE: f64 = 0.25;
const MOST_ADJUSTMENT: f64 = 0.5;
const LEAST_SLOPE: f64 = 0.1;

/// What to bring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aim {
    /// A price of a bit, in squares of a sample's range.
    Price(f64),
    /// dB.
    Psnr(f64),
    /// Bytes of the group.
    Bytes(f64),
}

/// What a fit brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    /// dB.
    pub(super) psnr: f64,
    /// Of the group.
    pub(super) bytes: f64,
}

/// The search.
pub(super) struct Search {
    aim: Aim,
    price: f64,
    /// Whether all fits to come are whole ones.
    whole: bool,
    /// Logarithms of prices that were tried, and how far off what they brought was.
    tried: Vec<(f64, f64)>,
}

impl Search {
    /// For a picture that holds `content`.
    pub(super) fn new(aim: Aim, content: &Content) -> Self {
        let price = match aim {
            Aim::Price(p) => p,
            // of Kodak pictures 33 dB
            Aim::Psnr(db) => 3e-3 * ((db - 33.0) / PSNR_SLOPE).exp(),
            // an eighth at least is latents
            Aim::Bytes(b) => content.price((b * 8.0 - WEIGHTS).max(b), FIRST_PRICES),
        };
        Search {
            aim,
            price: within(price),
            whole: false,
            tried: Vec::new(),
        }
    }

    /// The price to try next.
    pub(super) fn price(&self) -> f64 {
        self.price
    }

    /// Forgets what was tried, but for the price that came of it: fits to come are others.
    pub(super) fn forget(&mut self) {
        self.tried.clear();
    }

    /// Goes back to `fit` at `price`, a whole one, after which the integer search alone came no nearer:
    /// fits to come are whole ones too.
    pub(super) fn go_back(&mut self, price: f64, fit: Brought) {
        self.whole = true;
        self.forget();
        self.price = price;
        self.correct(fit, 0.0);
    }

    /// How far `fit` is off, in units that a price moves: the logarithm of bytes, or dB.
    pub(super) fn off(&self, fit: Brought) -> f64 {
        match self.aim {
            Aim::Price(_) => 0.0,
            Aim::Psnr(db) => fit.psnr - db,
            Aim::Bytes(b) => (fit.bytes / b).ln(),
        }
    }

    pub(super) fn is_reached(&self, fit: Brought) -> bool {
        match self.aim {
            Aim::Price(_) => true,
            Aim::Psnr(_) => PSNR_TOLERANCE.contains(&self.off(fit)),
            Aim::Bytes(_) => self.off(fit).abs() < TARGET_TOLERANCE * 0.4,
        }
    }

    /// Takes a better price after `fit`, whose iterations are `short` of those that are meant: the
    /// difference of one over both. By how much the price's logarithm would change by the slopes of
    /// whole fits.
    pub(super) fn correct(&mut self, fit: Brought, short: f64) -> f64 {
        let (usual, more) = match self.aim {
            Aim::Psnr(_) => (PSNR_SLOPE, SHORT_PSNR),
            _ => (SLOPE, SHORT_BYTES),
        };
        let off = self.off(fit) - more * short;
        let at = self.price.ln();
        self.tried.push((at, off));
        let slope = match self.tried[..] {
            [.., (a, x), (b, y)] if (a - b).abs() > 1e-3 => (y - x) / (b - a),
            _ => usual,
        };
        let usual_change = -off / usual;
        let (least, most) = if usual_change.abs() < LARGE_CHANGE && !self.whole {
            (LEAST_SLOPE, MOST_ADJUSTMENT)
        } else {
            (0.5, MOST_CHANGE)
        };
        let change = (-off / slope.clamp(usual * 2.0, usual * least)).clamp(-most, most);
        self.price = within((at + change).exp());
        usual_change
    }
}

/// The nearest price that a fit takes.
fn within(price: f64) -> f64 {
    price.clamp(*PRICES.start(), *PRICES.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose size and quality follow the price by powers; `ease` is its bytes at the price
    /// 1.5e-3, `steep` its slopes relative to the usual ones.
    fn picture(ease: f64, steep: f64) -> impl Fn(f64) -> Brought {
        move |price| {
            let change = (price / 1.5e-3).ln();
            Brought {
                psnr: 34.0 + steep * PSNR_SLOPE * change,
                bytes: ease * (steep * SLOPE * change).exp(),
            }
        }
    }

    /// Of a picture of 768x512 whose energies fall off as usual.
    fn search(aim: Aim) -> Search {
        Search::new(aim, &Content::example())
    }

    #[test]
    fn aims_are_reached_by_few_fits() {
        for (ease, steep) in [(20_000.0, 1.0), (5_000.0, 0.7), (90_000.0, 1.4)] {
            let fit = picture(ease, steep);
            for aim in [
                Aim::Bytes(0.3 * ease),
                Aim::Bytes(3.0 * ease),
                Aim::Psnr(30.0),
                Aim::Psnr(40.0),
            ] {
                let mut search = search(aim);
                let mut tries = 1;
                while !search.is_reached(fit(search.price())) {
                    search.correct(fit(search.price()), 0.0);
                    tries += 1;
                    assert!(tries <= 6, "{aim:?}: {} after {tries}", search.price());
                }
            }
        }
    }

    #[test]
    fn what_a_short_fit_lacks_is_forecast() {
        let fit = picture(20_000.0, 1.0);
        let mut search = search(Aim::Bytes(15_000.0));
        let short = 1.0 / 200.0 - 1.0 / 1000.0;
        let whole = fit(search.price());
        let first = Brought {
            bytes: whole.bytes * (SHORT_BYTES * short).exp(),
            ..whole
        };
        search.correct(first, short);
        assert!(search.is_reached(fit(search.price())));
    }

    #[test]
    fn small_corrections_are_told_from_large_ones() {
        let change = |bytes: f64| {
            let mut search = search(Aim::Bytes(bytes));
            search
                .correct(
                    Brought {
                        psnr: 0.0,
                        bytes: 1e4,
                    },
                    0.0,
                )
                .abs()
        };
        assert!(change(1.05e4) < LARGE_CHANGE);
        assert!(change(1.5e4) > LARGE_CHANGE);
    }

    #[test]
    fn a_search_goes_on_from_the_whole_fit() {
        let mut search = search(Aim::Psnr(36.0));
        let brought = |psnr| Brought { psnr, bytes: 1e4 };
        let first = search.price();
        search.correct(brought(35.7), 0.0);
        let second = search.price();
        // no nearer
        search.correct(brought(35.7), 0.0);
        assert!(search.price() < second);
        search.go_back(first, brought(35.7));
        assert_eq!(search.price(), second);
        // a slope by chance does not carry the next far
        search.correct(brought(35.71), 0.0);
        let change = (search.price() / second).ln();
        assert!((-0.25..-0.1).contains(&change), "{change}");
    }

    #[test]
    fn prices_stay_in_their_range() {
        let mut search = search(Aim::Bytes(1.0));
        for bytes in [1e9, 1e-9] {
            for _ in 0..30 {
                search.correct(Brought { psnr: 0.0, bytes }, 0.0);
                assert!(PRICES.contains(&search.price()), "{}", search.price());
            }
        }
        assert_eq!(within(3.0), 2.0);
        assert_eq!(within(0.0), 1e-8);
    }
}
