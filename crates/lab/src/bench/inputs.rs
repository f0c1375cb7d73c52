//! The files that codecs read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::sequence::Sequence;
use crate::datasets::Store;
use crate::files::make_folder;
use ::nvc::error::Result;

/// Locks it, even if a thread panicked that held it.
pub fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(|e| e.into_inner())
}

/// The files that codecs read, each written when first needed.
pub struct Files {
    dir: PathBuf,
    ready: Vec<Mutex<bool>>,
    used: bool,
}

impl Files {
    /// None is written yet; `used` are the sequences that some point needs.
    pub fn new(out: &Path, sequences: &[Sequence], used: impl Iterator<Item = usize>) -> Self {
        Files {
            dir: out.join("sequences"),
            ready: sequences.iter().map(|_| Mutex::new(false)).collect(),
            used: used.count() > 0,
        }
    }

    /// The file of a sequence, written if it is not there.
    pub fn get(&self, index: usize, sequence: &Sequence, store: &Store) -> Result<PathBuf> {
        let path = self.dir.join(sequence.file_name());
        let mut ready = lock(&self.ready[index]);
        if !*ready {
            make_folder(&self.dir)?;
            sequence.write(&path, store)?;
            *ready = true;
        }
        Ok(path)
    }

    /// They can be made again at any time, and are large.
    pub fn remove(&self) {
        if self.used {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}
