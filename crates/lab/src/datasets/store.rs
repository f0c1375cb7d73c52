//! A store: manifests, and a folder with the files of what they name.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};

use super::embedded::EMBEDDED;
use super::entry::{Entry, Origin, Set};
use super::manifest;
use super::names::{Packed, near, packed_kind};
use crate::files::utf8;
use crate::program::quoted;
use nvc::error::{Error, Result};
use nvc::frame::{Ratio, VideoInfo};
use nvc_media::{self, BoxedSource, SourceOptions, SourceRange};

/// Environment variable of the folder that holds the files.
pub const ROOT_VARIABLE: &str = "NVC_DATASETS_DIR";
/// Environment variable of manifests to read besides the crate's own; several are separated as in
/// `PATH`.
pub const MANIFESTS_VARIABLE: &str = "NVC_DATASETS_MANIFESTS";
/// Largest manifest read.
const MAX_MANIFEST: u64 = 8 << 20;

/// Manifests and the folder of their files.
pub struct Store {
    pub(super) root: PathBuf,
    sets: Vec<Set>,
    /// Options that the user must give again to name the same store.
    options: String,
}

impl Store {
    /// Opens the store in `root`; by default that of the environment variable `NVC_DATASETS_DIR`,
    /// or `nvc/datasets` in the user's cache folder. Manifests are the crate's, those of
    /// `NVC_DATASETS_MANIFESTS`, and `manifests`; a later one replaces sets of the same name.
    pub fn open(root: Option<&Path>, manifests: &[PathBuf]) -> Result<Store> {
        let mut options = String::new();
        if let Some(root) = root {
            options += &format!(" --root {}", quoted(&root.to_string_lossy()));
        }
        for m in manifests {
            options += &format!(" --manifest {}", quoted(&m.to_string_lossy()));
        }
        let root = match root {
            Some(root) => root.to_path_buf(),
            None => default_root()?,
        };
        let mut sets = Vec::new();
        for (file, text) in EMBEDDED {
            sets.push(manifest::parse(text, file, Path::new(""))?);
        }
        let more = std::env::var_os(MANIFESTS_VARIABLE).unwrap_or_default();
        let more: Vec<PathBuf> = std::env::split_paths(&more)
            .filter(|p| !p.as_os_str().is_empty())
            .collect();
        for path in more.iter().chain(manifests) {
            let set = read_manifest(path)?;
            sets.retain(|s: &Set| !s.name.eq_ignore_ascii_case(&set.name));
            sets.push(set);
        }
        sets.sort_by_key(|s| s.name.to_lowercase());
        Ok(Store {
            root,
            sets,
            options,
        })
    }

    /// The folder of the files.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All sets, by name.
    pub fn sets(&self) -> &[Set] {
        &self.sets
    }

    /// The set of a name; case does not count.
    pub fn set(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|s| s.name.eq_ignore_ascii_case(name))
    }

    /// The entry of a name such as `uvg/Beauty`; case does not count.
    pub fn find(&self, name: &str) -> Result<&Entry> {
        let Some((set, rest)) = name.split_once('/') else {
            return Err(match self.set(name) {
                Some(s) => Error::Parameter(format!(
                    "'{name}' is a set of {}; name one of them, as {}",
                    s.entries.len(),
                    s.entries.first().map(Entry::id).unwrap_or_default()
                )),
                None => self.unknown(name),
            });
        };
        let found = self
            .set(set)
            .and_then(|s| s.entries.iter().find(|e| e.name.eq_ignore_ascii_case(rest)));
        found.ok_or_else(|| self.unknown(name))
    }

    /// The entry of a name, or all entries of a set.
    pub fn expand(&self, name: &str) -> Result<Vec<&Entry>> {
        match self.set(name) {
            Some(set) => Ok(set.entries.iter().collect()),
            None => self.find(name).map(|e| vec![e]),
        }
    }

    fn unknown(&self, name: &str) -> Error {
        let ids: Vec<String> = self
            .sets
            .iter()
            .flat_map(|s| s.entries.iter().map(Entry::id))
            .collect();
        let all = ids
            .iter()
            .map(String::as_str)
            .chain(self.sets.iter().map(|s| s.name.as_str()));
        let near = near(name, all);
        let hint = if near.is_empty() {
            let sets: Vec<&str> = self.sets.iter().map(|s| s.name.as_str()).collect();
            format!("the sets are {}", sets.join(", "))
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        Error::Parameter(format!(
            "no dataset '{name}': {hint} (nvc datasets list{} shows all)",
            self.options
        ))
    }

    /// Where an entry's file is or will be.
    pub fn place(&self, entry: &Entry) -> PathBuf {
        match &entry.origin {
            Origin::File(path) if packed_kind(&path.to_string_lossy()) == Packed::Plain => {
                path.clone()
            }
            _ => self.root.join(&entry.set).join(&entry.file_name),
        }
    }

    /// The command that fetches an entry.
    fn command(&self, entry: &Entry) -> String {
        format!("nvc datasets fetch {}{}", entry.id(), self.options)
    }

    /// The file of an entry, if it is there with the right size. Its content is not read: that is
    /// for [`Store::verify`].
    pub fn path(&self, entry: &Entry) -> Result<PathBuf> {
        let path = self.place(entry);
        match fs::metadata(&path) {
            Ok(m) if m.is_file() => entry.check_size(&path, m.len()).map(|()| path),
            Ok(_) => Err(Error::io(
                format!("{}: {}", entry.id(), path.display()),
                IoError::other("not a file"),
            )),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let what = match &entry.origin {
                    Origin::ByHand => self.by_hand(entry),
                    Origin::File(from) if *from == path => {
                        format!(
                            "there is no such file (named by the manifest {})",
                            self.manifest(entry)
                        )
                    }
                    _ => format!("not fetched yet; run: {}", self.command(entry)),
                };
                Err(Error::io(
                    format!("{}: {}", entry.id(), path.display()),
                    IoError::new(ErrorKind::NotFound, what),
                ))
            }
            Err(e) => Err(Error::io(format!("{}: {}", entry.id(), path.display()), e)),
        }
    }

    pub(super) fn manifest(&self, entry: &Entry) -> &str {
        self.set(&entry.set).map_or("", |s| s.manifest.as_str())
    }

    /// How to put a file in its place.
    pub(super) fn by_hand(&self, entry: &Entry) -> String {
        let mut text = format!(
            "this file must be put there by hand, as {} ({})",
            self.place(entry).display(),
            entry.geometry()
        );
        if let Some(s) = self.set(&entry.set).filter(|s| !s.obtain.is_empty()) {
            text += &format!(
                ". {}",
                s.obtain.split_whitespace().collect::<Vec<_>>().join(" ")
            );
        }
        if !entry.page.is_empty() {
            text += &format!(" See {}", entry.page);
        }
        text
    }

    /// Opens the entry of a name. Raw video has the geometry of its manifest and as many frames;
    /// other files say it themselves, and must say what the manifest does.
    pub fn open_source(&self, name: &str) -> Result<BoxedSource> {
        let entry = self.find(name)?;
        let path = self.path(entry)?;
        let text = utf8(&path)?;
        if let (true, Some(width), Some(height), Some(format)) =
            (entry.is_raw(), entry.width, entry.height, entry.format)
        {
            let fps = entry.fps.unwrap_or(Ratio { num: 25, den: 1 });
            let info = VideoInfo {
                fps,
                ..VideoInfo::new(width, height, format)
            };
            let source = nvc_media::RawSource::open(text, &info)?;
            return Ok(match entry.frames {
                Some(n) => Box::new(SourceRange::new(Box::new(source), 0..n)?),
                None => Box::new(source),
            });
        }
        let source = nvc_media::open_source(
            text,
            &SourceOptions {
                fps: entry.fps,
                ..Default::default()
            },
        )?;
        let i = source.info();
        let same = entry.width.is_none_or(|w| w == i.width)
            && entry.height.is_none_or(|h| h == i.height)
            && entry.format.is_none_or(|f| f == i.format);
        if !same {
            let is = format!("{}x{} {}", i.width, i.height, i.format.name());
            return Err(Error::Mismatch(format!(
                "{}: {text} is {is}, the manifest says {}",
                entry.id(),
                entry.geometry()
            )));
        }
        Ok(
            match entry.frames.filter(|&n| source.frames_hint() != Some(n)) {
                Some(n) => Box::new(SourceRange::new(source, 0..n)?),
                None => source,
            },
        )
    }

    /// Entries whose download is the same as this one's, itself included.
    pub(super) fn sharing(&self, entry: &Entry) -> Vec<&Entry> {
        self.sets
            .iter()
            .flat_map(|s| &s.entries)
            .filter(|e| e.origin == entry.origin)
            .collect()
    }

    /// Number of entries whose files are there, by name of the set.
    pub fn present(&self) -> BTreeMap<&str, usize> {
        self.sets
            .iter()
            .map(|s| {
                (
                    s.name.as_str(),
                    s.entries.iter().filter(|e| self.path(e).is_ok()).count(),
                )
            })
            .collect()
    }
}

fn read_manifest(path: &Path) -> Result<Set> {
    let name = path.display().to_string();
    let error = |e| Error::io(format!("reading manifest {name}"), e);
    let size = fs::metadata(path).map_err(error)?.len();
    if size > MAX_MANIFEST {
        return Err(Error::Limits {
            what: "bytes of a manifest",
            actual: size,
            allowed: MAX_MANIFEST,
        });
    }
    let text = fs::read_to_string(path).map_err(error)?;
    manifest::parse(&text, &name, path.parent().unwrap_or(Path::new("")))
}

fn default_root() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    set(ROOT_VARIABLE)
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("nvc/datasets")))
        .or_else(|| Some(set("HOME")?.join(".cache/nvc/datasets")))
        .or_else(|| Some(set("LOCALAPPDATA")?.join("nvc/datasets")))
        .ok_or_else(|| {
            Error::Parameter(format!(
                "no folder for datasets: neither {ROOT_VARIABLE} nor HOME is set"
            ))
        })
}
