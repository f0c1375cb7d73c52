//! In which order the rows of all layers are computed, so that a picture passes through with few rows of each in memory.
//!
//! Knows nothing of what a layer computes: only which rows of which buffer it reads and writes.

use std::ops::Range;

/// How one layer moves rows: row `y` reads rows `y - reach ..= y + reach` of `input`, and gives rows
/// `y * factor .. (y + 1) * factor` of the buffer that is written by this layer alone. It computes up to `step` rows at once.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Buffer read.
    pub input: usize,
    /// Rows read before and after.
    pub reach: usize,
    /// Rows written for each row.
    pub factor: usize,
    /// Rows computed at once.
    pub step: usize,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Compute rows of a layer.
    Rows {
        /// Layer.
        layer: usize,
        /// First row, at its input's resolution.
        y: usize,
        /// Number of rows.
        count: usize,
    },
    /// Give out a row of a plane.
    Emit {
        /// Plane of the picture.
        plane: usize,
        /// Its row.
        y: usize,
    },
}

/// What to do for some rows of a picture, and the rows that each buffer must hold meanwhile.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// In this order.
    pub steps: Vec<Step>,
    /// Rows of each buffer, multiples of what a layer writes at once. The first, the latent, is held whole.
    pub rows: Vec<usize>,
    /// Rows of each plane that come out.
    pub planes: Vec<Range<usize>>,
}

/// The layers in evaluation order, layer `i` writing buffer `i + 1`, buffer 0 being the latent; the buffers' heights; buffer
/// and rows wanted of each plane.
pub struct Flows<'a> {
    /// Layers.
    pub layers: &'a [Flow],
    /// Rows of each buffer.
    pub heights: &'a [usize],
    /// Buffer and height of each plane.
    pub planes: &'a [(usize, usize)],
}

struct Builder<'a> {
    flows: &'a Flows<'a>,
    steps: Vec<Step>,
    /// First row of each buffer not yet there.
    done: Vec<usize>,
}

impl Builder<'_> {
    /// Adds what is missing until rows below `end` of `buffer` are there.
    fn need(&mut self, buffer: usize, end: usize) {
        while self.done[buffer] < end {
            let layer = buffer - 1;
            let f = self.flows.layers[layer];
            let (y, height) = (self.done[buffer] / f.factor, self.flows.heights[f.input]);
            let count = f.step.min(height - y);
            self.need(f.input, (y + count + f.reach).min(height));
            self.steps.push(Step::Rows { layer, y, count });
            self.done[buffer] = (y + count) * f.factor;
        }
    }
}

impl Flows<'_> {
    /// The schedule for strip `strip` of `strips` that the picture is cut into.
    pub fn schedule(&self, strip: usize, strips: usize) -> Schedule {
        let planes: Vec<Range<usize>> = self.planes.iter().map(|&(_, h)| h * strip / strips..h * (strip + 1) / strips).collect();
        // first rows needed, from the last layer back
        let mut first = self.heights.to_vec();
        for (r, &(buffer, _)) in planes.iter().zip(self.planes) {
            if !r.is_empty() {
                first[buffer] = first[buffer].min(r.start);
            }
        }
        for (i, f) in self.layers.iter().enumerate().rev() {
            first[i + 1] -= first[i + 1] % f.factor;
            if first[i + 1] < self.heights[i + 1] {
                first[f.input] = first[f.input].min((first[i + 1] / f.factor).saturating_sub(f.reach));
            }
        }
        first[0] = 0;
        let mut b = Builder { flows: self, steps: Vec::new(), done: first };
        b.done[0] = self.heights[0];
        let tallest = planes.iter().map(|r| r.len()).max().unwrap_or(0);
        let mut given: Vec<usize> = planes.iter().map(|r| r.start).collect();
        for t in 1..=tallest {
            for (plane, &(buffer, _)) in self.planes.iter().enumerate() {
                // planes of fewer rows keep pace
                let end = planes[plane].start + planes[plane].len() * t / tallest;
                while given[plane] < end {
                    b.need(buffer, given[plane] + 1);
                    b.steps.push(Step::Emit { plane, y: given[plane] });
                    given[plane] += 1;
                }
            }
        }
        let rows = self.rows(&b.steps);
        Schedule { steps: b.steps, rows, planes }
    }

    /// Rows of each buffer that must be held at once.
    fn rows(&self, steps: &[Step]) -> Vec<usize> {
        // one more than the step that reads each row last; grows with the row, as all readers go downwards
        let mut last: Vec<Vec<usize>> = self.heights.iter().map(|&h| vec![0; h]).collect();
        for (t, s) in steps.iter().enumerate() {
            match *s {
                Step::Rows { layer, y, count } => {
                    let f = self.layers[layer];
                    let end = (y + count + f.reach).min(self.heights[f.input]);
                    last[f.input][y.saturating_sub(f.reach)..end].fill(t + 1);
                }
                Step::Emit { plane, y } => last[self.planes[plane].0][y] = t + 1,
            }
        }
        let mut rows: Vec<usize> = std::iter::once(self.heights[0]).chain(self.layers.iter().map(|f| f.factor)).collect();
        let mut oldest = vec![0; rows.len()];
        for (t, s) in steps.iter().enumerate() {
            if let Step::Rows { layer, y, count } = *s {
                let (b, f) = (layer + 1, self.layers[layer].factor);
                let end = (y + count) * f;
                while oldest[b] < end && last[b][oldest[b]] <= t {
                    oldest[b] += 1;
                }
                rows[b] = rows[b].max((end - oldest[b]).next_multiple_of(f));
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a schedule on row numbers: every row read must be the one that was meant.
    fn check(flows: &Flows, strips: usize) {
        let mut seen: Vec<Vec<usize>> = flows.planes.iter().map(|_| Vec::new()).collect();
        for strip in 0..strips {
            let s = flows.schedule(strip, strips);
            let mut rings: Vec<Vec<Option<usize>>> = s.rows.iter().map(|&n| vec![None; n]).collect();
            rings[0] = (0..flows.heights[0]).map(Some).collect();
            for step in &s.steps {
                match *step {
                    Step::Rows { layer, y, count } => {
                        let f = flows.layers[layer];
                        for r in y.saturating_sub(f.reach)..(y + count + f.reach).min(flows.heights[f.input]) {
                            assert_eq!(rings[f.input][r % s.rows[f.input]], Some(r), "layer {layer} row {y}");
                        }
                        let n = s.rows[layer + 1];
                        (y * f.factor..(y + count) * f.factor).for_each(|r| rings[layer + 1][r % n] = Some(r));
                    }
                    Step::Emit { plane, y } => {
                        let b = flows.planes[plane].0;
                        assert_eq!(rings[b][y % s.rows[b]], Some(y), "plane {plane}");
                        seen[plane].push(y);
                    }
                }
            }
        }
        for (rows, &(_, h)) in seen.iter().zip(flows.planes) {
            assert!(rows.iter().copied().eq(0..h), "{rows:?}");
        }
    }

    #[test]
    fn every_row_is_there_when_it_is_read() {
        for step in [1, 2, 3] {
            rows_of(step);
        }
    }

    fn rows_of(step: usize) {
        let f = |input, reach, factor| Flow { input, reach, factor, step };
        let layers = [f(0, 0, 1), f(1, 0, 5), f(2, 1, 4), f(3, 2, 2), f(4, 1, 1), f(3, 1, 1)];
        let heights = [2, 2, 10, 40, 80, 80, 40];
        for strips in [1, 2, 3, 7, 90] {
            for (luma, chroma) in [(80, 40), (61, 31), (1, 1)] {
                check(&Flows { layers: &layers, heights: &heights, planes: &[(5, luma), (6, chroma), (6, chroma)] }, strips);
            }
        }
        let whole = Flows { layers: &layers, heights: &heights, planes: &[(5, 80), (6, 40)] }.schedule(0, 1);
        assert!(whole.rows[4] <= 4 + 4 * step && whole.rows[5] <= step, "rings are as long as planes: {:?}", whole.rows);
    }
}
