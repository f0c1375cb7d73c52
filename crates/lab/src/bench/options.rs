//! Where and how to run a plan.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::datasets::Store;

/// Where and how to run.
pub struct Options<'a> {
    /// Folder of results.
    pub out: &'a Path,
    /// Folder that the plan's relative names are below.
    pub base: &'a Path,
    /// Where data sets lie.
    pub store: &'a Store,
    /// The `nvc` program.
    pub program: &'a Path,
    /// Digest of that program: its results are filed under it.
    pub program_digest: String,
    /// Points at once; 0 = processors / threads of a point.
    pub jobs: usize,
    /// Run nothing: only gather what is finished.
    pub gather: bool,
    /// Set to stop.
    pub stop: &'a Arc<AtomicBool>,
}
