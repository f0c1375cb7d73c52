//! In which order the rows of all layers are computed, so that a picture passes through with few
//! rows of each in memory.
//!
//! Knows nothing of what a layer computes: only which rows of which buffer it reads and writes.

use std::ops::Range;

/// How one layer moves rows: row `y` reads rows `y - reach ..= y + reach` of its inputs, and gives
/// rows `y * factor .. (y + 1) * factor` of the buffer that is written by this layer alone. It
/// computes up to `step` rows at once.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Buffers read, of one height; twice the same where there is one.
    pub inputs: [usize; 2],
    /// Rows read before and after.
    pub reach: usize,
    /// Rows written for each row.
    pub factor: usize,
    /// Rows computed at once.
    pub step: usize,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowTask {
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
    pub tasks: Vec<RowTask>,
    /// Rows of each buffer, multiples of what a layer writes at once. Sources are held whole.
    pub rows: Vec<usize>,
    /// Rows of each plane that come out.
    pub planes: Vec<Range<usize>>,
}

/// The sources, which are the first buffers; the layers in evaluation order, each writing the next
/// buffer; the buffers' heights; buffer and rows wanted of each plane.
pub struct Flows<'a> {
    /// Number of sources.
    pub sources: usize,
    /// Layers.
    pub layers: &'a [Flow],
    /// Rows of each buffer.
    pub heights: &'a [usize],
    /// Buffer and height of each plane.
    pub planes: &'a [(usize, usize)],
}

struct Builder<'a> {
    flows: &'a Flows<'a>,
    tasks: Vec<RowTask>,
    /// First row of each buffer not yet there.
    done: Vec<usize>,
}

impl Builder<'_> {
    /// Adds what is missing until rows below `end` of `buffer` are there.
    fn need(&mut self, buffer: usize, end: usize) {
        while self.done[buffer] < end {
            let layer = buffer - self.flows.sources;
            let f = self.flows.layers[layer];
            let (y, height) = (
                self.done[buffer] / f.factor,
                self.flows.heights[f.inputs[0]],
            );
            let count = f.step.min(height - y);
            f.inputs
                .iter()
                .for_each(|&i| self.need(i, (y + count + f.reach).min(height)));
            self.tasks.push(RowTask::Rows { layer, y, count });
            self.done[buffer] = (y + count) * f.factor;
        }
    }
}

impl Flows<'_> {
    /// The schedule for strip `strip` of `strips` that the picture is cut into.
    pub fn schedule(&self, strip: usize, strips: usize) -> Schedule {
        let planes: Vec<Range<usize>> = self
            .planes
            .iter()
            .map(|&(_, h)| h * strip / strips..h * (strip + 1) / strips)
            .collect();
        // first rows needed, from the last layer back
        let mut first = self.heights.to_vec();
        for (r, &(buffer, _)) in planes.iter().zip(self.planes) {
            if !r.is_empty() {
                first[buffer] = first[buffer].min(r.start);
            }
        }
        for (i, f) in self.layers.iter().enumerate().rev() {
            let b = i + self.sources;
            first[b] -= first[b] % f.factor;
            if first[b] < self.heights[b] {
                f.inputs.iter().for_each(|&i| {
                    first[i] = first[i].min((first[b] / f.factor).saturating_sub(f.reach))
                });
            }
        }
        first[..self.sources].copy_from_slice(&self.heights[..self.sources]);
        let mut b = Builder {
            flows: self,
            tasks: Vec::new(),
            done: first,
        };
        let tallest = planes.iter().map(|r| r.len()).max().unwrap_or(0);
        let mut given: Vec<usize> = planes.iter().map(|r| r.start).collect();
        for t in 1..=tallest {
            for (plane, &(buffer, _)) in self.planes.iter().enumerate() {
                // planes of fewer rows keep pace
                let end = planes[plane].start + planes[plane].len() * t / tallest;
                while given[plane] < end {
                    b.need(buffer, given[plane] + 1);
                    b.tasks.push(RowTask::Emit {
                        plane,
                        y: given[plane],
                    });
                    given[plane] += 1;
                }
            }
        }
        let rows = self.rows(&b.tasks);
        Schedule {
            tasks: b.tasks,
            rows,
            planes,
        }
    }

    /// Rows of each buffer that must be held at once.
    fn rows(&self, tasks: &[RowTask]) -> Vec<usize> {
        // one more than the step that reads each row last; grows with the row, as all readers go
        // downwards
        let mut last: Vec<Vec<usize>> = self.heights.iter().map(|&h| vec![0; h]).collect();
        for (t, s) in tasks.iter().enumerate() {
            match *s {
                RowTask::Rows { layer, y, count } => {
                    let f = self.layers[layer];
                    let end = (y + count + f.reach).min(self.heights[f.inputs[0]]);
                    f.inputs
                        .iter()
                        .for_each(|&i| last[i][y.saturating_sub(f.reach)..end].fill(t + 1));
                }
                RowTask::Emit { plane, y } => last[self.planes[plane].0][y] = t + 1,
            }
        }
        let sources = self.heights[..self.sources].iter().copied();
        let mut rows: Vec<usize> = sources
            .chain(self.layers.iter().map(|f| f.factor))
            .collect();
        let mut oldest = vec![0; rows.len()];
        for (t, s) in tasks.iter().enumerate() {
            if let RowTask::Rows { layer, y, count } = *s {
                let (b, f) = (layer + self.sources, self.layers[layer].factor);
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
            let mut rings: Vec<Vec<Option<usize>>> =
                s.rows.iter().map(|&n| vec![None; n]).collect();
            (0..flows.sources).for_each(|b| rings[b] = (0..flows.heights[b]).map(Some).collect());
            for step in &s.tasks {
                match *step {
                    RowTask::Rows { layer, y, count } => {
                        let f = flows.layers[layer];
                        for r in y.saturating_sub(f.reach)
                            ..(y + count + f.reach).min(flows.heights[f.inputs[0]])
                        {
                            f.inputs.iter().for_each(|&i| {
                                assert_eq!(
                                    rings[i][r % s.rows[i]],
                                    Some(r),
                                    "layer {layer} row {y}"
                                )
                            });
                        }
                        let b = layer + flows.sources;
                        (y * f.factor..(y + count) * f.factor)
                            .for_each(|r| rings[b][r % s.rows[b]] = Some(r));
                    }
                    RowTask::Emit { plane, y } => {
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
        let f = |input, reach, factor| Flow {
            inputs: [input; 2],
            reach,
            factor,
            step,
        };
        let layers = [
            f(0, 0, 1),
            f(1, 0, 5),
            f(2, 1, 4),
            f(3, 2, 2),
            f(4, 1, 1),
            f(3, 1, 1),
        ];
        let heights = [2, 2, 10, 40, 80, 80, 40];
        for strips in [1, 2, 3, 7, 90] {
            for (luma, chroma) in [(80, 40), (61, 31), (1, 1)] {
                let planes = [(5, luma), (6, chroma), (6, chroma)];
                check(
                    &Flows {
                        sources: 1,
                        layers: &layers,
                        heights: &heights,
                        planes: &planes,
                    },
                    strips,
                );
            }
        }
        let planes = [(5, 80), (6, 40)];
        let whole = Flows {
            sources: 1,
            layers: &layers,
            heights: &heights,
            planes: &planes,
        }
        .schedule(0, 1);
        assert!(
            whole.rows[4] <= 4 + 4 * step && whole.rows[5] <= step,
            "rings are as long as planes: {:?}",
            whole.rows
        );
    }

    #[test]
    fn sums_and_branches_keep_rings_short() {
        for step in [1, 2, 3] {
            let f = |a, b, reach, factor| Flow {
                inputs: [a, b],
                reach,
                factor,
                step,
            };
            // buffers 0 and 1 are sources; 2 is added to what a skip over 3 makes of it; 5 and 6
            // branch
            let layers = [
                f(0, 0, 1, 4),
                f(2, 2, 3, 1),
                f(2, 3, 0, 1),
                f(4, 4, 1, 2),
                f(4, 1, 0, 1),
                f(6, 6, 2, 2),
            ];
            let heights = [10, 40, 40, 40, 40, 80, 40, 80];
            let flows = Flows {
                sources: 2,
                layers: &layers,
                heights: &heights,
                planes: &[(5, 79), (7, 80), (1, 11)],
            };
            for strips in [1, 2, 3, 7, 90] {
                check(&flows, strips);
            }
            let rows = flows.schedule(0, 1).rows;
            assert!(
                rows[..2] == [10, 40] && rows[2..].iter().all(|&n| n <= 8 + 4 * step),
                "rings are as long as planes: {rows:?}"
            );
        }
    }
}
