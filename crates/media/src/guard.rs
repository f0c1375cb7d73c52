//! One look at all files of a command, before any is opened: nothing that is read is written,
//! nothing is written twice, nothing is overwritten unasked.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::is_stdout;
use super::pattern::Pattern;
use super::temporary::{folder_of, follow_links};
use nvc::error::{Error, Result};

/// The files of a command.
#[derive(Debug)]
pub struct FileGuard {
    overwrite: bool,
    reads: Vec<Files>,
    writes: Vec<Files>,
}

/// What one name on the command line stands for.
#[derive(Debug)]
struct Files {
    name: PathBuf,
    /// Files that are there; of an output only those that it would replace.
    there: Vec<(PathBuf, Id)>,
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
struct Id(u64, u64);
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg(not(unix))]
struct Id(PathBuf);

#[cfg(unix)]
fn id(path: &Path) -> Option<Id> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|m| Id(m.dev(), m.ino()))
}

#[cfg(not(unix))]
fn id(path: &Path) -> Option<Id> {
    path.canonicalize().ok().map(Id)
}

impl FileGuard {
    /// `overwrite` allows to replace files, but never those that are read.
    pub fn new(overwrite: bool) -> Self {
        FileGuard {
            overwrite,
            reads: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// A file that is read. A name with a frame number that is no file itself stands for all
    /// pictures of that name.
    pub fn reads(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let numbered = if path.exists() {
            None
        } else {
            Pattern::parse(path)
        };
        self.reads.push(Files::new(path, numbered, 0, false));
        self
    }

    /// A file that is written.
    pub fn writes(mut self, path: impl AsRef<Path>) -> Self {
        self.writes.push(Files::new(path.as_ref(), None, 0, true));
        self
    }

    /// Pictures that are written, numbered from 1 if the name holds a frame number.
    pub fn writes_pictures(mut self, path: impl AsRef<Path>) -> Self {
        self.writes.push(Files::new(
            path.as_ref(),
            Pattern::parse(path.as_ref()),
            1,
            true,
        ));
        self
    }

    /// An [`Error::Parameter`] that names the file if something would be lost.
    pub fn check(self) -> Result<()> {
        let fail = |what: String| Err(Error::Parameter(what));
        if let Some((w, twice)) = self.writes.iter().find_map(|w| Some((w, w.twice()?))) {
            let what = format!(
                "two pictures of {} would both go to {}, by links; remove the links",
                w.name.display(),
                twice.display()
            );
            return fail(what);
        }
        for (i, w) in self.writes.iter().enumerate() {
            if let Some((r, file)) = self.reads.iter().find_map(|r| Some((r, w.meets(r)?))) {
                let names = if w.name == r.name {
                    ""
                } else {
                    &format!(" ({} and {})", r.name.display(), w.name.display())
                };
                return fail(format!(
                    "input and output are the same file {}{names}",
                    file.display()
                ));
            }
            let twice =
                |v: &&Files| w.meets(v).is_some() || (is_stdout(&w.name) && is_stdout(&v.name));
            if let Some(v) = self.writes[..i].iter().find(twice) {
                let names = if w.name == v.name {
                    ""
                } else {
                    &format!(" (as {})", v.name.display())
                };
                return fail(format!(
                    "two outputs would both go to {}{names}; give each a name of its own",
                    w.name.display()
                ));
            }
        }
        if self.overwrite {
            return Ok(());
        }
        match self.writes.iter().find_map(|w| w.there.first()) {
            Some((path, _)) => fail(format!("{} exists; -y overwrites it", path.display())),
            None => Ok(()),
        }
    }
}

/// The folder and name under which a file would be written.
fn place(path: &Path) -> Option<(Id, OsString)> {
    let target = follow_links(path);
    Some((id(folder_of(&target))?, target.file_name()?.into()))
}

impl Files {
    fn new(path: &Path, numbered: Option<Pattern>, first: u64, write: bool) -> Self {
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
    fn twice(&self) -> Option<&Path> {
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
    fn meets(&self, other: &Files) -> Option<&Path> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b", "f_001.png", "f_002.png", "100% of it"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        fs::create_dir(dir.path().join("sub")).unwrap();
        dir
    }

    fn says(guard: FileGuard, what: Option<&str>) {
        match (guard.check(), what) {
            (Ok(()), None) => {}
            (Err(Error::Parameter(m)), Some(w)) if m.contains(w) => {}
            (got, wanted) => panic!("{got:?}, expected {wanted:?}"),
        }
    }

    #[test]
    fn inputs_are_never_written_however_they_are_spelt() {
        let dir = dir();
        let at = |name: &str| dir.path().join(name);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("a", at("link")).unwrap();
            std::os::unix::fs::symlink(dir.path(), at("sub/up")).unwrap();
            fs::hard_link(at("a"), at("hard")).unwrap();
        }
        let mut spellings = vec!["a", "./a", "sub/../a"];
        if cfg!(unix) {
            spellings.extend(["link", "sub/up/a", "hard", "sub/up/link"]);
        }
        for s in spellings {
            for overwrite in [false, true] {
                says(
                    FileGuard::new(overwrite).reads(at("a")).writes(at(s)),
                    Some("same file"),
                );
            }
        }
        says(
            FileGuard::new(true)
                .reads(at("100% of it"))
                .writes(at("100% of it")),
            Some("same file"),
        );
        says(
            FileGuard::new(true)
                .reads(at("f_%03d.png"))
                .writes_pictures(at("sub/../f_%03d.png")),
            Some("same file"),
        );
        says(
            FileGuard::new(true)
                .reads(at("f_%03d.png"))
                .writes(at("f_002.png")),
            Some("same file"),
        );
        says(
            FileGuard::new(true)
                .reads(at("f_002.png"))
                .writes_pictures(at("f_%03d.png")),
            Some("same file"),
        );
        says(
            FileGuard::new(true)
                .reads(at("f_002.png"))
                .writes_pictures(at("g_%03d.png")),
            None,
        );
    }

    #[test]
    fn nothing_is_overwritten_unasked() {
        let dir = dir();
        let at = |name: &str| dir.path().join(name);
        for (name, overwrite, what) in [
            ("b", false, Some("b exists; -y")),
            ("b", true, None),
            ("new", false, None),
        ] {
            says(
                FileGuard::new(overwrite).reads(at("a")).writes(at(name)),
                what,
            );
        }
        says(
            FileGuard::new(false)
                .reads(at("a"))
                .writes_pictures(at("f_%03d.png")),
            Some("f_001.png exists"),
        );
        says(
            FileGuard::new(true)
                .reads(at("a"))
                .writes_pictures(at("f_%03d.png")),
            None,
        );
        // a name without a frame number is a plain one
        says(
            FileGuard::new(false).writes_pictures(at("100% of it")),
            Some("exists"),
        );
    }

    #[test]
    fn no_file_is_written_twice() {
        let dir = dir();
        let at = |name: &str| dir.path().join(name);
        says(
            FileGuard::new(true)
                .writes(at("new"))
                .writes(at("sub/../new")),
            Some("two outputs"),
        );
        says(
            FileGuard::new(true)
                .writes(at("g_007.png"))
                .writes_pictures(at("g_%03d.png")),
            Some("two outputs"),
        );
        says(
            FileGuard::new(true).writes("-").writes("-"),
            Some("two outputs"),
        );
        says(FileGuard::new(true).writes("null:").writes("null:"), None);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("new", at("dangling")).unwrap();
            for (n, to) in [(1, "new"), (2, "other"), (5, "other")] {
                std::os::unix::fs::symlink(to, at(&format!("v_{n}.png"))).unwrap();
            }
            says(
                FileGuard::new(true).writes_pictures(at("v_%d.png")),
                Some("two pictures"),
            );
            fs::remove_file(at("v_5.png")).unwrap();
            says(FileGuard::new(true).writes_pictures(at("v_%d.png")), None);
            says(
                FileGuard::new(true)
                    .writes(at("new"))
                    .writes_pictures(at("v_%d.png")),
                Some("two outputs"),
            );
            says(
                FileGuard::new(true)
                    .writes(at("new"))
                    .writes(at("dangling")),
                Some("two outputs"),
            );
            says(
                FileGuard::new(true)
                    .reads("/dev/null")
                    .writes("/dev/null")
                    .writes("/dev/null"),
                None,
            );
        }
    }
}
