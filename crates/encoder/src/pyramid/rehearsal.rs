//! A short fit to a sample of the picture, whole schedule and all, whose weights the fit proper
//! starts from.

use super::engine::{Engine, Terms};
use super::latents::Latents;
use super::mosaic::Mosaic;
use super::run::{Count, Run, Settings};
use super::shape::{Plane, Shape};

/// Share of a picture that is the sample, and its least and most blocks.
const SHARE: f64 = 0.25;
const BLOCKS: std::ops::RangeInclusive<usize> = 4..=12;

/// The sample, and how it is fitted.
pub(super) struct Rehearsal {
    settings: Settings,
    size: (usize, usize),
    planes: Vec<Plane>,
    /// Samples of the picture for each of the sample's.
    ratio: f64,
}

impl Rehearsal {
    /// The one that `settings` ask for, if a picture of `size` is large enough.
    pub(super) fn new(
        shape: &Shape,
        size: (usize, usize),
        planes: &[Plane],
        settings: &Settings,
    ) -> Option<Self> {
        if settings.rehearsal == 0 {
            return None;
        }
        let blocks = SHARE * (size.0 * size.1) as f64 / Mosaic::block(shape);
        let blocks = (blocks.round() as usize).clamp(*BLOCKS.start(), *BLOCKS.end());
        let mosaic = Mosaic::new(shape, size, blocks)?;
        Some(Rehearsal {
            settings: Settings {
                seed: settings.seed,
                colour: settings.colour,
                ..Settings::new(settings.rehearsal, 0)
            },
            size: mosaic.size(),
            planes: mosaic.planes(shape, planes),
            ratio: mosaic.ratio(),
        })
    }

    pub(super) fn iterations(&self) -> usize {
        self.settings.iterations
    }

    /// What becomes of `params`; `None` if the observer ends the fit.
    pub(super) fn run(
        &self,
        shape: &Shape,
        params: Vec<f32>,
        lambda: f32,
        observer: &mut Count<'_>,
    ) -> Option<Vec<f32>> {
        let mut engine = Engine::new(shape, self.size.0, self.size.1, &self.planes);
        let latents = Box::new(Latents::new(&engine, self.settings.seed));
        let mut run = Run::new(&mut engine, latents, params, lambda, &self.settings);
        for i in 0..self.settings.iterations {
            let (stage, terms) = run.iterate(i);
            let whole = Terms {
                distortion: terms.distortion * self.ratio,
                bits: terms.bits * self.ratio,
            };
            observer.report(stage, whole)?;
        }
        Some(run.into_params())
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Head;
    use super::*;

    #[test]
    fn samples_are_of_large_pictures() {
        let shape = Shape {
            contexts: 8,
            hidden: 4,
            grids: 7,
            heads: vec![Head {
                level: 0,
                planes: 1,
            }],
        };
        let new = |(w, h): (usize, usize), rehearsal| {
            let plane = Plane {
                width: w,
                height: h,
                weight: 1.0,
                alpha: false,
                samples: (0..w * h).map(|i| (i % 7) as f32 / 7.0).collect(),
            };
            let settings = Settings {
                rehearsal,
                ..Settings::new(4, 1)
            };
            let found = Rehearsal::new(&shape, (w, h), &[plane], &settings);
            found.map(|r| (r.size, r.iterations(), r.ratio))
        };
        assert_eq!(new((512, 256), 8), Some(((256, 256), 8, 2.0)));
        assert_eq!(new((512, 256), 0), None);
        assert_eq!(new((100, 90), 8), None);
    }
}
