//! Scratch memory of tasks, a piece for each thread at work: what stays in its cache, and does not
//! grow with the picture.

use std::sync::Mutex;

/// Pieces that are not in use.
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    pub(crate) fn new() -> Self {
        Pool(Mutex::new(Vec::new()))
    }
    /// Calls `f` with a piece, a new one if all are in use. Nothing may depend on its contents.
    pub(crate) fn with<R>(&self, new: impl FnOnce() -> T, f: impl FnOnce(&mut T) -> R) -> R {
        let free = self.0.lock().unwrap_or_else(|e| e.into_inner()).pop();
        let mut piece = free.unwrap_or_else(new);
        let result = f(&mut piece);
        self.0.lock().unwrap_or_else(|e| e.into_inner()).push(piece);
        result
    }
}
