//! Who is told how an encode goes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::choice::Choice;
use super::families::Family;
use super::report::GroupReport;
use crate::fit;
use nvc::error::Result;
use nvc::frame::Frame;

/// Is told how an encode goes, and may stop it.
pub trait Observer {
    /// Something that the caller should know before the fit, such as a size that no network has.
    fn warn(&mut self, _text: &str) {}
    /// A group starts. `groups` is the number in all, where known.
    fn start(&mut self, _group: usize, _groups: Option<usize>, _frames: usize, _params: u64) {}
    /// A step is done.
    fn progress(&mut self, _group: usize, _progress: &fit::Progress) {}
    /// A trial of a representation starts.
    fn trial(&mut self, _family: Family, _frames: usize, _steps: usize) {}
    /// The representation was chosen by trial.
    fn chosen(&mut self, _choice: &Choice) {}
    /// A group is coded.
    fn done(&mut self, _report: &GroupReport) {}
    /// A decoded frame, in display order.
    fn recon(&mut self, _frame: &Frame) -> Result<()> {
        Ok(())
    }
    /// Polled after every step; `true` ends the encode with
    /// [`Error::Interrupted`](nvc::Error::Interrupted).
    fn stop(&self) -> bool {
        false
    }
}

/// What groups that are fitted at once share: the caller's observer, and whether one of them has
/// failed.
pub(super) struct Shared<'a, 'b> {
    pub(super) observer: Mutex<&'a mut (dyn Observer + Send + 'b)>,
    pub(super) failed: AtomicBool,
}

impl<'a, 'b> Shared<'a, 'b> {
    /// The observer. One that panicked is not asked to be consistent.
    pub(super) fn observer(&self) -> MutexGuard<'_, &'a mut (dyn Observer + Send + 'b)> {
        self.observer.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn stop(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.observer().stop()
    }
}
