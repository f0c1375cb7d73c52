//! When pictures are shown: whether evenly, and how to make them so.

use nvc::error::Error;
use nvc::frame::Ratio;

/// Deviation from an even pace that is rounding, as a share of a frame.
#[cfg(any(feature = "ffmpeg", test))]
const EVEN: f64 = 0.1;

/// Says that a source has a variable frame rate, and what to do.
pub fn uneven(name: &str, what: &str) -> Error {
    Error::Unsupported(format!(
        "{name}: variable frame rate: {what}, and a file has one rate; --vfr-to-cfr repeats and drops pictures to a constant one (--fps chooses it)"
    ))
}

/// Checks that ascending `times`, in units of `tick` seconds, are even but for rounding to a tick.
#[cfg(any(feature = "ffmpeg", test))]
pub fn check_even(name: &str, times: &[i64], tick: f64) -> nvc::Result<()> {
    let [first, .., last] = times else {
        return Ok(());
    };
    let mean = (last - first) as f64 / (times.len() - 1) as f64;
    let allowed = (EVEN * mean).max(1.01);
    let off = |(i, t): (usize, &i64)| ((t - first) as f64 - i as f64 * mean).abs() > allowed;
    if !times.iter().enumerate().any(off) {
        return Ok(());
    }
    let gaps = times.windows(2).map(|w| (w[1] - w[0]) as f64 * tick);
    let (least, most) = gaps.fold((f64::INFINITY, 0f64), |(a, b), g| (a.min(g), b.max(g)));
    let frames = times.len();
    Err(uneven(
        name,
        &format!(
            "{frames} pictures are {:.1} to {:.1} ms apart",
            1e3 * least,
            1e3 * most
        ),
    ))
}

/// Repeats and drops items so that they come at a constant rate: each stands from its own time
/// until the next one's.
pub struct Constant<T> {
    rate: f64,
    held: Option<T>,
    given: u64,
}

impl<T: Clone> Constant<T> {
    /// At `rate` frames a second.
    pub fn new(rate: Ratio) -> Self {
        Constant {
            rate: f64::from(rate.num) / f64::from(rate.den),
            held: None,
            given: 0,
        }
    }

    /// The next item, shown from `time` seconds on; calls `give` for each frame before it.
    pub fn push<E>(
        &mut self,
        item: T,
        time: f64,
        give: &mut impl FnMut(T) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.until(time, give)?;
        self.held = Some(item);
        Ok(())
    }

    /// The end of the last item, at `time` seconds; it is given at least once.
    pub fn end<E>(
        &mut self,
        time: f64,
        give: &mut impl FnMut(T) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let least = (self.given as f64 + 1.0) / self.rate;
        self.until(time.max(least), give)?;
        self.held = None;
        Ok(())
    }

    fn until<E>(
        &mut self,
        time: f64,
        give: &mut impl FnMut(T) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let Some(held) = &self.held else {
            return Ok(());
        };
        let to = (time * self.rate).round().max(0.0) as u64;
        while self.given < to {
            self.given += 1;
            give(held.clone())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_times_are_even_and_others_are_not() {
        let check = |t: &[i64]| check_even("x", t, 1e-3);
        // 29.97 a second in milliseconds
        let ms: Vec<i64> = (0..1000)
            .map(|i| (f64::from(i) * 1001.0 / 30.0).round() as i64)
            .collect();
        check(&ms).unwrap();
        for even in [&[][..], &[7], &[0, 40], &[0, 40, 80, 120]] {
            check(even).unwrap();
        }
        for uneven in [
            &[0, 40, 80, 120, 160, 360][..],
            &[0, 40, 80, 160, 200],
            &[0, 30, 80],
        ] {
            let e = check(uneven).unwrap_err();
            assert!(
                e.to_string().contains("--vfr-to-cfr") && e.exit_code() == 5,
                "{e}"
            );
        }
    }

    #[test]
    fn a_constant_rate_keeps_the_time() {
        let resample = |times: &[f64], end: f64| {
            let mut c = Constant::new(Ratio { num: 25, den: 1 });
            let mut out = Vec::new();
            let mut give = |i: usize| {
                out.push(i);
                Ok::<(), ()>(())
            };
            for (i, t) in times.iter().enumerate() {
                c.push(i, *t, &mut give).unwrap();
            }
            c.end(end, &mut give).unwrap();
            out
        };
        assert_eq!(resample(&[0.0, 0.04, 0.16], 0.2), [0, 1, 1, 1, 2]);
        // too fast for the rate: the later ones are dropped, the last is kept
        assert_eq!(resample(&[0.0, 0.04, 0.05, 0.08], 0.0), [0, 2, 3]);
        assert_eq!(resample(&[0.0], 0.0), [0]);
    }
}
