//! Trials of initial weights. Which grid takes on brightness and which colour is settled early and
//! then stays, and fits that start otherwise end apart; so each start is first fitted to a sample of
//! the picture, whole schedule and all, and the weights that are best there are started from.

use super::engine::{Engine, Terms};
use super::init::initial;
use super::mosaic::Mosaic;
use super::run::{Count, Run, Settings};
use super::shape::{Layout, Plane, Shape};

/// Share of a picture that is the sample, and its least and most blocks.
const SHARE: f64 = 0.25;
const BLOCKS: std::ops::RangeInclusive<usize> = 4..=12;

/// The trials of a fit.
pub(super) struct Trials<'a> {
    count: usize,
    settings: Settings,
    size: (usize, usize),
    planes: std::borrow::Cow<'a, [Plane]>,
    /// Samples of the picture for each of the sample's.
    ratio: f64,
}

impl<'a> Trials<'a> {
    /// Those that `settings` ask for, if there are any. A picture that is too small for a sample has
    /// shorter ones of its whole, where there is something to choose.
    pub(super) fn new(
        shape: &Shape,
        size: (usize, usize),
        planes: &'a [Plane],
        settings: &Settings,
    ) -> Option<Self> {
        let count = settings.trials;
        let blocks = SHARE * (size.0 * size.1) as f64 / Mosaic::block(shape);
        let blocks = (blocks.round() as usize).clamp(*BLOCKS.start(), *BLOCKS.end());
        let mut iterations = settings.trial_iterations;
        let (size, planes, ratio) = match Mosaic::new(shape, size, blocks) {
            _ if count == 0 => return None,
            Some(m) => (m.size(), m.planes(shape, planes).into(), m.ratio()),
            None if count == 1 => return None,
            None => {
                iterations = (iterations as f64 * SHARE) as usize;
                (size, planes.into(), 1.0)
            }
        };
        Some(Trials {
            count,
            settings: Settings {
                seed: settings.seed,
                colour: settings.colour,
                ..Settings::new(iterations, 0)
            },
            size,
            planes,
            ratio,
        })
    }

    /// Iterations of all of them.
    pub(super) fn iterations(&self) -> usize {
        self.count * self.settings.iterations
    }

    /// The weights to start from; `None` if the observer ends the fit.
    pub(super) fn best(
        &self,
        shape: &Shape,
        lambda: f32,
        observer: &mut Count<'_>,
    ) -> Option<Vec<f32>> {
        let mut best: Option<(f64, Vec<f32>)> = None;
        let (s, planes) = (&self.settings, &self.planes);
        for choice in 0..self.count {
            let layout = Layout::new(shape);
            let start = (lambda, choice);
            let params = initial(shape, &layout, planes, s.colour, start, s.seed);
            let mut engine = Engine::new(shape, self.size.0, self.size.1, planes);
            let mut run = Run::new(&mut engine, params, lambda, s);
            let mut last = Terms::default();
            for i in 0..s.iterations {
                let (stage, terms) = run.iterate(i);
                last = terms;
                let whole = Terms {
                    distortion: terms.distortion * self.ratio,
                    bits: terms.bits * self.ratio,
                };
                observer.report(stage, whole)?;
            }
            let loss = last.loss(lambda);
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, run.into_params()));
            }
        }
        best.map(|(_, params)| params)
    }
}

#[cfg(test)]
mod tests {
    use super::super::init::Colour;
    use super::super::run::Progress;
    use super::super::shape::Head;
    use super::*;

    fn planes(width: usize, height: usize) -> Vec<Plane> {
        let samples = (0..width * height)
            .map(|i| {
                0.5 + 0.3 * ((i % width) as f32 * 0.2).sin() * ((i / width) as f32 * 0.13).cos()
            })
            .collect();
        vec![Plane {
            width,
            height,
            weight: 1.0,
            samples,
        }]
    }

    fn settings(trials: usize) -> Settings {
        Settings {
            trials,
            trial_iterations: 8,
            colour: Colour::Yuv,
            ..Settings::new(4, 1)
        }
    }

    const SHAPE: fn() -> Shape = || Shape {
        contexts: 8,
        hidden: 4,
        grids: 7,
        heads: vec![Head {
            level: 0,
            planes: 1,
        }],
    };

    #[test]
    fn samples_are_of_large_pictures_and_choices_of_small_ones() {
        let new = |w, h, trials| {
            let planes = planes(w, h);
            let found = Trials::new(&SHAPE(), (w, h), &planes, &settings(trials));
            found.map(|t| (t.size, t.iterations()))
        };
        assert_eq!(new(512, 256, 1), Some(((256, 256), 8)));
        assert_eq!(new(512, 256, 3), Some(((256, 256), 24)));
        assert_eq!(new(512, 256, 0), None);
        assert_eq!(new(100, 90, 1), None);
        assert_eq!(new(100, 90, 3), Some(((100, 90), 6)));
    }

    /// The weights that go on are those of the least loss at the end, not those of the first or last.
    #[test]
    fn the_best_goes_on() {
        let (size, planes) = ((100, 90), planes(100, 90));
        let (shape, lambda) = (SHAPE(), 1e-3);
        let layout = Layout::new(&shape);
        for seed in 1..4 {
            let settings = Settings {
                seed,
                trial_iterations: 80,
                ..settings(3)
            };
            let trials = Trials::new(&shape, size, &planes, &settings).unwrap();
            let (s, of) = (&trials.settings, trials.iterations());
            let mut ends = Vec::new();
            let mut observe = |p: Progress| {
                if p.done.is_multiple_of(s.iterations) {
                    ends.push(p.terms.loss(lambda));
                }
                true
            };
            let mut count = Count {
                done: 0,
                of,
                observe: &mut observe,
            };
            let best = trials.best(&shape, lambda, &mut count).unwrap();
            let least = (0..3).min_by(|&a, &b| ends[a].total_cmp(&ends[b])).unwrap();
            let start = (lambda, least);
            let params = initial(&shape, &layout, &planes, s.colour, start, s.seed);
            let mut engine = Engine::new(&shape, size.0, size.1, &planes);
            let mut run = Run::new(&mut engine, params, lambda, s);
            for i in 0..s.iterations {
                run.iterate(i);
            }
            assert_eq!(best, run.into_params(), "seed {seed}: {ends:?}");
        }
    }
}
