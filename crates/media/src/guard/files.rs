//! What the names on a command line stand for.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::pattern::Pattern;
use crate::stdout::is_stdout;
use crate::temporary::{folder_of, follow_links};

/// What one name on the command line stands for.
#[derive(Debug)]
pub struct Files {
    pub name: PathBuf,
    /// Files that are there; of an output only those that it would replace.
    pub there: Vec<(PathBuf, Id)>,
    /// What stdin, stdout or a named pipe is: nothing that is replaced, but no two of them may be
    /// one.
    open: Option<Id>,
    /// What the name may come to mean.
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// No file of its own.
    None,
    File {
        folder: Id,
        name: OsString,
    },
    /// Pictures, and where links among them lead.
    Numbered {
        folder: Id,
        pattern: Pattern,
        links: Vec<(Id, OsString)>,
    },
}

/// A file or folder, however it is spelt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg(unix)]
pub struct Id(u64, u64);
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg(not(unix))]
pub struct Id(PathBuf);

#[cfg(unix)]
fn id(path: &Path) -> Option<Id> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|m| Id(m.dev(), m.ino()))
}

#[cfg(not(unix))]
fn id(path: &Path) -> Option<Id> {
    path.canonicalize().ok().map(Id)
}

/// The folder and name under which a file would be written.
fn place(path: &Path) -> Option<(Id, OsString)> {
    let target = follow_links(path);
    Some((id(folder_of(&target))?, target.file_name()?.into()))
}

impl Files {
    /// `first` is the lowest number of numbered pictures.
    pub fn new(path: &Path, numbered: Option<Pattern>, first: u64, write: bool) -> Self {
        let none = Files {
            name: path.into(),
            there: Vec::new(),
            open: None,
            place: Place::None,
        };
        if path == Path::new("null:") {
            return none;
        }
        let standard = |path: &Path| {
            if write {
                is_stdout(path)
            } else {
                path == Path::new("-")
            }
        };
        if standard(path) {
            let device = Path::new(if write { "/dev/stdout" } else { "/dev/stdin" });
            return Files {
                open: shared(device),
                ..none
            };
        }
        if let Some(pattern) = numbered {
            let numbers = pattern
                .numbers()
                .unwrap_or_default()
                .into_iter()
                .filter(|&n| n >= first);
            let paths: Vec<PathBuf> = numbers.map(|n| pattern.path(n)).collect();
            let links = paths
                .iter()
                .filter(|p| p.is_symlink())
                .filter_map(|p| place(p))
                .collect();
            let there = paths
                .into_iter()
                .filter_map(|p| id(&p).map(|i| (p, i)))
                .collect();
            let place = id(pattern.folder()).map_or(Place::None, |folder| Place::Numbered {
                folder,
                pattern,
                links,
            });
            return Files {
                there,
                place,
                ..none
            };
        }
        // devices and named pipes take and give what they like
        if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
            return Files {
                open: shared(path),
                ..none
            };
        }
        // of a link that leads nowhere, the target will be written
        let place = place(path).map_or(Place::None, |(folder, name)| Place::File { folder, name });
        Files {
            there: id(path).map(|i| (path.into(), i)).into_iter().collect(),
            place,
            ..none
        }
    }

    fn ids(&self) -> impl Iterator<Item = &Id> {
        self.there.iter().map(|(_, i)| i).chain(&self.open)
    }

    /// A file that two of the pictures would be.
    pub fn twice(&self) -> Option<&Path> {
        let Place::Numbered { links, .. } = &self.place else {
            return None;
        };
        // there may be hundreds of thousands of pictures
        let (mut ids, mut targets) = (HashSet::new(), HashSet::new());
        let same = self
            .there
            .iter()
            .find(|(_, id)| !ids.insert(id))
            .map(|(path, _)| path.as_path());
        same.or_else(|| {
            links
                .iter()
                .find(|l| !targets.insert(*l))
                .map(|(_, name)| Path::new(name))
        })
    }

    /// A file that both stand for.
    pub fn meets(&self, other: &Files) -> Option<&Path> {
        let ids: HashSet<&Id> = other.ids().collect();
        if self.ids().any(|i| ids.contains(i)) {
            let same = self.there.iter().find(|(_, i)| ids.contains(i));
            return Some(same.map_or(&self.name, |(path, _)| path));
        }
        let among = |f: &Id, name: &OsString, g: &Id, p: &Pattern, links: &[(Id, OsString)]| {
            (f == g && p.number(name).is_some()) || links.iter().any(|(h, n)| f == h && name == n)
        };
        let met = match (&self.place, &other.place) {
            (Place::File { folder: f, name: a }, Place::File { folder: g, name: b }) => {
                f == g && a == b
            }
            (
                Place::File { folder: f, name },
                Place::Numbered {
                    folder: g,
                    pattern,
                    links,
                },
            )
            | (
                Place::Numbered {
                    folder: g,
                    pattern,
                    links,
                },
                Place::File { folder: f, name },
            ) => among(f, name, g, pattern, links),
            (
                Place::Numbered {
                    folder: f,
                    pattern: a,
                    links: l,
                },
                Place::Numbered {
                    folder: g,
                    pattern: b,
                    links: m,
                },
            ) => (f == g && a.overlaps(b)) || l.iter().any(|x| m.contains(x)),
            (Place::None, _) | (_, Place::None) => false,
        };
        met.then_some(&self.name)
    }
}

/// What a stream is, unless any number may share it: a terminal, /dev/null.
#[cfg(unix)]
fn shared(path: &Path) -> Option<Id> {
    use std::os::unix::fs::FileTypeExt;
    let kind = fs::metadata(path).ok()?.file_type();
    if kind.is_char_device() {
        None
    } else {
        id(path)
    }
}

#[cfg(not(unix))]
fn shared(_: &Path) -> Option<Id> {
    None
}
