//! Files checked against the SHA-256 of their manifest, or against what they were when first seen.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use super::store::Store;
use crate::files::{beside, make_folder, sha256_file, write_whole};
use nvc::error::{Error, Result};

/// Where the SHA-256 that a file was checked against comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The manifest.
    Manifest,
    /// The record made when the file was first seen.
    Record,
    /// Nowhere: it has been recorded now.
    FirstSeen,
}

/// A file that is as it should be.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its place.
    pub path: PathBuf,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
    /// What the SHA-256 was checked against.
    pub known: Known,
}

impl Store {
    /// Reads an entry's whole file and checks it against the manifest, or against the record of
    /// what it was when first seen, which is made if there is none. A file that differs is an
    /// [`Error::Mismatch`].
    pub fn verify(&self, entry: &Entry) -> Result<Checked> {
        let path = self.path(entry)?;
        let sha256 = sha256_file(&path)?;
        let bytes = fs::metadata(&path)
            .map_err(|e| Error::io(format!("reading {}", path.display()), e))?
            .len();
        self.check(entry, &path, path.clone(), sha256, bytes)
    }

    /// Checks what `file` holds, which is or will be at `path`.
    pub(super) fn check(
        &self,
        entry: &Entry,
        file: &Path,
        path: PathBuf,
        sha256: String,
        bytes: u64,
    ) -> Result<Checked> {
        entry.check_size(file, bytes)?;
        let record = self.record(entry);
        let (wanted, known) = match &entry.sha256 {
            Some(sha256) => (Some(sha256.clone()), Known::Manifest),
            None => match read_record(&record)? {
                Some(sha256) => (Some(sha256), Known::Record),
                None => (None, Known::FirstSeen),
            },
        };
        if wanted.as_ref().is_none_or(|w| *w == sha256) {
            if known != Known::Record {
                make_folder(record.parent().unwrap_or(&self.root))?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                write_whole(&record, format!("{sha256}  {name}\n").as_bytes())?;
            }
            return Ok(Checked {
                path,
                sha256,
                bytes,
                known,
            });
        }
        let wanted = wanted.unwrap_or_default();
        let source = match known {
            Known::Manifest => format!("in the manifest {}", self.manifest(entry)),
            _ => format!(
                "recorded when it was first seen, in {}; remove that file if a change is meant",
                record.display()
            ),
        };
        let (id, file) = (entry.id(), file.display());
        Err(Error::Mismatch(format!(
            "{id}: {file} has SHA-256 {sha256}, not {wanted} ({source})"
        )))
    }

    /// The file in which an entry's SHA-256 is recorded, as `sha256sum --check` reads it.
    pub(super) fn record(&self, entry: &Entry) -> PathBuf {
        beside(
            &self.root.join(&entry.set).join(&entry.file_name),
            ".sha256",
        )
    }
}

fn read_record(path: &Path) -> Result<Option<String>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(format!("reading {}", path.display()), e)),
    };
    let sha256 = text.split_whitespace().next().unwrap_or("").to_lowercase();
    if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::Mismatch(format!(
            "{}: does not start with a SHA-256 of 64 hexadecimal digits",
            path.display()
        )));
    }
    Ok(Some(sha256))
}
