//! How long a fit takes and how fast it moves: a fixed number of steps along a cosine, or until a
//! quality is reached.

/// Share of the steps over which the learning rate rises.
const WARM_UP: f64 = 0.05;
/// Share of the steps from which on quantisation steps are frozen.
const FREEZE_SHARE: f64 = 0.9;
/// Share of a fit by quality that its steady part takes at most, and steps of the rest relative to
/// those before.
const STEADY_SHARE: f64 = 0.7;
const SETTLE_SHARE: f64 = 0.4;
/// Learning rate of the steady part, relative to the peak. A start that is coded already loses by
/// more.
const STEADY_RATE: f64 = 0.1;
/// Steps between observations of the quality.
const OBSERVE_EVERY: usize = 8;
/// Steps of a further round and the peak of its learning rate, relative to those of the first.
const AGAIN_SHARE: f64 = 0.15;
const AGAIN_RATE: f64 = 0.15;
/// Share of the steps at which a fit by quality is looked at first, and glanced at before that.
const FIRST_OBSERVATION: f64 = 0.25;
const GLANCE: f64 = 0.15;
/// Quality that the settling adds, dB: the steady part ends that much below the goal.
const SETTLING: f64 = 0.3;

/// When a fit by quality ends.
#[derive(Clone, Copy, Debug)]
pub struct StopCriterion {
    /// PSNR, dB.
    pub quality: f64,
    /// Gain of a step, dB, below which it is not worth another.
    pub least_gain: f64,
}

/// Where a fit stands.
#[derive(Clone, Debug)]
pub struct LrSchedule {
    steps: usize,
    float_share: f64,
    until: Option<StopCriterion>,
    /// Step at which the settling began, once it has.
    settle: Option<usize>,
    /// PSNR at the last observation.
    seen: Option<f64>,
    /// Peak of the learning rate, relative to a first round's.
    peak: f64,
}

impl LrSchedule {
    /// A fit of `steps` steps, the share `float_share` of them without quantisation, or of at most
    /// that many until `until` is met.
    pub fn new(steps: usize, float_share: f64, until: Option<StopCriterion>) -> Self {
        LrSchedule {
            steps,
            float_share,
            until,
            settle: None,
            seen: None,
            peak: 1.0,
        }
    }

    /// A further round after a fit of `steps` steps, quantised from its start.
    pub fn again(steps: usize) -> Self {
        let steps = ((steps as f64 * AGAIN_SHARE) as usize).max(OBSERVE_EVERY);
        LrSchedule {
            peak: AGAIN_RATE,
            ..LrSchedule::new(steps, 0.0, None)
        }
    }

    /// Step before quantisation at which a fit by quality is looked at.
    pub fn first_observation(&self) -> usize {
        (self.steps as f64 * FIRST_OBSERVATION) as usize
    }

    /// Step before that at which its quality is noted.
    pub fn glance(&self) -> usize {
        (self.steps as f64 * GLANCE) as usize
    }

    /// Steps in all, as far as known.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// First step with quantisation.
    pub fn quantise_at(&self) -> usize {
        if self.until.is_some() {
            0
        } else {
            (self.steps as f64 * self.float_share) as usize
        }
    }

    /// First step with frozen quantisation steps, as far as known.
    pub fn freeze_at(&self) -> usize {
        match (self.until, self.settle) {
            // never before quantisation has begun
            (None, _) => ((self.steps as f64 * FREEZE_SHARE) as usize).max(self.quantise_at() + 1),
            (_, Some(from)) => from + (self.steps - from) / 2,
            _ => self.steps,
        }
    }

    /// Learning rate of `step`, relative to the peak: a rise from a tenth, then half a cosine to
    /// zero; with a goal, a steady rate until it is near, then half a cosine.
    pub fn rate(&self, step: usize) -> f64 {
        let down = |t: f64| 0.5 * (1.0 + (std::f64::consts::PI * t).cos());
        match (self.until, self.settle) {
            (None, _) => {
                let t = (step as f64 + 0.5) / self.steps as f64;
                self.peak
                    * if t < WARM_UP {
                        0.1 + 0.9 * t / WARM_UP
                    } else {
                        down((t - WARM_UP) / (1.0 - WARM_UP))
                    }
            }
            (_, None) => STEADY_RATE * ((step as f64 + 1.0) / 4.0).min(1.0),
            (_, Some(from)) => {
                STEADY_RATE * down((step as f64 + 0.5 - from as f64) / (self.steps - from) as f64)
            }
        }
    }

    /// Whether to look at the quality after `steps` steps.
    pub fn observes(&self, steps: usize) -> bool {
        self.until.is_some() && self.settle.is_none() && steps.is_multiple_of(OBSERVE_EVERY)
    }

    /// After `steps` steps the quality is `psnr`.
    pub fn observe(&mut self, steps: usize, psnr: f64) {
        let Some(until) = self.until else { return };
        let slow = self
            .seen
            .is_some_and(|before| psnr - before < until.least_gain * OBSERVE_EVERY as f64);
        self.seen = Some(self.seen.map_or(psnr, |s| s.max(psnr)));
        let late = steps as f64 >= self.steps as f64 * STEADY_SHARE;
        if self.settle.is_none() && (psnr >= until.quality - SETTLING || slow || late) {
            self.settle = Some(steps);
            self.steps = (steps + ((steps as f64 * SETTLE_SHARE) as usize).max(OBSERVE_EVERY))
                .min(self.steps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_fit_rises_and_falls() {
        let p = LrSchedule::new(100, 0.4, None);
        assert!(p.rate(0) < 0.2 && p.rate(5) > 0.9 && p.rate(99) < 0.01);
        assert_eq!((p.quantise_at(), p.freeze_at(), p.steps()), (40, 90, 100));
    }

    #[test]
    fn a_fit_by_quality_ends_with_it() {
        let run = |psnr: &dyn Fn(usize) -> f64| {
            let mut p = LrSchedule::new(
                1000,
                0.4,
                Some(StopCriterion {
                    quality: 30.0,
                    least_gain: 0.001,
                }),
            );
            let mut step = 0;
            while step < p.steps() {
                step += 1;
                if p.observes(step) {
                    p.observe(step, psnr(step));
                }
            }
            assert!(p.rate(step - 1) < 0.05, "it ends at full rate");
            assert!(p.freeze_at() < p.steps());
            step
        };
        // there from the start, after a while, never but still gaining, never
        assert_eq!(run(&|_| 31.0), 16);
        assert!((101..200).contains(&run(&|s| 20.0 + 0.1 * s as f64)));
        assert_eq!(run(&|s| 20.0 + 0.002 * s as f64), 985);
        assert_eq!(run(&|_| 29.0), 24);
    }
}
