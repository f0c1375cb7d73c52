//! Answers that are asked for once a process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// Answers by what was asked.
pub struct Memo<K, V>(Mutex<BTreeMap<K, V>>);

impl<K: Ord, V: Clone> Memo<K, V> {
    /// Nothing is known.
    pub const fn new() -> Self {
        Memo(Mutex::new(BTreeMap::new()))
    }

    /// The answer, asked for if it is not known. Others do not wait for it meanwhile; an error is
    /// not kept.
    pub fn get<E>(&self, key: K, ask: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if let Some(known) = self.lock().get(&key) {
            return Ok(known.clone());
        }
        let answer = ask()?;
        self.lock().insert(key, answer.clone());
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, V>> {
        // a thread that panicked while it held the lock has left the map whole
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}
