//! What a run tells while it goes on.

use super::plan::CodecPlan;
use super::row::Row;
use ::nvc::error::Error;

/// What happens.
pub enum Event<'a> {
    /// A codec is left out: its program is missing.
    Missing(&'a CodecPlan, &'a Error),
    /// How many points there are, how many of them finished before, how many run at once.
    Plan {
        /// All points.
        points: usize,
        /// Finished by an earlier run.
        finished: usize,
        /// Points at once.
        jobs: usize,
    },
    /// A point starts.
    Start(&'a str),
    /// A point is finished: how many are, of how many.
    Done(&'a Row, usize, usize),
    /// A point failed; the others go on.
    Failed(&'a str, &'a Error),
}
